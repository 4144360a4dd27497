-- mapping/rule_conversion.lua: conversion rules of one dialect in another's words, where it has them. The clouds mean names in the
-- account's own domain; Keystone wants the domain beside each. What cannot be said is a finding (mapping/rule_report).
local rule_form = require "mapping/rule_form"
local rule_plan = require "mapping/rule_plan"
local rule_report = require "mapping/rule_report"

local rule_conversion = {}

local function copy(value)
	if type(value) ~= "table" then return value end
	local out = json.is_array(value) and json.array {} or json.object {}
	for key, each in pairs(value) do out[key] = copy(each) end
	return out
end

-- ---- to a cloud ----

local function cloud_user(report, user)
	for _, name in ipairs { "id", "email" } do
		if user[name] ~= nil then report:add("the cloud's users have no %s", name) end
	end
	if user.type == "local" then report:add("the cloud signs in virtual users alone, none of its own (type local)") end
	return json.object { name = user.name }
end

local function cloud_group(report, group)
	if group.name == nil then report:add("the cloud knows groups by name alone, and this is one by id") end
	return json.object { name = group.name }
end

local CANNOT = { group_ids = "the cloud knows groups by name alone", projects = "the cloud's rules give no projects",
	projects_json = "the cloud's rules give no projects" }

local function cloud_object(report, object)
	local out = json.object {}
	for name, value in pairs(object) do
		if CANNOT[name] then
			report:within(name, function() report:add("%s", CANNOT[name]) end)
		elseif name == "user" or name == "group" then
			report:within(name, function() out[name] = (name == "user" and cloud_user or cloud_group)(report, value) end)
		elseif name ~= "domain" then
			out[name] = copy(value)
		end
	end
	-- An object of one name is the clouds' group; their list is a text.
	if type(out.groups) == "table" and out.group == nil then out.group, out.groups = out.groups, nil end
	return out
end

-- ---- to Keystone ----

local function keystone_object(domain)
	return function(report, object)
		local out, own = copy(object), copy(object.domain) or json.object { id = domain }
		if type(out.groups) == "table" and out.group == nil then out.group, out.groups = json.object { name = out.groups.name }, nil end
		local lacking = out.group and out.group.name and not out.group.domain or out.groups and not out.domain
		if lacking and not own.id and not own.name then report:add("groups need a domain: --domain ID") end
		if out.group and out.group.name and not out.group.domain then out.group.domain = own end
		if out.groups and not out.domain then out.domain = copy(own) end
		return out
	end
end

-- ---- all of them ----

local function each_object(report, rules, make)
	local out = json.array {}
	for index, rule in ipairs(rules) do
		local made = json.object { remote = copy(rule.remote), ["local"] = json.array {} }
		for number, object in ipairs(rule["local"]) do
			report:within(index - 1, function()
				report:within("local", function()
					report:within(number - 1, function() made["local"][number] = make(report, object) end)
				end)
			end)
		end
		out[index] = made
	end
	return out
end

local function filters(report, rules)
	for index, rule in ipairs(rules) do
		for number, entry in ipairs(rule.remote) do
			if entry.whitelist or entry.blacklist then
				report:at({ index - 1, "remote", number - 1 }, "the cloud has no whitelist and no blacklist")
			end
		end
	end
end

-- The document (decoded JSON) in the words of `to`, and what could not be said there; domain: the account's, for Keystone. A document that
-- is malformed in its own dialect (from) comes back as nil with its findings.
function rule_conversion.convert(document, from, to, domain)
	local wrong = rule_form.findings(document, from)
	if #wrong > 0 then return nil, wrong end
	local rules, path = rule_plan.rules_of(document)
	local report = rule_report.new(path)
	if to == "keystone" then
		local made = each_object(report, rules, keystone_object(domain))
		return json.object { rules = made, schema_version = from == "keystone" and document.schema_version or "1.0" }, report.found
	end
	filters(report, rules)
	local made = each_object(report, rules, cloud_object)
	if #report.found == 0 then report.found = rule_form.findings(made, to) end
	return made, report.found
end

return rule_conversion
