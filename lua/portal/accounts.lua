-- portal/accounts.lua: accounts elsewhere that a person signs in with, on "/": which there are, connected with the password of here
-- (security-cases 4), taken away again.
local check       = require("kit/check")
local csrf        = require("auth/csrf")
local err         = require("kit/err")
local pages       = require("pages/pages")
local password    = require("auth/password")
local rows        = require("store/rows")
local session     = require("auth/session")
local sources     = require("auth/sources")
local transaction = require("auth/transaction")

local accounts = {}

local LINK = "connect an account"
local CONNECT = {
	csrf = { max = 200, required = true }, source = { max = 200, required = true }, password = { max = 4096 },
}

local WORDS = {
	wrong = "The password is wrong. Nothing was connected.", throttled = "Too many attempts. Wait a while and try again.",
	busy = "The broker is busy. Try again in a few seconds.", disabled = "This account is switched off.",
}
local STATUS = { wrong = 403, disabled = 403, throttled = 429, busy = 503 }

-- Those that may be connected: { name, title }.
function accounts.offered()
	local list = {}
	for index, source in ipairs(sources.listed()) do list[index] = { name = source.name, title = source.title } end
	return list
end

-- The password of here is asked: whoever finds an open session must not leave a way in. Then on to the upstream by a page of ours, since
-- no form may be redirected there (S15).
function accounts.connect(req, home)
	local form = check.form(req, CONNECT)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, "accounts", current)
	local source = err.need(sources.by_name(form.source), "page_not_found")
	local user, statements = password.sign_in(req, current.user.username, form.password or "")
	if not user then
		local reason = statements
		return home(req, current, { problem = WORDS[reason] }, STATUS[reason])
	end
	err.need(rows.batch(statements), "unavailable")
	local t = transaction.new { session = current.id, browser = session.browser(req) }
	return pages.continue {
		url = ("/source/oauth/login/%s/?link=%s"):format(source.name, url.encode(transaction.seal(t, LINK))), application = source.title,
		request_id = req.id,
	}
end

return accounts
