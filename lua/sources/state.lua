-- sources/state.lua: what travels to an upstream and back with the browser: a sealed value (S13) of this browser and this source that
-- lives fifteen minutes and is used up by the sign-in that it leads to. Nonce and verifier are made of it, so that it stays short.
--
-- { source = id, id, request = the request in progress, or nil, link = { user, session } when an account is to be connected, kind =
-- "code" or "id_token", browser, started_ms }.
local assertions = require "store/assertions"
local err = require "kit/err"
local secrets = require "kit/secrets"
local session = require "auth/session"
local transaction = require "auth/transaction"

local state = {}

local PURPOSE = "source sign-in"
local LIFETIME = 15 * 60

-- The text, and the state itself. The request in it is this browser's already.
function state.seal(req, t)
	t.id = base64.url_encode(crypto.random(16))
	t.browser = session.browser(req) or session.new_browser(req)
	if t.request then t.request.browser = nil end
	local sealed = err.need(transaction.seal(transaction.new(t), PURPOSE), "invalid_request", "The request is too long.", { status = 400 })
	return sealed, t
end

-- The state, or nil and "damaged", "expired" or "browser".
function state.open(req, text)
	local t, why = transaction.open(text, session.browser(req), PURPOSE)
	if t and t.request then t.request.browser = t.browser end
	return t, why
end

-- Ties an ID token to this sign-in (OpenID Connect Core 3.1.2.1).
function state.nonce(t) return secrets.mac("source nonce", t.id, t.browser) end

-- RFC 7636 4.1, 4.2.
function state.verifier(t) return secrets.mac("source verifier", t.id, t.browser) end

function state.challenge(t) return base64.url_encode(crypto.sha256(state.verifier(t))) end

-- Belongs into the batch of what the state was good for, which then fails the second time.
function state.use_statement(t)
	return assertions.use_statement("source " .. t.source, t.id, t.started_ms // 1000 + LIFETIME + 60)
end

return state
