-- portal/routes.lua: the pages people see, and what operations ask.
local account = require("portal/account")
local accounts = require("portal/accounts")
local consent = require("portal/consent")
local device  = require("portal/device")
local health  = require("portal/health")
local person_tokens = require("portal/person_tokens")
local reply   = require("kit/reply")
local signin  = require("portal/signin")
local signout = require("portal/signout")
local static  = require("portal/static")

local function making(intent)
	return { kind = "page", POST = function(req) return person_tokens.create(req, intent, account.home) end }
end

local function revoking(intent)
	return { kind = "page", POST = function(req) return person_tokens.revoke(req, intent) end }
end

return {
	["/"]                    = { kind = "page", GET = account.show },
	["/sessions/end"]        = { kind = "page", POST = account.end_session },
	["/app-passwords"]       = making("app_password"),
	["/app-passwords/revoke"] = revoking("app_password"),
	["/personal-tokens"]     = making("personal"),
	["/personal-tokens/revoke"] = revoking("personal"),
	-- Where GitHub has them, and clients say that they are.
	["/settings/tokens"]     = { kind = "page", GET = function() return reply.redirect("/#github-tokens") end },
	["/settings/tokens/new"] = { kind = "page", GET = function() return reply.redirect("/#github-tokens") end },
	["/settings/connections/applications"] = { kind = "page", GET = function() return reply.redirect("/#applications") end },
	["/accounts/connect"]    = { kind = "page", POST = function(req) return accounts.connect(req, account.home) end },
	["/accounts/disconnect"] = { kind = "page", POST = accounts.disconnect },
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
