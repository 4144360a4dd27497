-- mapping/rule_mistakes.lua: what is wrong in conversion rules that are well formed, and would be told to nobody until somebody signs in:
-- places that no condition feeds, braces that are none, patterns that do not compile, names that a cloud refuses.
local rule_plan = require "mapping/rule_plan"
local rule_report = require "mapping/rule_report"

local rule_mistakes = {}

local kind_of = rule_report.kind_of
local CONDITIONS = { "any_one_of", "not_any_of", "whitelist", "blacklist" }

-- The places of a rule: the attribute and the condition that feed {0}, {1}, …
local function feeds_of(rule)
	local out = {}
	for _, entry in ipairs(kind_of(rule.remote) == "list" and rule.remote or {}) do
		if type(entry) == "table" and entry.any_one_of == nil and entry.not_any_of == nil then out[#out + 1] = entry end
	end
	return out
end

local function look_at_template(report, template, feeds)
	if template.bad then return report:add("%s", template.bad) end
	for _, part in ipairs(template) do
		if type(part) == "number" and part >= #feeds then
			report:add("{%d} is beyond what the rule's conditions give: %d %s (any_one_of and not_any_of give none)", part, #feeds,
				#feeds == 1 and "value" or "values")
		end
	end
end

local function look_at_text(report, value, feeds)
	if type(value) == "string" then look_at_template(report, rule_plan.template(value), feeds) end
end

local function look_at_list(report, value, feeds)
	if type(value) ~= "string" then return end
	local template = rule_plan.list_template(value)
	if template.whole then template = { template.whole } end
	for _, each in ipairs(template.items or { template }) do look_at_template(report, each, feeds) end
	if not template.items and value:find("^%s*[%[(]") then
		report:add("this looks like a list, and is none: [\"one\", \"two\"]")
	end
end

local LISTS = { groups = true, group_ids = true }

local function look_at_object(report, object, feeds)
	if type(object) ~= "table" then return end
	for name, value in pairs(object) do
		if type(value) == "table" then
			report:within(math.type(name) == "integer" and name - 1 or name, look_at_object, value, feeds)
		elseif name ~= "projects_json" then
			report:within(math.type(name) == "integer" and name - 1 or name, LISTS[name] and look_at_list or look_at_text, value, feeds)
		end
	end
end

-- Every pattern with the path to it.
local function each_pattern(rules, look)
	for index, rule in ipairs(rules) do
		for number, entry in ipairs(kind_of(rule) == "object" and kind_of(rule.remote) == "list" and rule.remote or {}) do
			for _, name in ipairs(CONDITIONS) do
				local list = kind_of(entry) == "object" and entry.regex == true and entry[name]
				for at, pattern in ipairs(kind_of(list) == "list" and list or {}) do
					look(pattern, { index - 1, "remote", number - 1, name, at - 1 })
				end
			end
		end
	end
end

local function look_at_patterns(report, rules)
	local patterns, paths = {}, {}
	each_pattern(rules, function(pattern, path)
		if type(pattern) == "string" then
			patterns[#patterns + 1] = pattern
			paths[#paths + 1] = path
		end
	end)
	if #patterns == 0 then return end
	local answer = jail.run { name = "conversion rules", chunk = "=conversion rules", given = { patterns = patterns },
		source = "return conversion.patterns(patterns)" }
	if not answer then return report:add("the regular expressions cannot be tried") end
	local wrong = {}
	for _, each in ipairs(answer.result) do wrong[each.pattern] = each.message:gsub("^.*regex_match: ", "") end
	for index, pattern in ipairs(patterns) do
		if wrong[pattern] then
			report:at(paths[index], wrong[pattern])
		end
	end
end

-- Every object of a `local`, with a path to it that is the caller's.
local function each_object(rules, look)
	for index, rule in ipairs(rules) do
		local list = kind_of(rule) == "object" and rule["local"]
		for number, object in ipairs(kind_of(list) == "list" and list or {}) do
			if kind_of(object) == "object" then look(object, { index - 1, "local", number - 1 }) end
		end
	end
end

local function gives_a_name(rules)
	local given = false
	each_object(rules, function(object)
		local name = kind_of(object.user) == "object" and object.user.name
		given = given or (name and name ~= "")
	end)
	return given
end

local function groups_without_domain(report, rules)
	each_object(rules, function(object, path)
		if object.groups ~= nil and object.domain == nil then
			report:at(path, "groups needs a domain beside it, in the same object")
		end
	end)
end

-- [O]: a user's name has none of < > { }; [H]: letters, digits, spaces, - _ . and no digit first.
local function fault_of_name(value, dialect)
	if type(value) ~= "string" then return nil end
	local plain = value:gsub("{%d+}", "")
	if dialect == "otc" and plain:find("[<>{}]") then return "a name has none of < > { }" end
	if dialect == "huawei" and (plain:find("[^%w _.%-\x80-\xff]") or value:find("^%d")) then
		return "a name has letters, digits, spaces and - _ . and does not begin with a digit"
	end
	return nil
end

local function look_at_names(report, rules, dialect)
	each_object(rules, function(object, path)
		for _, name in ipairs { "user", "group" } do
			local fault = kind_of(object[name]) == "object" and fault_of_name(object[name].name, dialect)
			if fault then
				path[4], path[5] = name, "name"
				report:at(path, fault)
			end
		end
	end)
end

-- Findings in the rules (a value that may be anything) that stand at `path` of their document.
function rule_mistakes.findings(rules, path, dialect)
	local report = rule_report.new(path)
	if kind_of(rules) ~= "list" then return report.found end
	for index, rule in ipairs(rules) do
		local list = kind_of(rule) == "object" and rule["local"]
		if kind_of(list) == "list" then
			report:within(index - 1, function() report:within("local", look_at_object, list, feeds_of(rule)) end)
		end
	end
	look_at_patterns(report, rules)
	if dialect == "keystone" then groups_without_domain(report, rules) else look_at_names(report, rules, dialect) end
	if dialect ~= "keystone" and not gives_a_name(rules) then
		report:add("no rule gives a user name: nobody could sign in")
	end
	return report.found
end

return rule_mistakes
