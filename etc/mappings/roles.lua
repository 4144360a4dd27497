-- Roles by group, where an application wants one word for each.
local ROLES = { admins = "administrator", editors = "editor", staff = "reader" }
local roles = {}
for _, group in ipairs(user.all_groups) do roles[#roles + 1] = ROLES[group.name] end
table.sort(roles)
return { roles = roles }
