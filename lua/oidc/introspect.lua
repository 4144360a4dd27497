-- oidc/introspect.lua: RFC 7662: what a resource server may know of a token. Only clients with a secret or a key ask; whom a token
-- does not concern learns nothing of it, not even that it exists (S9). One read of the database, and nothing is written.
local check   = require "kit/check"
local claims  = require "auth/claims"
local clients = require "auth/clients"
local err     = require "kit/err"
local reply   = require "kit/reply"
local scope   = require "kit/scope"
local tokens  = require "auth/tokens"

local introspect = { kind = "oauth" }

local NOTHING = '{"active":false}'

-- The hint is of no use: the kinds of tokens are told apart by their form (S1).
local schema = { token = { max = 16384 } }
for name, rule in pairs(clients.FORM) do schema[name] = rule end

-- S9: who got it, who is named in its aud, who trusts whom it was given to.
local function concerns(asker, client, aud)
	return client.id == asker.id or aud == asker.client_id or (type(aud) == "table" and scope.has(aud, asker.client_id))
		or scope.has(asker.federated or {}, client.slug)
end

-- The token's own claims (RFC 7662 2.2 and RFC 9068 2.2), which with access_token_typ = "JWT" are authentik's.
local function of_access_token(asker, text)
	local live = tokens.live(text)
	if not live or not concerns(asker, live.application, live.claims.aud) then return nil end
	local out = {}
	for name, value in pairs(live.claims) do out[name] = value end
	out.tlk = nil
	out.active, out.token_type, out.username = true, "Bearer", live.user.username
	return out
end

-- Its sub is that of the ID tokens it is good for, which a script may make.
local function subject_of(line, application, req)
	return claims.subject {
		user = line.user, application = application, scopes = scope.split(line.scopes), grant_type = "refresh_token", login = line.grant.login,
		session_id = line.grant.session_id, req = req, requested = line.grant.claims_parameter,
	}
end

local function of_refresh_token(asker, text, req)
	local line, application = tokens.line(text)
	if not line or not concerns(asker, application) then return nil end
	return {
		active = true, client_id = application.client_id, scope = line.scopes, username = line.user.username,
		sub = subject_of(line, application, req), iss = clients.issuer(application), aud = application.client_id,
		iat = line.rotated_at, exp = line.expires_at, sid = line.grant.sid,
	}
end

function introspect.POST(req)
	local form = check.form(req, schema)
	local application = clients.authenticate(req, form)
	if application.client_type == "public" then
		err.raise("invalid_client", "A public client proves nothing, so it learns nothing.", { status = 401 })
	end
	err.need(form.token, "invalid_request", "The parameter token is missing.")
	local read = form.token:find("^tlr_") and of_refresh_token or of_access_token
	return reply.json(read(application, form.token, req) or NOTHING, 200, { pragma = "no-cache" })
end

-- authentik: every failure is a token that is not active.
function introspect.compatible()
	return reply.json(NOTHING, 200, { pragma = "no-cache" })
end

return introspect
