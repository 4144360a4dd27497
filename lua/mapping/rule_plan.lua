-- mapping/rule_plan.lua: conversion rules as their files have them (Keystone's `federation` mappings; the clouds' lists), made ready for
-- the jail (mapping/jail/rules.lua). Nothing is refused here: a part that cannot be meant becomes { bad = why }, which refuses whoever
-- reaches it; mapping/rule_form tells its author before.
--
-- A plan is short, because it crosses to the jail at each call: { { number, { condition }, { object } } }, a condition { name, kind, is a
-- regular expression, pattern, … }, and in an object each text a template: a text, a place's number, or a list of both.
local rule_plan = {}

-- The rules of a document: a bare list, { rules = … } or { mapping = { rules = … } }; and the names that lead there.
function rule_plan.rules_of(document)
	if type(document) ~= "table" then return nil, {} end
	if json.is_array(document) then return document, {} end
	if type(document.mapping) == "table" and document.rules == nil then return document.mapping.rules, { "mapping", "rules" } end
	return document.rules, { "rules" }
end

-- ---- texts with places in them ----

local FARTHEST = 1000000

local function place(text)
	local digits = text:match("^{(%d+)}$")
	return digits and (#digits <= 6 and math.tointeger(tonumber(digits)) or FARTHEST)
end

-- The template of a text: `{` digits `}` is a place, `{{` and `}}` are braces, any other brace is a mistake.
function rule_plan.template(text)
	if type(text) ~= "string" then return { bad = "it is no text" } end
	local out, at, plain = {}, 1, {}
	local function flush()
		if #plain > 0 then out[#out + 1] = table.concat(plain) end
		plain = {}
	end
	while at <= #text do
		local from = text:find("[{}]", at) or #text + 1
		plain[#plain + 1] = text:sub(at, from - 1)
		if from > #text then break end
		local word = text:match("^{{", from) or text:match("^}}", from) or text:match("^{%d+}", from)
		if not word then return { bad = ("%q has a brace that is neither {number} nor {{ nor }}"):format(text) } end
		if place(word) then
			flush()
			out[#out + 1] = place(word)
		else
			plain[#plain + 1] = word:sub(1, 1)
		end
		at = from + #word
	end
	flush()
	return out
end

local function template(text)
	local made = rule_plan.template(text)
	if made.bad or #made > 1 then return made end
	return made[1] or ""
end

-- The items of a literal list inside a text, ["a", "b"] or ['a', 'b'], as templates; nil when it is none.
local function literal_items(text)
	local body = text:match("^%s*%[(.*)%]%s*$")
	if not body then return nil end
	local out, at = {}, 1
	if body:find("^%s*$") then return out end
	while true do
		local quote, from = body:match("^%s*([\"'])()", at)
		local to = quote and body:find(quote, from, true)
		if not to then return nil end
		local item = body:sub(from, to - 1)
		if item:find("\\", 1, true) then return nil end
		out[#out + 1] = rule_plan.template(item)
		local comma, rest = body:match("^%s*(,?)()", to + 1)
		if comma == "" then return body:find("^%s*$", rest) and out or nil end
		at = rest
	end
end

-- groups, group_ids: a place alone, a literal list, or one text.
function rule_plan.list_template(text)
	if type(text) ~= "string" then return { bad = "it is no text" } end
	local whole = place(text)
	if whole then return { whole = whole } end
	local items = literal_items(text)
	return items and { items = items } or rule_plan.template(text)
end

-- ---- local ----

local function texts(object, names)
	if type(object) ~= "table" or json.is_array(object) then return nil end
	local out = {}
	for name in names:gmatch("%S+") do
		if object[name] ~= nil then
			if name == "domain" then out.domain = texts(object.domain, "id name") or { id = { bad = "the domain is no object" } }
			else out[name] = template(object[name]) end
		end
	end
	return out
end

local function projects_of(list)
	local out = {}
	for index, project in ipairs(type(list) == "table" and list or {}) do
		if type(project) ~= "table" then return nil end
		local made = { name = project.name ~= nil and template(project.name) or nil, roles = {} }
		for number, role in ipairs(type(project.roles) == "table" and project.roles or {}) do made.roles[number] = texts(role, "name") or {} end
		if project.domain ~= nil then made.domain = texts(project.domain, "id name") end
		out[index] = made
	end
	return out
end

-- Schema 3.0 takes "{n}" and "n" at the text's beginning.
local function outside_projects(text)
	local digits = type(text) == "string" and text:match("^{?(%d+)")
	if not digits then return { bad = ("%q is not {number}"):format(tostring(text)) } end
	return { whole = #digits <= 6 and math.tointeger(tonumber(digits)) or FARTHEST }
end

local function bad(what) return { bad = what .. " is not what it must be" } end

-- huawei: groups may be an object { name } of one group.
local function groups_of(value, dialect)
	if dialect == "huawei" and type(value) == "table" and type(value.name) == "string" then
		return { items = { rule_plan.template(value.name) } }
	end
	return rule_plan.list_template(value)
end

local function object_of(object, dialect)
	if type(object) ~= "table" or json.is_array(object) then return bad("a local object") end
	local out = {}
	if object.user ~= nil then
		out.user = texts(object.user, "id name email type domain") or { name = bad("user") }
	end
	if object.group ~= nil then out.group = texts(object.group, "id name domain") or { name = bad("group") } end
	if object.groups ~= nil then out.groups = groups_of(object.groups, dialect) end
	if object.group_ids ~= nil then out.group_ids = rule_plan.list_template(object.group_ids) end
	if object.domain ~= nil then out.domain = texts(object.domain, "id name") or { id = bad("domain") } end
	if object.projects ~= nil then out.projects = projects_of(object.projects) or { { name = bad("projects") } } end
	if object.projects_json ~= nil then out.projects_json = outside_projects(object.projects_json) end
	return out
end

-- ---- remote ----

-- As the engine looks for them: the first that is there decides.
local CONDITIONS = { "any_one_of", "not_any_of", "blacklist", "whitelist" }

-- What is no text can equal no value; as a regular expression it is a mistake.
local function patterns_of(list, regex)
	local out = {}
	for _, pattern in ipairs(list) do
		if type(pattern) == "string" then
			out[#out + 1] = pattern
		elseif regex then
			return nil
		end
	end
	return out
end

local function condition_of(entry)
	if type(entry) ~= "table" or type(entry.type) ~= "string" then return { false, "a remote entry has no type" } end
	for _, kind in ipairs(CONDITIONS) do
		if entry[kind] ~= nil and entry[kind] ~= json.null then
			local regex = entry.regex == true
			local patterns = type(entry[kind]) == "table" and patterns_of(entry[kind], regex)
			if not patterns then return { false, kind .. " is no list of texts" } end
			return table.move(patterns, 1, #patterns, 4, { entry.type, kind, regex })
		end
	end
	return { entry.type, "value", false }
end

local function rule_of(rule, index, dialect)
	if type(rule) ~= "table" or type(rule.remote) ~= "table" or type(rule["local"]) ~= "table" then
		return { index, { { false, "a rule has a list `remote` and a list `local`" } }, {} }
	end
	local conditions, objects = {}, {}
	for number, entry in ipairs(rule.remote) do conditions[number] = condition_of(entry) end
	for number, object in ipairs(rule["local"]) do objects[number] = object_of(object, dialect) end
	return { index, conditions, objects }
end

-- The plan of a document (decoded JSON) and the names of its attributes as keys, or nil and why there is none. dialect: "otc", "huawei" or
-- "keystone".
function rule_plan.of(document, dialect)
	local rules = rule_plan.rules_of(document)
	if type(rules) ~= "table" or not json.is_array(rules) then return nil, "there is no list of rules" end
	local plan, names = {}, {}
	for index, rule in ipairs(rules) do
		plan[index] = rule_of(rule, index, dialect)
		for _, condition in ipairs(plan[index][2]) do
			if condition[1] then names[condition[1]] = true end
		end
	end
	return plan, names
end

-- ---- what comes in ----

local function decimal(value) return math.type(value) == "integer" and ("%d"):format(value) or ("%.14g"):format(value) end

local function split(text)
	local out = {}
	for part in (text .. ";"):gmatch("([^;]*);") do out[#out + 1] = part end
	return out
end

-- One value that stands alone or in a list, as a text; nil for what has none.
local function text_of(value, options)
	local kind = type(value)
	if kind == "string" then return value end
	if options.numbers == "absent" then return nil end
	if kind == "number" then return decimal(value) end
	if kind == "boolean" then return tostring(value) end
	return nil
end

local function list_of(list, options)
	if options.lists == "absent" then return nil end
	local out = {}
	for _, value in ipairs(list) do
		local text = text_of(value, options)
		if text and utf8.len(text) then out[#out + 1] = text end
	end
	if #out == 0 and options.empty_list ~= "present" then return nil end
	return out
end

local function values_of(value, options)
	if type(value) == "table" then return json.is_array(value) and list_of(value, options) or nil end
	local text = text_of(value, options)
	if not text or not utf8.len(text) then return nil end
	return options.split and split(text) or { text }
end

-- The values of the named attributes, out of somebody's claims. options = { split = at ";" as Keystone does, lists and numbers =
-- "values" or "absent", empty_list = "absent" or "present" }.
function rule_plan.values(names, claims, options)
	local out = {}
	for name in pairs(names) do
		if claims[name] ~= nil then out[name] = values_of(claims[name], options) end
	end
	return out
end

-- The rules that these values may reach: without one of its attributes a rule applies to nobody.
function rule_plan.within_reach(plan, values)
	local out = {}
	for _, rule in ipairs(plan) do
		local reached = true
		for _, condition in ipairs(rule[2]) do
			if condition[1] and not values[condition[1]] then reached = false end
			-- What comes after the first that is absent is not looked at; what comes before may refuse.
			if not condition[1] or condition[3] then break end
		end
		if reached then out[#out + 1] = rule end
	end
	return out
end

return rule_plan
