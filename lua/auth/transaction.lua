-- auth/transaction.lua: a request in progress (S13): a sealed value in URL and forms, no row, so strangers cannot fill the
-- disk. Fields of t: client_id, params (the authorize parameters), browser, started_ms, prompt, max_age, hint_subject,
-- login_hint, chosen, consented, side (S16; none is OpenID Connect), and what the pages add.
local conf = require "kit/conf"
local err = require "kit/err"
local pages = require "pages/pages"
local policies = require "auth/policies"
local reply = require "kit/reply"
local secrets = require "kit/secrets"
local session = require "auth/session"
local urls = require "kit/urls"
local users = require "store/users"

local transaction = {}

local LIFETIME_MS = 15 * 60 * 1000
local LONGEST = 6144
local LABEL = "transaction"

function transaction.new(t)
	t.started_ms = time.now_ms()
	return t
end

-- The text for URL and forms, or nil, "too_long". One of another purpose than sign-in is opened by who knows it.
function transaction.seal(t, purpose)
	local sealed = base64.url_encode(crypto.seal(secrets.key(LABEL), json.encode(json.object(t)), purpose or LABEL))
	if #sealed > LONGEST then
		return nil, "too_long"
	end
	return sealed
end

-- The same where a page may say that it is too long.
function transaction.sealed(t)
	return err.need(transaction.seal(t), "invalid_request", "The request is too long.", { status = 400 })
end

local function opened(text, purpose)
	if type(text) ~= "string" or #text > LONGEST then
		return nil, "damaged"
	end
	local bytes = base64.url_decode(text)
	local plain = bytes and crypto.unseal(secrets.key(LABEL), bytes, purpose or LABEL)
	local t = plain and json.decode(plain)
	if not t then
		return nil, "damaged"
	end
	if time.now_ms() - t.started_ms > LIFETIME_MS then
		return nil, "expired"
	end
	return t
end

-- The transaction when it is ours, of this browser and in time; else nil and "damaged", "browser" or "expired".
function transaction.open(text, browser_id, purpose)
	local t, why = opened(text, purpose)
	if t and (not browser_id or t.browser ~= browser_id) then
		return nil, "browser"
	end
	return t, why
end

-- After a sign-in the browser has a new id.
function transaction.rebind(t, req)
	t.browser = session.browser(req)
	return t
end

-- The person chose the account of this session on this request's page.
function transaction.choose(t, current)
	t.chosen = current.id
	return t
end

-- The person agreed on this request's page; another session or person since then voids it.
function transaction.consent(t, current, scopes)
	t.consented = { session = current.id, user = current.user_id, scopes = scopes }
	return t
end

-- ---- from a name without cookies to public_url (S17) ----

local FORWARDED = "forwarded"

-- Sends the browser on to an endpoint at public_url. No browser is bound to it yet: it is as good as the request that it was made of,
-- which anybody can send.
function transaction.forward(t, path)
	local sealed = err.need(transaction.seal(t, FORWARDED), "invalid_request", "The request is too long.", { status = 400 })
	return reply.redirect(urls.with_query(conf.link(path), { { FORWARDED, sealed } }))
end

-- What was sent on, as it began; nil and why as transaction.open has it.
function transaction.arrived(text)
	return opened(text, FORWARDED)
end

-- ---- from an authorization endpoint to a page ----

local PAGES = { sign_in = "/signin", select_account = "/signin", consent = "/consent" }

-- Sends the browser to one of our pages with the request sealed for it; the pages read `page` and `scopes`, what the
-- person is asked to agree to.
function transaction.to_page(req, t, page, scopes)
	t.page, t.scopes = page, scopes
	t.browser = session.browser(req) or session.new_browser(req)
	local response = reply.redirect(urls.with_query(PAGES[page], { { "request", transaction.sealed(t) } }))
	session.ensure_browser(req, response)
	return response
end

-- The policies refuse: the person is told why, the client soon after. path: the endpoint's, which goes on with the request.
function transaction.refused(req, t, application, decision, path)
	t.page, t.browser = "sign_in", session.browser(req) or session.new_browser(req)
	local again = transaction.sealed(t)
	t.denied = policies.description(decision)
	local response = pages.refused {
		application = application.name, name = users.shown(session.current(req).user), message = decision.message,
		back = path .. "?request=" .. transaction.sealed(t), other = "/signin?request=" .. again, request_id = req.id,
	}
	session.ensure_browser(req, response)
	return response
end

return transaction
