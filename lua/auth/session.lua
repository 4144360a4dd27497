-- auth/session.lua: who sits at the browser (D11). One durable login event, one session that points to it, and one function,
-- decide, that says "silent answer, page, or error"; everything else asks here. Cookies as S12.
local claims = require "auth/claims"
local consent = require "auth/consent"
local cookies = require "auth/cookies"
local events = require "auth/events"
local rows = require "store/rows"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local store = require "store/sessions"

local session = {}

local IDLE = 12 * 3600
local LONGEST = 7 * 86400
-- How stale `seen_at` may be: a page view costs no write.
local SEEN_EVERY = 60

-- The browser's own id: auth/cookies.
session.browser, session.new_browser = cookies.browser, cookies.new_browser
session.ensure_browser, session.browser_or_new = cookies.ensure_browser, cookies.browser_or_new

-- What the check-session iframe may read: another text for each session, from which nothing is learnt (Session Management 3.2).
session.STATE_COOKIE = "-state"

function session.state_cookie_name()
	return cookies.name(session.STATE_COOKIE)
end

function session.browser_state(current)
	return secrets.mac("browser state", current.id)
end

-- What is stored of a browser id.
local function browser_key(id)
	return id and secrets.mac("browser", id)
end
session.browser_key = browser_key

-- ---- the session of a request ----

-- nil without a cookie, for a forged one, an ended or expired session, a user who may no longer. Read once a request.
function session.current(req)
	if req.session_read then
		return req.session
	end
	req.session_read = true
	local secret = cookies.secret(req)
	local found = secret and store.current(secrets.keyed(secret))
	if found then
		local now = time.now()
		if now - found.seen_at >= SEEN_EVERY then
			store.seen(found.id, math.min(now + IDLE, found.expires_at))
		end
		req.session = found
	end
	return req.session
end

-- Known by this name on pages and in forms; says nothing of the session's own id (S11).
function session.handle(row)
	return secrets.mac("session handle", row.id):sub(1, 22)
end

-- The rows of a sign-in: login event and session.
local function made(req, user, how, sid, secret, browser)
	local now = time.now()
	local login = {
		id = crypto.id(), user_id = user.id, at_ms = time.now_ms(), method = how.method, amr = how.amr or {}, acr = how.acr,
		address = req.peer, source = how.source and how.source.name, proven_at = how.source and how.source.proven_at,
	}
	return login, {
		id = crypto.id(), keyed_cookie = secrets.keyed(secret), user_id = user.id, login_event_id = login.id, sid = sid,
		browser = browser_key(browser), address = req.peer, agent = events.clean(req.headers["user-agent"], 200), created_at = now,
		idle_until = now + IDLE, expires_at = now + LONGEST,
	}
end

