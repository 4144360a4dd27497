-- Organisations and teams by the names of groups: whoever is in "acme/web" is in the team web of the organisation acme, and whoever
-- is in "acme/web/mobile" also in the team mobile inside it. Other groups say nothing.
local organisations, known = {}, {}

local function organisation(login)
	if not known[login] then
		known[login] = { login = login, name = login, teams = {} }
		organisations[#organisations + 1] = known[login]
	end
	return known[login]
end

-- The team called `name` inside `around` (an organisation or a team), of the group `path`; made where there is none.
local function team(around, name, path, key)
	if not known[path] then
		known[path] = { name = name, slug = slugify(name), key = key, direct = false, teams = {} }
		around.teams[#around.teams + 1] = known[path]
	end
	return known[path]
end

for _, group in ipairs(user.all_groups) do
	local login, names = group.name:match("^([^/]+)/(.+)$")
	if login then
		local at, key = organisation(login), ""
		for name in names:gmatch("[^/]+") do
			key = key .. "/" .. name
			at = team(at, name, login .. key, key)
		end
		-- In those around it he is by this one.
		at.direct = true
	end
end

return {
	login = user.attributes.github_login or user.username,
	id = user.attributes.github_id,
	organisations = organisations,
}
