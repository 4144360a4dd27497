-- portal/signin.lua: one form asks for name and password; then back to what the person came for.
local check       = require("kit/check")
local csrf        = require("auth/csrf")
local err         = require("kit/err")
local events      = require("auth/events")
local password    = require("auth/password")
local pages       = require("pages/pages")
local reply       = require("kit/reply")
local request     = require("auth/request")
local session     = require("auth/session")
local transaction = require("auth/transaction")
local users       = require("store/users")

local signin = {}

local QUERY = { request = { max = 6144 } }
local FORM  = {
	request = { max = 6144 }, csrf = { max = 200, required = true }, username = { max = 600 }, password = { max = 4096 },
}
local CHOICE = {
	request = { max = 6144, required = true }, csrf = { max = 200, required = true },
	choice = { one_of = { "current", "other" }, required = true },
}

local function form_page(req, values, status)
	local browser = session.browser(req) or session.new_browser(req)
	local opened, application = request.open(values.request, browser)
	local page = pages.signin({
		csrf = csrf.token(browser, nil, "signin"), request = values.request, application = application and application.name,
		purpose = opened and opened.purpose,
		username = values.username or (opened and opened.login_hint), problem = values.problem, request_id = req.id,
	}, status)
	session.ensure_browser(req, page)
	if values.retry_after then page.headers["retry-after"] = tostring(values.retry_after) end
	return page
end

function signin.show(req)
	local query = check.query(req, QUERY)
	if not query.request and session.current(req) then return reply.redirect("/") end
	local browser, current = session.browser(req), query.request and session.current(req)
	local opened, application = nil, nil
	if query.request then opened, application = request.open(query.request, browser) end
	if opened and current and opened.page == "select_account" then
		return pages.select_account{
			csrf = csrf.token(browser, current.id, "account"), request = query.request, application = application.name,
			name = users.shown(current.user), request_id = req.id,
		}
	end
	return form_page(req, query)
end

local WORDS = {
	wrong     = "User name or password is wrong.",
	disabled  = "This account is switched off. Ask your administrator.",
	throttled = "Too many attempts. Wait %d seconds and try again.",
	busy      = "Too many people are signing in at this moment. Try again in a few seconds.",
}
local STATUS = { wrong = 403, disabled = 403, throttled = 429, busy = 503 }

function signin.try(req)
	local form = check.form(req, FORM)
	csrf.require(req, form, "signin", nil)
	local opened, application = request.open(form.request, session.browser(req))
	local user, statements, seconds = password.sign_in(req, form.username or "", form.password or "")
	if not user then
		local reason = statements
		local wait = reason == "throttled" and math.max(1, math.ceil(seconds or 1)) or reason == "busy" and 5 or nil
		return form_page(req, {
			request = form.request, username = form.username, problem = WORDS[reason]:format(wait), retry_after = wait,
		}, STATUS[reason])
	end
	local answer = reply.see_other("/")
	local how = { method = "password", amr = { "pwd" }, statements = statements }
	local current = err.need(session.sign_in(req, answer, user, how), "unavailable", nil,
		{ cause = "the session could not be made" })
	if not opened then return answer end
	transaction.rebind(opened, req)
	transaction.choose(opened, current)
	local page = request.continue(req, opened, application)
	page.headers["set-cookie"] = answer.headers["set-cookie"]
	return page
end

-- The person chose between the account that is signed in and another one.
function signin.choose(req)
	local form = check.form(req, CHOICE)
	local current = session.current(req)
	csrf.require(req, form, "account", current)
	local opened, application = request.open(form.request, session.browser(req))
	if form.choice == "current" and current then
		transaction.choose(opened, current)
		return request.continue(req, opened, application)
	end
	opened.page = "sign_in"
	return reply.see_other("/signin?request=" .. url.encode(request.seal(opened)))
end

-- Going back to the application without signing in: the client is told access_denied.
function signin.cancel(req)
	local query = check.query(req, QUERY)
	local opened, application = request.open(query.request, session.browser(req))
	if not application then return reply.redirect("/") end
	events.add{ kind = "sign_in_cancelled", req = req, application = application, reason = "the person went back" }
	opened.denied = "The person did not sign in."
	return reply.redirect(request.url(opened))
end

return signin
