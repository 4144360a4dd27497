-- auth/arrivals.lua: who somebody is who comes from a source (S25 to S28): signed in, linked to who is here already, enrolled, or refused.
-- Identity is (subject pool, subject); names and addresses are looked at only where the source may speak of them.
--
-- came = { subject, claims (the verified ID token) or nil, info (profile) or nil, groups = list of { id, name } or nil, groups_complete =
-- false when they could not all be read, token }.
local arrived = require "auth/arrived"
local events = require "auth/events"
local identities = require "store/identities"
local permissions = require "auth/permissions"
local refusals = require "auth/refusals"
local reserved = require "kit/reserved"
local source_groups = require "auth/source_groups"
local users = require "store/users"

local arrivals = {}

local function refuse(reason, cause, user, person)
	return { kind = "refuse", reason = reason, message = refusals.message(reason), cause = cause, user = user, person = person }
end

-- S25: whoever has permissions, and what gives them, is nobody's from outside to touch.
local function is_protected(user) return next(permissions.of(user)) ~= nil end

-- ---- names and addresses ----

-- A name that is an address is believed like one: only where the source vouches for it.
local function vouched(properties)
	local name = properties.username
	return not name:find("@", 1, true)
		or (properties.email_verified and properties.email ~= nil and properties.email:lower() == name:lower())
end

-- Somebody was enrolled by this name before the first sign-in: { kind = "link" …}, a refusal, or nil when nobody was (S26).
local function by_waiting_name(source, came, properties)
	if not properties.username or properties.shared_name then return nil end
	local waiting, user = identities.named(source.pool, properties.username)
	if not waiting then return nil end
	if waiting.subject then return refuse("name_pinned", "the name was claimed by another subject", user) end
	if not source.trusted_usernames then return refuse("name_untrusted", "trusted_usernames is not set for this source", user) end
	if not vouched(properties) then return refuse("email_unverified", "the name is an address that the source does not vouch for", user) end
	if is_protected(user) then return refuse("protected", "a name is never claimed for a user with permissions", user) end
	if not user.active then return refuse("disabled", nil, user) end
	return { kind = "link", user = user, claimed = properties.username }
end

local function by_email(source, properties)
	if not properties.email then return refuse("no_email", "the source told no e-mail address") end
	local found = users.with_email(properties.email)
	if source.matching == "email_deny" then
		return found[1] and refuse("email_taken", "a user has this e-mail address already", found[1]) or nil
	end
	if not properties.email_verified then return refuse("email_unverified", "the source does not vouch for the e-mail address") end
	if #found > 1 then return refuse("email_ambiguous", "several users have this e-mail address") end
	local user = found[1]
	if not user then return nil end
	-- Whoever enrolled with somebody else's address must not be joined by its owner.
	if not user.email_verified then return refuse("email_taken", "a user has this e-mail address, but here it is not verified", user) end
	return { kind = "link", user = user }
end

local function by_username(source, properties)
	if not properties.username then return refuse("no_username", "the source told no user name") end
	-- S27: a name that conversion rules give to many is nobody's.
	if properties.shared_name then return nil end
	local user = users.like_name(properties.username)
	if source.matching == "username_deny" then
		return user and refuse("username_taken", "a user is called so already", user) or nil
	end
	if not user then return nil end
	if user.username ~= properties.username then return refuse("username_taken", "a user is called so in another spelling", user) end
	if not vouched(properties) then return refuse("email_unverified", "the name is an address that the source does not vouch for", user) end
	return { kind = "link", user = user }
end

local function by_matching(source, properties)
	local how = source.matching
	local outcome
	if how == "email_link" or how == "email_deny" then outcome = by_email(source, properties) end
	if how == "username_link" or how == "username_deny" then outcome = by_username(source, properties) end
	local user = outcome and outcome.kind == "link" and outcome.user
	if user and is_protected(user) then return refuse("protected", "a user with permissions is linked by nobody from outside", user) end
	if user and not user.active then return refuse("disabled", nil, user) end
	return outcome
end

-- ---- enrolment ----

-- A name for somebody new: the source's, the address, or one made of what he is known by.
local function new_name(source, came, properties)
	local name = properties.username or properties.email
		or ("%s-%s"):format(source.name, hex.encode(crypto.sha256(source.pool .. "\0" .. came.subject)):sub(1, 12))
	return (name:gsub("^%s+", ""):gsub("%s+$", ""):gsub("%s+", "-"))
end

-- What nobody sees, in ranges of code points: spaces of other widths, joiners, marks of direction. With them a stranger's name would look
-- like somebody else's.
local UNSEEN = { { 0x80, 0xA0 }, { 0xAD, 0xAD }, { 0x34F, 0x34F }, { 0x61C, 0x61C }, { 0x115F, 0x1160 }, { 0x1680, 0x1680 },
	{ 0x17B4, 0x17B5 }, { 0x180B, 0x180F }, { 0x2000, 0x200F }, { 0x2028, 0x202F }, { 0x205F, 0x206F }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
	{ 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFB }, { 0xE0000, 0xE0FFF } }

