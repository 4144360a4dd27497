-- auth/password.lua: names and passwords. Guesses are counted before the hash is run, an unknown name costs a hash like a
-- known one, and no failure is answered before a floor that lies above the slowest hash in use (S30).
local conf = require "kit/conf"
local events = require "auth/events"
local grants = require "store/grants"
local rows = require "store/rows"
local session = require "auth/session"
local sessions = require "store/sessions"
local throttle = require "auth/throttle"
local users = require "store/users"

local password_check = {}

local SHORTEST, LONGEST = 8, 1024
local FLOOR = 0.25
-- A browser or address the person signed in from stays known this long; strangers' guesses do not slow it down.
local KNOWN_FOR = 90 * 86400
-- By what is counted: how many failures are free, and the longest wait in seconds.
local LIMITS = { account = { 5, 300 }, address = { 20, 300 }, known = { 10, 60 } }
-- How long one address waits for its own turn before it is told that we are busy, and how many of it may wait.
local PATIENCE = 10
local QUEUE = 64

local slowest = 0
-- By address: those whose turn it is (the first) or will be.
local turns = {}

local function settings()
	local wanted = conf.settings().password or {}
	return { memory_kib = wanted.memory_kib or 7168, passes = wanted.passes or 5 }
end

-- A hash that no password has, at today's cost.
local function dummy()
	local function text(n)
		return (base64.encode(crypto.random(n)):gsub("=", ""))
	end
	local cost = settings()
	return ("$argon2id$v=19$m=%d,t=%d,p=1$%s$%s"):format(cost.memory_kib, cost.passes, text(16), text(32))
end

