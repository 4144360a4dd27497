-- command/rules.lua: conversion rules tried, judged and converted as they stand in files: try rules, check --rules, rules convert. They
-- read no configuration and ask no broker: body.config = { files = { word = text }, unread = { word = why } }.
local args = require "command/args"
local err = require "kit/err"
local json_place = require "kit/json_place"
local print_ = require "command/print"
local rule_form = require "mapping/rule_form"
local rule_words = require "mapping/rule_words"
local rules = require "mapping/rules"

local command = {}

local TRY = {
	usage = "try rules FILE --claims FILE… [--dialect otc|huawei|keystone] [--schema 1.0|2.0|3.0] [--login] [--explain] [--coverage]",
	positional = { "FILE" },
	options = { claims = "list", dialect = "value", schema = "value", explain = "flag", coverage = "flag", login = "flag",
		["remote-user"] = "value", ["idp-domain"] = "value" },
}
local CONVERT = { usage = "rules convert FILE --to otc|huawei|keystone [--from otc|huawei|keystone] [--domain ID]", positional = { "FILE" },
	options = { to = "value", from = "value", domain = "value" } }
local CHECK = { usage = "check --rules FILE [--dialect otc|huawei|keystone] [--schema 1.0|2.0|3.0]",
	options = { rules = "value", dialect = "value", schema = "value" } }

