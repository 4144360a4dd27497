-- command/rehearsal.lua: tidelock try github --as: a client of GitHub Enterprise, call by call, against the endpoints themselves, for
-- somebody who need not be there: what it asks, what it reads, and what would break it. Nothing is issued, written or left behind.
local calls  = require "command/rehearsal_calls"
local identity = require "github/identity"
local links  = require "github/links"
local presets = require "config/presets"
local print_ = require "command/print"
local token  = require "command/rehearsal_token"

local rehearsal = {}

-- Without --app: an application that has what the client needs.
local function supposed(client)
	return {
		id = "", slug = "none", name = client.title, client_id = "none", scopes = {}, script_claims = {}, policies = {},
		github = { callback_match = "subpath", query_token = client.api == "query", query_secret = client.token == "query",
			device_flow = client.flow == "device" },
	}
end

-- A request from nowhere. `tried` is what endpoints are to believe (github/caller, github/identity).
local function asker(run, dispatch)
	return function(request, endpoint)
		-- Others have their turn: nothing else in here waits.
		task.sleep(0)
		request.id, request.peer, request.secure = "rehearsal", "127.0.0.1", true
		request.host, request.body = request.host or run.host, request.body or ""
		request.tried = { token = run.token, live = run.live, user_id = run.person.id, identity = run.who }
		return dispatch(request, endpoint)
	end
end

local function place_of(call) return call and (call.graphql and "GraphQL" or call[1] ~= "" and call[1] or "/") or nil end

-- The state of one rehearsal: who, what and for whom, the calls that were made, what was found in them.
local function begin(asked)
	local run = {
		client = asked.client, scope = asked.scope, person = asked.person, who = identity.rehearsed(asked.person, asked.profile),
		application = asked.application or supposed(asked.client), registered = asked.application ~= nil, found = {}, calls = {}, findings = {},
	}
	local function finding(level, text, advice, call)
		for _, each in ipairs(run.findings) do
			if each.text == text then return end
		end
		table.insert(run.findings, { level = level, text = text, advice = advice, call = place_of(call) })
	end
	function run.breaks(call, text, advice) finding("breaks", text, advice, call) end
	function run.notes(text, advice, call) finding("note", text, advice, call) end
	function run.reaches(wanted) return token.reaches(run, wanted) end
	function run.made(method, path, status)
		local made = { method = method, path = path:gsub("access_token=[%w_]+", "access_token=…"), status = status }
		table.insert(run.calls, made)
		return made
	end
	-- An application lives on one host; one that is no more declared has gone back to public_url (S17).
	run.web = links.at(run.application.github.host).web
	run.host = url.parse(run.web).host
	run.ask = asker(run, asked.ask)
	return run
end

-- What becomes of somebody who has none of something: `found` tells what the client saw, the identity what there is.
local function look_for(run, name, text)
	local has = name == "email" and run.found.email or name ~= "email" and (run.found[name] or #run.who[name]) > 0
	if has then return nil end
	return ("%s has no %s: %s"):format(run.who.login, name == "email" and "verified address" or name, text)
end

local function judge(run)
	if not run.registered and presets.is_program(run.client.preset) then
		run.breaks(nil, "no application has its client_id", ('application "%s" { preset = "%s" }'):format(run.client.preset, run.client.preset))
	end
	for name, text in pairs(run.client.needs or {}) do
		local lacking = look_for(run, name, text)
		if lacking then run.breaks(nil, lacking) end
	end
	for name, text in pairs(run.client.wants or {}) do
		local lacking = look_for(run, name, text)
		if lacking then run.notes(lacking) end
	end
	if run.client.port == false and not run.web:find("^https://[^:]+$") then
		run.breaks(nil, ("it takes a host name alone, and here it is %s"):format(run.web),
			"serve it on port 443, or declare a github_host there")
	end
	if run.who.made_up then run.notes("numbers from 2147000000 on are made up: they are allotted when somebody signs in") end
	for _, hint in ipairs(run.client.hints or {}) do run.notes(hint) end
end

local function works(run)
	for _, each in ipairs(run.findings) do
		if each.level == "breaks" then return false end
	end
	return true
end

-- ---- telling ----

local function plain(run, asked)
	return json.object {
		client = asked.name, title = run.client.title, user = asked.person.username, application = asked.application and asked.application.slug,
		works = works(run), calls = json.array(run.calls), findings = json.array(run.findings),
	}
end

local function lines_of(run, asked)
	local application = asked.application and "application " .. asked.application.slug
	local by = application or run.client.flow == "personal" and "a personal token" or "any application (--app)"
	local lines = { ("%s as %s, %s, at %s"):format(run.client.title, asked.person.username, by, run.web) }
	for _, call in ipairs(run.calls) do
		lines[#lines + 1] = ("%-5s %s%s"):format(call.method, call.path, call.how and " (" .. call.how .. ")" or "")
		lines[#lines + 1] = ("      %d  %s"):format(call.status, call.reads or "")
	end
	for _, each in ipairs(run.findings) do
		local where = each.call and each.call .. ": " or ""
		lines[#lines + 1] = ("%-7s %s%s"):format(each.level, where, print_.plain(each.text))
		if each.advice then lines[#lines + 1] = "        " .. print_.plain(each.advice) end
	end
	lines[#lines + 1] = "result  " .. (works(run) and run.client.title .. " lets " .. run.who.login .. " in" or "this would not work")
	return table.concat(lines, "\n") .. "\n"
end

-- asked = { name, client (github/catalogue), scope = what it asks for, person, profile (mapping/github), application or nil, ask =
-- body.ask (boot), json }.
function rehearsal.run(asked)
	local run = begin(asked)
	if token.run(run) then
		calls.run(run)
		judge(run)
	end
	return { status = works(run) and 0 or 1, out = asked.json and print_.json(plain(run, asked)) or lines_of(run, asked) }
end

return rehearsal
