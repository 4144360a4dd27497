-- mapping/jail/rules.lua: conversion rules: which of them apply, and what those that do make of a person. The code is ours, the patterns
-- and what is matched against them are not. What a plan is: mapping/rule_plan.lua, which makes it.
local core = ...

conversion = {}

-- Ends the evaluation; caught in evaluate.
local function refuse(reason, message, ...) error({ reason = reason, message = message:format(...) }, 0) end

-- ---- remote: does a rule apply? ----

local function hit(condition, value)
	local regex = condition[3]
	for index = 4, #condition do
		local pattern = condition[index]
		if not regex then
			if value == pattern then return true end
		else
			local ok, found = pcall(regex_match, value, pattern)
			if not ok then refuse("bad_pattern", "the pattern %q of the attribute %q: %s", pattern, condition[1], found) end
			if found then return true end
		end
	end
	return false
end

-- The values that are hit (or, with `other`, those that are not). Each once, but for what a regular expression picks out.
local function chosen(condition, values, other)
	local out, seen = {}, {}
	for _, value in ipairs(values) do
		if hit(condition, value) ~= other and not seen[value] then
			out[#out + 1] = value
			seen[value] = other or not condition[3]
		end
	end
	return out
end

local function any(condition, values)
	for _, value in ipairs(values) do
		if hit(condition, value) then return true end
	end
	return false
end

-- By kind: does it hold, and the list it gives a place to, if it gives one.
local kinds = {
	value = function(_, values) return true, values end,
	any_one_of = function(condition, values) return any(condition, values) end,
	not_any_of = function(condition, values) return not any(condition, values) end,
	whitelist = function(condition, values) return true, chosen(condition, values, false) end,
	blacklist = function(condition, values) return true, chosen(condition, values, true) end,
}

-- What stands at {0}, {1}, … when the rule applies, else nil. An attribute that is absent fails any condition, and what comes after the
-- first that fails is not looked at.
local function places_of(rule, values, seen)
	local places = {}
	for index, condition in ipairs(rule[2]) do
		local name, kind = condition[1], condition[2]
		if not name then refuse("invalid_rules", "rule %d: %s", rule[1], kind) end
		local have = values[name]
		local holds, gives = false, nil
		if have then holds, gives = kinds[kind](condition, have) end
		if seen then
			seen[index] = { attribute = name, condition = kind, values = have, holds = holds, gives = gives }
		end
		if not holds then return nil end
		if gives then places[#places + 1] = gives end
	end
	return places
end

-- ---- local: what does it give? ----

local function at(places, index, what)
	return places[index + 1] or refuse("placeholder_without_value", "%s: {%d} is beyond the %d values that the rule's conditions give",
		what, index, #places)
end

-- A text place takes one value at each placeholder.
local function value_at(places, index, what)
	local list = at(places, index, what)
	if #list ~= 1 then refuse("many_values", "%s: {%d} has %d values, and there is place for one", what, index, #list) end
	return list[1]
end

local function text(template, places, what)
	if type(template) == "string" then return template end
	if type(template) == "number" then return value_at(places, template, what) end
	if template.bad then refuse("bad_template", "%s: %s", what, template.bad) end
	local out = {}
	for index, part in ipairs(template) do
		out[index] = type(part) == "number" and value_at(places, part, what) or part
	end
	return table.concat(out)
end

local function texts(object, places, what)
	local out = {}
	for name, template in pairs(object) do
		if name == "domain" then
			out.domain = texts(template, places, what .. ".domain")
		else
			out[name] = text(template, places, what .. "." .. name)
		end
	end
	return out
end

-- A list place: a placeholder alone gives all its values, a literal list its items, any other text is one.
local function list(template, places, what)
	if template.whole then
		return at(places, template.whole, what)
	end
	local out = {}
	for index, each in ipairs(template.items or { template }) do out[index] = text(each, places, what) end
	return out
end

local function projects_of(templates, places)
	local out = {}
	for index, project in ipairs(templates) do
		local what = ("projects[%d]"):format(index - 1)
		local made = { name = project.name and text(project.name, places, what .. ".name"), roles = {} }
		for number, role in ipairs(project.roles or {}) do made.roles[number] = texts(role, places, what .. ".roles") end
		made.domain = project.domain and texts(project.domain, places, what .. ".domain")
		out[index] = made
	end
	return out
end

-- ---- projects_json (schema 3.0): projects that the outside names ----

local function only(object, names, what)
	if type(object) ~= "table" then refuse("projects_json_schema", "%s is no object", what) end
	for name in pairs(object) do
		if not names[name] then refuse("projects_json_schema", "%s has %q", what, tostring(name)) end
	end
	return object
end

local function is_text(value, what)
	if type(value) ~= "string" then refuse("projects_json_schema", "%s is no text", what) end
	return value
end

local NAMED, PROJECT, DOMAIN = { name = true }, { name = true, roles = true, domain = true }, { id = true, name = true }

local function outside_project(value)
	local out = { name = is_text(only(value, PROJECT, "a project").name, "a project's name"), roles = {} }
	if type(value.roles) ~= "table" then refuse("projects_json_schema", "a project has no roles") end
	for index, role in ipairs(value.roles) do
		out.roles[index] = { name = is_text(only(role, NAMED, "a role").name, "a role's name") }
	end
	if value.domain ~= nil then
		out.domain = only(value.domain, DOMAIN, "a project's domain")
		for name, each in pairs(out.domain) do is_text(each, "domain." .. name) end
	end
	return out
end

local function outside_projects(index, places)
	local values = at(places, index, "projects_json")
	if #values ~= 1 then refuse("projects_json_schema", "projects_json: {%d} has %d values", index, #values) end
	local decoded, why = core.decode(values[1])
	if decoded == nil then refuse("projects_json_schema", "projects_json: %s", why) end
	if type(decoded) ~= "table" then refuse("projects_json_schema", "projects_json is no list") end
	local out = {}
	for number, value in ipairs(decoded) do out[number] = outside_project(value) end
	if #out == 0 and next(decoded) ~= nil then refuse("projects_json_schema", "projects_json is no list") end
	return out
end

-- ---- merging ----

-- state = { any, user, ids, names, projects, domain, … }: what the rules gave up to here.
local function add_name(state, group)
	local domain = group.domain
	local key = group.name .. "\0" .. (domain and ((domain.id or "") .. "\0" .. (domain.name or "")) or "")
	if state.seen[key] then return end
	state.seen[key] = true
	state.names[#state.names + 1] = group
end

local function add_id(state, id)
	if state.seen_ids[id] then return end
	state.seen_ids[id] = true
	state.ids[#state.ids + 1] = id
end

-- One name for each value, where the owner has it so (many_values = "each").
local function each_of(template, places)
	local part = template.name
	local values = type(part) == "number" and places[part + 1] or {}
	return #values > 1 and values
end

local function add_group(state, template, places)
	local many = state.many_values == "each" and each_of(template, places)
	if many then
		local domain = template.domain and texts(template.domain, places, "group.domain")
		for _, name in ipairs(many) do add_name(state, { name = name, domain = domain }) end
		return
	end
	local group = texts(template, places, "group")
	if group.id then return add_id(state, group.id) end
	if not group.name then return end
	if state.keystone and not group.domain then refuse("group_without_domain", "the group %q has no domain", group.name) end
	add_name(state, group)
end

-- Keystone to keystone: "JSON:{…}" brings its own domain.
local function json_group(value)
	local decoded, why = core.decode(value:sub(6))
	if type(decoded) ~= "table" then refuse("bad_group_json", "a group is no JSON object: %s", why or value) end
	if type(decoded.domain) ~= "table" then
		refuse("groups_without_domain", "the group %s has no domain", value)
	end
	local group = { name = decoded.name, domain = { id = decoded.domain.id, name = decoded.domain.name } }
	for _, each in pairs { group.name or false, group.domain.id, group.domain.name } do
		if type(each) ~= "string" then refuse("bad_group_json", "the group %s has no name, or one that is no text", value) end
	end
	return group
end

local function add_groups(state, object, places)
	local values = list(object.groups, places, "groups")
	local domain = object.domain and texts(object.domain, places, "domain")
	for _, value in ipairs(values) do
		if state.keystone and value:find("^JSON:") then
			add_name(state, json_group(value))
		else
			if state.keystone and not domain then
				refuse("groups_without_domain", "groups: a domain must stand beside it, in the same object")
			end
			add_name(state, { name = value, domain = domain })
		end
	end
	if state.keystone and #values == 0 and not domain then
		refuse("groups_without_domain", "groups: a domain must stand beside it, in the same object")
	end
end

local function add_projects(state, object, places)
	local made = projects_of(object.projects or {}, places)
	if state.version == 3 and object.projects_json then
		local template = object.projects_json
		if template.bad then refuse("projects_json_template", "projects_json: %s", template.bad) end
		for _, project in ipairs(outside_projects(template.whole, places)) do made[#made + 1] = project end
	end
	local domain = object.domain and texts(object.domain, places, "domain") or false
	for _, project in ipairs(made) do
		if state.version > 1 and project.domain == nil then project.domain = domain end
	end
	state.projects = made
end

-- One object of a rule that applies.
local function add(state, object, places)
	if object.bad then refuse("invalid_rules", "%s", object.bad) end
	state.any = true
	if object.user then
		local user = texts(object.user, places, "user")
		state.user = state.user or next(user) and user or nil
	end
	if object.group then add_group(state, object.group, places) end
	if object.groups then add_groups(state, object, places) end
	if object.group_ids then
		for _, id in ipairs(list(object.group_ids, places, "group_ids")) do add_id(state, id) end
	end
	if object.projects or (object.projects_json and state.version == 3) then add_projects(state, object, places) end
	state.domain = object.domain and texts(object.domain, places, "domain") or false
end

-- ---- the whole ----

local function run(plan, values, state, trace)
	for _, rule in ipairs(plan) do
		local seen = trace and {}
		local places = places_of(rule, values, seen)
		if trace then
			trace[#trace + 1] = { rule = rule[1], applies = places ~= nil, remote = seen, values = places }
		end
		for _, object in ipairs(places and rule[3] or {}) do add(state, object, places) end
	end
end

-- plan: some rules; values: by attribute, the texts; state: what came of the rules before. Returns { state, trace } or
-- { refused = { reason, message }, trace }.
function conversion.evaluate(plan, values, state, explain)
	local trace = explain and {} or nil
	local ok, why = pcall(run, plan, values, state, trace)
	if ok then return { state = state, trace = trace } end
	if type(why) ~= "table" then error(why, 0) end
	return { refused = why, trace = trace }
end

-- The patterns that are none, as { { pattern, message } }.
function conversion.patterns(list_of_patterns)
	local out = {}
	for _, pattern in ipairs(list_of_patterns) do
		local ok, why = pcall(regex_match, "", pattern)
		if not ok then out[#out + 1] = { pattern = pattern, message = why } end
	end
	return out
end
