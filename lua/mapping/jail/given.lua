-- mapping/jail/given.lua: completes the values that a call was given, before its script runs, so that authentik's names are all there:
-- provider, http_request, request.user, request.context; and a list of scopes can be asked as Python's `in` does:
-- context.oauth_scopes["email"].
local core = ...

local asked = {
	__index = function(list, name)
		if type(name) ~= "string" then return nil end
		for _, each in ipairs(list) do
			if each == name then return true end
		end
	end,
	__metatable = false,
}

-- Django's names for what is known of a request.
local function http_request_of(given)
	return { method = given.method, path = given.path, user_agent = given.user_agent,
		META = { REMOTE_ADDR = given.client_ip, HTTP_USER_AGENT = given.user_agent, REQUEST_METHOD = given.method, PATH_INFO = given.path } }
end

local function only_policies() error("ak_message: only a policy has somebody to tell", 2) end

return function()
	local policy = type(context) == "table"
	local scopes = policy and context.oauth_scopes or type(token) == "table" and token.scopes
	if type(scopes) == "table" then setmetatable(scopes, asked) end
	core.user(user)
	if type(application) == "table" then
		provider = { name = application.name, client_id = application.client_id, application = application }
	end
	if not policy then
		ak_message = only_policies
		if type(token) == "table" and type(user) == "table" then context = { provider = provider, token = token, application = application } end
	else
		setmetatable(context, { __index = { application = application, pending_user = user }, __metatable = false })
	end
	if type(request) ~= "table" then return end
	http_request = http_request_of(request)
	request.user, request.context, request.http_request = user, context, http_request
end