-- Its batch. old: the browser's session until now; same: it is of the same person.
local function batch(req, user, how, login, row, old, same)
	local list = {}
	local function add(more) table.move(more, 1, #more, #list + 1, list) end
	add(how.before or {})
	if old then
		add((same and store.replace_statements or store.end_statements)(old.id, "signed_in_again"))
	end
	add {
		store.login_statement(login), store.insert_statement(row), store.last_login_statement(user.id),
		store.known_statement(user.id, row.browser, req.peer),
		events.statement { kind = "sign_in", user = user, session = row.id, req = req,
			reason = how.source and "source " .. how.source.name or how.method },
	}
	if how.source then
		add { store.source_statement(row.id, how.source) }
	end
	add(how.statements or {})
	return list
end

-- A new login event, a new session and a new browser id; what the browser held before ends (S12, security-cases 3). Who signs in
-- again is the same to the applications: the session keeps its sid, and none is told of a sign-out.
-- how: { method, amr, acr, before = statements that have to hold first, statements = what else belongs into the same batch, source =
-- { name, subject, sid, proven_at } of the upstream's session that it came from }. Returns the session and the browser id; or nil and
-- the index of what did not hold, `before` counted first.
function session.sign_in(req, response, user, how)
	local old = session.current(req)
	local same = old and old.user_id == user.id
	local made_before = req.new_browser_id
	local secret, browser = crypto.token("tls_"), session.new_browser(req)
	local login, row = made(req, user, how, same and old.sid or hex.encode(crypto.random(16)), secret, browser)
	task.detach()
	local done, _, index = rows.batch(batch(req, user, how, login, row, old, same))
	if not done then
		req.new_browser_id = made_before
		return nil, index
	end
	cookies.set(response, "", secret)
	session.ensure_browser(req, response)
	user.last_login_at = row.created_at
	req.session_read, req.session = true, {
		id = row.id, sid = row.sid, browser = row.browser, created_at = row.created_at, seen_at = row.created_at,
		expires_at = row.expires_at, user_id = user.id, user = user,
		login = { id = login.id, at = login.at_ms // 1000, at_ms = login.at_ms, method = login.method, amr = login.amr,
			acr = login.acr, source = login.source, proven_at = login.proven_at },
	}
	cookies.set(response, session.STATE_COOKIE, session.browser_state(req.session), nil, cookies.READABLE)
	return req.session, browser
end

-- What ended by itself or by another hand is no more the request's.
function session.gone(req)
	req.session_read, req.session = true, nil
end

local function forget(response, req)
	cookies.set(response, "", "", 0)
	cookies.set(response, session.STATE_COOKIE, "", 0, cookies.READABLE)
	session.gone(req)
end

-- application: who asked for it, if one did.
function session.sign_out(req, response, application)
	local current = session.current(req)
	if current then
		local statements = store.end_statements(current.id, "signed_out")
		statements[#statements + 1] = events.statement {
			kind = "sign_out", user = current.user, session = current, application = application, req = req,
		}
		task.detach()
		rows.urgent(statements)
	end
	forget(response, req)
end

-- Ends one session, its codes and what is bound to it (S5).
function session.finish(id, reason)
	local statements = store.end_statements(id, reason or "ended")
	statements[#statements + 1] = events.statement {
		kind = "session_ended", user = store.owner(id), session = id, reason = reason or "ended",
	}
	rows.urgent(statements)
end

function session.end_all(user_id, except)
	local statements = store.end_all_statements(user_id, except, "ended")
	statements[#statements + 1] = events.statement { kind = "session_ended", user = user_id, reason = "all sessions" }
	rows.urgent(statements)
end

-- Those whose time is up end like those that somebody ends: their applications are told.
function session.expire()
	for _, row in ipairs(store.expired(500)) do
		local statements = store.end_statements(row.id, "expired")
		statements[#statements + 1] = events.statement {
			kind = "session_ended", user = row.user_id, session = row.id, reason = "expired",
		}
		rows.batch(statements)
	end
end

function session.list(user_id)
	return store.of_user(user_id)
end

-- ---- the one decision ----

local function asked(t, word)
	return scope.has(t.prompt or {}, word)
end

-- Was this login made for this request? (S13)
local function fresh(t, current)
	return current.login.at_ms > t.started_ms
end

-- Of who came through an upstream it counts when the person signed in there (S28): it may have been yesterday.
local function too_old(t, current)
	if not t.max_age then return false end
	local login = current.login
	local at = login.source and (login.proven_at or 0) or login.at
	return t.max_age == 0 or time.now() - at > t.max_age
end

-- The sub that an ID token for `t` would have: what hints and the claims parameter speak of.
function session.subject(t, current, application, req)
	local params = t.params or {}
	return claims.subject {
		user = current.user, application = application, scopes = params.scopes or {}, grant_type = "authorization_code",
		login = current.login, session_id = current.id, req = req, requested = params.claims,
		alone = params.response_type == "id_token",
	}
end

-- An application may take only those who came through certain sources. Pure.
function session.suits(current, application)
	local names = application.sources
	return not names or #names == 0 or scope.has(names, current.login.source)
end

-- What is missing before `t` may be answered for `current` (nil: nobody): nil, or a page and the error that
-- prompt=none gets for it (OpenID Connect Core 3.1.2.1, 3.1.2.6).
local function missing(t, current, application, scopes, req)
	if not current or not session.suits(current, application) then
		return "sign_in", "login_required"
	end
	local new = fresh(t, current)
	if not new and (asked(t, "login") or too_old(t, current)) then
		return "sign_in", "login_required"
	end
	if t.hint_subject and t.hint_subject ~= session.subject(t, current, application, req) then
		if new then
			return "error", "login_required"
		end
		return "sign_in", "login_required"
	end
	if asked(t, "select_account") and not new and t.chosen ~= current.id then
		return "select_account", "account_selection_required"
	end
	if consent.needed(current.user, application, scopes, t, current) then
		return "consent", "consent_required"
	end
end

-- "silent", "sign_in", "select_account", "consent", or "error" with code and description. t: auth/transaction.
function session.decide(t, current, application, scopes, req)
	local page, code = missing(t, current, application, scopes, req)
	if not page then
		return "silent"
	end
	if page == "error" then
		return "error", code, "Another person is signed in than the one asked for."
	end
	if asked(t, "none") then
		return "error", code, "The request cannot be answered without asking the person."
	end
	return page
end

return session
