-- SPDX-License-Identifier: GPL-2.0-or-later
-- The plugin jwt: a request needs a token (Authorization: Bearer ...) that a consumer's secret has signed with
-- HS256. The token's "iss" says whose key it is. config.claims_to_verify: exp, nbf.
local base64 = require "ngx.base64"
local bit = require "bit"
local cjson = require "cjson.safe"
local hmac = require "openssl.hmac"
local config = require "config"

local M = {}

-- Takes as long whether the first byte or the last differs
local function same(a, b)
	if #a ~= #b then return false end
	local difference = 0
	for i = 1, #a do
		difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i)))
	end
	return difference == 0
end

local function decode(part)
	local text = base64.decode_base64url(part)
	local value = text and cjson.decode(text)
	return type(value) == "table" and value or nil
end

local function no(text)
	return 401, { message = text }
end

local function expired(plugin, claims)
	for _, name in ipairs(plugin.config.claims_to_verify or {}) do
		local value = tonumber(claims[name])
		if not value then return 401, { [name] = "must be a number" } end
		if name == "exp" and value <= ngx.time() then return 401, { exp = "token expired" } end
		if name == "nbf" and value > ngx.time() then return 401, { nbf = "token not valid yet" } end
	end
end

-- Return: nothing, or the status and what to say
function M.check(plugin)
	local token = (ngx.var.http_authorization or ""):match("^[Bb]earer%s+(.+)$")
	if not token then
		ngx.header["WWW-Authenticate"] = "Bearer"
		return no("Unauthorized")
	end
	local head, body, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
	local header, claims = head and decode(head), body and decode(body)
	signature = signature and base64.decode_base64url(signature)
	if not header or not claims or not signature then return no("Bad token; invalid JSON") end
	if type(claims.iss) ~= "string" then return no("No mandatory 'iss' in claims") end
	local credential
	for _, c in ipairs(config.all.jwt) do
		if c.key == claims.iss then credential = c end
	end
	if not credential then return no("No credentials found for given 'iss'") end
	if header.alg ~= credential.algorithm then return no("Invalid algorithm") end
	if not same(hmac.new(credential.secret, "sha256"):final(head .. "." .. body), signature) then
		return no("Invalid signature")
	end
	ngx.var.consumer = config.find("consumers", credential.consumer.id).username
	return expired(plugin, claims)
end

return M
