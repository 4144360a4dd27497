-- Who somebody from Entra ID is here: the user name without the domain, a department, and only those groups whose names begin with
-- "app-", without that. Try it: `tidelock try source entra --claims somebody.json`.
local groups = {}
for _, group in ipairs(properties.groups or {}) do
	local name = group.name:match("^app%-(.+)$")
	if name then groups[#groups + 1] = { id = group.id, name = name } end
end

return {
	username   = (info.userPrincipalName or info.upn or ""):match("^([^@]+)@") or properties.username,
	attributes = { department = info.department, employee_id = info.employeeId },
	groups     = groups,
}
