-- auth/devices.lua: the device flow (RFC 8628) behind its endpoints: a device asks, a person answers on another machine, the
-- device polls meanwhile.
local address = require "kit/address"
local claims = require "auth/claims"
local consent = require "auth/consent"
local err = require "kit/err"
local events = require "auth/events"
local github_scopes = require "auth/github_scopes"
local policies = require "auth/policies"
local rows = require "store/rows"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local store = require "store/devices"
local throttle = require "auth/throttle"

local devices = {}

devices.GRANT = "urn:ietf:params:oauth:grant-type:device_code"
-- Long enough to find one's phone, short for whoever talks somebody into typing a code (RFC 8628 5.4).
devices.LIFETIME = 600
devices.INTERVAL = 5

-- ---- user codes ----

-- RFC 8628 6.1: consonants only, so that neither words nor look-alikes come up. 20^8 is 34.6 bits: with a thousand codes
-- open and some 300 guesses a day and account (GUESSES), somebody hits one in 80,000 account-days, and has then given his
-- own account to a stranger's device.
local LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
local LENGTH = 8

local function new_user_code()
	local out = {}
	while #out < LENGTH do
		local byte = crypto.random(1):byte()
		-- 240 is the greatest multiple of 20: no letter is likelier than another.
		if byte < 240 then
			local at = byte % #LETTERS + 1
			out[#out + 1] = LETTERS:sub(at, at)
		end
	end
	return table.concat(out)
end

-- The code as people type it, whatever its case, dashes and spaces, in letters alone; nil when it can be none.
function devices.normalise(text)
	local code = (text or ""):upper():gsub("[%s%-_.]", "")
	return #code == LENGTH and not code:find("[^" .. LETTERS .. "]") and code or nil
end

-- BCDFGHJK → BCDF-GHJK.
function devices.grouped(code)
	return code:sub(1, 4) .. "-" .. code:sub(5)
end

local function user_keyed(code)
	return secrets.mac("user code", code)
end

-- ---- asking ----

-- Why nothing was written; nil when it was the one chance in a million that the user code is in use.
local function refuse_too_many(code)
	local usage = store.usage(code.application_id, code.address)
	if code.anonymous and usage.unanswered >= store.ANONYMOUS then
		err.raise("slow_down", "Too many device codes were asked for from this address.",
			{ status = 429, retry_after = math.max(1, usage.oldest + 3600 - time.now()) })
	elseif usage.all_of_it >= store.MOST then
		err.raise("temporarily_unavailable", "Too many devices ask for codes of this application.",
			{ status = 503, retry_after = 300 })
	end
end

-- given: application, scopes (list), resources, anonymous (the client has no secret), side, req. Answers device_code and
-- user_code; raises 429 and 503 when there are too many.
function devices.start(given)
	local device_code = crypto.token("tld_")
	local code = {
		keyed = secrets.keyed(device_code), application_id = given.application.id, side = given.side,
		scopes = scope.join(given.scopes), resources = given.resources, grant_id = crypto.id(),
		address = address.place(given.req.peer or ""), anonymous = given.anonymous, expires_at = time.now() + devices.LIFETIME,
	}
	for _ = 1, 3 do
		local user_code = new_user_code()
		code.user_keyed = user_keyed(user_code)
		if store.insert(code) then
			return device_code, devices.grouped(user_code)
		end
		refuse_too_many(code)
	end
	err.raise("temporarily_unavailable", "No code could be made.", { status = 503 })
end

-- ---- polling ----

-- When a device asked last and how long it has to wait, by its keyed code. Manners, no secret: kept here so that waiting
-- costs no write. Another node, or this one after a restart, is at worst too friendly.
local MOST_WAITING = 10000
local waiting, count = {}, 0

-- RFC 8628 3.5: too early costs five seconds more, from now on. A second's jitter is nobody's fault.
local function too_early(row)
	local entry, now = waiting[row.keyed], time.mono()
	if not entry then
		if count >= MOST_WAITING then
			waiting, count = {}, 0
		end
		waiting[row.keyed], count = { at = now, wait = devices.INTERVAL }, count + 1
		return false
	end
	local early = now - entry.at < entry.wait - 1
	entry.at, entry.wait = now, entry.wait + (early and 5 or 0)
	return early
end

-- How long a device that came too early has to wait from now on.
local function wait_of(row)
	return row and waiting[row.keyed] and waiting[row.keyed].wait
end

local function forget(row)
	if waiting[row.keyed] then
		waiting[row.keyed], count = nil, count - 1
	end
end

local WORDS = {
	invalid_grant = "The device_code is unknown or has been used.",
	access_denied = "The request was refused.",
	expired_token = "The device_code has expired.",
	slow_down = "The device asks too often.",
	authorization_pending = "Nobody has answered yet.",
}

local function state_of(row, application)
	if not row or row.application_id ~= application.id or row.status == "used" then
		return "invalid_grant"
	elseif row.status == "denied" then
		return "access_denied"
	elseif row.expires_at <= time.now() then
		return "expired_token"
	elseif row.status == "pending" then
		return too_early(row) and "slow_down" or "authorization_pending"
	end
end

-- The row of an approved code, scopes as a list; else nil, the error of RFC 8628 3.5, words for it, and of slow_down the seconds to
-- wait. Only waiting can be too early: an answer that is there is given. side: see store/devices (S16).
function devices.poll(text, application, side)
	-- S1: another kind of secret is refused before any look-up.
	local row = #text == 47 and text:find("^tld_[%w_%-]+$") and store.by_device_code(secrets.keyed(text), side) or nil
	local state = state_of(row, application)
	if state then
		if row and state ~= "slow_down" and state ~= "authorization_pending" then forget(row) end
		return nil, state, WORDS[state], state == "slow_down" and wait_of(row) or nil
	end
	row.scopes = scope.split(row.scopes)
	return row
end

-- Consumes the code together with `statements`; true, or nil when somebody was first or user or application are gone.
function devices.redeem(row, statements)
	forget(row)
	return rows.batch { store.redeem_statement(row), table.unpack(statements) } and true or nil
end

-- ---- the person ----

-- Wrong codes, by account and by address (S30): how many are free, and the longest wait in seconds.
local GUESSES = { account = { 5, 300 }, address = { 20, 300 } }

local function counters(current, req)
	local function counter(kind, value)
		return { key = throttle.key("device " .. kind, value), free = GUESSES[kind][1], cap = GUESSES[kind][2] }
	end
	return { counter("account", current.user_id), counter("address", address.place(req.peer or "")) }
end

-- The row with its scopes as a list while it can be answered; else nil and "expired" or "answered".
local function answerable(row)
	if row.status ~= "pending" then
		return nil, "answered"
	elseif row.expires_at <= time.now() then
		return nil, "expired"
	end
	row.scopes = scope.split(row.scopes)
	return row
end

-- The request that a person's code (normalised; nil: none at all) names, or nil and "wrong", "throttled" with the seconds to
-- wait, "expired" or "answered". Counted before it is looked at; a code that exists was no guess. side as at the device's endpoint.
function devices.find(code, current, req, side)
	if not code then
		return nil, "wrong"
	end
	local list = counters(current, req)
	local free, seconds = throttle.reserve(list)
	if not free then
		return nil, "throttled", seconds
	end
	local row = store.by_user_code(user_keyed(code), side)
	if not row then
		events.add { kind = "device_failed", user = current.user, session = current, req = req, reason = "unknown code" }
		return nil, "wrong"
	end
	rows.batch { throttle.release_statement(list[1].key), throttle.release_statement(list[2].key) }
	return answerable(row)
end

-- The same for a code that this person has found before: nothing is counted.
function devices.found(code, side)
	local row = store.by_user_code(user_keyed(code), side)
	if not row then
		return nil, "expired"
	end
	return answerable(row)
end

-- Where the device asked from says something of the person, too (S31).
local function event(kind, row, application, current, req, reason)
	return events.statement {
		kind = kind, user = current.user, application = application, session = current, req = req, reason = reason,
		person = ("%s, for a device at %s"):format(current.user.username, row.address),
	}
end

-- What the person is asked to agree to: what the device asked for, and what the application has in every ID token.
function devices.consent_scopes(row, application)
	if row.side == "github" then
		return row.scopes
	end
	return scope.union(row.scopes, claims.always(application))
end

-- The same in the words of auth/consent.
function devices.agreed(row, scopes)
	return row.side == "github" and github_scopes.consent(scopes) or scopes
end

-- The person agrees to `scopes` (of consent_scopes); true, or nil when it is too late. The consent is remembered, so that the
-- portal page can take it back.
function devices.approve(row, application, current, scopes, req)
	local granted = scope.intersect(row.scopes, scopes)
	local statements = { store.approve_statement(row, current.id, scope.join(granted),
		policies.claims(nil, devices.consent_scopes(row, application), scopes)),
		event("device_approved", row, application, current, req, scope.join(scopes)) }
	local agreed = consent.statements(current.user, application, devices.agreed(row, scopes), req)
	table.move(agreed, 1, #agreed, #statements + 1, statements)
	return rows.batch(statements) and true or nil
end

-- reason: why, when it was not the person who refused.
function devices.deny(row, application, current, req, reason)
	return rows.batch { store.deny_statement(row),
		event("device_denied", row, application, current, req, reason or "the person refused") } and true or nil
end

return devices
