-- Groups with those around them: who is in "web", which is inside "staff", is in both. Sorted, so that tokens are the same each time.
local names = {}
for _, group in ipairs(user.all_groups) do names[#names + 1] = group.name end
table.sort(names)
return { groups = names }
