-- Organisations and teams by the names of groups: whoever is in "acme/web" is in the team web of the organisation acme, and whoever
-- is in "acme/web/mobile" also in the team mobile inside it. Other groups say nothing.
local organisations, by_login = {}, {}

local function organisation(login)
	if not by_login[login] then
		by_login[login] = { login = login, name = login, teams = {} }
		organisations[#organisations + 1] = by_login[login]
	end
	return by_login[login]
end

-- The entry of a name among teams, made where there is none.
local function team(teams, name, key)
	for _, each in ipairs(teams) do
		if each.key == key then return each end
	end
	local made = { name = name, slug = slugify(name), key = key, direct = false, teams = {} }
	teams[#teams + 1] = made
	return made
end

for _, group in ipairs(user.all_groups) do
	local login, path = group.name:match("^([^/]+)/(.+)$")
	if login then
		local teams, key, last = organisation(login).teams, "", nil
		for name in path:gmatch("[^/]+") do
			key = key .. "/" .. name
			last = team(teams, name, key)
			teams = last.teams
		end
		-- The others he is in by this one.
		if last then last.direct = true end
	end
end

return {
	login = user.attributes.github_login or user.username,
	id = user.attributes.github_id,
	organisations = organisations,
}
