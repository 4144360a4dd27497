-- oidc/userinfo.lua: OpenID Connect Core 5.3. GET and POST; the token from the header or the form body.
local bearer = require "auth/bearer"
local claims = require "auth/claims"
local cors   = require "oidc/cors"
local reply  = require "kit/reply"

local userinfo = { kind = "bearer", cors = true }

local function answer(req)
	local live = bearer.require(req, "openid")
	req.application = live.application
	local out = claims.for_userinfo {
		user = live.user, application = live.application, scopes = live.scopes, login = live.login,
		session_id = live.grant.session_id, req = req, requested = live.grant.claims_parameter,
	}
	-- Core 5.3.2: the very sub of the ID token, which a script may have made (script_claims).
	out.sub = live.claims.sub
	return reply.json(out)
end

userinfo.GET, userinfo.POST = answer, answer

function userinfo.OPTIONS(req) return cors.preflight(req, "GET, POST, OPTIONS") end

return userinfo
