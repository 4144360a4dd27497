-- command/try_source.lua: tidelock try source NAME --claims FILE: who somebody would be who comes from a source with these claims:
-- enrolled, linked, signed in or refused, and why. As the files stand now, and touching nothing.
local args = require "command/args"
local arrivals = require "auth/arrivals"
local arriving = require "auth/arriving"
local print_ = require "command/print"
local profile = require "sources/profile"
local references = require "config/source_references"
local refuse = require "command/refuse"
local sources = require "auth/sources"

local SPEC = { usage = "try source NAME --claims FILE", positional = { "NAME" }, options = { claims = "value" } }

-- As the file has it now; else one that was made by the API.
local function source_named(name, config)
	for _, object in ipairs(config.sources or {}) do
		if object.label == name then return sources.of_settings(object, references.pools(config)[name]) end
	end
	return sources.by_name(name) or refuse('there is no source "%s"', name)
end

-- What the source would say of somebody: { claims, info, groups, token }; or the claims alone, which stand for the profile too, and for it
-- alone where there is no ID token.
local function came_of(source, text)
	local given, why = json.decode(text or "")
	if type(given) ~= "table" or json.is_array(given) then refuse("the claims are no JSON object%s", why and ": " .. why or "") end
	if type(given.claims) ~= "table" and type(given.info) ~= "table" then
		given = { info = given, claims = source.adapter == "oidc" and given or nil }
	end
	local claims, info = given.claims, given.info or given.claims
	return { claims = claims, info = info, groups = given.groups, groups_complete = given.groups_complete, token = given.token or {} }
end

local function groups_of(plan)
	local join, skipped = json.array {}, json.array {}
	for index, each in ipairs(plan.join) do join[index] = each.make or each.name end
	for index, each in ipairs(plan.skipped) do skipped[index] = { name = each.name, why = each.why } end
	return join, #plan.leave, skipped
end

local function record(source, came, outcome, costs)
	local out = {
		outcome = outcome.kind, subject = came.subject, pool = source.pool, reason = outcome.reason, message = outcome.message,
		cause = outcome.cause, user = outcome.user and outcome.user.username or outcome.username, claimed = outcome.claimed,
		properties = outcome.properties and json.object(outcome.properties), scripts = json.array(costs),
	}
	if outcome.groups then out.joins, out.leaves, out.groups_skipped = groups_of(outcome.groups) end
	if outcome.user and outcome.kind ~= "refuse" then
		out.changes = json.object(arriving.changes(source, outcome.user, outcome.properties, arriving.is_first(outcome)))
	end
	return out
end

local WORDS = {
	sign_in = 'signs in as "%s"', link = 'is linked to "%s", and signs in', enrol = 'is enrolled as "%s", and signs in',
}

local function add(lines, name, value)
	if value ~= nil then lines[#lines + 1] = ("%-13s %s"):format(name, print_.plain(value)) end
end

local function lines_of(one)
	local lines = {}
	add(lines, "result", one.outcome == "refuse" and "refused: " .. one.reason or WORDS[one.outcome]:format(one.user))
	add(lines, "because", one.cause)
	add(lines, "the person is told", one.outcome == "refuse" and one.message or nil)
	add(lines, "subject", one.subject)
	add(lines, "pool", one.pool)
	add(lines, "claims name", one.claimed)
	local p = one.properties or {}
	for _, name in ipairs { "username", "name", "email", "email_verified" } do add(lines, name, p[name]) end
	if p.attributes and next(p.attributes) then add(lines, "attributes", json.encode(p.attributes)) end
	if one.changes and next(one.changes) then add(lines, "changes", json.encode(one.changes)) end
	if one.joins and #one.joins > 0 then add(lines, "joins", one.joins) end
	if (one.leaves or 0) > 0 then add(lines, "leaves", one.leaves .. " groups") end
	for _, each in ipairs(one.groups_skipped or {}) do add(lines, "left out", ("the group %s: it %s"):format(each.name, each.why)) end
	for _, cost in ipairs(one.scripts) do
		local text = "%s: %d instructions, %d bytes, %.2f ms"
		add(lines, "script", text:format(cost.script, cost.instructions or 0, cost.memory or 0, cost.ms or 0))
		for _, line in ipairs(cost.log or {}) do add(lines, "log", ("%-7s %s"):format(line.level, line.text)) end
	end
	return lines
end

-- A refusal makes the status 1, as with policies.
return function(argv, first, body)
	local options = args.parse(argv, first, SPEC)
	if not options.claims then args.wrong(SPEC, "--claims is missing") end
	local config = body.config or {}
	local source, costs = source_named(options.NAME, config), {}
	local came = came_of(source, body.stdin)
	came.subject = profile.subject(source, came.info or {}, came.claims)
	local outcome = arrivals.decide(source, came, nil, nil, { declared = config.source_mappings, costs = costs })
	local one = record(source, came, outcome, costs)
	local status = outcome.kind == "refuse" and 1 or 0
	if options.json then return { status = status, out = print_.json(json.object(one)) } end
	return { status = status, out = table.concat(lines_of(one), "\n") .. "\n" }
end
