-- One organisation, and a team in it for each group. `tidelock try github --user alice` shows what becomes of somebody.
-- The attributes github_login and github_id of a user, and github_id of a group, keep what they had on a GitHub Enterprise of before.
local teams = {}
for _, group in ipairs(user.all_groups) do
	teams[#teams + 1] = {
		name = group.name, slug = slugify(group.name), key = group.uuid, id = group.attributes.github_id,
	}
end
return {
	login  = user.attributes.github_login or user.username,
	id     = user.attributes.github_id,
	emails = { { email = user.email, verified = user.email_verified, primary = true, visibility = "private" } },
	organisations = {
		{ login = "example", name = "Example", role = is_member(user, "admins") and "admin" or "member", teams = teams },
	},
}
