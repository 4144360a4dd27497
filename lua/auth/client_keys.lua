-- auth/client_keys.lua: the public keys that an application signs with: its `jwks`, or what its `jwks_uri` answers. What a
-- token's header says of keys (jwk, jku, x5u) is never looked at; its kid only picks among these (RFC 8725 3.10).
local client_keys = {}

local MOST_KEYS = 50
-- Keys without a kid, or of the same: so many are tried.
local MOST_TRIED = 4

-- The keys of a set (RFC 7517 5) as { kid, handle }; those of kinds that we do not know are left out. nil and what is wrong.
local function imported(set)
	local list = type(set) == "table" and set.keys
	if type(list) ~= "table" or #list > MOST_KEYS then
		return nil, list and ("has more than %d keys"):format(MOST_KEYS) or "is not a key set: { \"keys\": [ … ] }"
	end
	local out, why = {}, "it is empty"
	for _, jwk in ipairs(list) do
		if type(jwk) == "table" then
			local handle, reason = key.import_jwk(jwk)
			out[#out + 1] = handle and { kid = jwk.kid, handle = handle } or nil
			why = reason or why
		end
	end
	if #out == 0 then
		return nil, "has no key that can be used: " .. why
	end
	return out
end

-- A jwks setting is a table or JSON text.
local function read(jwks)
	if type(jwks) == "string" then
		jwks = json.decode(jwks)
	end
	return imported(jwks)
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

-- Is the signature of a parsed token (jws.parse) by a key of the application? Waits.
function client_keys.signed(application, parsed, algorithms)
	if application.jwks then
		return signed_by(configured(application), parsed, algorithms)
	end
	return false
end

return client_keys
