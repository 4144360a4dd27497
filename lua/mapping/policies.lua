-- mapping/policies.lua: who may use an application, and with which scopes, as the owner's scripts decide. Never raises for a
-- script's mistake: whatever is no clear answer refuses, and the caller makes an event of it.
--
-- A policy returns true or false and a message for the person; or a table { allow, message, scopes = those that are left }.
local result = require "mapping/result"
local script = require "mapping/script"

local policies = {}

local MESSAGE_MAX = 1000
local FIELDS = { allow = "boolean", message = "string", scopes = "table" }

-- By name; the configuration's, once a generation.
local by_name = {}

local function entry_of(declared)
	return {
		name = declared.name, what = "policy", script = declared.script, source = declared.source, may = declared.may,
		label = ("%s (%s)"):format(declared.name, declared.script),
	}
end

-- Takes the configuration's policies (script.declared). Returns true, or nil and "file:line: text".
function policies.declare(list, compile)
	local declared, why = script.declared(list, compile, entry_of)
	if not declared then return nil, why end
	by_name = declared
	return true
end

-- ---- what a result means ----

local function table_verdict(value)
	for name, item in pairs(value) do
		if not FIELDS[name] then return nil, ("returned a table with \"%s\"; it may have allow, message and scopes"):format(name) end
		if type(item) ~= FIELDS[name] then return nil, ("returned %s that is no %s"):format(name, FIELDS[name]) end
	end
	if value.scopes and not result.is_list(value.scopes) then return nil, "returned scopes that are no list" end
	if value.allow == nil and not value.scopes then return nil, "returned a table that says neither allow nor scopes" end
	return { allowed = value.allow ~= false, message = value.message, scopes = value.scopes }
end

-- What a script returned as { allowed, message, scopes = list or nil (all) }, or nil and why it means nothing. No value but
-- these is taken for a yes: 0 and "" count as true in Lua and as false where many policies come from.
local function verdict(value, second)
	if type(value) == "boolean" then
		return { allowed = value, message = type(second) == "string" and second or nil }
	end
	if type(value) == "table" then return table_verdict(value) end
	if value == nil then return nil, "returned nothing; a policy returns true or false" end
	return nil, ("returned a %s; a policy returns true or false"):format(type(value))
end

