-- command/try.lua: tidelock try: runs one script as a sign-in would, and shows what it made, what it cost and what it said.
local args = require "command/args"
local clients = require "auth/clients"
local mapping = require "mapping/scopes"
local print_ = require "command/print"
local refuse = require "command/refuse"
local users = require "store/users"

local try = { usage = "try scope NAME --user U [--app A]", verbs = {} }

local SCOPE = { usage = try.usage, positional = { "NAME" }, options = { user = "value", app = "value" } }

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
		return { id = "", slug = "none", name = "none", client_id = "none", scopes = {}, script_claims = {} }
	end
	return clients.by_slug(name) or refuse('there is no application "%s"', name)
end

-- The script is tried as its file stands now, before it goes live.
function try.verbs.scope(argv, first, body)
	local options = args.parse(argv, first, SCOPE)
	if not options.user then
		args.wrong(SCOPE, "--user is missing")
	end
	local user = users.by_name(options.user) or refuse('there is no user "%s"', options.user)
	local application = application_named(options.app)
	local made, failure = mapping.try(options.NAME, {
		user = users.view(user), application = application, token = { scopes = {}, grant_type = "authorization_code" },
		session = { auth_time = time.now(), amr = { "pwd" } }, request = { client_ip = "127.0.0.1", path = "/" },
	}, (body.config or {}).scope_mappings)
	if not made then
		return failure and failed(options, failure) or refuse('there is no scope mapping "%s"', options.NAME)
	end
	if options.json then
		return { out = print_.json(json.object(made)) }
	end
	local lines = { "claims        " .. shown(json.object(made.claims or {})) }
	for _, drop in ipairs(made.dropped or {}) do
		lines[#lines + 1] = "dropped       " .. tostring(type(drop) == "table" and drop.claim or drop)
	end
	lines[#lines + 1] = ("script        %s (scope %s)"):format(made.script, made.scope)
	lines[#lines + 1] = ("instructions  %s"):format(made.instructions or 0)
	lines[#lines + 1] = ("memory        %s bytes"):format(made.memory or 0)
	lines[#lines + 1] = ("time          %.2f ms"):format(made.ms or 0)
	for _, line in ipairs(log_lines(made.log)) do
		lines[#lines + 1] = "log           " .. line
	end
	return { out = table.concat(lines, "\n") .. "\n" }
end

return try
