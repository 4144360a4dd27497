-- For Vault's JWT/OIDC method: groups_claim = groups, and what claim_mappings take.
local groups = {}
for _, group in ipairs(user.all_groups) do groups[#groups + 1] = slugify(group.name) end
return { groups = groups, vault = { name = user.username, team = user.attributes.team } }
