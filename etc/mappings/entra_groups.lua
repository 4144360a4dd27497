-- source_mapping: Entra ID names groups by their ids. Those that are listed have a name here, and no other comes in; everybody keeps the
-- user name and address that Entra has.
local NAMES = {
	["0b1f2c3d-0000-4000-8000-000000000001"] = "staff",
	["0b1f2c3d-0000-4000-8000-000000000002"] = "web",
}
local groups = {}
for _, id in ipairs(claims.groups or {}) do
	if NAMES[id] then groups[#groups + 1] = { id = id, name = NAMES[id] } end
end
return { groups = groups, attributes = { department = info.department } }
