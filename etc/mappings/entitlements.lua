-- What somebody may do in the application, from its groups' attributes: entitlements = { notes = { "read", "write" } } in the group gives
-- both to its members in the application notes. The claims are those that authentik gives for the scope entitlements.
local names, seen = {}, {}
for _, group in ipairs(user.all_groups) do
	local mine = group.attributes.entitlements and group.attributes.entitlements[application.slug] or {}
	for _, name in ipairs(mine) do
		if not seen[name] then names[#names + 1] = name end
		seen[name] = true
	end
end
return { entitlements = names, roles = names }
