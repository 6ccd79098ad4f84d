-- SPDX-License-Identifier: GPL-2.0-or-later
-- The gateway's objects: services, routes, plugins, consumers, jwts. All are checked and made here, whether they
-- come over the admin API or out of a declarative file; they live in the worker and in a file, to outlive it.
local cjson = require "cjson.safe"
local rand = require "openssl.rand"

local M = { null = cjson.null, read_only = false }
local FILE = "/var/lib/kong/config.json"
local PORTS = { http = 80, https = 443 }
local WINDOWS = { second = true, minute = true, hour = true, day = true }

-- What belongs to what, under which name it is found, and what goes with its parent
M.kinds = {
	services = { key = "name", children = { "routes", "plugins" } },
	routes = { key = "name", parent = "services", field = "service", needed = true },
	plugins = { parent = "services", field = "service" },
	consumers = { key = "username", children = { "jwt" } },
	jwt = { key = "key", parent = "consumers", field = "consumer", needed = true },
}

local function uuid()
	local h = rand.bytes(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
	return ("%s-%s-4%s-a%s-%s"):format(h:sub(1, 8), h:sub(9, 12), h:sub(14, 16), h:sub(18, 20), h:sub(21, 32))
end

local function bool(value, default)
	if value == nil then return default end
	return value == true or value == "true"
end

local function list(value)
	if value == nil then return nil end
	return type(value) == "table" and value or { value }
end

local make = {}

function make.services(args)
	local url = args.url
	if url then
		args.protocol, args.host, args.port, args.path = nil, nil, nil, nil
		local rest
		args.protocol, rest = tostring(url):match("^(https?)://(.+)$")
		if not rest then return nil, { url = "not an http or https URL" } end
		local authority, path = rest:match("^([^/]+)(/?.*)$")
		args.host, args.port = (authority or ""):match("^([%w%._-]+):?(%d*)$")
		args.path = path ~= "" and path or nil
	end
	if not args.host then return nil, { host = "required field missing" } end
	local protocol = args.protocol or "http"
	return { name = args.name or cjson.null, protocol = protocol, host = args.host,
		port = tonumber(args.port) or PORTS[protocol], path = args.path or cjson.null }
end

function make.routes(args)
	local paths = list(args.paths)
	if not paths or #paths == 0 then return nil, { paths = "required field missing" } end
	for _, path in ipairs(paths) do
		if type(path) ~= "string" or path:sub(1, 1) ~= "/" then return nil, { paths = "should start with: /" } end
	end
	return { name = args.name or cjson.null, paths = paths, protocols = list({ "http", "https" }),
		strip_path = bool(args.strip_path, true), preserve_host = bool(args.preserve_host, false) }
end

function make.plugins(args)
	local given, config = args.config or {}, {}
	if type(given) ~= "table" then return nil, { config = "expected a record" } end
	if args.name == "rate-limiting" then
		for window in pairs(WINDOWS) do
			config[window] = tonumber(given[window])
		end
		if next(config) == nil then return nil, { config = "at least one of second, minute, hour, day is required" } end
	elseif args.name == "jwt" then
		config.claims_to_verify = list(given.claims_to_verify)
	else
		return nil, { name = "plugin '" .. tostring(args.name) .. "' not enabled; there are rate-limiting and jwt" }
	end
	return { name = args.name, enabled = bool(args.enabled, true), config = config }
end

function make.consumers(args)
	if not args.username then return nil, { username = "required field missing" } end
	return { username = args.username }
end

function make.jwt(args)
	local algorithm = args.algorithm or "HS256"
	if algorithm ~= "HS256" then return nil, { algorithm = "expected HS256" } end
	return { key = args.key or uuid(), secret = args.secret or uuid(), algorithm = algorithm }
end

function M.find(kind, name, parent)
	local by, field = M.kinds[kind].key, M.kinds[kind].field
	for i, object in ipairs(M.all[kind]) do
		if (object.id == name or by and object[by] == name) and (not parent or object[field].id == parent.id) then
			return object, i
		end
	end
end

-- Return: the new object, or nil, what is wrong ("schema" or "unique") and with which fields
function M.add(kind, args, parent)
	local rules = M.kinds[kind]
	if not parent and type(args[rules.field]) == "table" then
		parent = M.find(rules.parent, args[rules.field].id or args[rules.field].name)
	end
	if rules.needed and not parent then return nil, "schema", { [rules.field] = "required field missing" } end
	local object, wrong = make[kind](args)
	if not object then return nil, "schema", wrong end
	local key = rules.key and object[rules.key]
	if key and key ~= cjson.null and M.find(kind, key) then return nil, "unique", { [rules.key] = key } end
	object.id, object.created_at = uuid(), ngx.time()
	if rules.field then object[rules.field] = parent and { id = parent.id } or cjson.null end
	table.insert(M.all[kind], object)
	return object
end

-- Return: true, or false and what kind of object still needs it
function M.remove(kind, object)
	for _, child in ipairs(M.kinds[kind].children or {}) do
		local field, all = M.kinds[child].field, M.all[child]
		for i = #all, 1, -1 do
			if all[i][field] ~= cjson.null and all[i][field].id == object.id then
				if child == "routes" then return false, child end
				table.remove(all, i)
			end
		end
	end
	local _, at = M.find(kind, object.id)
	table.remove(M.all[kind], at)
	return true
end

function M.save()
	local f = assert(io.open(FILE .. ".new", "w"))
	f:write(cjson.encode(M.all))
	f:close()
	assert(os.rename(FILE .. ".new", FILE))
end

local function add_all(kind, rows, parent)
	for _, args in ipairs(rows or {}) do
		local object, why, wrong = M.add(kind, args, parent)
		if not object then error(("%s: %s: %s"):format(kind, why, cjson.encode(wrong))) end
		if kind == "services" then
			add_all("routes", args.routes, object)
			add_all("plugins", args.plugins, object)
		elseif kind == "consumers" then
			add_all("jwt", args.jwt_secrets, object)
		end
	end
end

local function read(path)
	local f, why = io.open(path)
	if not f then return nil, why end
	local text = f:read("*a")
	f:close()
	return assert(cjson.decode(text), path .. " is not JSON")
end

function M.load()
	M.all = {}
	for kind in pairs(M.kinds) do
		M.all[kind] = {}
	end
	local file = os.getenv("KONG_DECLARATIVE_CONFIG")
	if file then
		local given = assert(read(file))
		M.read_only = true
		add_all("services", given.services)
		add_all("consumers", given.consumers)
		add_all("plugins", given.plugins)
		return
	end
	for kind, objects in pairs(read(FILE) or {}) do
		M.all[kind] = objects
	end
end

return M
