-- auth/arriving.lua: what is written when somebody from a source comes in: the user, the identity, what is refreshed, the groups.
local events = require "auth/events"
local identities = require "store/identities"
local permissions = require "auth/permissions"
local result = require "mapping/result"
local source_groups = require "auth/source_groups"
local users = require "store/users"

local arriving = {}

-- How an attribute follows the source: "always" at each sign-in, "once" when the account is made or first bound, "never".
local function follows(source, name)
	return source.attributes[name] or "always"
end

local function same(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then return a == b end
	for name, item in pairs(a) do
		if not same(item, b[name]) then return false end
	end
	for name in pairs(b) do
		if a[name] == nil then return false end
	end
	return true
end

-- The attributes with what the source says, those that follow it alone.
local function merged(source, user, given, first)
	local taken = {}
	for name, value in pairs(given) do
		local how = source.attributes[name] or follows(source, "attributes")
		if how == "always" or (how == "once" and first) then taken[name] = value end
	end
	local out = {}
	for name, value in pairs(user.attributes) do out[name] = value end
	for name, value in pairs(taken) do out[name] = value end
	return out
end

-- What changes of a user, as fields of users.update_statement; empty when nothing does. Something that the source does not say blanks
-- nothing. first: nobody ever came to this account by this identity.
function arriving.changes(source, user, properties, first)
	-- S25, and what the file says of a user is the file's.
	if user.declared == 1 or next(permissions.of(user)) then return {} end
	local out = {}
	local function take(name)
		local how = follows(source, name)
		return properties[name] ~= nil and (how == "always" or (how == "once" and first))
	end
	if take "name" and properties.name ~= user.name then out.name = properties.name end
	if take "email" and (properties.email ~= user.email or (properties.email_verified or false) ~= user.email_verified) then
		out.email, out.email_verified = properties.email, properties.email_verified or false
	end
	local attributes = merged(source, user, properties.attributes or {}, first)
	if not same(attributes, user.attributes) then out.attributes = attributes end
	return out
end

local function extend(list, more) table.move(more, 1, #more, #list + 1, list) end

-- Somebody new, and the row as it will be.
local function make(source, outcome, list, req)
	local p = outcome.properties
	local function wanted(name) return follows(source, name) ~= "never" end
	local user = {
		id = crypto.id(), username = outcome.username, name = wanted "name" and p.name or outcome.username, attributes = {}, active = true,
		email = wanted "email" and p.email or "", email_verified = wanted "email" and p.email_verified or false,
		type = outcome.type or "internal", declared = 0, valid_from = 0, created_at = time.now(),
	}
	user.attributes = merged(source, user, p.attributes or {}, true)
	extend(list, (users.insert_statements(user)))
	list[#list + 1] = events.statement { kind = "source_enrolled", user = user, req = req, reason = source.name }
	return user
end

-- Does nobody know this account by this identity yet?
function arriving.is_first(outcome) return outcome.first or outcome.claimed ~= nil end

local function refresh(source, outcome, list, req)
	local user, first = outcome.user, arriving.is_first(outcome)
	local changes = arriving.changes(source, user, outcome.properties, first)
	if next(changes) then
		list[#list + 1] = users.update_statement(user.id, changes)
		list[#list + 1] = events.statement { kind = "user_changed", user = user, req = req, reason = "refreshed by source " .. source.name }
		result.merge(user, { name = changes.name, email = changes.email })
	end
end

-- The user and the statements, of an outcome of arrivals.decide that is no refusal. The user is as he will be then.
function arriving.statements(source, came, outcome, req)
	local list, user = {}, outcome.user
	local label = outcome.properties.username or outcome.properties.email
	if outcome.kind == "enrol" then
		user = make(source, outcome, list, req)
	else
		refresh(source, outcome, list, req)
	end
	if outcome.kind == "sign_in" then
		list[#list + 1] = identities.used_statement(source.pool, came.subject, user.id, label)
	else
		if outcome.claimed then list[#list + 1] = identities.claim_statement(source.pool, outcome.claimed, came.subject) end
		list[#list + 1] = identities.insert_statement { pool = source.pool, subject = came.subject, user_id = user.id, source = source.name,
			label = label, claimed = outcome.claimed, used = true }
	end
	if outcome.kind == "link" then
		local how = outcome.claimed and "claimed by name" or outcome.asked and "asked for" or source.matching
		list[#list + 1] = events.statement { kind = "source_linked", user = user, req = req, reason = ("%s: %s"):format(source.name, how) }
	end
	if source_groups.changes(outcome.groups) then
		extend(list, source_groups.statements(source, user.id, outcome.groups))
		-- What is remembered of his groups is of before (users.all_groups).
		user.directory = "after " .. crypto.id()
	end
	for _, each in ipairs(outcome.groups.skipped) do
		list[#list + 1] = events.statement { kind = "source_group_skipped", req = req, merge = true,
			reason = ("%s: the group \"%s\" %s"):format(source.name, each.name, each.why) }
	end
	return user, list
end

return arriving
