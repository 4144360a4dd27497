-- auth/programs.lua: accounts of programs that come from a source (S29): made when a program first comes, known by source, issuer and
-- subject, and by nothing else: the name is a label, and never somebody's who is here already.
local arrived = require "auth/arrived"
local arriving = require "auth/arriving"
local events = require "auth/events"
local identities = require "store/identities"
local reserved = require "kit/reserved"
local rows = require "store/rows"
local source_groups = require "auth/source_groups"
local users = require "store/users"

local programs = {}

-- authentik's bound, which clients know.
local LONGEST = 150
-- How stale "last used" may be: a token costs no write for it.
local USED_EVERY = 3600

-- Not the pool that people of this source are in: nobody signs in as a program.
local function shadow(source, issuer)
	return setmetatable({ pool = ("machine:%s:%s"):format(source.name, issuer) }, { __index = source })
end

local function cut(text, most)
	if #text <= most then return text end
	return text:sub(1, utf8.offset(text, 0, most + 1) - 1)
end

-- A name that nobody has or had.
local function name_for(source, came, properties)
	local mark = hex.encode(crypto.sha256(source.pool .. "\0" .. came.subject)):sub(1, 12)
	local wanted = cut(((properties.username or source.name .. "-" .. came.subject):gsub("%s+", "-")), LONGEST)
	for _, name in ipairs { wanted, cut(wanted, LONGEST - 13) .. "-" .. mark } do
		if not reserved[name:lower()] and not users.like_name(name) and not users.is_tombstone(name) then return name end
	end
end

local function refused(source, req, user, reason, cause)
	events.add { kind = "source_refused", user = user, req = req, merge = true,
		reason = ("%s: program: %s%s"):format(source.name, reason, cause and " (" .. cause .. ")" or "") }
	return nil, reason
end

-- What is to be written for an account that is there, or is made; and the user as he will be. nil and a refusal's reason.
local function outcome_of(source, came, req)
	local properties, why = arrived.properties(source, came, req)
	if not properties then return refused(source, req, nil, why.reason, why.cause) end
	local user, used_at = identities.find(source.pool, came.subject)
	if user and not user.active then return refused(source, req, user, "disabled") end
	local plan, denied = source_groups.plan(source, user and user.id, properties.groups)
	if not plan then return refused(source, req, user, "group_taken", denied) end
	local outcome = { kind = user and "sign_in" or "enrol", user = user, type = "service_account", properties = properties, groups = plan,
		first = false }
	if not user then
		outcome.username = name_for(source, came, properties)
		if not outcome.username then return refused(source, req, nil, "username_taken") end
	end
	outcome.idle = user and not next(arriving.changes(source, user, properties, false)) and not source_groups.changes(plan)
		and #plan.skipped == 0 and used_at and time.now() - used_at < USED_EVERY
	return outcome
end

-- The account of a program whose token has been verified (sources/machine), refreshed as at a sign-in; or nil and why not. Waits.
function programs.account(source, came, req)
	source = shadow(source, came.issuer)
	for _ = 1, 2 do
		local outcome, why = outcome_of(source, came, req)
		if not outcome then return nil, why end
		if outcome.idle then return outcome.user end
		local user, statements = arriving.statements(source, came, outcome, req)
		-- Somebody was quicker: then it is there.
		if rows.batch(statements) then return users.by_id(user.id) end
	end
	return refused(source, req, nil, "busy")
end

return programs