-- Messages for the person: those of ak_message, then the one that was returned.
local function messages_of(answer, returned)
	local out = {}
	for _, line in ipairs(answer.log) do
		if line.level == "message" then out[#out + 1] = line.text end
	end
	if returned and utf8.len(returned) then out[#out + 1] = returned end
	return out
end

local function joined(list)
	local text = table.concat(list or {}, "\n")
	if #text > MESSAGE_MAX then text = text:sub(1, utf8.offset(text, 0, MESSAGE_MAX) - 1) end
	return text ~= "" and text or nil
end

-- Runs one policy. Returns { name, label, allowed, messages, scopes, answer }, or the same refusing with `failure`.
local function run(entry, given, about, exact)
	local answer, failure = script.run(entry, given, about, exact)
	local said, why
	if answer then said, why = verdict(answer.result, answer.second) end
	if not said then
		failure = failure or script.failure(entry, given, {
			kind = answer.result == nil and "nothing" or "result", message = why, log = answer.log,
		})
		return { name = entry.name, label = entry.label, allowed = false, failure = failure, answer = answer }
	end
	return {
		name = entry.name, label = entry.label, allowed = said.allowed, scopes = said.scopes,
		messages = messages_of(answer, said.message), answer = answer,
	}
end

-- A policy that an application names and the configuration has not (any more) refuses.
local function missing(name, given)
	local entry = { name = name, what = "policy", script = "?" }
	return { name = name, label = name, allowed = false, failure = script.failure(entry, given, {
		kind = "missing", message = "the application names this policy, which is not declared",
	}) }
end

-- ---- deciding ----

-- S24: what a policy sees.
local function given_of(asked)
	local context, login, request = {}, asked.login or {}, script.request(asked.request)
	for name, value in pairs(asked.context or {}) do context[name] = value end
	context.oauth_scopes, context.oauth_grant_type = asked.scopes, asked.grant_type
	context.auth_method = login.method
	context.auth_method_args = login.method and { amr = login.amr, acr = login.acr, auth_time = login.at } or nil
	return {
		user = asked.user, application = script.application(asked.application), context = context, request = request,
		ak_client_ip = request.client_ip, ak_is_sso_flow = login.method == "source",
	}
end

local function keep(scopes, said)
	if not said then return scopes end
	local left, out = {}, {}
	for _, name in ipairs(said) do left[name] = true end
	for _, name in ipairs(scopes) do
		if left[name] then out[#out + 1] = name end
	end
	return out
end

-- asked = { user = users.view(…), application, scopes = list, grant_type, context = further values, login = { at, method, amr,
-- acr }, request = { client_ip, path } } and what helpers need (script.run). With policy_mode "all" each policy must allow, and
-- what each leaves is left; with "any" the first that allows decides. Returns { allowed, message, scopes, by = the policy that
-- decided (label), failures }.
function policies.decide(asked)
	local application, given = asked.application, given_of(asked)
	local any, scopes, last = application.policy_mode == "any", asked.scopes, nil
	asked.failures = {}
	for _, name in ipairs(application.policies) do
		local entry = by_name[name]
		last = entry and run(entry, given, asked) or missing(name, given)
		table.insert(asked.failures, last.failure)
		if last.allowed then scopes = keep(scopes, last.scopes) end
		if last.allowed == any then break end
	end
	return {
		allowed = last.allowed, message = joined(last.messages), scopes = last.allowed and scopes or {}, by = last.label,
		failures = asked.failures,
	}
end

-- ak_call_policy: another policy with what this script's own call is about, and more in the context. Its failure is told too.
local function call_policy(about, _, name, values)
	local entry = by_name[name or ""]
	if not entry then return false, ("there is no policy \"%s\""):format(tostring(name)) end
	local asked = setmetatable({ depth = (about.depth or 0) + 1, context = {}, questions = 0 }, { __index = about })
	for key, value in pairs(about.context or {}) do asked.context[key] = value end
	for key, value in pairs(type(values) == "table" and values or {}) do asked.context[key] = value end
	local made = run(entry, given_of(asked), asked)
	if about.failures then table.insert(about.failures, made.failure) end
	return true, { passing = made.allowed, messages = made.messages or {}, raw_result = made.answer and made.answer.result }
end

script.provide { call_policy = call_policy }

local function named(name, list)
	for _, each in ipairs(list or {}) do
		if each.name == name then return entry_of(each) end
	end
	return by_name[name]
end

-- One policy for `tidelock try policy`; `list`, the policies of the configuration as the files stand now, comes before what
-- this generation runs. Returns { name, script, allowed, message, scopes, stripped, result, instructions, memory, ms, log }, or nil
-- and the failure; nil alone when there is no such policy.
function policies.try(name, asked, list)
	local entry = named(name, list)
	if not entry then return nil end
	local made = run(entry, given_of(asked), asked, true)
	if made.failure then return nil, made.failure end
	local left, stripped, answer = made.allowed and keep(asked.scopes, made.scopes) or {}, {}, made.answer
	local stays = {}
	for _, scope in ipairs(left) do stays[scope] = true end
	for _, scope in ipairs(made.allowed and asked.scopes or {}) do
		if not stays[scope] then stripped[#stripped + 1] = scope end
	end
	return {
		name = entry.name, script = entry.script, allowed = made.allowed, message = joined(made.messages), scopes = left,
		stripped = stripped,
		result = answer.result, instructions = answer.instructions, memory = answer.memory, ms = answer.ms, log = answer.log,
		given = answer.given, second = answer.second,
	}
end

return policies
