-- sources/backchannel_logout.lua: an upstream says that a session there has ended (OpenID Connect Back-Channel Logout 1.0): what came
-- from it ends here, and our applications are told as of any sign-out.
local assertions = require "store/assertions"
local check = require "kit/check"
local err = require "kit/err"
local events = require "auth/events"
local id_token = require "sources/id_token"
local reply = require "kit/reply"
local session = require "auth/session"
local sources = require "auth/sources"
local store = require "store/sessions"
local upstream = require "sources/upstream"

local EVENT = "http://schemas.openid.net/event/backchannel-logout"
local FORM = { logout_token = { max = 16384, required = true } }
-- Older senders give none; theirs are good for as long as a clock may be wrong.
local WITHOUT_EXP, SKEW = 300, 300
local NO_STORE = { ["cache-control"] = "no-cache, no-store" }

local function text(value) return type(value) == "string" and value ~= "" and #value <= 255 and value or nil end

-- Section 2.4 and 2.6; nil, or what is wrong.
local function wrong(source, claims, typ)
	if typ ~= nil and typ:lower() ~= "logout+jwt" and typ:lower() ~= "jwt" then return "it is another kind of token (typ)" end
	local listed = type(claims.events) == "table" and claims.events[EVENT]
	if type(listed) ~= "table" or json.is_array(listed) then return "it is no logout event (events)" end
	if claims.nonce ~= nil then return "it has a nonce, as ID tokens have" end
	if not text(claims.sub) and not text(claims.sid) then return "it names neither person nor session" end
	if not text(claims.jti) then return "it has no jti" end
	if claims.exp == nil and type(claims.iat) == "number" then claims.exp = claims.iat + WITHOUT_EXP end
	return id_token.check_audience(source, claims) or id_token.check_times(claims)
end

local function believed(source, token)
	local up, why = upstream.of(source)
	if not up then return nil, why end
	local claims, parsed = id_token.open(source, up, token)
	if not claims then return nil, parsed end
	local reason = wrong(source, claims, parsed.header.typ)
	if reason then return nil, reason end
	-- 2.6, 7: seen once.
	local fresh = assertions.use("logout at " .. source.id, claims.jti, math.ceil(claims.exp) + SKEW + 1)
	if not fresh then return nil, "it has been used before" end
	return claims
end

local function refuse(req, source, why)
	events.add { kind = "upstream_logout_refused", req = req, merge = true, reason = ("source %s: %s"):format(source.name, why) }
	err.raise("invalid_request", "The logout token is not accepted: " .. why .. ".", { status = 400, headers = NO_STORE })
end

local function POST(req, name)
	local source = err.need(sources.by_name(name), "invalid_request", "There is no such source.", { status = 404 })
	if source.adapter ~= "oidc" then refuse(req, source, "the source does not speak OpenID Connect") end
	local claims, why = believed(source, check.form(req, FORM).logout_token)
	if not claims then refuse(req, source, why) end
	task.detach()
	for _, row in ipairs(store.of_source(source.name, text(claims.sub), text(claims.sid))) do
		session.finish(row.id, "upstream " .. source.name)
	end
	return reply.text("", 200, NO_STORE)
end

return { kind = "oauth", POST = POST }
