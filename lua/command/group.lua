-- command/group.lua: tidelock group.
local args = require "command/args"
local events = require "auth/events"
local groups = require "store/groups"
local permissions = require "auth/permissions"
local print_ = require "command/print"
local refuse = require "command/refuse"
local rows = require "store/rows"
local users = require "store/users"

local group = { usage = "group add|set|delete|add-user|remove-user|list|show NAME …", verbs = {} }

local FIELDS = { "name", "pk", "declared", "permissions", "parents", "members", "attributes" }

local function names(list, field)
	local out = json.array {}
	for index, row in ipairs(list) do
		out[index] = row[field]
	end
	return out
end

local function record(row)
	return {
		name = row.name, pk = row.pk, declared = row.declared == 1, permissions = json.array(row.permissions),
		parents = names(groups.parents(row), "name"), members = names(groups.members(row), "username"),
		attributes = row.attributes,
	}
end

local function find(name)
	return groups.by_name(name) or refuse('there is no group "%s"', name)
end

local function not_declared(row)
	if row.declared == 1 then
		refuse('the group "%s" is declared in the configuration; change it there', row.name)
	end
end

local function done(options, name, text)
	return print_.done(options, text, record(find(name)))
end

local function check_permissions(list)
	for _, name in ipairs(list or {}) do
		if not permissions.KNOWN[name] then
			refuse('there is no permission "%s"; there are everything, manage_users, read_directory', name)
		end
	end
	return list
end

-- The end of each batch: what changed, told to the log and to those who remember groups.
local function changed(statements, row, reason)
	statements[#statements + 1] = events.statement {
		kind = "group_changed", reason = ("%s %s by command"):format(row.name, reason),
	}
	statements[#statements + 1] = users.directory_statement()
	return rows.batch(statements)
end

local CHANGE = { permission = "list", parent = "list" }

function group.verbs.add(argv, first)
	local options = args.parse(argv, first, { usage = "group add NAME [--permission P]… [--parent G]…",
		positional = { "NAME" }, options = CHANGE })
	local name = options.NAME
	if #name == 0 or #name > 150 or not utf8.len(name) or name:find("[%z\1-\31\127]") then
		refuse("a group's name is 1 to 150 bytes of text without control characters")
	end
	if groups.is_tombstone(name) then
		refuse('"%s" was the name of a deleted group and is never given again', name)
	end
	local statements, id = groups.insert_statements { name = name, permissions = check_permissions(options.permission) }
	for _, parent in ipairs(options.parent or {}) do
		statements[#statements + 1] = groups.parent_statement(id, find(parent).id)
	end
	if not changed(statements, { name = name }, "made") then
		refuse('there is a group "%s" already', name)
	end
	return done(options, name, ('group "%s" made'):format(name))
end

function group.verbs.set(argv, first)
	local options = args.parse(argv, first, { usage = "group set NAME [--permission P]… [--parent G]…",
		positional = { "NAME" }, options = CHANGE })
	local row = find(options.NAME)
	not_declared(row)
	local statements = { groups.update_statement(row.id, { permissions = check_permissions(options.permission) }) }
	for _, parent in ipairs(options.parent or {}) do
		statements[#statements + 1] = groups.parent_statement(row.id, find(parent).id)
	end
	changed(statements, row, "changed")
	return done(options, options.NAME, ('group "%s" changed'):format(options.NAME))
end

function group.verbs.delete(argv, first)
	local options = args.parse(argv, first, { usage = "group delete NAME", positional = { "NAME" } })
	local row = find(options.NAME)
	not_declared(row)
	local statements = groups.delete_statements(row)
	changed(statements, row, "deleted")
	return print_.done(options, ('group "%s" deleted'):format(row.name), { name = row.name, deleted = true })
end

-- What the file declares would be there again after the next change of the file.
local function not_declared_member(row, person)
	for _, member in ipairs(groups.members(row)) do
		if member.id == person.id and member.declared == 1 then
			refuse('that "%s" is in the group "%s" is declared in the configuration; change it there', person.username, row.name)
		end
	end
end

local function member(verb, statement_of, text)
	local spec = { usage = "group " .. verb .. " NAME USER", positional = { "NAME", "USER" } }
	group.verbs[verb] = function(argv, first)
		local options = args.parse(argv, first, spec)
		local row = find(options.NAME)
		local person = users.by_name(options.USER) or refuse('there is no user "%s"', options.USER)
		if verb == "remove-user" then
			not_declared_member(row, person)
		end
		local ok = rows.batch { statement_of(person.id, row.id), users.directory_statement(),
			events.statement { kind = "group_changed", user = person, reason = row.name .. " " .. verb .. " by command" } }
		if not ok then
			refuse('"%s" is not in the group "%s"', options.USER, row.name)
		end
		return done(options, options.NAME, ('"%s" %s the group "%s"'):format(options.USER, text, row.name))
	end
end
member("add-user", groups.join_statement, "is in")
member("remove-user", groups.leave_statement, "is no longer in")

function group.verbs.list(argv, first)
	local options = args.parse(argv, first, { usage = "group list" })
	local list = {}
	for index, row in ipairs(groups.list()) do
		list[index] = record(row)
	end
	return print_.list(options, list, { { "name", "NAME" }, { "declared", "DECLARED" }, { "permissions", "PERMISSIONS" },
		{ "members", "MEMBERS" } })
end

function group.verbs.show(argv, first)
	local options = args.parse(argv, first, { usage = "group show NAME", positional = { "NAME" } })
	local one = record(find(options.NAME))
	return { out = options.json and print_.json(json.object(one)) or print_.record(one, FIELDS) }
end

return group
