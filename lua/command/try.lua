-- command/try.lua: tidelock try: runs one script as a sign-in would, and shows what it made, what it cost and what it said.
local args = require "command/args"
local clients = require "auth/clients"
local github = require "mapping/github"
local identity = require "github/identity"
local mapping = require "mapping/scopes"
local policies = require "mapping/policies"
local presets = require "config/presets"
local print_ = require "command/print"
local refuse = require "command/refuse"
local scope = require "kit/scope"
local users = require "store/users"

local try = { usage = "try scope|policy|source|github|rules [NAME] --user U [--app A]", verbs = {} }

local SCOPE = {
	usage = "try scope NAME --user U [--app A] [--record]", positional = { "NAME" },
	options = { user = "value", app = "value", record = "flag" },
}
local POLICY = {
	usage = "try policy NAME --user U [--app A] [--scope S]… [--grant G] [--claims FILE] [--record]", positional = { "NAME" },
	options = { user = "value", app = "value", scope = "list", grant = "value", claims = "value", record = "flag" },
}
local GITHUB = {
	usage = "try github --user U [--app A] [--as CLIENT [--scope S]]",
	options = { user = "value", app = "value", as = "value", scope = "value" },
}

local function log_lines(list)
	local lines = {}
	for index, entry in ipairs(list or {}) do
		lines[index] = ("%-7s %s"):format(entry.level or entry[1] or "info", print_.plain(entry.text or entry[2]))
	end
	return lines
end

local function shown(result)
	if type(result) == "table" then
		return json.encode(result, { pretty = 2 })
	end
	return print_.plain(result)
end

