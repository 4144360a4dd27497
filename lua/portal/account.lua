-- portal/account.lua: "/": who am I, my groups, my sessions, my applications, my password.
local accounts = require("portal/accounts")
local check    = require("kit/check")
local clients  = require("auth/clients")
local conf     = require("kit/conf")
local consent  = require("auth/consent")
local csrf     = require("auth/csrf")
local err      = require("kit/err")
local github_tokens = require("auth/github_tokens")
local pages    = require("pages/pages")
local password = require("auth/password")
local person_tokens = require("portal/person_tokens")
local reply    = require("kit/reply")
local session  = require("auth/session")
local users    = require("store/users")

local account = {}

local QUERY    = { done = { max = 40 } }
local END      = { csrf = { max = 200, required = true }, session = { max = 64, required = true } }
local PASSWORD = {
	csrf = { max = 200, required = true }, current = { max = 4096 }, new = { max = 4096 }, ["repeat"] = { max = 4096 },
}
local DONE = {
	password = "Your password is changed. Your other sessions have ended.", session = "The session has ended.",
	app_password = "The app password is revoked; what it opened has ended.", personal_token = "The token is revoked.",
	connected = "The account is connected: you can sign in with it.", disconnected = "The account is no longer connected.",
	sessions = "All other sessions have ended.", consent = "The application must ask you again.",
}

-- A few words for a User-Agent; never more than what helps a person to tell two sessions apart.
local function browser_words(agent)
	agent = agent or ""
	local name = agent:find("Firefox/", 1, true) and "Firefox" or agent:find("Edg/", 1, true) and "Edge"
		or agent:find("Chrome/", 1, true) and "Chrome" or agent:find("Safari/", 1, true) and "Safari" or "A browser"
	local system = agent:find("Android", 1, true) and "Android" or agent:find("iPhone", 1, true) and "iPhone"
		or agent:find("Windows", 1, true) and "Windows" or agent:find("Mac OS", 1, true) and "macOS"
		or agent:find("Linux", 1, true) and "Linux" or nil
	return system and (name .. " on " .. system) or name
end

local function day(seconds)
	return (time.iso(seconds):gsub("T", " "):gsub(":%d%dZ$", " UTC"))
end

local function groups_of(user)
	local direct, list = {}, {}
	for _, group in ipairs(users.groups(user)) do direct[group.id] = true end
	for index, group in ipairs(users.all_groups(user)) do
		list[index] = { name = group.name, inherited = not direct[group.id] }
	end
	return list
end

local function sessions_of(current, token)
	local list, others = {}, false
	for index, one in ipairs(session.list(current.user_id)) do
		local is_current = one.id == current.id
		others = others or not is_current
		list[index] = {
			browser = browser_words(one.agent), since = day(one.created_at), address = one.address, current = is_current,
			csrf = token, handle = session.handle(one),
		}
	end
	return list, others
end

local function held(tokens)
	return (tokens.count == 1 and "holds a GitHub token, " or ("holds %d GitHub tokens, "):format(tokens.count))
		.. (tokens.last and "last used " .. day(tokens.last) or "never used")
end

local function applications_of(current, token)
	local given, tokens, list = consent.list(current.user), github_tokens.by_application(current.user_id), {}
	for index, application in ipairs(clients.all()) do
		local consented, holds = given[application.id], tokens[application.id]
		list[index] = {
			name = application.name, slug = application.slug, csrf = token, consent_at = consented and day(consented.at),
			expires_at = consented and consented.expires_at and day(consented.expires_at),
			scopes = consented and consent.describe(application, consented.scopes), holds = holds and held(holds),
			given = consented or holds, is_github = application.github ~= nil,
			review = (consented or holds) and application.github and url.encode(application.client_id),
		}
	end
	return list
end

-- Does anything here know GitHub, so that tokens for it are worth making?
local function knows_github(applications, tokens)
	local data = conf.data()
	for _, application in ipairs(applications) do
		if application.is_github then return true end
	end
	return #tokens > 0 or #(data.github_hosts or {}) > 0 or #(data.github_mappings or {}) > 0
end

-- The page, with `values` on top: done, problem, or new_key.
function account.home(req, current, values, status)
	local browser = session.browser(req)
	local function token(form) return csrf.token(browser, current.id, form) end
	local user = current.user
	local session_list, others = sessions_of(current, token("sessions"))
	local applications = applications_of(current, token("withdraw"))
	local personal = person_tokens.list(user, "personal", token("personal_token"))
	return pages.home({
		name = users.shown(user), user = user, who = user.username, request_id = req.id,
		signed_in_at = day(current.login.at), groups = groups_of(user), sessions = session_list, others = others,
		applications = applications, csrf_sessions = token("sessions"),
		csrf_password = token("password"), can_change_password = user.password_at ~= nil, lab = conf.settings().lab,
		done = values.done, problem = values.problem, new_key = values.new_key, csrf_app_password = token("app_password"),
		app_passwords = person_tokens.list(user, "app_password", token("app_password")), csrf_personal_token = token("personal_token"),
		knows_github = knows_github(applications, personal), personal_tokens = personal, offered = person_tokens.offered(),
		accounts = accounts.shown(user), csrf_accounts = token("accounts"),
	}, status)
end

function account.show(req)
	local current = session.current(req)
	if not current then return reply.redirect("/signin") end
	return account.home(req, current, { done = DONE[check.query(req, QUERY).done or ""] })
end

function account.end_session(req)
	local form = check.form(req, END)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, "sessions", current)
	if form.session == "others" then
		session.end_all(current.user_id, current.id)
		return reply.see_other("/?done=sessions")
	end
	for _, one in ipairs(session.list(current.user_id)) do
		if session.handle(one) == form.session then
			session.finish(one.id)
			return reply.see_other("/?done=session")
		end
	end
	return reply.see_other("/")
end

local WORDS = {
	wrong = "The current password is wrong.", throttled = "Too many attempts. Wait a while and try again.",
	busy = "The broker is busy. Try again in a few seconds.", disabled = "This account is switched off.",
}

local STATUS = { wrong = 403, disabled = 403, throttled = 429, busy = 503, unacceptable = 422 }

function account.change_password(req)
	local form = check.form(req, PASSWORD)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, "password", current)
	if form.new ~= form["repeat"] or not form.new then
		return account.home(req, current, { problem = "The two new passwords differ." }, 422)
	end
	local answer = reply.see_other("/?done=password")
	local fresh, reason, why = password.change(req, answer, current, form.current or "", form.new)
	if fresh then return answer end
	return account.home(req, current, { problem = reason == "unacceptable" and why or WORDS[reason] }, STATUS[reason])
end

return account
