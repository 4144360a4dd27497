-- auth/request.lua: the sealed request in progress that a page stands in, and the way on from it (S13, S15).
local clients     = require("auth/clients")
local err         = require("kit/err")
local pages       = require("pages/pages")
local reply       = require("kit/reply")
local session     = require("auth/session")
local transaction = require("auth/transaction")

local request = {}

-- By side (S16).
local AUTHORIZE = { oidc = "/application/o/authorize/?request=", github = "/login/oauth/authorize?request=" }

-- Opens what the page was given. Answers the request's fields and its application; none when `sealed` is nil. A request of
-- our own has no application but `back`, the page that it came from, and `purpose`, what for in words.
function request.open(sealed, browser)
	if not sealed then return nil end
	local opened, reason = transaction.open(sealed, browser)
	err.need(opened, "expired_request", nil, { cause = reason })
	if opened.back then return opened end
	local application = err.need(clients.find(opened.client_id), "expired_request", nil, { cause = "application is gone" })
	return opened, application
end

function request.seal(opened)
	return err.need(transaction.seal(opened), "invalid_request", "The request is too long.")
end

-- A GET of our own that goes on with the request. Never reached by a redirect from a form: see pages.continue.
function request.url(opened)
	return AUTHORIZE[opened.side or "oidc"] .. url.encode(request.seal(opened))
end

-- Sends the browser to sign in first, and back to this page of ours then. application: whose demands the sign-in has to meet, or nil.
function request.sign_in(req, back, purpose, application)
	local opened = transaction.new {
		back = back, purpose = purpose, device_of = application and application.client_id,
		browser = session.browser(req) or session.new_browser(req),
	}
	local response = reply.see_other("/signin?request=" .. url.encode(request.seal(opened)))
	session.ensure_browser(req, response)
	return response
end

function request.continue(req, opened, application)
	if opened.back then return reply.see_other(opened.back) end
	return pages.continue{ url = request.url(opened), application = application.name, request_id = req.id }
end

return request