-- Runs fn when it is the address's turn: one check of an address at a time, in the order they came, so that one guesser
-- cannot fill the hash queue and sign-ins that come together do not count as guesses of each other. nil, "busy" when too
-- many wait or for too long.
local function in_turn(address, fn)
	local line = turns[address] or {}
	if #line >= QUEUE then
		return nil, "busy"
	end
	local me, patience = {}, time.mono() + PATIENCE
	line[#line + 1], turns[address] = me, line
	-- Also when the task is cancelled because the client left.
	local _ <close> = setmetatable({}, { __close = function()
		for index, each in ipairs(line) do
			if each == me then table.remove(line, index) end
		end
		if #line == 0 then turns[address] = nil end
	end })
	while line[1] ~= me do
		if time.mono() > patience then
			return nil, "busy"
		end
		-- Who stands further back looks less often.
		local place = 2
		while line[place] ~= me do place = place + 1 end
		task.sleep(0.002 * place)
	end
	return fn()
end

local function verify(text, encoded)
	local began = time.mono()
	local ok, code = password.verify(text, encoded)
	-- Sinks slowly again, so that one slow moment does not slow all that follows.
	slowest = math.max(time.mono() - began, slowest * 0.99)
	return ok, code
end

local function wait_until(began)
	local floor = math.max(FLOOR, slowest * 1.5)
	local rest = began + floor - time.mono()
	if rest > 0 then
		task.sleep(rest)
	end
end

local function counter(kind, ...)
	return { kind = kind, key = throttle.key(kind, ...), free = LIMITS[kind][1], cap = LIMITS[kind][2] }
end

-- Which counters an attempt runs against.
local function counters(req, username)
	local browser = session.browser_key(session.browser(req))
	local known = sessions.is_known(username, browser, req.peer, time.now() - KNOWN_FOR)
	if known then
		local place = known == "browser" and browser or req.peer
		return { counter("known", username:lower(), place) }
	end
	return { counter("address", req.peer or ""), counter("account", username:lower()) }
end

-- The account's counter starts anew; an address may not buy itself free guesses with one good account.
local function succeeded(list)
	local statements = {}
	for index, each in ipairs(list) do
		local statement = each.kind == "address" and throttle.release_statement or throttle.clear_statement
		statements[index] = statement(each.key)
	end
	return statements
end

-- The statement that stores the same password in today's form, when it is in another.
local function rehash(user, encoded, text)
	local new = password.outdated(encoded, settings()) and password.hash(text, settings())
	return new and users.rehash_statement(user.id, encoded, new) or nil
end

-- The user and the statements of a success, or nil with "wrong", "throttled" and seconds, "disabled" (told after the right
-- password only), "busy".
local function attempt(req, username, text)
	local list = counters(req, username)
	local free, seconds = throttle.reserve(list)
	if not free then
		return nil, "throttled", seconds, users.by_name(username)
	end
	local user, encoded = users.with_password(username)
	-- Lengths that no password here has are still hashed, so that they take their time.
	local possible = #text > 0 and #text <= LONGEST and not text:find("\0", 1, true)
	local ok, code = verify(possible and text or "-", user and encoded or dummy())
	if ok == nil then
		return nil, code or "busy"
	end
	-- A program's account signs in nowhere, whatever hash an import may have brought.
	if not (ok and possible and user and encoded) or users.is_service(user) then
		return nil, "wrong", nil, user
	end
	local statements = succeeded(list)
	if not user.active then
		rows.batch(statements)
		return nil, "disabled", nil, user
	end
	statements[#statements + 1] = users.same_password_statement(user.id, encoded)
	statements[#statements + 1] = rehash(user, encoded, text)
	return user, statements
end

local REASONS = { wrong = "wrong password", disabled = "account is disabled", busy = "too many checks at once" }

-- The user, and the statements that belong into the batch of what the password was asked for: they take the attempt back
-- that was counted. Or nil, reason and seconds.
function password_check.sign_in(req, username, text)
	local began = time.mono()
	username, text = tostring(username or ""):sub(1, 300), tostring(text or "")
	if not utf8.len(username) or username:find("\0", 1, true) then
		username = ""
	end
	local user, reason, seconds, meant = in_turn(req.peer or "", function()
		return attempt(req, username, text)
	end)
	if user then
		local statements = reason
		return user, statements
	end
	events.add {
		kind = "sign_in_failed", user = meant, req = req, merge = true,
		reason = reason == "throttled" and "too many attempts" or reason == "wrong" and not meant and "unknown user"
			or REASONS[reason],
	}
	wait_until(began)
	return nil, reason, seconds
end

-- true, or nil and what is wrong with it, for the person.
function password_check.acceptable(text, user)
	if not utf8.len(text) or text:find("[%z\1-\31\127]") then
		return nil, "A password cannot hold control characters."
	end
	if utf8.len(text) < SHORTEST then
		return nil, ("A password has at least %d characters."):format(SHORTEST)
	end
	if #text > LONGEST then
		return nil, ("A password has at most %d bytes."):format(LONGEST)
	end
	if user and text:lower() == (user.username or ""):lower() then
		return nil, "The password cannot be the name."
	end
	return true
end

-- The encoded form, or nil, "busy".
function password_check.hash(text)
	return password.hash(text, settings())
end

-- The statements that give a person a password: what the old one opened ends with it (S4).
function password_check.statements(user_id, encoded, event)
	local statements = { users.password_statement(user_id, encoded) }
	for _, list in ipairs { grants.end_for_statements(user_id, nil, "password"),
		sessions.end_all_statements(user_id, nil, "password") } do
		table.move(list, 1, #list, #statements + 1, statements)
	end
	event.kind, event.user = "password_changed", event.user or user_id
	statements[#statements + 1] = events.statement(event)
	return statements
end

-- Guesses so far no longer slow the person down.
function password_check.forgive(username)
	throttle.clear(throttle.key("account", username:lower()))
end

-- how: { by = who did it, in words that name nobody; req; before = statements that have to hold }. All sessions end, the one
-- that asks too: sign the person in again.
function password_check.set(user_id, text, how)
	how = how or {}
	local encoded, code = password_check.hash(text)
	if not encoded then
		return nil, code
	end
	local statements = table.move(how.before or {}, 1, #(how.before or {}), 1, {})
	local set = password_check.statements(user_id, encoded, { req = how.req, reason = how.by and "by " .. how.by })
	table.move(set, 1, #set, #statements + 1, statements)
	local user = users.by_id(user_id)
	if user then
		statements[#statements + 1] = throttle.clear_statement(throttle.key("account", user.username:lower()))
	end
	task.detach()
	return rows.batch(statements) and true or nil
end

-- A person's own change: the old password is asked, and the person is signed in anew.
function password_check.change(req, response, current, old, new)
	local fine, why = password_check.acceptable(new, current.user)
	if not fine then
		return nil, "unacceptable", why
	end
	local user, statements, seconds = password_check.sign_in(req, current.user.username, old)
	if not user then
		local reason = statements
		return nil, reason, seconds
	end
	local ok, code = password_check.set(user.id, new, { by = "the person", req = req, before = statements })
	if not ok then
		return nil, code or "wrong" -- somebody else has just set another one
	end
	session.gone(req)
	return session.sign_in(req, response, user, { method = "password", amr = { "pwd" } })
end

return password_check
