-- auth/transaction.lua: a request in progress (S13): a sealed value in URL and forms, no row, so strangers cannot fill the
-- disk. Fields of t: client_id, params (the authorize parameters), browser, started_ms, prompt, max_age, hint_subject,
-- login_hint, chosen, consented, and what the pages add.
local secrets = require "kit/secrets"
local session = require "auth/session"

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

-- The transaction when it is ours, of this browser and in time; else nil and "damaged", "browser" or "expired".
function transaction.open(text, browser_id, purpose)
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
	if not browser_id or t.browser ~= browser_id then
		return nil, "browser"
	end
	return t
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

return transaction
