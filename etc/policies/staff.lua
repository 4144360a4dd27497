-- Only for members of the group "staff", also through a group inside it.
if is_member(user, "staff") then return true end
return false, "This is for staff only. Ask the help desk to be let in."
