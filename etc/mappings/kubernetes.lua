-- For kube-apiserver --oidc-username-claim=username --oidc-groups-claim=groups: no name or group can be one of Kubernetes' own, which begin
-- with "system:", and groups have a prefix that RoleBindings name.
local groups = {}
for _, group in ipairs(user.all_groups) do
	local name = regex_replace(group.name, "^(system:)+", "")
	if name ~= "" then groups[#groups + 1] = "sso:" .. name end
end
return { username = "sso:" .. user.username, groups = groups }
