-- config/groups.lua: group "admins" { … }
local types = require "config/types"

local groups = { list = "groups" }

groups.schema = {
	permissions = types.list(types.one_of("everything", "manage_users", "read_directory")),
	parents = types.list(types.text { max = 100 }),
	attributes = types.data,
}

function groups.label(text)
	if #text > 100 or not utf8.len(text) or text:find("%c") then
		return "a group's name has at most 100 characters"
	end
end

function groups.complete(group)
	group.name = group.label
	group.permissions = group.permissions or {}
	group.parents = group.parents or {}
	group.attributes = group.attributes or {}
	return group
end

return groups
