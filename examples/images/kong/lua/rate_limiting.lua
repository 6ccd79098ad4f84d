-- SPDX-License-Identifier: GPL-2.0-or-later
-- The plugin rate-limiting: so many requests of a client (its consumer, or else its address) in each second,
-- minute, hour or day of the clock.
local M = {}
local WINDOWS = { { "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 } }

-- Return: nothing, or the status and what to say
function M.check(plugin)
	local client = ngx.var.consumer ~= "" and "consumer " .. ngx.var.consumer or ngx.var.remote_addr
	local now = ngx.time()
	for _, window in ipairs(WINDOWS) do
		local name, length = window[1], window[2]
		local limit = plugin.config[name]
		if limit then
			local key = ("%s %s %s %d"):format(plugin.id, client, name, math.floor(now / length))
			local count = ngx.shared.counters:incr(key, 1, 0, length)
			local title = name:gsub("^%l", string.upper)
			ngx.header["X-RateLimit-Limit-" .. title] = limit
			ngx.header["X-RateLimit-Remaining-" .. title] = math.max(0, limit - count)
			if count > limit then
				ngx.header["Retry-After"] = length - now % length
				return 429, { message = "API rate limit exceeded" }
			end
		end
	end
end

return M
