-- mapping/jail/given.lua: completes the values that a call was given, before its script runs: request.user and request.context are the
-- user and the context, as in authentik; and a list of scopes can be asked as Python's `in` does: context.oauth_scopes["email"].
local asked = {
	__index = function(list, name)
		if type(name) ~= "string" then return nil end
		for _, each in ipairs(list) do
			if each == name then return true end
		end
	end,
	__metatable = false,
}

return function()
	local scopes = type(context) == "table" and context.oauth_scopes or type(token) == "table" and token.scopes
	if type(scopes) == "table" then setmetatable(scopes, asked) end
	if type(request) == "table" then request.user, request.context = user, context end
end
