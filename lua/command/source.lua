-- command/source.lua: tidelock source: where people have an account already, and what to type into the forms there.
local args = require "command/args"
local conf = require "kit/conf"
local print_ = require "command/print"
local refuse = require "command/refuse"
local rows = require "store/rows"
local store = require "store/sources"

local source = { usage = "source list|show|check NAME", verbs = {} }

-- What the other side's form asks for.
local function addresses(row)
	if row.data.adapter == "basic" then
		return { { "login_url", conf.link("/source/oauth/login/" .. row.name .. "/") } }
	end
	return {
		{ "redirect_uri", conf.link("/source/oauth/callback/" .. row.name .. "/") },
		{ "login_url", conf.link("/source/oauth/login/" .. row.name .. "/") },
		{ "backchannel_logout_uri", conf.link("/source/oauth/backchannel-logout/" .. row.name .. "/") },
	}
end

local function record(row)
	local out = {}
	for name, value in pairs(row.data) do
		if name ~= "ca" and name ~= "extra" and name ~= "name" then out[name] = value end
	end
	out.title, out.name, out.key, out.pool = row.data.name, row.name, row.key, row.pool
	out.active, out.declared = row.active, row.declared == 1
	out.client_secret, out.own_authorities = row.sealed ~= nil, row.data.ca ~= nil
	out.people = rows.one("select count(*) as count from identities where pool = $1 and source = $2", row.pool, row.name).count
	out.urls = {}
	for _, each in ipairs(addresses(row)) do out.urls[each[1]] = each[2] end
	return out
end

function source.verbs.list(argv, first)
	local options = args.parse(argv, first, { usage = "source list" })
	local list = {}
	for index, row in ipairs(store.list()) do list[index] = json.object(record(row)) end
	return print_.list(options, list, { { "name", "NAME" }, { "kind", "KIND" }, { "title", "TITLE" }, { "visibility", "VISIBILITY" },
		{ "matching", "MATCHING" }, { "enrolment", "ENROLS" }, { "declared", "DECLARED" }, { "people", "PEOPLE" } })
end

local FIRST = { "name", "title", "kind", "active", "declared", "pool", "people", "client_id", "client_secret" }

local function fields_of(one)
	local fields, seen, rest = { table.unpack(FIRST) }, { urls = true }, {}
	for _, name in ipairs(FIRST) do seen[name] = true end
	for name in pairs(one) do
		if not seen[name] then rest[#rest + 1] = name end
	end
	table.sort(rest)
	return table.move(rest, 1, #rest, #fields + 1, fields)
end

function source.verbs.show(argv, first)
	local options = args.parse(argv, first, { usage = "source show NAME", positional = { "NAME" } })
	local row = store.by_name(options.NAME) or refuse('there is no source "%s"', options.NAME)
	local one, names = record(row), {}
	if options.json then return { out = print_.json(json.object(one)) } end
	for index, each in ipairs(addresses(row)) do names[index] = each[1] end
	return { out = print_.record(one, fields_of(one)) .. "\n" .. print_.record(one.urls, names) }
end

-- Asks the upstream itself. Status 1 when people could not sign in by it.
function source.verbs.check(argv, first)
	local options = args.parse(argv, first, { usage = "source check NAME", positional = { "NAME" } })
	local found = require("auth/sources").by_name(options.NAME) or refuse('there is no source "%s", or it is switched off', options.NAME)
	local report, status = require("sources/diagnosis").run(found), 0
	for index, each in ipairs(report) do
		report[index] = json.object { what = each.what, state = each.state, text = each.text }
		if each.state == "problem" then status = 1 end
	end
	local list = table.move(report, 1, #report, 1, {})
	local answer = print_.list(options, list, { { "what", "WHAT" }, { "state", "STATE" }, { "text", "TEXT" } })
	answer.status = status
	return answer
end

return source
