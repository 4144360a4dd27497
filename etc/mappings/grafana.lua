-- For Grafana's role_attribute_path = grafana_role, and groups for its team sync.
local role = "Viewer"
if is_member(user, "grafana-editors") then role = "Editor" end
if is_member(user, "admins") then role = "Admin" end
local groups = {}
for _, group in ipairs(user.groups) do groups[#groups + 1] = group.name end
return { grafana_role = role, groups = groups }