local function failed(options, failure)
	if options.json then
		return { status = 1, out = print_.json(json.object { error = json.object(failure) }) }
	end
	local lines = { ("%s:%s: %s"):format(failure.script or failure.mapping, failure.line or "?",
		failure.message or failure.kind) }
	for _, seen in ipairs(failure.saw or {}) do
		lines[#lines + 1] = "it saw " .. print_.plain(seen)
	end
	if failure.given then
		lines[#lines + 1] = "it was given " .. tostring(failure.given)
	end
	table.move(log_lines(failure.log), 1, #(failure.log or {}), #lines + 1, lines)
	return { status = 1, err = table.concat(lines, "\n") .. "\n" }
end

local function application_named(name)
	if not name then
		return { id = "", slug = "none", name = "none", client_id = "none", scopes = {}, script_claims = {}, policies = {} }
	end
	return clients.by_slug(name) or refuse('there is no application "%s"', name)
end

local function person_named(options, spec)
	if not options.user then
		args.wrong(spec, "--user is missing")
	end
	return users.by_name(options.user) or refuse('there is no user "%s"', options.user)
end

-- What a sign-in at this moment would say of the person and of the request.
local function asked_by(user, application)
	return {
		user = users.view(user), person = user, application = application,
		login = { at = time.now(), method = "password", amr = { "pwd" } },
		session = { auth_time = time.now(), amr = { "pwd" } }, request = { client_ip = "127.0.0.1", path = "/" },
	}
end

local function with_costs(lines, made)
	lines[#lines + 1] = ("instructions  %s"):format(made.instructions or 0)
	lines[#lines + 1] = ("memory        %s bytes"):format(made.memory or 0)
	lines[#lines + 1] = ("time          %.2f ms"):format(made.ms or 0)
	for _, line in ipairs(log_lines(made.log)) do
		lines[#lines + 1] = "log           " .. line
	end
	return table.concat(lines, "\n") .. "\n"
end

-- The case that --record asks for, and nothing of it in what is printed.
local function recorded(options, list, made)
	local tried = { given = made.given, result = made.result, second = made.second }
	made.given, made.second = nil, nil
	if not options.record then return nil end
	local declared
	for _, each in ipairs(list or {}) do
		if each.name == made.name then declared = each end
	end
	return require "command/record"(declared, options.user .. ", recorded " .. time.iso(time.now()), tried)
end

-- The script is tried as its file stands now, before it goes live.
function try.verbs.scope(argv, first, body)
	local options = args.parse(argv, first, SCOPE)
	local asked = asked_by(person_named(options, SCOPE), application_named(options.app))
	asked.token = { scopes = {}, grant_type = "authorization_code" }
	local made, failure = mapping.try(options.NAME, asked, (body.config or {}).scope_mappings)
	if not made then
		return failure and failed(options, failure) or refuse('there is no scope mapping "%s"', options.NAME)
	end
	local record = recorded(options, (body.config or {}).scope_mappings, made)
	if options.json then
		return { out = print_.json(json.object(made)), record = record }
	end
	local lines = { "claims        " .. shown(json.object(made.claims or {})) }
	for _, drop in ipairs(made.dropped or {}) do
		lines[#lines + 1] = "dropped       " .. tostring(type(drop) == "table" and drop.claim or drop)
	end
	lines[#lines + 1] = ("script        %s (scope %s)"):format(made.script, made.scope)
	return { out = with_costs(lines, made), record = record }
end

-- The scopes that a request asks for when it names none (S20), or those of --scope.
local function scopes_of(options, application)
	if options.scope then
		return scope.parse(table.concat(options.scope, " ")) or refuse("a scope has characters that scopes cannot have")
	end
	return application.scopes
end

local function claims_of(body)
	local claims = json.decode(body.stdin or "")
	return type(claims) == "table" and claims or refuse("the claims are no JSON object")
end

-- A policy that refuses makes the status 1, as rules that refuse do.
function try.verbs.policy(argv, first, body)
	local options = args.parse(argv, first, POLICY)
	local application = application_named(options.app)
	local asked = asked_by(person_named(options, POLICY), application)
	asked.scopes, asked.grant_type = scopes_of(options, application), options.grant or "authorization_code"
	asked.context = { oauth_jwt = options.claims and claims_of(body) or nil }
	local made, failure = policies.try(options.NAME, asked, (body.config or {}).policies)
	if not made then
		return failure and failed(options, failure) or refuse('there is no policy "%s"', options.NAME)
	end
	local status, record = made.allowed and 0 or 1, recorded(options, (body.config or {}).policies, made)
	if options.json then
		made.scopes, made.stripped = json.array(made.scopes), json.array(made.stripped)
		return { status = status, out = print_.json(json.object(made)), record = record }
	end
	local lines = { "result        " .. (made.allowed and "allowed" or "refused") }
	for line in (made.message or ""):gmatch("[^\n]+") do
		lines[#lines + 1] = "message       " .. print_.plain(line)
	end
	if made.allowed then
		lines[#lines + 1] = "scopes        " .. scope.join(made.scopes)
	end
	if #made.stripped > 0 then
		lines[#lines + 1] = "stripped      " .. scope.join(made.stripped)
	end
	lines[#lines + 1] = "script        " .. made.script
	return { status = status, out = with_costs(lines, made), record = record }
end

-- ---- who somebody is to GitHub's clients ----

local function described(number, name, role, more)
	local text = ("%-10s %s"):format(number or "(new)", print_.plain(name))
	return text .. (role and " (" .. role .. ")" or "") .. (more and ", " .. print_.plain(more) or "")
end

local function identity_lines(who)
	local lines = { "login         " .. described(who.number, who.login, nil, who.name) }
	for _, email in ipairs(who.emails) do
		lines[#lines + 1] = ("e-mail        %s%s"):format(print_.plain(email.email), email.primary and " (primary)" or "")
	end
	if #who.emails == 0 then
		lines[#lines + 1] = "e-mail        none that is verified: applications that want one refuse the person"
	end
	for _, organization in ipairs(who.organizations) do
		lines[#lines + 1] = "organisation  " .. described(organization.number, organization.login, organization.role)
	end
	for _, team in ipairs(who.teams) do
		local name = team.organization.login .. "/" .. team.slug
		lines[#lines + 1] = "team          " .. described(team.number, name, team.role, team.parent and "inside " .. team.parent.slug or nil)
	end
	return lines
end

local function plain_identity(who, cost)
	local organizations, teams = json.array {}, json.array {}
	for index, each in ipairs(who.organizations) do
		organizations[index] = { id = each.number, login = each.login, name = each.name, description = each.description, role = each.role }
	end
	for index, each in ipairs(who.teams) do
		teams[index] = { id = each.number, slug = each.slug, name = each.name, description = each.description, role = each.role,
			organization = each.organization.login, parent = each.parent and each.parent.slug }
	end
	return json.object { id = who.number, login = who.login, name = who.name, emails = json.array(who.emails), organizations = organizations,
		teams = teams, script = cost.script, instructions = cost.instructions, memory = cost.memory, ms = cost.ms,
		log = json.array(cost.log or {}) }
end

local function client_named(name)
	local catalogue = require "github/catalogue"
	return catalogue.find(name) or refuse('there is no client "%s"; there are: %s', name, table.concat(catalogue.names(), " "))
end

-- Whose application a client's is: of --app, or the one with the client_id that stands in the program. Personal tokens are no
-- application's.
local function application_of(options, client)
	if options.app and (client or {}).flow == "personal" then
		refuse("%s takes personal tokens, which belong to no application: leave --app out", client.title)
	end
	local client_id = client and client.preset and presets.client_id(client.preset)
	local application = options.app and application_named(options.app) or client_id and clients.find(client_id) or nil
	if application and not application.github then
		refuse('the application "%s" has no GitHub side: github = { … }', options.app)
	end
	return application
end

local function list_clients(options)
	local catalogue, list = require "github/catalogue", {}
	for index, name in ipairs(catalogue.names()) do list[index] = { name = name, title = catalogue.find(name).title } end
	return print_.list(options, list, { { "name", "CLIENT" }, { "title", "PROGRAM" } })
end

-- Nothing is allotted: who has no number yet gets one when he signs in.
function try.verbs.github(argv, first, body)
	local options = args.parse(argv, first, GITHUB)
	if options.as == "help" then
		return list_clients(options)
	end
	local person = person_named(options, GITHUB)
	local client = options.as and client_named(options.as)
	local application = application_of(options, client)
	local profile, cost = github.try(users.view(person), application, (body.config or {}).github_mappings)
	if not profile then
		return failed(options, cost)
	end
	if client then
		return require("command/rehearsal").run {
			name = options.as, client = client, scope = options.scope or client.scope, person = person, profile = profile,
			application = application, ask = body.ask, json = options.json,
		}
	end
	local who = identity.preview(person, profile)
	if options.json then
		return { out = print_.json(plain_identity(who, cost)) }
	end
	local lines = identity_lines(who)
	lines[#lines + 1] = "script        " .. cost.script
	return { out = with_costs(lines, cost) }
end

function try.verbs.source(argv, first, body) return require("command/try_source")(argv, first, body) end

return try
