-- auth/session.lua: who sits at the browser (D11). One durable login event, one session that points to it, and one function,
-- decide, that says "silent answer, page, or error"; everything else asks here. Cookies as S12.
local check = require "kit/check"
local claims = require "auth/claims"
local conf = require "kit/conf"
local consent = require "auth/consent"
local events = require "auth/events"
local reply = require "kit/reply"
local rows = require "store/rows"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local store = require "store/sessions"

local session = {}

local IDLE = 12 * 3600
local LONGEST = 7 * 86400
local BROWSER_LIFETIME = 180 * 86400
-- How stale `seen_at` may be: a page view costs no write.
local SEEN_EVERY = 60

-- ---- cookies ----

local function cookie_name(part)
	return (conf.secure() and "__Host-tidelock" or "tidelock") .. part
end

-- SameSite=None asks for Secure.
local READABLE = "SameSite=None"

local function set_cookie(response, part, value, max_age, kind)
	local text = ("%s=%s; Path=/; %s"):format(cookie_name(part), value, kind or "HttpOnly; SameSite=Lax")
	if conf.secure() then
		text = text .. "; Secure"
	else
		text = text:gsub("SameSite=None", "SameSite=Lax")
	end
	if max_age then
		text = text .. "; Max-Age=" .. max_age
	end
	reply.cookie(response, text)
end

local function cookie_secret(req)
	local value = check.cookie(req, cookie_name(""))
	return value and #value < 100 and value:find("^tls_[%w_%-]+$") and value or nil
end

-- What the check-session iframe may read: another text for each session, from which nothing is learnt (Session Management 3.2).
session.STATE_COOKIE = "-state"

function session.state_cookie_name()
	return cookie_name(session.STATE_COOKIE)
end

function session.browser_state(current)
	return secrets.mac("browser state", current.id)
end

-- The browser's own id: transactions and forms are bound to it. Pure.
function session.browser(req)
	if req.new_browser_id then
		return req.new_browser_id
	end
	local value = check.cookie(req, cookie_name("-browser"))
	return value and #value == 47 and value:find("^tlb_[%w_%-]+$") and value or nil
end

-- Makes one for this request; the cookie is set by ensure_browser.
function session.new_browser(req)
	req.new_browser_id = crypto.token("tlb_")
	return req.new_browser_id
end

function session.ensure_browser(req, response)
	local id = session.browser(req) or session.new_browser(req)
	if req.new_browser_id then
		set_cookie(response, "-browser", id, BROWSER_LIFETIME)
	end
	return id
end

-- The id, and the cookie text to set when it is new.
function session.browser_or_new(req)
	local id = session.browser(req)
	if id and not req.new_browser_id then
		return id
	end
	local carrier = { headers = {} }
	id = session.ensure_browser(req, carrier)
	return id, carrier.headers["set-cookie"][1]
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
	local secret = cookie_secret(req)
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

-- A new login event, a new session and a new browser id; what the browser held before ends (S12, security-cases 3). Who signs in
-- again is the same to the applications: the session keeps its sid, and none is told of a sign-out.
-- how: { method, amr, acr, statements = what else belongs into the same batch }. Returns the session and the browser id.
function session.sign_in(req, response, user, how)
	local old = session.current(req)
	local same = old and old.user_id == user.id
	local now, secret = time.now(), crypto.token("tls_")
	local browser = session.new_browser(req)
	local login = {
		id = crypto.id(), user_id = user.id, at_ms = time.now_ms(), method = how.method, amr = how.amr or {}, acr = how.acr,
		address = req.peer,
	}
	local row = {
		id = crypto.id(), keyed_cookie = secrets.keyed(secret), user_id = user.id, login_event_id = login.id,
		sid = same and old.sid or hex.encode(crypto.random(16)), browser = browser_key(browser), address = req.peer,
		agent = events.clean(req.headers["user-agent"], 200), created_at = now, idle_until = now + IDLE,
		expires_at = now + LONGEST,
	}
	local statements = {}
	if old then
		statements = (same and store.replace_statements or store.end_statements)(old.id, "signed_in_again")
	end
	table.move({
		store.login_statement(login), store.insert_statement(row), store.last_login_statement(user.id),
		store.known_statement(user.id, row.browser, req.peer),
		events.statement { kind = "sign_in", user = user, session = row.id, req = req, reason = how.method },
	}, 1, 5, #statements + 1, statements)
	local further = how.statements or {}
	table.move(further, 1, #further, #statements + 1, statements)
	task.detach()
	if not rows.batch(statements) then
		return nil
	end
	set_cookie(response, "", secret)
	session.ensure_browser(req, response)
	user.last_login_at = now
	req.session_read, req.session = true, {
		id = row.id, sid = row.sid, browser = row.browser, created_at = now, seen_at = now, expires_at = row.expires_at,
		user_id = user.id, user = user,
		login = { id = login.id, at = login.at_ms // 1000, at_ms = login.at_ms, method = login.method, amr = login.amr,
			acr = login.acr },
	}
	set_cookie(response, session.STATE_COOKIE, session.browser_state(req.session), nil, READABLE)
	return req.session, browser
end

-- What ended by itself or by another hand is no more the request's.
function session.gone(req)
	req.session_read, req.session = true, nil
end

local function forget(response, req)
	set_cookie(response, "", "", 0)
	set_cookie(response, session.STATE_COOKIE, "", 0, READABLE)
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

local function too_old(t, current)
	return t.max_age and (t.max_age == 0 or time.now() - current.login.at > t.max_age)
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

-- What is missing before `t` may be answered for `current` (nil: nobody): nil, or a page and the error that
-- prompt=none gets for it (OpenID Connect Core 3.1.2.1, 3.1.2.6).
local function missing(t, current, application, scopes, req)
	if not current then
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
