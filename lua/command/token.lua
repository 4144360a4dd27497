-- command/token.lua: tidelock token: API keys, app passwords and personal tokens; a key is shown once.
local args = require "command/args"
local duration = require "kit/duration"
local person_tokens = require "auth/person_tokens"
local print_ = require "command/print"
local refuse = require "command/refuse"
local users = require "store/users"

local token = { usage = "token create|list|revoke …", verbs = {} }

local INTENTS = { api = true, app_password = true, personal = true }

local function find(name)
	return users.by_name(name) or refuse('there is no user "%s"', name)
end

local function record(row)
	return {
		identifier = row.identifier, user = row.user.username, intent = row.intent, description = row.description,
		scope = row.scopes, state = person_tokens.state(row), created_at = print_.time(row.created_at),
		expires_at = print_.time(row.expires_at), used_at = print_.time(row.used_at),
	}
end

local CREATE = {
	usage = "token create --user U --intent api|app_password|personal [--scope S]… [--expires 90d] [--description T] [--identifier I]",
	options = { user = "value", intent = "value", scope = "list", expires = "value", description = "value",
		identifier = "value" },
}

local function check_words(options)
	for _, name in ipairs { "user", "intent" } do
		if not options[name] then
			args.wrong(CREATE, "--" .. name .. " is missing")
		end
	end
	if not INTENTS[options.intent] then
		args.wrong(CREATE, "--intent is api, app_password or personal")
	end
	if options.identifier and not options.identifier:find("^[%w_%-]+$") or #(options.identifier or "") > 100 then
		refuse("an identifier is made of letters, digits, - and _")
	end
	if options.description and (#options.description > 200 or not utf8.len(options.description)
		or options.description:find("[%z\1-\31\127]")) then
		refuse("a description is at most 200 bytes of text on one line")
	end
end

-- Given once or often, each with one scope or several.
local function scopes_of(options)
	local out, seen = {}, {}
	for _, text in ipairs(options.scope or {}) do
		for name in text:gmatch("[^%s,]+") do
			if not seen[name] then
				out[#out + 1], seen[name] = name, true
			end
		end
	end
	return out
end

local function expiry(options)
	if not options.expires then
		return nil
	end
	local seconds, why = duration.parse(options.expires)
	if not seconds or seconds == 0 then
		refuse("--expires is %s", why or "at least a second")
	end
	return time.now() + seconds
end

function token.verbs.create(argv, first)
	local options = args.parse(argv, first, CREATE)
	check_words(options)
	local user = find(options.user)
	if not user.active then
		refuse('"%s" is switched off', user.username)
	end
	local key, row = person_tokens.create {
		user = user, intent = options.intent, scopes = scopes_of(options), description = options.description,
		identifier = options.identifier, expires_at = expiry(options), reason = "by command",
	}
	if not key then
		refuse(row)
	end
	if options.json then
		local answer = record(row)
		answer.key = key
		return { out = print_.json(json.object(answer)) }
	end
	-- The key alone on standard output, so that a script can take it.
	return { out = key .. "\n", err = ("%s of %s, named %s. It is not shown again.\n"):format(row.intent, user.username,
		row.identifier) }
end

local LIST = { usage = "token list [--user U] [--intent I]", options = { user = "value", intent = "value" } }

function token.verbs.list(argv, first)
	local options = args.parse(argv, first, LIST)
	if options.intent and not INTENTS[options.intent] then
		args.wrong(LIST, "--intent is api, app_password or personal")
	end
	local list = {}
	for index, row in ipairs(person_tokens.list(options.user and find(options.user).id, options.intent)) do
		list[index] = record(row)
	end
	return print_.list(options, list, { { "identifier", "IDENTIFIER" }, { "user", "USER" }, { "intent", "INTENT" },
		{ "scope", "SCOPE" }, { "state", "STATE" }, { "expires_at", "EXPIRES" }, { "used_at", "LAST USED" },
		{ "description", "DESCRIPTION" } })
end

function token.verbs.revoke(argv, first)
	local options = args.parse(argv, first, { usage = "token revoke IDENTIFIER", positional = { "IDENTIFIER" } })
	local row = person_tokens.by_identifier(options.IDENTIFIER) or refuse('there is no key "%s"', options.IDENTIFIER)
	person_tokens.revoke(row, { reason = "by command" })
	return print_.done(options, ('key "%s" of %s revoked'):format(row.identifier, row.user.username),
		{ identifier = row.identifier, user = row.user.username, revoked = true })
end

return token
