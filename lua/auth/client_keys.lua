-- auth/client_keys.lua: the public keys that an application signs with: its `jwks`, or what its `jwks_uri` answers. What a
-- token's header says of keys (jwk, jku, x5u) is never looked at; its kid only picks among these (RFC 8725 3.10).
local remote_keys = require "auth/remote_keys"

local client_keys = {}

-- Keys without a kid, or of the same: so many are tried.
local MOST_TRIED = 4

-- A jwks setting is a table or JSON text.
local function read(jwks)
	if type(jwks) == "string" then
		jwks = json.decode(jwks)
	end
	return remote_keys.import(jwks)
end

-- May it be configured? true, or nil and what is wrong with it.
function client_keys.usable(jwks)
	if jwks == nil then
		return true
	end
	local list, why = read(jwks)
	return list and true or nil, why
end

-- What is wrong with the keys of a configuration's applications: "file:line: text" each.
function client_keys.problems(config)
	local out = {}
	for _, application in ipairs(config.applications or {}) do
		local usable, why = client_keys.usable(application.jwks)
		if not usable then
			out[#out + 1] = ("%s: application \"%s\": jwks %s"):format(application._at, application.label, why)
		end
	end
	return out
end

-- Keys by application; a changed application is another table.
local own = setmetatable({}, { __mode = "k" })

local function configured(application)
	own[application] = own[application] or read(application.jwks) or {}
	return own[application]
end

-- Has one of `list` signed it?
local function signed_by(list, parsed, algorithms)
	local kid, tried = parsed.header.kid, 0
	for _, each in ipairs(list) do
		if (kid == nil or each.kid == kid) and tried < MOST_TRIED then
			tried = tried + 1
			if jws.check(parsed, each.handle, algorithms) then
				return true
			end
		end
	end
	return false
end

local function names(list, kid)
	for _, each in ipairs(list) do
		if each.kid == kid then
			return true
		end
	end
	return false
end

local function signed_remotely(address, parsed, algorithms)
	local list, why = remote_keys.get(address)
	local kid = parsed.header.kid
	-- The client may have changed its keys since (OpenID Connect Core 10.1.1).
	if list and kid ~= nil and not names(list, kid) then
		list, why = remote_keys.again(address)
	end
	if not list then
		return false, "the keys of the client cannot be had.", "the key set at jwks_uri " .. why
	end
	return signed_by(list, parsed, algorithms), "no key of the client made the signature."
end

-- Is the signature of a parsed token (jws.parse) by a key of the application? true, or false, why, and
-- what only the owner is to know. Waits.
function client_keys.signed(application, parsed, algorithms)
	if application.jwks then
		return signed_by(configured(application), parsed, algorithms), "no key of the client made the signature."
	elseif application.jwks_uri then
		return signed_remotely(application.jwks_uri, parsed, algorithms)
	end
	return false, "the client has no keys."
end

return client_keys
