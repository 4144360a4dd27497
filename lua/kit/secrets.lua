-- kit/secrets.lua: the keys that come from data/master.key, one label a purpose (S2). Handles: the bytes are never here.
local secrets = {}

local handles = {}

function secrets.key(label)
	if not handles[label] then
		handles[label] = crypto.derive(label)
	end
	return handles[label]
end

-- What is stored of a secret that people or programs bring back.
function secrets.keyed(text)
	return crypto.keyed(secrets.key("lookup"), text)
end

-- A MAC over fields; no field can hold the separator's byte unnoticed, since each is preceded by its length.
function secrets.mac(label, ...)
	local parts = {}
	for index = 1, select("#", ...) do
		local text = tostring((select(index, ...)))
		parts[index] = #text .. ":" .. text
	end
	return crypto.keyed(secrets.key(label), table.concat(parts))
end

return secrets
