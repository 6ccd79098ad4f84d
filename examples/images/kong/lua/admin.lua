-- SPDX-License-Identifier: GPL-2.0-or-later
-- The admin API, as Kong answers it: /KIND, /KIND/NAME, /KIND/NAME/CHILDREN, /KIND/NAME/CHILDREN/NAME.
-- Bodies are forms (name=x, paths[]=/y, config.minute=5) or JSON.
local cjson = require "cjson.safe"
local config = require "config"

local M = {}

local function say(status, body)
	ngx.status = status
	ngx.header["Content-Type"] = "application/json; charset=utf-8"
	if body then ngx.print(type(body) == "string" and body or cjson.encode(body)) end
	return ngx.exit(status)
end

local function not_found()
	return say(404, { message = "Not found" })
end

local function refuse(why, fields)
	local parts = {}
	for k, v in pairs(fields) do
		table.insert(parts, why == "unique" and ('%s="%s"'):format(k, v) or k .. ": " .. v)
	end
	local text = table.concat(parts, ", ")
	if why == "unique" then
		return say(409, { code = 5, name = "unique constraint violation", fields = fields,
			message = "UNIQUE violation detected on '{" .. text .. "}'" })
	end
	return say(400, { code = 2, name = "schema violation", fields = fields, message = "schema violation (" .. text .. ")" })
end

-- "paths[]" is a list even of one; "config.minute" is a field of a record
local function from_form(form)
	local args = {}
	for key, value in pairs(form) do
		local at, name = args, key:gsub("%[%d*%]$", "")
		local outer, inner = name:match("^([^.]+)%.(.+)$")
		if outer then
			args[outer] = args[outer] or {}
			at, name = args[outer], inner
		end
		at[name] = key:find("]", 1, true) and type(value) ~= "table" and { value } or value
	end
	return args
end

local function arguments()
	ngx.req.read_body()
	if (ngx.var.content_type or ""):find("json", 1, true) then
		local args = cjson.decode(ngx.req.get_body_data() or "")
		return type(args) == "table" and args or nil
	end
	return from_form(ngx.req.get_post_args())
end

local function create(kind, parent)
	if config.read_only then
		return say(405, { message = "cannot create '" .. kind .. "' entities when not using a database" })
	end
	local args = arguments()
	if not args then return say(400, { message = "Cannot parse JSON body" }) end
	local object, why, fields = config.add(kind, args, parent)
	if not object then return refuse(why, fields) end
	config.save()
	return say(201, object)
end

local function list(kind, parent)
	local data, field = {}, config.kinds[kind].field
	for _, object in ipairs(config.all[kind]) do
		if not parent or object[field] ~= cjson.null and object[field].id == parent.id then
			table.insert(data, cjson.encode(object))
		end
	end
	return say(200, '{"data":[' .. table.concat(data, ",") .. '],"next":null}') -- an empty table would be {}
end

local function delete(kind, object)
	if config.read_only then
		return say(405, { message = "cannot delete '" .. kind .. "' entities when not using a database" })
	end
	if object then
		local done, child = config.remove(kind, object)
		if not done then
			return say(400, { code = 4, name = "foreign key violation",
				message = ("an existing '%s' entity references this '%s' entity"):format(child, kind) })
		end
		config.save()
	end
	return say(204)
end

function M.answer()
	local method, words = ngx.req.get_method(), {}
	for word in ngx.var.uri:gmatch("[^/]+") do
		table.insert(words, word)
	end
	if #words == 0 then
		return say(200, { tagline = "nginx with Lua, taking Kong's admin calls", hostname = ngx.var.hostname })
	end
	local kind, name, parent = words[1], words[2], nil
	if not config.kinds[kind] or #words > 4 then return not_found() end
	if words[3] then
		parent = config.find(kind, name)
		local child = config.kinds[words[3]]
		if not parent or not child or child.parent ~= kind then return not_found() end
		kind, name = words[3], words[4]
	end
	if not name then
		if method == "POST" then return create(kind, parent) end
		if method == "GET" then return list(kind, parent) end
	else
		local object = config.find(kind, name, parent)
		if method == "DELETE" then return delete(kind, object) end
		if method == "GET" then return object and say(200, object) or not_found() end
	end
	return say(405, { message = "Method not allowed" })
end

return M
