-- portal/routes.lua: the pages people see, and what operations ask.
local account = require("portal/account")
local consent = require("portal/consent")
local health  = require("portal/health")
local signin  = require("portal/signin")
local signout = require("portal/signout")
local static  = require("portal/static")

return {
	["/"]                    = { kind = "page", GET = account.show },
	["/sessions/end"]        = { kind = "page", POST = account.end_session },
	["/password"]            = { kind = "page", POST = account.change_password },
	["/signin"]              = { kind = "page", GET = signin.show, POST = signin.try },
	["/signin/account"]      = { kind = "page", POST = signin.choose },
	["/signin/cancel"]       = { kind = "page", GET = signin.cancel },
	["/consent"]             = { kind = "page", GET = consent.show, POST = consent.answer },
	["/consent/withdraw"]    = { kind = "page", POST = consent.withdraw },
	["/signout"]             = { kind = "page", GET = signout.show, POST = signout.leave },
	["/static/tidelock.css"] = { kind = "plain", GET = static.style },
	["/healthz"]             = { kind = "plain", GET = health.alive },
	["/readyz"]              = { kind = "plain", GET = health.ready },
}
