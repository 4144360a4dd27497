-- portal/signin.lua: one form asks for name and password; then back to what the person came for.
local check       = require("kit/check")
local clients     = require("auth/clients")
local csrf        = require("auth/csrf")
local err         = require("kit/err")
local events      = require("auth/events")
local password    = require("auth/password")
local pages       = require("pages/pages")
local reply       = require("kit/reply")
local request     = require("auth/request")
local session     = require("auth/session")
local sources     = require("auth/sources")
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

-- ---- with accounts from elsewhere ----

local function way(source, sealed)
	return "/source/oauth/login/" .. source.name .. "/" .. (sealed and "?request=" .. url.encode(sealed) or "")
end

-- Who wants nothing but certain sources, and which those are: an application that names them (a device of it too).
local function demanded(opened, application)
	local asking = application or opened and opened.device_of and clients.find(opened.device_of)
	return asking and #(asking.sources or {}) > 0 and sources.of_application(asking) or nil, asking
end

-- What the page offers beside the password: those that are shown; of those that are demanded all.
local function offered(opened, wanted, asking, sealed)
	local list = {}
	for _, source in ipairs(wanted or sources.listed(asking)) do
		if not opened or opened.unproven ~= source.name then
			list[#list + 1] = { title = source.title, name = source.name, href = way(source, sealed) }
		end
	end
	return list
end

local UNPROVEN = "%s could not prove that you signed in there just now, as the application wants it. Use your password here instead."

local function unproven(opened)
	local source = opened and opened.unproven and sources.by_name(opened.unproven)
	return source and UNPROVEN:format(source.title)
end

-- ---- the page ----

local function form_page(req, values, status)
	local browser = session.browser(req) or session.new_browser(req)
	local opened, application = request.open(values.request, browser)
	local wanted, asking = demanded(opened, application)
	local page = pages.signin({
		csrf = csrf.token(browser, nil, "signin"), request = values.request, application = application and application.name,
		purpose = opened and opened.purpose, without_password = wanted ~= nil, sources = offered(opened, wanted, asking, values.request),
		username = values.username or (opened and opened.login_hint), problem = values.problem or unproven(opened), request_id = req.id,
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
	-- One way in alone: there is nothing to choose.
	local wanted = demanded(opened, application)
	if wanted and #wanted == 1 then return reply.redirect(way(wanted[1], query.request)) end
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