local function is_fit(name)
	if #name > 150 or reserved[name:lower()] or not name:find("[%w\x80-\xff]") then return false end
	for _, code in utf8.codes(name) do
		for _, range in ipairs(UNSEEN) do
			if code >= range[1] and code <= range[2] then return false end
		end
	end
	return true
end

local function enrol(source, came, properties)
	if not source.enrolment then return refuse("not_enrolled", "nobody here has this identity, and the source enrols nobody") end
	local name = new_name(source, came, properties)
	if not is_fit(name) then return refuse("username_unfit", "nobody can be called so here") end
	local other = users.like_name(name)
	if other and properties.shared_name then
		name = ("%s-%s"):format(name:sub(1, 137), hex.encode(crypto.sha256(source.pool .. "\0" .. came.subject)):sub(1, 12))
		other = users.like_name(name)
	end
	if other then return refuse("username_taken", "a user is called so already", other) end
	if users.is_tombstone(name) then return refuse("username_taken", "somebody was called so who has been deleted") end
	return { kind = "enrol", username = name }
end

-- ---- deciding ----

local function known(source, came, current)
	local user, used_at = identities.find(source.pool, came.subject)
	if not user then return nil end
	if current and current.id ~= user.id then return refuse("linked_elsewhere", "the identity is another user's", user) end
	if not user.active then return refuse("disabled", nil, user) end
	return { kind = "sign_in", user = user, first = used_at == nil }
end

local function link_to(current)
	if not current.active then return refuse("disabled", nil, current) end
	if is_protected(current) then return refuse("protected", "a user with permissions is linked by nobody from outside", current) end
	return { kind = "link", user = current, asked = true }
end

-- The outcome: { kind = "sign_in" | "link" | "enrol" | "refuse", user, properties, groups = plan, … }; of a refusal { reason = a word,
-- message = for the person, cause = for the owner, person = what is about the person, for the event }. Looks, and changes nothing.
-- current: the user who is signed in and wants to be linked, who has proved by a local factor to be that. trying: see
-- mapping/sources.run.
function arrivals.decide(source, came, current, req, trying)
	if type(came.subject) ~= "string" or came.subject == "" or #came.subject > 255 or came.subject:find("%c") then
		return refuse("no_subject", "the source told no subject")
	end
	local properties, why = arrived.properties(source, came, req, trying)
	if not properties then return refuse(why.reason, why.cause, nil, why.person) end
	local outcome = known(source, came, current) or (current and link_to(current)) or by_waiting_name(source, came, properties)
		or by_matching(source, properties) or enrol(source, came, properties)
	-- What stood in the way may be the same person, who came in by another browser meanwhile.
	if outcome.kind == "refuse" then outcome = known(source, came, current) or outcome end
	outcome.properties = properties
	if outcome.kind == "refuse" then return outcome end
	local plan, denied = source_groups.plan(source, outcome.user and outcome.user.id, properties.groups)
	if not plan then
		local refusal = refuse("group_taken", ("there is a group \"%s\" already"):format(denied), outcome.user)
		refusal.properties = properties
		return refusal
	end
	outcome.groups = plan
	return outcome
end

-- ---- doing it ----

-- What is written of a refusal, so that an owner finds why by the request id that the person sees.
local function note_refusal(source, outcome, req)
	if outcome.reason == "script_failed" then
		events.add { kind = "script_failed", req = req, reason = outcome.cause, person = outcome.person }
	end
	events.add { kind = "source_refused", user = outcome.user, req = req, merge = true, person = outcome.person,
		reason = ("%s: %s%s"):format(source.name, outcome.reason, outcome.cause and " (" .. outcome.cause .. ")" or "") }
end

-- The user and what has to be written before the login event, in its batch (an enrolled user is inserted there); or nil and the refusal
-- { reason, message, cause }, of which an event has been left. The batch fails when somebody was quicker: then land again. known_only:
-- nobody is enrolled, and nobody linked but by a name that waits for him.
function arrivals.land(source, came, req, current, known_only)
	local outcome = arrivals.decide(source, came, current, req)
	if known_only and (outcome.kind == "enrol" or (outcome.kind == "link" and not outcome.claimed)) then
		outcome = refuse("not_enrolled", "nobody here has this identity")
	end
	if outcome.kind == "refuse" then
		note_refusal(source, outcome, req)
		return nil, outcome
	end
	return require("auth/arriving").statements(source, came, outcome, req)
end

return arrivals
