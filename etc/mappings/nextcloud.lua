-- For Nextcloud's user_oidc: quota, and groups, of which "admin" is Nextcloud's own.
local groups = {}
for _, group in ipairs(user.groups) do
	if group.name ~= "admin" then groups[#groups + 1] = group.name end
end
if is_member(user, "admins") then groups[#groups + 1] = "admin" end
return { name = user.name, quota = user.attributes.nextcloud_quota or "5 GB", groups = groups, user_id = user.uuid }
