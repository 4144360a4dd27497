-- conversion_fuzz_spec.lua: rules and claims made at random, and torn: an answer or a refusal in words each time, and never a group that no
-- rule names. The same seeds each time; `make fuzz` takes others and asks Keystone's own engine, too (tests/fuzz/conversion_rules.mjs).
local conversion_form = require "mapping/rule_form"
local rule_conversion = require "mapping/rule_conversion"
local rules = require "mapping/rules"

local DIALECTS = { "otc", "huawei", "keystone" }
local ATTRIBUTES = { "u", "g", "m", "t" }
local VALUES = { "a", "b", "ops", "dev", "x;y", ";", "", "äö", "['admin']", '["admin"]', "{0}", "{{", "(", "JSON:{}", 'JSON:{"name":"z","domain":{"id":"d"}}' }
local PATTERNS = { "a", "^o", ".*", "(a+)+$", "(", "[", "(?i)OPS", "\\w+", "^$", "(?<=a", "\\", "x{99999}", "" }
local TEXTS = { "{0}", "{0}", "lit", "x-{0}", "{0}{0}", "{{0}}", "['p','q']", '["p"]' }
local STRANGE = { "{1}", "{7}", "{", "}", "{a}", "{0.__class__}", "", "{99999999999}" }

local seed
local function random(n)
	seed = (seed * 1103515245 + 12345) % 2147483648
	return seed // 65536 % n + 1
end

local function one_of(list) return list[random(#list)] end

local function text() return one_of(random(10) == 1 and STRANGE or TEXTS) end

local function object(fields) return json.object(fields) end

-- Now and then a value of another kind stands where none should.
local function torn(value)
	if random(90) > 1 then return value end
	return one_of { json.null, 7, true, "text", json.array {}, json.object {}, json.array { 1 }, json.object { name = 1 } }
end

local function remote()
	local entry = { type = torn(one_of(ATTRIBUTES)) }
	local kind = one_of { "", "", "any_one_of", "not_any_of", "whitelist", "blacklist" }
	if kind == "" then return torn(object(entry)) end
	local regex, list = random(5) <= 2, json.array {}
	for index = 1, random(4) - 1 do list[index] = torn(one_of(regex and PATTERNS or VALUES)) end
	entry[kind], entry.regex = torn(list), regex and torn(true) or nil
	return torn(object(entry))
end

local function named(domain)
	return torn(object { name = torn(text()), domain = domain and torn(object { id = "d1" }) or nil })
end

local function given(keystone)
	local out = {}
	if random(4) > 1 then out.user = named() end
	if random(3) == 1 then out.group = named(keystone) end
	if random(3) == 1 then
		out.groups = torn(text())
		out.domain = keystone and torn(object { id = "d1" }) or nil
	end
	if keystone and random(5) == 1 then out.group_ids = torn(text()) end
	if keystone and random(8) == 1 then out.projects_json = torn(text()) end
	return torn(object(out))
end

local function some(make, most, ...)
	local out = json.array {}
	for index = 1, random(most) do out[index] = make(...) end
	return out
end

local function document(keystone)
	local list = some(function() return torn(object { remote = torn(some(remote, 3)), ["local"] = torn(some(given, 3, keystone)) }) end, 4)
	return torn(random(2) == 1 and list or object { rules = list })
end

local function claims()
	local out = {}
	for _, name in ipairs(ATTRIBUTES) do
		local kind = random(10)
		if kind < 8 then
			out[name] = one_of(VALUES)
		elseif kind < 10 then
			out[name] = some(function() return torn(one_of(VALUES)) end, 4)
		else
			out[name] = torn(random(9))
		end
	end
	return object(out)
end

-- All texts in a value, whole and cut at ";" as Keystone does.
local function texts_in(value, out)
	if type(value) == "string" then
		out[value] = true
		for part in (value .. ";"):gmatch("([^;]*);") do out[part] = true end
	elseif type(value) == "table" and value ~= json.null then
		for _, each in pairs(value) do texts_in(each, out) end
	elseif type(value) == "number" or type(value) == "boolean" then
		out[tostring(value)] = true
	end
	return out
end

-- A group comes of a text of the rules (or a value that stands alone in one, or with others around it), never of the shape of a value.
local LITERAL = { lit = true, ["{0}"] = true, p = true, q = true, [""] = true, ["1"] = true, text = true, ["['p','q']"] = true, ['["p"]'] = true }
local function is_named(group, values, keystone)
	if LITERAL[group] or values[group] then return true end
	if values[group:match("^x%-(.*)$") or false] then return true end
	if keystone and group == "z" then return true end
	for first in pairs(values) do
		if group:sub(1, #first) == first and values[group:sub(#first + 1)] then return true end
	end
	return false
end

local function groups_of(made)
	if made.groups then return made.groups end
	local out = {}
	for _, group in ipairs(made.group_names) do out[#out + 1] = group.name end
	return out
end

local function try(dialect)
	local keystone = dialect == "keystone"
	local doc, given_claims = document(keystone), claims()
	local shown = json.encode(doc) .. " " .. json.encode(given_claims)
	local version = one_of { "1.0", "2.0", "3.0" }
	local made, refused = rules.evaluate({ document = doc, dialect = dialect, version = version, explain = random(2) == 1 }, given_claims)
	if not made then
		assert(type(refused.reason) == "string" and type(refused.message) == "string" and refused.reason ~= "rules_failed",
			tostring(refused.reason) .. ": " .. tostring(refused.message) .. " " .. shown)
		return false
	end
	local values = texts_in(given_claims, {})
	for _, group in ipairs(groups_of(made)) do
		assert(is_named(group, values, keystone), group .. " is named by no rule: " .. shown)
		assert(group ~= "admin", "a list was read in a value: " .. shown)
	end
	json.encode(json.object(made))
	return true
end

return {
	["facts 11.3, 11.5: rules at random answer or refuse, and give no group that no rule names"] = function()
		seed = 20261122
		local answered = 0
		for index = 1, 1500 do
			if try(DIALECTS[index % 3 + 1]) then answered = answered + 1 end
		end
		assert(answered > 200, answered)
	end,

	["what is torn is judged and converted without breaking"] = function()
		seed = 6
		for index = 1, 600 do
			local dialect = DIALECTS[index % 3 + 1]
			local doc = document(dialect == "keystone")
			local errors, warnings = conversion_form.findings(doc, dialect, "1.0")
			assert(type(errors) == "table" and type(warnings) == "table")
			if type(doc) == "table" and doc ~= json.null and #errors == 0 then
				rule_conversion.convert(doc, dialect, DIALECTS[random(3)], "acme")
			end
		end
	end,
}
