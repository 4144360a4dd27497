-- kit/dotted.lua: "address.country" or "otherMails.1" in a decoded document. A name that has dots of its own ("https://x.example/groups")
-- comes before a path.
local dotted = {}

-- The value, or nil; JSON's null is none.
function dotted.get(document, path)
	if type(document) ~= "table" then return nil end
	local value = document[path]
	if value == nil then
		value = document
		for name in path:gmatch("[^.]+") do
			if type(value) ~= "table" then return nil end
			local here = value
			value = here[name]
			if value == nil and json.is_array(here) then value = here[math.tointeger(tonumber(name))] end
		end
	end
	return value ~= json.null and value or nil
end

return dotted
