-- command/app.lua: tidelock app.
local args = require "command/args"
local client_keys = require "auth/client_keys"
local clients = require "auth/clients"
local conf = require "kit/conf"
local applications = require "config/applications"
local github_discovery = require "github/discovery"
local discovery = require "oidc/discovery"
local events = require "auth/events"
local keys = require "auth/keys"
local presets = require "config/presets"
local print_ = require "command/print"
local refuse = require "command/refuse"
local rows = require "store/rows"
local slug = require "kit/slug"
local sources = require "store/sources"
local store = require "store/applications"
local types = require "config/types"
local warnings = require "config/warnings"

local app = { usage = "app add|set|delete|list|show|secret NAME …", verbs = {} }

-- An option's word, the setting it is and how it is given: every setting of the configuration but the secret, a list's word
-- once for each item. An empty text takes a setting back to its default.
local SETTING, FORM, OPTIONS = {}, {}, {}

local function offer(word, name, form)
	SETTING[word], FORM[word] = name, form
	OPTIONS[word] = form == "list" and "list" or "value"
end

for name, rule in pairs(applications.schema) do
	local form = types.form[rule]
	local word = name:gsub("_", "-")
	if form == "list" then word = word:gsub("ies$", "y"):gsub("s$", "") end
	if name ~= "client_secret" then offer(word, name, form) end
end
-- What is said most has a short word.
offer("type", "client_type")
offer("grant", "grant_types", "list")
offer("redirect-regex", "redirect_uris", "list")
offer("post-logout-redirect-regex", "post_logout_redirect_uris", "list")

