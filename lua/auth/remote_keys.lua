-- auth/remote_keys.lua: key sets that others publish (RFC 7517 5).
local remote_documents = require "auth/remote_documents"

local remote_keys = {}

local MOST_KEYS = 50

-- The keys of a set as { kid, handle, issuer = whose tokens alone it may sign (Entra) }; those of kinds that we do not know are left
-- out. nil and what is wrong.
function remote_keys.import(set)
	local list = type(set) == "table" and set.keys
	if type(list) ~= "table" or #list > MOST_KEYS then
		return nil, list and ("has more than %d keys"):format(MOST_KEYS) or "is not a key set: { \"keys\": [ … ] }"
	end
	local out, why = {}, "it is empty"
	for _, jwk in ipairs(list) do
		if type(jwk) == "table" then
			local handle, reason = key.import_jwk(jwk)
			out[#out + 1] = handle and { kid = jwk.kid, handle = handle, issuer = jwk.issuer } or nil
			why = reason or why
		end
	end
	if #out == 0 then
		return nil, "has no key that can be used: " .. why
	end
	return out
end

-- A token that names a key which is not among them is a reason for another look (`again`).
local sets = remote_documents.new {
	read = remote_keys.import, fresh = 300, stale = 86400, pause = 30, timeout = 5, max = 65536, most = 200,
}

-- The keys at an address, or nil and why there are none. Waits.
function remote_keys.get(address, how) return sets:get(address, how) end
function remote_keys.again(address, how) return sets:again(address, how) end

return remote_keys
