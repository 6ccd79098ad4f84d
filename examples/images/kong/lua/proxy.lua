-- SPDX-License-Identifier: GPL-2.0-or-later
-- Decides about each request: which route it takes, whether its service's plugins let it pass, where it goes.
local cjson = require "cjson.safe"
local config = require "config"
local plugins = { jwt = require "jwt", ["rate-limiting"] = require "rate_limiting" }

local M = {}
local ORDER = { "jwt", "rate-limiting" }

-- The route with the longest path that @uri starts with, and that path
local function match(uri)
	local best, length
	for _, route in ipairs(config.all.routes) do
		for _, path in ipairs(route.paths) do
			if uri:sub(1, #path) == path and (not best or #path > #length) then
				best, length = route, path
			end
		end
	end
	return best, length
end

-- A service's own plugin of a name, or else the one for all
local function plugin_of(service, name)
	local for_all
	for _, plugin in ipairs(config.all.plugins) do
		if plugin.name == name and plugin.enabled then
			if plugin.service == cjson.null then
				for_all = plugin
			elseif plugin.service.id == service.id then
				return plugin
			end
		end
	end
	return for_all
end

local function refuse(status, body)
	ngx.status = status
	ngx.header["Content-Type"] = "application/json; charset=utf-8"
	ngx.print(cjson.encode(body))
	return ngx.exit(ngx.HTTP_OK)
end

function M.access()
	local uri = ngx.var.uri -- decoded, and without "..": what is matched is what is sent on
	local route, path = match(uri)
	if not route then return refuse(404, { message = "no Route matched with those values" }) end
	local service = config.find("services", route.service.id)
	ngx.var.consumer = "" -- whatever the client says that it is
	for _, name in ipairs(ORDER) do
		local plugin = plugin_of(service, name)
		if plugin then
			local status, body = plugins[name].check(plugin)
			if status then return refuse(status, body) end
		end
	end
	local rest = uri
	if route.strip_path then
		rest, ngx.var.prefix = uri:sub(#path + 1), path
	end
	local base = service.path ~= cjson.null and service.path:gsub("/$", "") or ""
	rest = base .. (rest:sub(1, 1) == "/" and rest or "/" .. rest)
	local authority = service.host .. ":" .. service.port
	ngx.var.upstream_host = route.preserve_host and ngx.var.http_host or authority
	ngx.var.upstream = service.protocol .. "://" .. authority .. ngx.escape_uri(rest, 0) ..
		(ngx.var.is_args or "") .. (ngx.var.args or "")
end

return M
