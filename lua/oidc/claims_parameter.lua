-- oidc/claims_parameter.lua: OpenID Connect Core 5.5. The parameter selects only among claims that the application's own
-- scopes can make (S20); whatever else it names is ignored, as 5.5.1 allows.
local mapping = require "mapping/scopes"

local claims_parameter = {}

local MAX_CLAIMS = 64

local function object(value)
	return type(value) == "table" and not json.is_array(value)
end

-- Does a wanted { value = … } or { values = { … } } leave room for `actual`?
local function satisfied(want, actual)
	if not object(want) then return true end
	if want.value ~= nil then return want.value == actual end
	if type(want.values) == "table" then
		for _, value in ipairs(want.values) do
			if value == actual then return true end
		end
		return false
	end
	return true
end

-- The names under one member that the application can make; their scopes are gathered in `scopes`.
local function selected(member, owner, scopes)
	local names = {}
	for name in pairs(object(member) and member or {}) do
		local scope = type(name) == "string" and owner[name]
		if scope and #names < MAX_CLAIMS then
			names[#names + 1] = name
			scopes[scope] = true
		end
	end
	table.sort(names)
	return names
end

-- Reads the parameter's text for an application whose answers carry `acr`. Returns { id_token = names, userinfo = names, scopes =
-- the scopes that make them, subject = the sub asked for or nil, unmet_acr = true or nil }, or nil and what is wrong.
function claims_parameter.read(text, application, acr)
	local value = json.decode(text)
	if not object(value) then return nil, "The claims parameter is not a JSON object." end
	for _, name in ipairs { "id_token", "userinfo" } do
		if value[name] ~= nil and value[name] ~= json.null and not object(value[name]) then
			return nil, "The claims parameter is malformed."
		end
	end
	local owner, set, scopes = mapping.claim_names(application), {}, {}
	local id_token = object(value.id_token) and value.id_token or {}
	local userinfo = object(value.userinfo) and value.userinfo or {}
	local out = { id_token = selected(id_token, owner, set), userinfo = selected(userinfo, owner, set) }
	for name in pairs(set) do scopes[#scopes + 1] = name end
	table.sort(scopes)
	out.scopes = scopes
	local wanted = object(id_token.sub) and id_token.sub or object(userinfo.sub) and userinfo.sub or {}
	if type(wanted.value) == "string" then out.subject = wanted.value end
	local want = id_token.acr
	if object(want) and want.essential == true and not satisfied(want, acr) then out.unmet_acr = true end
	return out
end

return claims_parameter
