-- portal/request.lua: the sealed request in progress that a page stands in, and the way on from it (S13, S15).
local clients     = require("auth/clients")
local err         = require("kit/err")
local pages       = require("pages/pages")
local transaction = require("auth/transaction")

local request = {}

local AUTHORIZE = "/application/o/authorize/?request="

-- Opens what the page was given. Answers the request's fields and its application; none when `sealed` is nil.
function request.open(sealed, browser)
	if not sealed then return nil end
	local opened, reason = transaction.open(sealed, browser)
	err.need(opened, "expired_request", nil, { cause = reason })
	local application = err.need(clients.find(opened.client_id), "expired_request", nil, { cause = "application is gone" })
	return opened, application
end

function request.seal(opened)
	return err.need(transaction.seal(opened), "invalid_request", "The request is too long.")
end

-- A GET of our own that goes on with the request. Never reached by a redirect from a form: see pages.continue.
function request.url(sealed)
	return AUTHORIZE .. url.encode(sealed)
end

function request.continue(req, opened, application)
	return pages.continue{ url = request.url(request.seal(opened)), application = application.name, request_id = req.id }
end

return request
