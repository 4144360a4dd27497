-- Who is no administrator signs in all the same, without the scope that administrators have. To refuse instead, as the policies of
-- authentik have to:
--   if request.context["oauth_scopes"]["admin"] then return ak_is_group_member(request.user, { name = "admins" }) end
--   return true
if is_member(user, "admins") then return true end
local left = {}
for _, scope in ipairs(context.oauth_scopes) do
	if scope ~= "admin" then left[#left + 1] = scope end
end
return { scopes = left }
