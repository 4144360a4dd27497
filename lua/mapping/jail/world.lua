-- mapping/jail/world.lua: what the worker does for a script, when the script's declaration allows it (`may`, S24). Each waits; what is
-- refused or fails is an error of the script's line. Named as in authentik, whose keyword arguments are a table here.
local core = ...
local ask = core.ask

-- The first user of { username = "x" }, { email = "x" } or { attributes__department = "x" }, or nil. Needs may.users.
function ak_user_by(filter)
	if type(filter) ~= "table" or next(filter) == nil then
		error("ak_user_by: say whom, like { username = \"alice\" }", 2)
	end
	return core.user(ask("user_by", filter))
end

-- The first group of { name = "x" }, { uuid = … }, { pk = … } or { attributes__floor = 3 }, with `users`: the names of those who are in it
-- themselves, 1,000 at most; or nil. Needs may.users.
function ak_group_by(filter)
	if type(filter) ~= "table" or next(filter) == nil then
		error("ak_group_by: say which, like { name = \"staff\" }", 2)
	end
	return core.group(ask("group_by", filter))
end

-- Another policy's opinion: { passing, messages, raw_result }. Values are added to the context that it sees.
function ak_call_policy(name, values) return ask("call_policy", name, values) end

-- Leaves an event of kind custom_<action>. Passwords and the like are left out.
function ak_create_event(action, values) ask("create_event", action, values) end
event = ak_create_event

local function slug_of(application) return type(application) == "table" and application.slug or application end

-- An access token of an application for the user that this is about, or an error. Needs may.tokens_for.
function ak_create_jwt(user, application, scopes, validity)
	return ask("create_jwt", type(user) == "table" and user.pk or nil, slug_of(application), scopes, validity)
end

-- Claims of one's own, signed with the application's key, with its client_id as audience. Needs may.sign.
function ak_create_jwt_raw(application, validity, claims)
	return ask("create_jwt_raw", slug_of(application), validity, claims)
end

-- The person's access token at a source that keeps tokens, refreshed when it had ended; nil when there is none. Needs may.source_tokens.
function source_token(source) return ask("source_token", type(source) == "table" and source.name or source) end

-- There is no mail yet: false, and an event.
function ak_send_email(address, subject) return ask("send_email", address, subject) end

-- Lists of addresses, empty where there are none; version 4, 6 or nil. Need may.dns.
function resolve_dns(host, version) return ask("resolve_dns", host, version) end
function reverse_dns(address) return ask("reverse_dns", type(address) == "table" and address.text or address) end

-- ---- http and requests: to the hosts of may.http, no redirect is followed ----

local function escape(text)
	return (tostring(text):gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function form(fields)
	local names, out = {}, {}
	for name in pairs(fields) do names[#names + 1] = name end
	table.sort(names)
	for index, name in ipairs(names) do out[index] = escape(name) .. "=" .. escape(fields[name]) end
	return table.concat(out, "&")
end

local function body_of(options, headers)
	if options.json ~= nil then
		headers["content-type"] = headers["content-type"] or "application/json"
		return json.encode(options.json)
	end
	local data = options.form or options.data or options.body
	if type(data) ~= "table" then return data end
	headers["content-type"] = headers["content-type"] or "application/x-www-form-urlencoded"
	return form(data)
end

local any_case = { __index = function(headers, name) return type(name) == "string" and rawget(headers, name:lower()) or nil end }

local function response_of(answer)
	answer.headers = setmetatable(answer.headers or {}, any_case)
	answer.status_code, answer.text, answer.content = answer.status, answer.body, answer.body
	answer.ok = answer.status < 400
	function answer.json()
		local value, why = json.decode(answer.body)
		if value == nil then error("the answer is no JSON: " .. tostring(why), 2) end
		return value
	end
	return answer
end

-- options: headers, params (of the query), timeout (seconds), json, form (or data), body.
local function call(method, url, options)
	options = options or {}
	local headers = {}
	for name, value in pairs(options.headers or {}) do headers[tostring(name):lower()] = tostring(value) end
	local body = body_of(options, headers)
	if options.params then url = url .. (url:find("?", 1, true) and "&" or "?") .. form(options.params) end
	return response_of(ask("http", { method = method, url = url, headers = headers, body = body, timeout = options.timeout }))
end

http = { request = call }
for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" } do
	http[method:lower()] = function(url, options) return call(method, url, options) end
end
requests = http