-- --claims takes every word up to the next option.
local function spread(argv, first)
	local out, plain, after = {}, 0, false
	for index = first, #argv do
		local word = argv[index]
		if word:find("^%-%-") then
			after = word == "--claims"
			out[#out + 1] = word
		elseif after and out[#out] ~= "--claims" and plain > 0 then
			out[#out + 1], out[#out + 2] = "--claims", word
		else
			plain = plain + (after and 0 or 1)
			out[#out + 1] = word
		end
	end
	return out
end

local function file(body, path)
	return body.config.files[path] or err.raise("refused", ("%s: %s"):format(path, body.config.unread[path] or "was not read"))
end

local function decoded(body, path)
	local text = file(body, path)
	local value, why, offset = json.decode(text)
	if value ~= nil then return value, text end
	local line, column = json_place.of_byte(text, (offset or 0) + 1)
	return nil, text, { line = line, column = column, message = "this is no JSON: " .. tostring(why) }
end

local function dialect_of(options, spec)
	local dialect = options.dialect or "otc"
	if not rules.dialects[dialect] then args.wrong(spec, "--dialect is otc, huawei or keystone") end
	if options.schema and not ({ ["1.0"] = true, ["2.0"] = true, ["3.0"] = true })[options.schema] then
		args.wrong(spec, "--schema is 1.0, 2.0 or 3.0")
	end
	return dialect
end

-- ---- check --rules ----

local function placed(findings, text)
	local out = json.array {}
	for index, finding in ipairs(findings) do
		local line, column = json_place.of_byte(text, json_place.byte(text, finding.path))
		out[index] = json.object { path = table.concat(finding.path, "/"), line = line, column = column, message = finding.message }
	end
	return out
end

local function line_of(path, finding, word)
	return ("%s:%d:%d: %s%s%s"):format(path, finding.line, finding.column, word, finding.message,
		finding.path ~= "" and finding.path and " (" .. finding.path .. ")" or "")
end

local function judged(body, path, dialect, version)
	local document, text, broken = decoded(body, path)
	if broken then
		broken.path = ""
		return nil, json.array { json.object(broken) }, json.array {}
	end
	local errors, warnings = rule_form.findings(document, dialect, version)
	return document, placed(errors, text), placed(warnings, text)
end

local function check(body)
	local options = args.parse(body.argv, 2, CHECK)
	local dialect = dialect_of(options, CHECK)
	local _, errors, warnings = judged(body, options.rules, dialect, options.schema)
	local status = #errors > 0 and 1 or 0
	if options.json then
		return { status = status, out = print_.json(json.object { valid = #errors == 0, errors = errors, warnings = warnings }) }
	end
	local lines = {}
	for _, each in ipairs(errors) do lines[#lines + 1] = print_.plain(line_of(options.rules, each, "")) end
	for _, each in ipairs(warnings) do lines[#lines + 1] = print_.plain(line_of(options.rules, each, "warning: ")) end
	if status == 0 then lines[#lines + 1] = "the rules are valid" end
	return { status = status, [status == 0 and "out" or "err"] = table.concat(lines, "\n") .. "\n" }
end

-- ---- try rules ----

local function asked_of(options, body)
	local dialect = dialect_of(options, TRY)
	local document, errors
	if dialect == "keystone" then
		local value, _, broken = decoded(body, options.FILE)
		document, errors = value, broken and { broken }
	else
		document, errors = judged(body, options.FILE, dialect, options.schema)
	end
	local asked = { document = document, dialect = dialect, explain = options.explain or options.coverage }
	asked.version = options.schema or type(document) == "table" and not json.is_array(document) and document.schema_version or "1.0"
	return asked, errors
end

local VERSIONS = { ["1.0"] = true, ["2.0"] = true, ["3.0"] = true }

-- The answer for one file of claims: what was made, or the refusal; and what happened.
local function tried(asked, options, body, path)
	local claims, _, broken = decoded(body, path)
	if broken or type(claims) ~= "table" or json.is_array(claims) then
		err.raise("refused", broken and line_of(path, broken, "") or path .. ": the claims are no JSON object")
	end
	if asked.dialect == "keystone" and not VERSIONS[asked.version] then
		return nil, { reason = "unknown_schema_version", message = "schema_version is \"1.0\", \"2.0\" or \"3.0\"" }, {}
	end
	local made, refused, trace = rules.evaluate(asked, claims)
	if made and options.login then
		if asked.dialect ~= "keystone" then args.wrong(TRY, "--login is Keystone's") end
		made, refused = rules.login(made, options["remote-user"], options["idp-domain"])
	end
	return made, refused, trace
end

local function result_lines(made, refused, lines)
	if refused then
		lines[#lines + 1] = ("refused   %s: %s"):format(refused.reason, refused.message)
	elseif type(made.user) == "string" then
		lines[#lines + 1] = "user      " .. made.user
		lines[#lines + 1] = "groups    " .. (#made.groups > 0 and table.concat(made.groups, ", ") or "none")
	else
		lines[#lines + 1] = json.encode(json.object(made), { pretty = 2 })
	end
end

local function as_json(made, refused, trace, explain)
	local out = refused and { error = json.object(refused) } or made
	if explain then out.explain = json.array(trace) end
	return json.object(out)
end

-- How often each rule applied.
local function coverage(asked, traces)
	local total = require("mapping/rule_plan").of(asked.document, asked.dialect)
	local fired = json.array {}
	for index = 1, #(total or {}) do fired[index] = { rule = index, applied = 0 } end
	for _, trace in ipairs(traces) do
		for _, rule in ipairs(trace) do
			if rule.applies then fired[rule.rule].applied = fired[rule.rule].applied + 1 end
		end
	end
	return fired
end

local function coverage_lines(fired, files, lines)
	for _, each in ipairs(fired) do
		lines[#lines + 1] = each.applied == 0 and ("rule %d never applied"):format(each.rule)
			or ("rule %d applied to %d of %d"):format(each.rule, each.applied, files)
	end
end

local function broken_rules(options, errors)
	local refused = { reason = "invalid_rules", message = line_of(options.FILE, errors[1], "") }
	if options.json then return { status = 1, out = print_.json(as_json(nil, refused)) } end
	local lines = {}
	for index, each in ipairs(errors) do lines[index] = print_.plain(line_of(options.FILE, each, "")) end
	return { status = 1, err = table.concat(lines, "\n") .. "\n" }
end

local function try(body)
	local options = args.parse(spread(body.argv, 3), 1, TRY)
	if not options.claims then args.wrong(TRY, "--claims is missing") end
	local asked, errors = asked_of(options, body)
	if errors and #errors > 0 then return broken_rules(options, errors) end
	local status, lines, list, traces = 0, {}, json.array {}, {}
	for index, path in ipairs(options.claims) do
		local made, refused, trace = tried(asked, options, body, path)
		if refused then status = 1 end
		traces[index], list[index] = trace, options.json and as_json(made, refused, trace, options.explain)
		if #options.claims > 1 then
			lines[#lines + 1] = path
			if options.json then list[index].claims = path end
		end
		if options.explain then rule_words.explain(trace, lines) end
		result_lines(made, refused, lines)
	end
	if options.coverage then
		local fired = coverage(asked, traces)
		coverage_lines(fired, #options.claims, lines)
		list = json.object { results = list, coverage = fired }
	elseif #options.claims == 1 then
		list = list[1]
	end
	if options.json then return { status = status, out = print_.json(list) } end
	for index, line in ipairs(lines) do lines[index] = line:gsub("[%z\1-\9\11-\31\127]", "?") end
	return { status = status, out = table.concat(lines, "\n") .. "\n" }
end

-- ---- rules convert ----

-- A document says by its look whose it is, where --from does not.
local function dialect_by_look(document)
	return type(document) == "table" and document.rules ~= nil and "keystone" or "otc"
end

local function convert(body)
	local options = args.parse(body.argv, 3, CONVERT)
	for _, name in ipairs { options.to or "?", options.from } do
		if not rules.dialects[name] then args.wrong(CONVERT, "--to and --from are otc, huawei or keystone") end
	end
	local document, text, broken = decoded(body, options.FILE)
	if broken then return broken_rules(options, { broken }) end
	local from = options.from or dialect_by_look(document)
	local made, found = require("mapping/rule_conversion").convert(document, from, options.to, options.domain)
	if #found > 0 then return broken_rules(options, placed(found, text)) end
	return { out = print_.json(made) }
end

-- { status, out, err } of a command line over files.
function command.run(body)
	local first = body.argv[1]
	if first == "check" then return check(body) end
	if first == "try" then return try(body) end
	if body.argv[2] == "convert" then return convert(body) end
	args.wrong({ usage = "try rules|check --rules|rules convert" }, "unknown word")
end

return command
