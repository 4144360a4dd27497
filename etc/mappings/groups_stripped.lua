-- Only the groups that begin with "app-", without that: "app-notes-editors" is "notes-editors" to the application.
local names = {}
for _, group in ipairs(user.groups) do
	names[#names + 1] = group.name:match("^app%-(.+)$")
end
return names
