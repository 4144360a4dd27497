-- command/user_link.lua: tidelock user link: which account elsewhere is whose. By subject it is so at once; by user name until the owner of
-- that name comes the first time, and then for the subject that came (S26).
local args = require "command/args"
local events = require "auth/events"
local identities = require "store/identities"
local kinds = require "config/source_kinds"
local permissions = require "auth/permissions"
local refuse = require "command/refuse"
local rows = require "store/rows"
local sources = require "store/sources"

local SPEC = {
	usage = "user link NAME --source S --subject ID | --username U [--remove]", positional = { "NAME" },
	options = { source = "value", subject = "value", username = "value", remove = "flag" },
}

local function fit(text, what)
	if #text == 0 or #text > 255 or not utf8.len(text) or text:find("%c") then
		refuse("a %s is a text of 1 to 255 bytes", what)
	end
	return text
end

local function add(row, source, options)
	local known = { pool = source.pool, user_id = row.id, source = source.name }
	if options.subject then
		known.subject = options.subject
		local user = identities.find(source.pool, known.subject)
		if user then refuse('this identity is "%s"\'s already', user.username) end
		return { identities.insert_statement(known) }
	end
	if next(permissions.of(row)) then
		refuse('"%s" has permissions: a user name is never claimed for such an account; link the subject', row.username)
	end
	known.username = options.username
	local _, user = identities.named(source.pool, known.username)
	if user then refuse('this name waits for "%s" already', user.username) end
	return { identities.name_statement(known) }
end

local function remove(row, source, options)
	if options.subject then return identities.unlink_statements(source.pool, options.subject, row.id) end
	return identities.forget_name_statements(source.pool, options.username, row.id)
end

-- Returns what was done, as text. find: the user of a name, or a refusal.
return function(argv, first, find)
	local options = args.parse(argv, first, SPEC)
	if not options.source or (options.subject ~= nil) == (options.username ~= nil) then
		args.wrong(SPEC, "--source and one of --subject and --username are needed")
	end
	local row = find(options.NAME)
	local source = sources.by_name(options.source) or refuse('there is no source "%s"', options.source)
	if options.subject then
		options.subject = fit(options.subject, "subject")
		local subject, why = kinds.subject(source.data, options.subject)
		options.subject = subject or refuse(why)
	else
		fit(options.username, "user name")
	end
	local statements = (options.remove and remove or add)(row, source, options)
	statements[#statements + 1] = events.statement { kind = options.remove and "source_unlinked" or "source_linked", user = row,
		reason = source.name .. ": by command" }
	if not rows.batch(statements) then
		refuse(options.remove and '"%s" has no such identity' or '"%s" could not be linked: somebody was quicker', row.username)
	end
	return options, ('user "%s" %s %s at "%s"'):format(row.username, options.remove and "is no longer" or "is",
		options.subject or options.username, source.name)
end
