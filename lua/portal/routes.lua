-- portal/routes.lua: the pages people see, and what operations ask.
local account = require("portal/account")
local app_passwords = require("portal/app_passwords")
local consent = require("portal/consent")
local device  = require("portal/device")
local health  = require("portal/health")
local signin  = require("portal/signin")
local signout = require("portal/signout")
local static  = require("portal/static")

return {
	["/"]                    = { kind = "page", GET = account.show },
	["/sessions/end"]        = { kind = "page", POST = account.end_session },
	["/app-passwords"]       = { kind = "page", POST = function(req) return app_passwords.create(req, account.home) end },
	["/app-passwords/revoke"] = { kind = "page", POST = app_passwords.revoke },
	["/password"]            = { kind = "page", POST = account.change_password },
	["/signin"]              = { kind = "page", GET = signin.show, POST = signin.try },
	["/signin/account"]      = { kind = "page", POST = signin.choose },
	["/signin/cancel"]       = { kind = "page", GET = signin.cancel },
	["/consent"]             = { kind = "page", GET = consent.show, POST = consent.answer },
	["/consent/withdraw"]    = { kind = "page", POST = consent.withdraw },
	["/device"]              = { kind = "page", GET = device.show, POST = device.enter },
	["/device/answer"]       = { kind = "page", POST = device.answer },
	["/login/device"]        = { kind = "page", GET = device.show, POST = device.enter },
	["/login/device/answer"] = { kind = "page", POST = device.answer },
	["/signout"]             = { kind = "page", GET = signout.show, POST = signout.leave },
	["/static/tidelock.css"] = { kind = "plain", GET = static.style },
	["/healthz"]             = { kind = "plain", GET = health.alive },
	["/readyz"]              = { kind = "plain", GET = health.ready },
}
