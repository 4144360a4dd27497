-- portal/signout.lua: asks before it signs out, and goes on to where the person came from (auth/logout).
local check       = require("kit/check")
local csrf        = require("auth/csrf")
local err         = require("kit/err")
local logout      = require("auth/logout")
local clients     = require("auth/clients")
local pages       = require("pages/pages")
local reply       = require("kit/reply")
local session     = require("auth/session")
local transaction = require("auth/transaction")
local users       = require("store/users")

local signout = {}

local QUERY = { request = { max = 6144 } }
local FORM  = { request = { max = 6144 }, csrf = { max = 200 } }

-- What an application asked for at end-session; an empty one where nobody did.
local function opened(req, sealed)
	if not sealed then return {} end
	local t, why = transaction.open(sealed, session.browser(req), logout.PURPOSE)
	return err.need(t, "expired_request", "The request to sign out has expired or belongs to another browser.",
		{ cause = why, advice = "You can sign out here.", link = { href = "/signout", text = "Sign out" } })
end

local function participants(current)
	local out = {}
	for index, application in ipairs(logout.participants(current)) do
		out[index] = { name = application.name, told = application.logout_uri ~= nil }
	end
	return out
end

function signout.show(req)
	local query = check.query(req, QUERY)
	local t = opened(req, query.request)
	local current = session.current(req)
	if t.left and t.uri then return reply.redirect(t.uri) end
	if t.left or not current then return logout.signed_out(req, t) end
	local application = t.client_id and clients.find(t.client_id)
	return pages.signout{
		csrf = csrf.token(session.browser(req), current.id, "signout"), request = query.request, request_id = req.id,
		name = users.shown(current.user), application = application and application.name, participants = participants(current),
	}
end

function signout.leave(req)
	local form = check.form(req, FORM)
	local current = session.current(req)
	if current then csrf.require(req, form, "signout", current) end
	return logout.leave(req, opened(req, form.request), true)
end

return signout
