-- auth/logout.lua: signing out in the browser: whom it concerns, and the way from there (OpenID Connect RP-Initiated Logout 1.0,
-- Front-Channel Logout 1.0). What ends is S5's; who is told without the browser is auth/backchannel's.
--
-- A request to sign out is sealed as S13 says: { client_id = who sent the person, uri = where they go afterwards, link = where they
-- may go (nobody vouched for it), sid = of a verified ID token, left = it has been done, browser, started_ms }.
local clients = require "auth/clients"
local err = require "kit/err"
local logouts = require "store/logouts"
local pages = require "pages/pages"
local reply = require "kit/reply"
local session = require "auth/session"
local transaction = require "auth/transaction"
local urls = require "kit/urls"

local logout = {}

logout.PURPOSE = "sign-out"
local PAGE = "/signout?request="

-- The applications that took part in the session, by name.
function logout.participants(current)
	local out = {}
	for _, id in ipairs(logouts.participants(current.sid)) do
		out[#out + 1] = clients.by_id(id)
	end
	table.sort(out, function(a, b) return a.name:lower() < b.name:lower() end)
	return out
end

-- Front-Channel 3: iss and sid are added, a query that is there stays.
local function frames(current)
	local out = {}
	for _, application in ipairs(logout.participants(current)) do
		if application.logout_uri and application.logout_method == "frontchannel" then
			out[#out + 1] = { name = application.name, base = application.logout_uri,
				url = urls.with_query(application.logout_uri, { { "iss", clients.issuer(application) }, { "sid", current.sid } }) }
		end
	end
	return out
end

function logout.seal(req, t)
	t.browser = session.browser(req) or session.new_browser(req)
	return err.need(transaction.seal(transaction.new(t), logout.PURPOSE), "invalid_request", "The request is too long.", { status = 400 })
end

-- The way to our own page that goes on with the request.
function logout.page_url(req, t)
	return PAGE .. url.encode(logout.seal(req, t))
end

-- The end of the way when there is nowhere to go.
function logout.signed_out(req, t)
	local application = t.client_id and clients.find(t.client_id)
	return pages.signed_out {
		request_id = req.id, application = application and application.name, back = application and (t.uri or t.link),
	}
end

-- Ends the session of this browser, if it has one, and answers what the browser sees next. form: it was a form that asked, which
-- may not be redirected to a client (S15).
function logout.leave(req, t, form)
	local current = session.current(req)
	local application = t.client_id and clients.find(t.client_id)
	local list = current and frames(current) or {}
	local response
	t.left = true
	if #list > 0 then
		response = pages.leaving { frames = list, url = logout.page_url(req, t), request_id = req.id }
	elseif not t.uri then
		response = logout.signed_out(req, t)
	elseif form then
		response = pages.continue { url = logout.page_url(req, t), application = application and application.name,
			request_id = req.id }
	else
		response = reply.redirect(t.uri)
	end
	if req.new_browser_id then
		session.ensure_browser(req, response)
	end
	session.sign_out(req, response, application)
	return response
end

return logout
