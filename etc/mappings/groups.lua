-- The names of the user's groups, as the claim "groups".
local names = {}
for _, group in ipairs(user.groups) do names[#names + 1] = group.name end
return names
