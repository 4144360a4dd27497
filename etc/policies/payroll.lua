-- In the lab: administrators, and whoever works in the garden. Others read why not.
if is_member(user, "admins") or user.attributes.team == "gardening" then return true end
log.info("refused", { user = user.username, groups = #user.all_groups })
return false, "Payroll is for administrators and gardeners, and you are neither."
