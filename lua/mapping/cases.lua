-- mapping/cases.lua: the cases that stand beside a script or rules, in NAME.cases.json: a list of { name, given, want }. They are run
-- before a configuration is taken, and one that comes out otherwise refuses it.
--
-- given: the named values that the script sees; what it leaves out is nobody's, and groups may be names. For rules in JSON or Lua: claims.
-- answers: what the world says when the script asks, in order, as { ask = "http", gets = … }: a case asks nobody. want: what the script
-- returns ({ refused = reason } of rules); want_message: a policy's second result; fails = true: the script fails.
local conversions = require "mapping/conversions"
local script = require "mapping/script"

local cases = {}

local MOST = 200
local FIELDS = { name = true, given = true, want = true, want_message = true, fails = true, answers = true }

-- ---- what a case leaves out ----

local function group_of(value)
	local group = type(value) == "table" and value or { name = value }
	return { name = group.name, uuid = group.uuid or group.name, attributes = group.attributes or {},
		is_superuser = group.is_superuser or false, parent_names = group.parent_names }
end

local function groups_of(list)
	local out = {}
	for index, each in ipairs(type(list) == "table" and list or {}) do out[index] = group_of(each) end
	return out
end

local function with_defaults(given, defaults)
	local out = {}
	for name, value in pairs(defaults) do out[name] = value end
	for name, value in pairs(given or {}) do
		if value == json.null then out[name] = nil else out[name] = value end
	end
	return out
end

local NOBODY = { username = "somebody", name = "Some Body", email = "somebody@example.org", email_verified = false, uid = "somebody",
	uuid = "00000000-0000-4000-8000-000000000001", pk = 1, is_active = true, type = "internal", path = "users",
	is_superuser = false, attributes = {} }
local APPLICATION = { slug = "example", name = "Example", client_id = "example" }

local function user_of(given)
	local user = with_defaults(given, NOBODY)
	user.groups = groups_of(user.groups)
	user.all_groups = user.all_groups and groups_of(user.all_groups) or user.groups
	return user
end

-- By kind of declaration: the values that scripts of it see.
local function given_of(kind, given)
	-- Monday, 5 January 2026, noon.
	local out = with_defaults(given, { request = { client_ip = "192.0.2.1", path = "/" }, now = 1767614400, utc_offset = 0 })
	out.request = with_defaults(out.request, { client_ip = "192.0.2.1", path = "/" })
	out.ak_client_ip = out.ak_client_ip or out.request.client_ip
	if kind == "source_mappings" then return out end
	out.user, out.application = user_of(out.user), with_defaults(out.application, APPLICATION)
	if kind == "policies" then
		out.context = with_defaults(out.context, { oauth_scopes = {}, oauth_grant_type = "authorization_code" })
	elseif kind == "scope_mappings" then
		out.token, out.session = with_defaults(out.token, { scopes = {} }), with_defaults(out.session, {})
	end
	return out
end

-- ---- comparing ----

local function shown(value)
	if value == nil then return "nothing" end
	return json.encode(value)
end

-- Where two values differ first, as words; nil when they are the same. JSON's null is nothing, an empty list is an empty object.
local function difference(want, got, at)
	if want == json.null then want = nil end
	if got == json.null then got = nil end
	if type(want) ~= "table" or type(got) ~= "table" then
		if want == got then return nil end
		return ("%swanted %s, got %s"):format(at ~= "" and at .. ": " or "", shown(want), shown(got))
	end
	local names = {}
	for name in pairs(want) do names[name] = true end
	for name in pairs(got) do names[name] = true end
	local sorted = {}
	for name in pairs(names) do sorted[#sorted + 1] = name end
	table.sort(sorted, function(one, other) return tostring(one) < tostring(other) end)
	for _, name in ipairs(sorted) do
		local step = math.type(name) == "integer" and ("[%d]"):format(name) or (at ~= "" and "." or "") .. tostring(name)
		local found = difference(want[name], got[name], at .. step)
		if found then return found end
	end
	return nil
end

-- ---- one case ----

local function judged(case, result, second, failure)
	if failure then
		if case.fails == true then return nil end
		return ("it failed: %s:%s: %s"):format(failure.script, failure.line or "?", failure.message or failure.kind)
	end
	if case.fails == true then return "it did not fail, but returned " .. shown(result) end
	local found = difference(case.want, result, "")
	if not found and case.want_message ~= nil then found = difference(case.want_message, second, "the message") end
	return found
end

local function by_script(kind, declared, case)
	local entry = { name = declared.name, what = kind, script = declared.script, source = declared.source }
	local answers = table.move(case.answers or {}, 1, #(case.answers or {}), 1, {})
	local answer, failure = script.run(entry, given_of(kind, case.given), { answers = answers })
	return judged(case, answer and answer.result, answer and answer.second, failure)
end

local function by_rules(declared, case)
	local made, refused = conversions.try(declared, (case.given or {}).claims or {})
	return judged(case, made or { refused = refused.reason })
end

local function problem(kind, declared, case)
	if type(case) ~= "table" or type(case.name) ~= "string" then return "a case has a name, given and want" end
	for name in pairs(case) do
		if not FIELDS[name] then return ("a case has no %q"):format(name) end
	end
	local found
	if kind == "conversion_rules" then found = by_rules(declared, case) else found = by_script(kind, declared, case) end
	return found and ("case %q: %s"):format(case.name, found)
end

-- ---- all of them ----

-- What comes out otherwise, as "file: case …"; and how many cases there are. declared: one of the configuration's list of that kind.
function cases.problems(kind, declared)
	if not declared.cases then return {}, 0 end
	local list, why, offset = json.decode(declared.cases)
	local file = declared.cases_file
	if not list then
		local line, column = require("kit/json_place").of_byte(declared.cases, (offset or 0) + 1)
		return { ("%s:%d:%d: this is no JSON: %s"):format(file, line, column, why) }, 0
	end
	if type(list) ~= "table" or not json.is_array(list) or #list > MOST then
		return { ("%s: no list of at most %d cases"):format(file, MOST) }, 0
	end
	local out = {}
	for _, case in ipairs(list) do
		local found = problem(kind, declared, case)
		if found then out[#out + 1] = file .. ": " .. found end
	end
	return out, #list
end

local KINDS = { "scope_mappings", "policies", "github_mappings", "source_mappings", "conversion_rules" }

-- The same of a whole configuration.
function cases.of(config)
	local out, count = {}, 0
	for _, kind in ipairs(KINDS) do
		for _, declared in ipairs(config[kind] or {}) do
			local found, more = cases.problems(kind, declared)
			table.move(found, 1, #found, #out + 1, out)
			count = count + more
		end
	end
	return out, count
end

return cases
