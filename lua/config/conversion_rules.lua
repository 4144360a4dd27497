-- config/conversion_rules.lua: conversion_rules "otc" { dialect = "otc", rules = "rules/otc.json" }: what a cloud, or this broker, makes of
-- somebody's claims; as JSON, or in Lua: { script = "rules/otc.lua" }. What no cloud's page settles has a name and a default here.
local types = require "config/types"

local conversion_rules = { list = "conversion_rules", cases = true }

conversion_rules.schema = {
	dialect = types.one_of("otc", "huawei", "keystone"), rules = types.text { max = 1000 }, script = types.text { max = 1000 },
	schema_version = types.one_of("1.0", "2.0", "3.0"),
	-- somebody without any group is refused, or goes in without permissions
	no_groups = types.one_of("refuse", "allow"),
	-- an attribute that is an empty list
	empty_list = types.one_of("absent", "present"),
	-- numbers and truth values
	numbers = types.one_of("values", "absent"),
	-- an attribute that is a list (keystone's own engine takes texts alone)
	lists = types.one_of("values", "absent"),
	-- a group's name that many values would fill
	many_values = types.one_of("refuse", "each"),
	most_rules = types.integer(1, 1000),
}

function conversion_rules.label(text)
	if #text > 100 or not utf8.len(text) or text:find("%c") then
		return "the name of conversion rules has at most 100 characters"
	end
end

-- Takes the texts of the files beside what is declared.
function conversion_rules.prepare(given, read, report)
	local field = type(given.rules) == "string" and "rules" or type(given.script) == "string" and "script"
	if not field then return given end
	local text, why = read(given[field])
	if not text then
		report(field, ("%s: %s"):format(given[field], why))
	elseif not utf8.len(text) or text:sub(1, 1) == "\27" then
		report(field, given[field] .. ": not a text in UTF-8")
	end
	return given, { source = text }
end

function conversion_rules.complete(rules, report)
	rules.name, rules.dialect = rules.label, rules.dialect or "otc"
	if (rules.rules == nil) == (rules.script == nil) then
		report("rules", "either rules names the JSON file, or script a file in Lua")
	end
	if rules.schema_version and rules.dialect ~= "keystone" then
		report("schema_version", "schema_version is Keystone's: dialect = \"keystone\"")
	end
	rules.no_groups, rules.empty_list = rules.no_groups or "refuse", rules.empty_list or "absent"
	rules.lists, rules.most_rules = rules.lists or "values", rules.most_rules or 100
	rules.many_values = rules.many_values or "refuse"
	rules.numbers = rules.numbers or (rules.dialect == "keystone" and "absent" or "values")
	return rules
end

return conversion_rules
