-- portal/signout.lua: ends this browser's session (S5 says what ends with it).
local check   = require("kit/check")
local csrf    = require("auth/csrf")
local pages   = require("pages/pages")
local session = require("auth/session")
local users   = require("store/users")

local signout = {}

local FORM = { csrf = { max = 200, required = true } }

function signout.show(req)
	local current = session.current(req)
	if not current then return pages.signed_out{ request_id = req.id } end
	return pages.signout{
		csrf = csrf.token(session.browser(req), current.id, "signout"), request_id = req.id,
		name = users.shown(current.user),
	}
end

function signout.leave(req)
	local form = check.form(req, FORM)
	local current = session.current(req)
	if current then csrf.require(req, form, "signout", current) end
	local page = pages.signed_out{ request_id = req.id }
	session.sign_out(req, page)
	return page
end

return signout
