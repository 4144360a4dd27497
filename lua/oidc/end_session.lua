-- oidc/end_session.lua: RP-Initiated Logout 1.0. A GET is an application's request or, with nothing but a sealed `request`, what a
-- POST sealed (S13). Who brings an ID token of this very session is signed out at once; everybody else is asked (auth/logout).
local check       = require "kit/check"
local clients     = require "auth/clients"
local err         = require "kit/err"
local logout      = require "auth/logout"
local reply       = require "kit/reply"
local session     = require "auth/session"
local tokens      = require "auth/tokens"
local transaction = require "auth/transaction"
local urls        = require "kit/urls"

local end_session = { kind = "page" }

local FORM = {
	id_token_hint = { max = 8192 }, client_id = { max = 200 }, post_logout_redirect_uri = { max = 2000 },
	state = { max = 2000, keep_empty = true }, logout_hint = { max = 1000 }, ui_locales = { max = 1000 },
}
local QUERY = { request = { max = 6144 } }
for name, rule in pairs(FORM) do QUERY[name] = rule end

-- A foreign POST brings no cookies: what it seals is bound to this word.
local POSTED = "posted"

local function refuse(title, text)
	err.raise("invalid_request", text, {
		status = 400, title = title, advice = "You have not been signed out. You can do that here.",
		link = { href = "/signout", text = "Sign out" },
	})
end

-- Whose token the hint says it is. It is believed only once it has been verified.
local function audience(hint)
	local parsed = hint and jws.parse(hint)
	local claims = parsed and json.decode(parsed.payload)
	return type(claims) == "table" and type(claims.aud) == "string" and claims.aud or nil
end

-- The application that sends the person: that of the address, at the global issuer (no slug) the one that the request names.
local function sender(asked, slug)
	if slug then return err.need(clients.by_slug(slug), "page_not_found", "There is no application of this name.") end
	local client_id = asked.client_id or audience(asked.id_token_hint)
	local application = client_id and clients.find(client_id)
	if client_id and not application then refuse("Unknown application", "No application with this client_id is known here.") end
	return application
end

-- Section 2: client_id and id_token_hint say the same. The claims of the hint, nil without one.
local function hinted(asked, application)
	if asked.client_id and application.client_id ~= asked.client_id then
		refuse("Unknown application", "The client_id of this request is not that of the application at this address.")
	end
	if not asked.id_token_hint then return nil end
	local claims = tokens.id_token_hint(asked.id_token_hint, application)
	if not claims then
		refuse("This request is not right", "The id_token_hint is not an ID token that was issued here to this application.")
	end
	return claims
end

-- Where the person goes afterwards: exactly a registered address (section 3), or nowhere.
local function destination(asked, application)
	local uri = asked.post_logout_redirect_uri
	if not uri then return nil end
	if not urls.listed(application.post_logout_redirect_uris, uri, application.loopback_localhost) then
		refuse("Unknown return address",
			"The post_logout_redirect_uri of this request is not one that the application has registered. It must match exactly.")
	end
	return urls.with_query(uri, { { "state", asked.state } })
end

-- See auth/logout. Without hint and client_id nobody says that the address is meant: it is offered, not gone to.
local function read(asked, slug)
	local application = sender(asked, slug)
	if not application then
		if asked.post_logout_redirect_uri then
			refuse("Unknown application", "The request does not say which application it comes from.")
		end
		return {}
	end
	local claims, uri = hinted(asked, application), destination(asked, application)
	local trusted = claims ~= nil or asked.client_id ~= nil
	return {
		client_id = application.client_id, uri = trusted and uri or nil, link = uri, hinted = claims ~= nil or nil,
		sid = claims and claims.sid,
	}
end

-- At once only for who is certainly meant, and for who brings a token of ours but is signed in no more.
local function proceed(req, t)
	local current = session.current(req)
	if t.hinted and (not current or current.sid == t.sid) then return logout.leave(req, t) end
	if not current then return logout.signed_out(req, t) end
	local response = reply.redirect(logout.page_url(req, t))
	session.ensure_browser(req, response)
	return response
end

function end_session.GET(req, slug)
	local query = check.query(req, QUERY)
	if not query.request then return proceed(req, read(query, slug)) end
	local t, why = transaction.open(query.request, POSTED, logout.PURPOSE)
	err.need(t, "expired_request", nil, { status = 400, cause = why })
	return proceed(req, t)
end

function end_session.POST(req, slug)
	local t = transaction.new(read(check.form(req, FORM), slug))
	t.browser = POSTED
	local sealed = err.need(transaction.seal(t, logout.PURPOSE), "invalid_request", "The request is too long.", { status = 400 })
	return reply.see_other(urls.with_query(req.path, { { "request", sealed } }))
end

return end_session
