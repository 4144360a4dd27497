-- mapping/rule_form.lua: are conversion rules well formed? What Keystone's schema asks (keystone/federation/schema.py, versions 1.0 to
-- 3.0), and what the clouds' pages allow.
local rule_mistakes = require "mapping/rule_mistakes"
local rule_plan = require "mapping/rule_plan"
local rule_report = require "mapping/rule_report"

local rule_form = {}

local kind_of = rule_report.kind_of

local function text(report, value) report:is(value, "text") end

local function fits(look, ...)
	local report = rule_report.new()
	look(report, ...)
	return #report.found == 0
end

-- ---- Keystone's schema ----

local function domain(report, value) report:object(value, { id = text, name = text }) end

local function user_type(report, value)
	if value ~= "ephemeral" and value ~= "local" then report:add("the type of a user is \"ephemeral\" or \"local\"") end
end

local function user(report, value) report:object(value, { id = text, name = text, email = text, domain = domain, type = user_type }) end

local function group_by_id(report, value) report:object(value, { id = text }, "id") end
local function group_by_name(report, value) report:object(value, { name = text, domain = domain }, "name domain") end

local function group(report, value)
	if not report:is(value, "object") or fits(group_by_id, value) or fits(group_by_name, value) then return end
	report:add("a group is { id } or { name, domain }, of texts and nothing else")
end

local function role(report, value) report:object(value, { name = text }, "name") end
local function roles(report, value) report:each(value, role) end

local function projects_of(version)
	local members = { name = text, roles = roles, domain = version > 1 and domain or nil }
	local function project(report, value) report:object(value, members, "name roles") end
	return function(report, value) report:each(value, project) end
end

local function local_object(version)
	local members = { user = user, group = group, groups = text, group_ids = text, domain = domain, projects = projects_of(version),
		projects_json = version == 3 and text or nil }
	return function(report, value) report:object(value, members) end
end

local CONDITIONS = { "any_one_of", "not_any_of", "whitelist", "blacklist" }

-- What is wrong with a remote entry, or nil.
local function remote_fault(entry)
	if kind_of(entry) ~= "object" then return "a remote entry is an object" end
	local count, which = 0, nil
	for _, name in ipairs(CONDITIONS) do
		if entry[name] ~= nil then count, which = count + 1, name end
	end
	if kind_of(entry.type) ~= "text" then return "a remote entry names its attribute: type, a text" end
	if count > 1 then return "any_one_of, not_any_of, whitelist and blacklist exclude each other in one entry; write two entries" end
	if which and kind_of(entry[which]) ~= "list" then return which .. " is a list" end
	if entry.regex ~= nil and (not which or type(entry.regex) ~= "boolean") then return "regex is true or false, beside a condition" end
	for name in pairs(entry) do
		if name ~= "type" and name ~= "regex" and name ~= which then return ("%q is not known in a remote entry"):format(name) end
	end
	return nil
end

local function remote_entry(report, entry)
	local fault = remote_fault(entry)
	if fault then report:add("%s", fault) end
end

local function remote(report, value)
	if report:is(value, "list") and #value == 0 then report:add("a rule needs at least one remote entry") end
	if kind_of(value) == "list" then report:each(value, remote_entry) end
end

local function rules_of(object)
	local function locals(report, value) report:each(value, object) end
	local function rule(report, value) report:object(value, { ["local"] = locals, remote = remote }, "local remote") end
	return function(report, value)
		if kind_of(value) == "list" and #value == 0 then report:add("there must be at least one rule") end
		report:each(value, rule)
	end
end

local VERSIONS = { ["1.0"] = 1, ["2.0"] = 2, ["3.0"] = 3 }

local function keystone(report, document, version, rules, path)
	if kind_of(document) == "object" and document.schema_version ~= nil and not VERSIONS[document.schema_version] then
		report:within("schema_version", function() report:add("schema_version is \"1.0\", \"2.0\" or \"3.0\"") end)
	end
	if rules == nil then return report:add("\"rules\" is missing") end
	for _, step in ipairs(path) do report.path[#report.path + 1] = step end
	rules_of(local_object(version))(report, rules)
end

-- ---- what the clouds take ----

-- Only names: the account's own domain is meant, and its projects and ids are not for rules.
local function cloud_user(report, value) report:object(value, { name = text }, "name") end
local function cloud_group(report, value) report:object(value, { name = text }, "name") end

local function huawei_groups(report, value)
	if kind_of(value) == "object" then cloud_group(report, value) else text(report, value) end
end

local function not_there(report) report:add("the cloud does not support this") end

local function cloud_remote_entry(report, entry)
	local fault = remote_fault(entry)
	if fault then return report:add("%s", fault) end
	if entry.whitelist or entry.blacklist then report:add("the cloud does not support whitelist and blacklist") end
	for _, name in ipairs { "any_one_of", "not_any_of" } do
		for index, value in ipairs(entry[name] or {}) do
			if type(value) ~= "string" then
				report:within(name, function() report:within(index - 1, text, value) end)
			end
		end
	end
end

local MOST_CONDITIONS = 10

local function cloud(report, rules, dialect)
	local members = { user = cloud_user, group = cloud_group, groups = dialect == "huawei" and huawei_groups or text,
		group_ids = not_there, domain = not_there, projects = not_there, projects_json = not_there }
	local function locals(inner, value)
		inner:each(value, function(at, object) at:object(object, members) end)
	end
	local function remotes(inner, value)
		if kind_of(value) == "list" and #value == 0 then inner:add("a rule needs at least one remote entry") end
		if kind_of(value) == "list" and #value > MOST_CONDITIONS then
			inner:add("the cloud takes at most %d conditions in a rule", MOST_CONDITIONS)
		end
		inner:each(value, cloud_remote_entry)
	end
	if kind_of(rules) == "list" and #rules == 0 then report:add("there must be at least one rule") end
	report:each(rules, function(inner, rule) inner:object(rule, { ["local"] = locals, remote = remotes }, "local remote") end)
end

-- What is wrong with a document (decoded JSON) in a dialect, and what will be once somebody signs in: two lists of findings. In the clouds'
-- dialects both are wrong. version: of Keystone's schema, "1.0" unless the document says another.
function rule_form.findings(document, dialect, version)
	local rules, path = rule_plan.rules_of(document)
	local late = rule_mistakes.findings(rules, path, dialect)
	if dialect == "keystone" then
		local wrong = rule_report.new()
		version = version or kind_of(document) == "object" and document.schema_version or "1.0"
		keystone(wrong, document, VERSIONS[version] or 1, rules, path)
		return wrong.found, late
	end
	local wrong = rule_report.new(rules ~= nil and path or {})
	if rules == nil then wrong:add("\"rules\" is missing") else cloud(wrong, rules, dialect) end
	return table.move(late, 1, #late, #wrong.found + 1, wrong.found), {}
end

return rule_form
