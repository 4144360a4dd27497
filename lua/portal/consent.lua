-- portal/consent.lua: what an application asks to be told, allowed or refused by the person; and taken back again.
local check   = require("kit/check")
local clients = require("auth/clients")
local consent = require("auth/consent")
local csrf    = require("auth/csrf")
local err     = require("kit/err")
local events  = require("auth/events")
local pages   = require("pages/pages")
local reply   = require("kit/reply")
local request = require("auth/request")
local session = require("auth/session")
local transaction = require("auth/transaction")
local users   = require("store/users")

local M = {}

local QUERY    = { request = { max = 6144, required = true } }
local FORM     = {
	request = { max = 6144, required = true }, csrf = { max = 200, required = true },
	answer = { one_of = { "allow", "deny" }, required = true },
}
local WITHDRAW = { csrf = { max = 200, required = true }, application = { max = 200, required = true } }

-- Where the answer goes, in words a person can judge: the host, or the private scheme.
local function destination(redirect_uri)
	local parsed = url.parse(redirect_uri)
	if not parsed then return redirect_uri:match("^[^:]+") end
	return parsed.host and parsed.host ~= "" and parsed.host or parsed.scheme
end

-- The request that somebody is to agree to, and its application; another of ours may stand in the address.
local function open(req, sealed)
	local opened, application = request.open(sealed, session.browser(req))
	err.need(application and opened.scopes, "expired_request", nil, { status = 400, cause = "another kind of request" })
	return opened, application
end

function M.show(req)
	local query = check.query(req, QUERY)
	local opened, application = open(req, query.request)
	local current = session.current(req)
	if not current then return reply.redirect("/signin?request=" .. url.encode(query.request)) end
	local _, already = consent.needed(current.user, application, opened.scopes, opened, current)
	local list = {}
	for index, item in ipairs(consent.describe(application, opened.scopes)) do
		local is_new = already ~= nil and #already > 0
		for _, scope in ipairs(already or {}) do is_new = is_new and scope ~= item.scope end
		list[index] = { text = item.text, new = is_new }
	end
	return pages.consent{
		csrf = csrf.token(session.browser(req), current.id, "consent"), request = query.request, request_id = req.id,
		application = application.name, scopes = list, destination = destination(opened.params.redirect_uri),
		name = users.shown(current.user), program = application.loopback_localhost,
	}
end

-- Refused by csrf.require when session or user changed since the page was shown (S13).
function M.answer(req)
	local form = check.form(req, FORM)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, "consent", current)
	local opened, application = open(req, form.request)
	if form.answer == "deny" then
		events.add{ kind = "consent_refused", req = req, user = current.user, application = application }
		opened.denied = "The person refused."
		return request.continue(req, opened, application)
	end
	consent.give(current.user, application, opened.scopes, req)
	transaction.consent(opened, current, opened.scopes)
	return request.continue(req, opened, application)
end

function M.withdraw(req)
	local form = check.form(req, WITHDRAW)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, "withdraw", current)
	local application = err.need(clients.by_slug(form.application), "page_not_found")
	consent.withdraw(current.user, application, req)
	return reply.see_other("/?done=consent")
end

return M
