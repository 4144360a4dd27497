-- mapping/conversions.lua: the configuration's conversion rules, in JSON or in Lua, asked about somebody's claims. A script sees `claims`
-- and `application` and returns { user = name, groups = { names } }, or nothing where no rule of it applies.
local json_place = require "kit/json_place"
local result = require "mapping/result"
local rule_form = require "mapping/rule_form"
local rule_plan = require "mapping/rule_plan"
local rules = require "mapping/rules"
local script = require "mapping/script"

local conversions = {}

-- By name; the configuration's, once a generation.
local by_name = {}

local function at(declared, byte, message)
	local line, column = json_place.of_byte(declared.source, byte)
	return ("%s:%d:%d: %s"):format(declared.rules, line, column, message)
end

local function document_of(declared)
	local document, why, offset = json.decode(declared.source)
	if document ~= nil then return document end
	return nil, at(declared, (offset or 0) + 1, "this is no JSON: " .. tostring(why))
end

-- nil and "file:line:column: text" for rules that could not be meant. With `judge` the jail is asked whether the patterns compile.
local function entry_of(declared, judge)
	local entry = { name = declared.name, what = "conversion rules", script = declared.script or declared.rules, source = declared.source,
		dialect = declared.dialect, version = declared.schema_version, no_groups = declared.no_groups, empty_list = declared.empty_list,
		numbers = declared.numbers, lists = declared.lists, many_values = declared.many_values, in_lua = declared.script ~= nil }
	if entry.in_lua then
		local ok, why = true, nil
		if judge then ok, why = script.compile(entry) end
		return ok and entry or nil, why
	end
	local document, why = document_of(declared)
	if not document then return nil, why end
	entry.document, entry.version = document, entry.version or type(document) == "table" and document.schema_version or "1.0"
	local list, path = rule_plan.rules_of(document)
	if type(list) == "table" and #list > declared.most_rules then
		return nil, at(declared, json_place.byte(declared.source, path), ("more than most_rules = %d"):format(declared.most_rules))
	end
	if not judge then return entry end
	local wrong, late = rule_form.findings(document, entry.dialect, entry.version)
	local first = wrong[1] or late[1]
	if first then return nil, at(declared, json_place.byte(declared.source, first.path), first.message) end
	return entry
end

-- Takes the configuration's list. Returns true, or nil and "file:line:column: text".
function conversions.declare(list, judge)
	local declared = {}
	for _, each in ipairs(list or {}) do
		local entry, why = entry_of(each, judge)
		if not entry then return nil, why end
		declared[each.name] = entry
	end
	by_name = declared
	return true
end

-- What is wrong with one of the list, for `tidelock check`; nil when nothing is.
function conversions.problem(declared)
	local entry, why = entry_of(declared, true)
	return not entry and why or nil
end

local function refusal(reason, message) return { reason = reason, message = message } end

-- ---- in Lua ----

local function is_name(text) return type(text) == "string" and text ~= "" and utf8.len(text) ~= nil and #text <= 1000 end

local function made_of(value)
	if value == nil then return nil, refusal("no_rule_matched", "no rule of the script applies to these claims") end
	if type(value) ~= "table" then return nil, refusal("rules_failed", "the script returned no table { user, groups }") end
	for name in pairs(value) do
		if name ~= "user" and name ~= "groups" then
			return nil, refusal("rules_failed", ("the script returned a table with %q"):format(tostring(name)))
		end
	end
	if value.user == nil or value.user == "" then return nil, refusal("no_username", "the script gives no user name") end
	local groups = value.groups or {}
	if not is_name(value.user) or not result.is_list(groups) then
		return nil, refusal("rules_failed", "the script returned a user that is no text, or groups that are no list")
	end
	for _, group in ipairs(groups) do
		if not is_name(group) then return nil, refusal("rules_failed", "the script returned a group that is no text") end
	end
	return { user = value.user, groups = json.array(groups) }
end

local function by_script(entry, claims, about)
	local given = { claims = claims, user = {}, application = script.application(about.application) }
	local answer, failure = script.run(entry, given, about)
	if not answer then
		return nil, refusal("rules_failed", ("%s:%s: %s"):format(failure.script, failure.line or "?", failure.message or failure.kind)), {}
	end
	local made, refused = made_of(answer.result)
	return made, refused, {}
end

-- ---- in JSON ----

-- Keystone's answer in the clouds' form.
local function in_short(made)
	if type(made.user) == "string" then return made end
	local groups = json.array {}
	for _, id in ipairs(made.group_ids) do groups[#groups + 1] = id end
	for _, group in ipairs(made.group_names) do groups[#groups + 1] = group.name end
	return { user = made.user.name, groups = groups }
end

local function by_rules(entry, claims, explain)
	local asked = { document = entry.document, dialect = entry.dialect, version = entry.version, explain = explain,
		empty_list = entry.empty_list, numbers = entry.numbers, lists = entry.lists, many_values = entry.many_values }
	local made, refused, trace = rules.evaluate(asked, claims)
	if made and entry.dialect == "keystone" then made, refused = rules.login(made) end
	return made and in_short(made), refused, trace
end

local function apply(entry, claims, about, explain)
	local made, refused, trace
	if entry.in_lua then
		made, refused, trace = by_script(entry, claims, about)
	else
		made, refused, trace = by_rules(entry, claims, explain)
	end
	if made and #made.groups == 0 and entry.no_groups == "refuse" then
		return nil, refusal("no_groups", ("the rules put %q into no group"):format(made.user)), trace
	end
	return made, refused, trace
end

-- The same by rules as they are declared, which may not be in use yet.
function conversions.try(declared, claims)
	local entry, why = entry_of(declared, false)
	if not entry then return nil, refusal("invalid_rules", why) end
	return apply(entry, claims, {})
end

-- Who these claims make, by the rules of that name: { user = name, groups = names }; or nil and { reason, message }. Third, with explain:
-- what happened, rule by rule. about: as mapping/script has it.
function conversions.apply(name, claims, about, explain)
	local entry = by_name[name]
	if not entry then return nil, refusal("missing", ("there are no conversion rules %q"):format(name)), {} end
	return apply(entry, claims, about, explain)
end

return conversions
