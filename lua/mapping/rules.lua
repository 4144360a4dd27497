-- mapping/rules.lua: conversion rules asked about somebody: what user and groups a cloud would make of these claims, in the dialects of
-- Open Telekom Cloud (otc), Huawei Cloud (huawei) and Keystone. Whether the rules are well written: mapping/rule_form.
local plans = require "mapping/rule_plan"

local rules = {}

rules.dialects = { otc = true, huawei = true, keystone = true }

-- What no cloud's page settles, by name, and what we do unless told otherwise.
local CLOUD = { lists = "values", numbers = "values", empty_list = "absent", split = false }
local KEYSTONE = { lists = "absent", numbers = "absent", empty_list = "absent", split = true }

-- So many rules cross to the jail at once.
local AT_ONCE = 200

local function beginning(dialect, version, many_values)
	return { keystone = dialect == "keystone", version = math.tointeger(tonumber(version or "1.0") // 1), many_values = many_values,
		ids = {}, names = {}, projects = {}, seen = {}, seen_ids = {} }
end

-- A part of a plan as Lua's source has it: read faster there than values that cross one by one.
local literal
function literal(value)
	if type(value) == "string" then return ("%q"):format(value) end
	if type(value) ~= "table" then return tostring(value) end
	local out, count = {}, #value
	for index = 1, count do out[index] = literal(value[index]) end
	for name, each in pairs(value) do
		if math.type(name) ~= "integer" then out[#out + 1] = ("[%q]=%s"):format(name, literal(each)) end
	end
	return "{" .. table.concat(out, ",") .. "}"
end

-- By rule of a plan.
local sources = setmetatable({}, { __mode = "k" })

local function source_of(rule)
	local source = sources[rule] or literal(rule)
	sources[rule] = source
	return source
end

local function call(plan, first, values, state, explain)
	local out = {}
	for index = first, math.min(first + AT_ONCE - 1, #plan) do out[#out + 1] = source_of(plan[index]) end
	local answer, why = jail.run {
		name = "conversion rules", chunk = "=conversion rules",
		source = ("return conversion.evaluate({%s}, values, state, explain)"):format(table.concat(out, ",")),
		given = { values = values, state = state, explain = explain or false },
	}
	if answer then return answer.result end
	return { refused = { reason = why.kind == "busy" and "busy" or "rules_failed", message = why.message or why.kind } }
end

-- All of them, some at a time. Returns the state or nil, the refusal, and what happened.
local function run(plan, values, state, explain)
	local trace = {}
	for first = 1, #plan, AT_ONCE do
		local answer = call(plan, first, values, state, explain)
		table.move(answer.trace or {}, 1, #(answer.trace or {}), #trace + 1, trace)
		if answer.refused then return nil, answer.refused, trace end
		state = answer.state
	end
	return state, nil, trace
end

-- ---- what comes out ----

local function refusal(reason, message) return { reason = reason, message = message } end

local function domain_out(domain)
	if domain == nil then return nil end
	return domain and json.object(domain) or json.null
end

local function project_out(project)
	local roles = json.array {}
	for index, role in ipairs(project.roles or {}) do roles[index] = json.object(role) end
	return json.object { name = project.name, roles = roles, domain = domain_out(project.domain) }
end

local function user_out(state)
	local user = json.object(state.user or {})
	user.type = user.type or "ephemeral"
	user.domain = domain_out(user.domain)
	-- Schemas 2.0 and 3.0: the domain of the last object, also of another rule.
	if state.version > 1 and user.domain == nil then user.domain = domain_out(state.domain or false) end
	return user
end

-- { user, group_ids, group_names, projects } as Keystone's engine answers.
local function for_keystone(state)
	if not state.any then return nil, refusal("no_match", "no rule applies") end
	local user = user_out(state)
	if user.type ~= "ephemeral" and user.type ~= "local" then
		return nil, refusal("bad_user_type", ("a user of type %q is not supported"):format(user.type))
	end
	local names, projects = json.array {}, json.array {}
	for index, group in ipairs(state.names) do names[index] = json.object { name = group.name, domain = domain_out(group.domain) } end
	for index, project in ipairs(state.projects) do projects[index] = project_out(project) end
	return { user = user, group_ids = json.array(state.ids), group_names = names, projects = projects }
end

-- { user = name, groups = names } as the clouds have them.
local function for_cloud(state)
	if not state.any then return nil, refusal("no_rule_matched", "no rule applies to these claims") end
	local name = (state.user or {}).name
	if not name or name == "" then return nil, refusal("no_username", "no rule that applies gives a user name") end
	local groups = json.array {}
	for index, group in ipairs(state.names) do groups[index] = group.name end
	return { user = name, groups = groups }
end

-- Of a document and dialect once: documents are not changed.
local made_plans = setmetatable({}, { __mode = "k" })

local function plan_of(document, dialect)
	local known = type(document) == "table" and made_plans[document]
	if known and known.dialect == dialect then return known.plan, known.names end
	local plan, names = plans.of(document, dialect)
	if plan then made_plans[document] = { dialect = dialect, plan = plan, names = names } end
	return plan, names
end

-- What the rules make of claims (a table as JSON decodes it). asked = { document = the rules, decoded, dialect = "otc" (the default),
-- "huawei" or "keystone", version = "1.0", "2.0" or "3.0" for Keystone, explain = true to be told what happened, lists, numbers,
-- empty_list, split: see above }. Returns { user, groups } (for Keystone { user, group_ids, group_names, projects }), or nil and
-- { reason, message }; and, third, what happened, rule by rule.
function rules.evaluate(asked, claims)
	local dialect = asked.dialect or "otc"
	local plan, names = plan_of(asked.document, dialect)
	if not plan then return nil, refusal("invalid_rules", names), {} end
	local options = setmetatable(asked, { __index = dialect == "keystone" and KEYSTONE or CLOUD })
	local values = plans.values(names, claims, options)
	if not asked.explain then plan = plans.within_reach(plan, values) end
	local state, refused, trace = run(plan, values, beginning(dialect, asked.version, options.many_values), asked.explain)
	if not state then return nil, refused, trace end
	local made
	made, refused = (dialect == "keystone" and for_keystone or for_cloud)(state)
	return made, refused, trace
end

-- ---- Keystone's step after the mapping ----

local function percent(text)
	return (text:gsub("[^%w_.~/-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function full(text) return text ~= nil and text ~= "" and text or nil end

-- Who would be signed in: the user's name and id filled in from each other and from REMOTE_USER, the domain from the identity provider's.
-- Returns what evaluate gave with that user, or nil and the refusal. A user of type local stays as it is.
function rules.login(mapped, remote_user, provider_domain)
	local user = mapped.user
	if user.type == "local" then return mapped end
	local name, id = full(user.name) or full(remote_user) or full(user.id), full(user.id)
	if not name then return nil, refusal("no_user_identity", "the rules give neither a name nor an id, and there is no REMOTE_USER") end
	user.name, user.id = name, percent(id or name)
	if user.domain == nil or user.domain == json.null then user.domain = json.object { id = provider_domain } end
	return mapped
end

return rules
