-- auth/permissions.lua: what a person may do here; it comes from groups and their ancestors (S25).
local users = require "store/users"

local permissions = {}

permissions.KNOWN = { everything = true, manage_users = true, read_directory = true }

-- A set of names.
function permissions.of(user)
	local set = {}
	for _, group in ipairs(users.all_groups(user)) do
		for _, name in ipairs(group.permissions) do
			set[name] = true
		end
	end
	return set
end

function permissions.has(user, name)
	local set = permissions.of(user)
	return set.everything or set[name] or false
end

return permissions
