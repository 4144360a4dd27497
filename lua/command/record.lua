-- command/record.lua: what a script made of a real person, as a case beside it (mapping/cases), for the command line to write.
local print_ = require "command/print"
local refuse = require "command/refuse"

-- What says nothing about the script, and would only be in the way.
local TAKEN_OUT = { "uid", "pk", "last_login", "date_joined", "password_change_date", "path" }

local function groups_of(list)
	local out = json.array {}
	for index, group in ipairs(list or {}) do
		local attributes = next(group.attributes or {}) and group.attributes or nil
		out[index] = (attributes or group.uuid) and { name = group.name, uuid = group.uuid, attributes = attributes } or group.name
	end
	return out
end

local function given_of(given)
	local out = {}
	for name, value in pairs(given) do out[name] = value end
	if given.user then
		local user = {}
		for name, value in pairs(given.user) do user[name] = value end
		for _, name in ipairs(TAKEN_OUT) do user[name] = nil end
		user.groups, user.all_groups = groups_of(user.groups), groups_of(user.all_groups)
		out.user = user
	end
	if given.request then out.request = { client_ip = given.request.client_ip, path = given.request.path } end
	return out
end

-- declared: what the configuration of now has of it; tried: { given, result, second }. The answer's `record`: where and what to write.
return function(declared, name, tried)
	if not declared or not declared.cases_at then refuse("what is built in has no file to stand beside") end
	local list = declared.cases and json.decode(declared.cases) or json.array {}
	if type(list) ~= "table" or not json.is_array(list) then refuse("%s: no list of cases", declared.cases_at) end
	list[#list + 1] = json.object { name = name, given = json.object(given_of(tried.given)),
		want = tried.result == nil and json.null or tried.result, want_message = tried.second }
	return { path = declared.cases_at, text = print_.json(list) }
end
