-- command/user.lua: tidelock user.
local args = require "command/args"
local audit = require "store/events"
local backchannel = require "auth/backchannel"
local encoded_hash = require "kit/encoded_hash"
local events = require "auth/events"
local grants = require "store/grants"
local groups = require "store/groups"
local identities = require "store/identities"
local password = require "auth/password"
local permissions = require "auth/permissions"
local print_ = require "command/print"
local refuse = require "command/refuse"
local reserved = require "kit/reserved"
local rows = require "store/rows"
local sessions = require "store/sessions"
local users = require "store/users"

local user = { usage = "user add|set|password|disable|enable|delete|list|show|link NAME …", verbs = {} }

local FIELDS = { "username", "name", "email", "email_verified", "type", "active", "declared", "pk", "uid", "groups",
	"permissions", "identities", "attributes", "created_at", "last_login_at", "password_at" }

local function record(row)
	local names, set, known = {}, {}, {}
	for index, group in ipairs(users.groups(row)) do
		names[index] = group.name
	end
	for name in pairs(permissions.of(row)) do
		set[#set + 1] = name
	end
	table.sort(set)
	for index, each in ipairs(identities.of_user(row.id)) do
		known[index] = { source = each.source, subject = each.subject, username = each.label }
	end
	for _, each in ipairs(identities.waiting(row.id)) do
		known[#known + 1] = { source = each.source, username = each.username }
	end
	return {
		username = row.username, name = row.name, email = row.email, email_verified = row.email_verified, type = row.type,
		active = row.active, declared = row.declared == 1, pk = row.pk, uid = row.uid, groups = json.array(names),
		permissions = json.array(set), identities = json.array(known), attributes = row.attributes, created_at = print_.time(row.created_at),
		last_login_at = print_.time(row.last_login_at), password_at = print_.time(row.password_at),
	}
end

local function find(name)
	return users.by_name(name) or refuse('there is no user "%s"', name)
end

local function not_declared(row)
	if row.declared == 1 then
		refuse('"%s" is declared in the configuration; change it there', row.username)
	end
end

local function done(options, name, text)
	return print_.done(options, text, record(find(name)))
end

-- The password that the options bring: encoded text, or nil when there is none.
local function encoded_password(options, body, row)
	if options["password-hash"] then
		local encoded = options["password-hash"]
		local fine, why = encoded_hash(encoded)
		return fine and encoded or refuse(why)
	end
	if not options["password-stdin"] then
		return nil
	end
	local text = (body.stdin or ""):gsub("\r?\n$", "")
	local fine, why = password.acceptable(text, row)
	if not fine then
		refuse(why)
	end
	return password.hash(text) or refuse("too many password hashes at once; try again")
end

-- Programs bring app passwords and API keys.
local function no_password(options, type)
	if (options["password-stdin"] or options["password-hash"])
		and (type == "service_account" or type == "internal_service_account") then
		refuse("a service account has no password: make it an app password with tidelock token create --intent app_password")
	end
end

-- An application's own account is what the application makes of it.
local function not_of_application(row, what)
	if row.type == "internal_service_account" then
		refuse('"%s" is an application\'s own account: %s', row.username, what)
	end
end

local function group_ids(names)
	local out = {}
	for index, name in ipairs(names or {}) do
		out[index] = (groups.by_name(name) or refuse('there is no group "%s"', name)).id
	end
	return out
end

local TYPES = { internal = true, external = true, service_account = true }

local function check_fields(options)
	if options.type and not TYPES[options.type] then
		refuse("a type is internal, external or service_account")
	end
	if options.email and (#options.email > 254 or not options.email:find("^[^@%s%c]+@[^@%s%c]+$")) then
		refuse('"%s" is not an e-mail address', options.email)
	end
end

local function check_new_name(name)
	if #name == 0 or #name > 150 or not utf8.len(name) or name:find("[%z\1-\32\127]") then
		refuse("a name is 1 to 150 bytes of text without spaces and control characters")
	end
	if reserved[name:lower()] then
		refuse('"%s" is a word of our own addresses and cannot be a name', name)
	end
	if users.by_name(name) then
		refuse('there is a user "%s" already', name)
	end
	if users.is_tombstone(name) then
		refuse('"%s" was the name of a deleted user and is never given again', name)
	end
end

local ADD = {
	usage = "user add NAME [--name N] [--email E] [--email-verified] [--type T] [--group G]… [--password-stdin | --password-hash H]",
	positional = { "NAME" },
	options = { name = "value", email = "value", ["email-verified"] = "flag", type = "value", group = "list",
		["password-stdin"] = "flag", ["password-hash"] = "value" },
}

function user.verbs.add(argv, first, body)
	local options = args.parse(argv, first, ADD)
	check_new_name(options.NAME)
	check_fields(options)
	no_password(options, options.type)
	local ids = group_ids(options.group)
	local statements, id = users.insert_statements {
		username = options.NAME, name = options.name or options.NAME, email = options.email,
		email_verified = options["email-verified"], type = options.type,
		password = encoded_password(options, body, { username = options.NAME }),
	}
	statements[#statements + 1] = users.directory_statement()
	for _, group_id in ipairs(ids) do
		statements[#statements + 1] = groups.join_statement(id, group_id)
	end
	statements[#statements + 1] = events.statement {
		kind = "user_changed", user = id, person = options.NAME, reason = "made by command",
	}
	if not rows.batch(statements) then
		refuse('there is a user "%s" already', options.NAME)
	end
	return done(options, options.NAME, ('user "%s" made'):format(options.NAME))
end

local SET = {
	usage = "user set NAME [--name N] [--email E] [--email-verified | --no-email-verified] [--type T]",
	positional = { "NAME" },
	options = { name = "value", email = "value", ["email-verified"] = "flag", ["no-email-verified"] = "flag", type = "value" },
}

function user.verbs.set(argv, first)
	local options = args.parse(argv, first, SET)
	local row = find(options.NAME)
	not_declared(row)
	check_fields(options)
	if options.type then
		not_of_application(row, "its type stays")
	end
	local verified = options["email-verified"]
	if options["no-email-verified"] then
		verified = false
	end
	rows.batch {
		users.update_statement(row.id, { name = options.name, email = options.email, email_verified = verified,
			type = options.type }),
		events.statement { kind = "user_changed", user = row, reason = "set by command" },
	}
	return done(options, options.NAME, ('user "%s" changed'):format(options.NAME))
end

local PASSWORD = {
	usage = "user password NAME [--password-stdin | --password-hash H]", positional = { "NAME" },
	options = { ["password-stdin"] = "flag", ["password-hash"] = "value" },
}

function user.verbs.password(argv, first, body)
	local options = args.parse(argv, first, PASSWORD)
	local row = find(options.NAME)
	no_password(options, row.type)
	local encoded = encoded_password(options, body, row)
		or args.wrong(PASSWORD, "--password-stdin or --password-hash is needed")
	local statements = password.statements(row.id, encoded, { user = row, reason = "by command" })
	rows.batch(statements)
	password.forgive(row.username)
	return done(options, options.NAME, ('user "%s" has a new password; its sessions and grants have ended'):format(options.NAME))
end

local function switch(verb, active)
	local spec = { usage = "user " .. verb .. " NAME", positional = { "NAME" } }
	user.verbs[verb] = function(argv, first)
		local options = args.parse(argv, first, spec)
		local row = find(options.NAME)
		local statements = { users.update_statement(row.id, { active = active }), users.switch_statement(row.id, active),
			events.statement { kind = "user_changed", user = row, reason = verb .. "d by command" } }
		if not active then
			for _, list in ipairs { grants.end_for_statements(row.id, nil, "disabled"),
				sessions.end_all_statements(row.id, nil, "disabled") } do
				table.move(list, 1, #list, #statements + 1, statements)
			end
		end
		rows.urgent(statements)
		return done(options, options.NAME, ('user "%s" %sd'):format(options.NAME, verb))
	end
end
switch("disable", false)
switch("enable", true)

function user.verbs.delete(argv, first)
	local options = args.parse(argv, first, { usage = "user delete NAME", positional = { "NAME" } })
	local row = find(options.NAME)
	not_declared(row)
	not_of_application(row, "disable it, or delete the application")
	local statements = backchannel.deletion_statements(row)
	for _, statement in ipairs(users.delete_statements(row)) do
		statements[#statements + 1] = statement
	end
	statements[#statements + 1] = audit.erase_statement(row)
	statements[#statements + 1] = events.statement { kind = "user_changed", user = row.id, reason = "deleted by command" }
	rows.batch(statements)
	return print_.done(options, ('user "%s" deleted'):format(row.username), { username = row.username, deleted = true })
end

function user.verbs.list(argv, first)
	local options = args.parse(argv, first, { usage = "user list" })
	local list = {}
	for index, row in ipairs(users.list()) do
		list[index] = record(row)
	end
	return print_.list(options, list, { { "username", "USERNAME" }, { "name", "NAME" }, { "email", "EMAIL" },
		{ "type", "TYPE" }, { "active", "ACTIVE" }, { "declared", "DECLARED" }, { "groups", "GROUPS" } })
end

function user.verbs.show(argv, first)
	local options = args.parse(argv, first, { usage = "user show NAME", positional = { "NAME" } })
	local one = record(find(options.NAME))
	if options.json then
		return { out = print_.json(json.object(one)) }
	end
	for index, each in ipairs(one.identities) do
		one.identities[index] = ("%s:%s"):format(each.source, each.subject or each.username .. " (not yet claimed)")
	end
	return { out = print_.record(one, FIELDS) }
end

function user.verbs.link(argv, first)
	local options, text = require("command/user_link")(argv, first, find)
	return done(options, options.NAME, text)
end

return user