local WORDS = {}
for word in pairs(OPTIONS) do WORDS[#WORDS + 1] = word end
table.sort(WORDS)
local CHANGES = "[--SETTING VALUE]…\nsettings: --" .. table.concat(WORDS, " --")

local function find(name)
	return store.by_slug(name) or refuse('there is no application "%s"', name)
end

local function not_declared(row)
	if row.declared == 1 then
		refuse('the application "%s" is declared in the configuration; change it there', row.slug)
	end
end

-- The text of an option as the setting has it.
local function value_of(word, text)
	local form = FORM[word]
	if form == "boolean" then
		return text == "true" or text == "yes" or (text ~= "false" and text ~= "no" and refuse("--%s is true or false", word))
	elseif form == "json" and text:find("^%s*[{%[]") then
		return json.decode(text) or refuse("--%s is not JSON", word)
	end
	return text
end

local function items_of(word, list)
	local out = {}
	for _, text in ipairs(list) do
		if text ~= "" then out[#out + 1] = word:find("redirect%-regex$") and { regex = text } or text end
	end
	return out
end

-- The settings with what the options say; lists are given whole.
local function with_options(settings, options)
	local lists = {}
	for _, word in ipairs(WORDS) do
		local name, given = SETTING[word], options[word]
		if type(given) == "table" then
			local items = items_of(word, given)
			lists[name] = lists[name] or {}
			table.move(items, 1, #items, #lists[name] + 1, lists[name])
		elseif given then
			settings[name] = nil
			if given ~= "" then settings[name] = value_of(word, given) end
		end
	end
	for name, list in pairs(lists) do settings[name] = list end
	return settings
end

-- What is dangerous about it, for standard error.
local function warned(answer, full)
	local lines = {}
	for _, each in ipairs(warnings.of_application(full)) do
		lines[#lines + 1] = "warning: " .. each.message .. "\n"
	end
	answer.err = table.concat(lines)
	return answer
end

-- The settings as the configuration would have them: the same checks, the same defaults.
local function completed(settings)
	local full, why = applications.complete(settings, "the command line")
	if not full then
		refuse(why)
	end
	local usable, problem = client_keys.usable(full.jwks)
	if not usable then
		refuse("--jwks %s", problem)
	end
	-- S21: a token for one application must not be good at another.
	for _, audience in ipairs(full.audiences) do
		local other = store.by_client_id(audience)
		if other and other.slug ~= settings.label then
			refuse('--audience %s is the client_id of the application "%s"', audience, other.slug)
		end
	end
	local host = full.github and full.github.host
	if host and not conf.github_name(host) and host ~= conf.host() then
		refuse('--github names the host "%s", which is not declared', host)
	end
	for _, name in ipairs(full.sources) do
		if not sources.by_name(name) then
			refuse('--source %s is the name of no source', name)
		end
	end
	full.label, full.slug, full._at, full.client_secret = nil, nil, nil, nil
	local client_id = full.client_id
	full.client_id = nil
	return full, client_id
end

-- As its metadata has them: { { name, URL }, … }.
local function addresses(name, data)
	local list = discovery.addresses(setmetatable({ slug = name }, { __index = data }))
	if not data.github then return list end
	for _, address in ipairs(github_discovery.addresses(data.github)) do list[#list + 1] = address end
	return list
end

local function record(row)
	local out = {}
	for name, value in pairs(row.data) do
		out[name] = value
	end
	out.slug, out.client_id, out.active, out.declared = row.slug, row.client_id, row.active, row.declared == 1
	out.secrets = #row.secrets
	out.urls = {}
	for _, address in ipairs(addresses(row.slug, row.data)) do out.urls[address[1]] = address[2] end
	return out
end

local function event(row, reason)
	return events.statement { kind = "application_changed", application = row.id, reason = row.slug .. " " .. reason }
end

local function new_secret()
	return hex.encode(crypto.random(32))
end

function app.verbs.add(argv, first)
	local spec = { usage = "app add NAME " .. CHANGES, positional = { "NAME" }, options = OPTIONS }
	local options = args.parse(argv, first, spec)
	local name = options.NAME
	if not slug.is(name) then
		refuse("a name is letters, digits, - and _")
	end
	if store.is_tombstone(name) then
		refuse('"%s" was the name of a deleted application and is never given again', name)
	end
	local own = presets.client_id(options.preset) or hex.encode(crypto.random(20))
	local settings, client_id = completed(with_options({ label = name, client_id = own }, options))
	local statement, id = store.insert_statement { slug = name, client_id = client_id, data = settings }
	local statements, secret = { statement }, nil
	if settings.client_type ~= "public" and settings.token_endpoint_auth_method ~= "private_key_jwt" then
		secret = new_secret()
		statements[2] = store.secret_statement(id, secret, settings)
	end
	statements[#statements + 1] = event({ id = id, slug = name }, "made by command")
	if not rows.batch(statements) then
		refuse('there is an application of this name or client_id already')
	end
	clients.changed()
	local text = ('application "%s" made\nclient_id      %s\n'):format(name, client_id)
		.. (secret and ("client_secret  %s   (shown only now)\n"):format(secret) or "")
		.. ("issuer         %s"):format(addresses(name, settings)[1][2])
	local one = record(find(name))
	one.client_secret = secret
	return warned(print_.done(options, text, one), settings)
end

function app.verbs.set(argv, first)
	local options = args.parse(argv, first, { usage = "app set NAME " .. CHANGES, positional = { "NAME" }, options = OPTIONS })
	local row = find(options.NAME)
	not_declared(row)
	local settings = row.data
	settings.label, settings.client_id = row.slug, row.client_id
	local full, client_id = completed(with_options(settings, options))
	local statements = { store.update_statement(row.id, { data = full, client_id = client_id }), event(row, "changed by command") }
	local readable = full.token_endpoint_auth_method == "client_secret_jwt"
	if not readable then
		statements[#statements + 1] = store.forget_copies_statement(row.id)
	end
	if not rows.batch(statements) then
		refuse("another application has this client_id")
	end
	clients.changed()
	local text = ('application "%s" changed'):format(row.slug)
	if readable and next(row.sealed) == nil then
		text = text .. "\nits secrets of before cannot be read: make the one that signs with: tidelock app secret " .. row.slug
	end
	return warned(print_.done(options, text, record(find(row.slug))), full)
end

function app.verbs.delete(argv, first)
	local options = args.parse(argv, first, { usage = "app delete NAME", positional = { "NAME" } })
	local row = find(options.NAME)
	not_declared(row)
	local statements = require("auth/application_sources").end_statements(row.id)
	for _, statement in ipairs(store.delete_statements(row)) do
		statements[#statements + 1] = statement
	end
	statements[#statements + 1] = event(row, "deleted by command")
	rows.batch(statements)
	require("auth/sources").changed()
	clients.changed()
	return print_.done(options, ('application "%s" deleted'):format(row.slug), { slug = row.slug, deleted = true })
end

function app.verbs.list(argv, first)
	local options = args.parse(argv, first, { usage = "app list" })
	local list = {}
	for index, row in ipairs(store.list()) do
		list[index] = record(row)
	end
	return print_.list(options, list, { { "slug", "NAME" }, { "client_id", "CLIENT_ID" }, { "client_type", "TYPE" },
		{ "active", "ACTIVE" }, { "declared", "DECLARED" }, { "scopes", "SCOPES" } })
end

local FIRST = { "slug", "name", "client_id", "client_type", "active", "declared", "secrets" }

-- What it is, then every setting by name.
local function fields_of(one)
	local fields, rest = { table.unpack(FIRST) }, {}
	for name in pairs(applications.schema) do
		if one[name] ~= nil and name ~= "client_secret" then rest[#rest + 1] = name end
	end
	table.sort(rest)
	for _, name in ipairs(rest) do
		if name ~= "name" and name ~= "client_id" and name ~= "client_type" then fields[#fields + 1] = name end
	end
	return fields
end

function app.verbs.show(argv, first)
	local options = args.parse(argv, first, { usage = "app show NAME", positional = { "NAME" } })
	local row = find(options.NAME)
	local one, names = record(row), {}
	local key_set = keys.jwks { { id = row.id, signing_key = row.data.signing_key } }
	if options.json then
		-- The application's own keys stand beside the broker's.
		one.client_jwks, one.jwks = one.jwks, json.decode(key_set)
		return { out = print_.json(json.object(one)) }
	end
	for index, address in ipairs(addresses(row.slug, row.data)) do names[index] = address[1] end
	return { out = print_.record(one, fields_of(one)) .. "\n" .. print_.record(one.urls, names) .. "\n" .. key_set .. "\n" }
end

-- Rotation: the new secret is good at once, the old one until --retire.
function app.verbs.secret(argv, first)
	local options = args.parse(argv, first, { usage = "app secret NAME [--retire]", positional = { "NAME" },
		options = { retire = "flag" } })
	local row = find(options.NAME)
	if row.data.client_type == "public" then
		refuse('"%s" is a public client and has no secret', row.slug)
	end
	if options.retire then
		local count = store.retire_secrets(row.id)
		rows.batch { event(row, "old secrets retired by command") }
		clients.changed()
		return print_.done(options, count > 0 and "the old secret is no longer good" or "there was no old secret",
			{ slug = row.slug, retired = count })
	end
	if #row.secrets >= 2 then
		refuse("two secrets are good already; retire the old one first: tidelock app secret %s --retire", row.slug)
	end
	local secret = new_secret()
	rows.batch { store.secret_statement(row.id, secret, row.data), event(row, "got a new secret by command") }
	clients.changed()
	return print_.done(options, ("client_id      %s\nclient_secret  %s   (shown only now; the old one stays good until --retire)")
		:format(row.client_id, secret), { slug = row.slug, client_id = row.client_id, client_secret = secret })
end

return app
