-- auth/tokens.lua: tokens and what is behind them: issued, asked whether they are alive, rotated, revoked. An access token
-- costs no write of its own: it names its grant (S3), and whether it is alive is asked of the grant each time (S4).
local access = require "auth/access"
local clients = require "auth/clients"
local events = require "auth/events"
local grants = require "store/grants"
local keys = require "auth/keys"
local logouts = require "store/logouts"
local refresh_lines = require "auth/refresh_lines"
local rows = require "store/rows"
local scope = require "kit/scope"
local secrets = require "kit/secrets"

local tokens = {}

local DAY = 86400

-- ---- refresh tokens (S7): line id, generation and HMAC ----

local function refresh_text(line_id, generation)
	return ("tlr_%s.%d.%s"):format(line_id, generation, secrets.mac("refresh", line_id, generation))
end

local function refresh_parts(text)
	if type(text) ~= "string" or #text > 120 then
		return nil
	end
	local id, generation, mac = text:match("^tlr_(%w+)%.(%d+)%.([%w_%-]+)$")
	if not id or #id ~= 26 or #generation > 9 or generation:find("^0%d") then
		return nil
	end
	generation = math.tointeger(tonumber(generation))
	return crypto.equal(secrets.mac("refresh", id, generation), mac) and id, generation
end

local function wants_refresh(application, scopes)
	return scope.has(scopes, "offline_access") and scope.has(application.grant_types or { "refresh_token" }, "refresh_token")
end

-- What a grant begins with: `new` of tokens.issue, made whole.
local function beginning(given)
	local code, new = given.code, given.new
	if code then
		new = { id = code.grant_id, login = code.login, session_id = code.session_id, sid = code.sid, lasts = true,
			claims_parameter = code.claims_parameter, resources = code.resources }
	end
	new.id = new.id or crypto.id()
	return new
end

-- The grant and, with offline_access, its refresh line. Such a grant is not bound to the session (S5).
local function grant_statements(given, new)
	local application = given.application
	local offline = new.lasts and wants_refresh(application, given.scopes)
	local lifetime = given.lifetime or application.access_token_lifetime or 600
	if offline then
		lifetime = math.max(lifetime, application.refresh_token_lifetime or 30 * DAY)
	end
	local statements = { grants.insert_statement {
		id = new.id, user_id = given.user.id, application_id = application.id, scopes = scope.join(given.scopes),
		login_event_id = new.login and new.login.id, session_id = not offline and new.session_id or nil, sid = new.sid,
		claims_parameter = new.claims_parameter, resources = new.resources, act = given.act, parent = new.parent,
		parent_jti = new.parent_jti,
		expires_at = time.now() + lifetime + 60,
	} }
	if new.session_id then
		statements[2] = logouts.took_part_statement(new.session_id, application.id)
	end
	local refresh_token
	if offline then
		local line = { id = crypto.id(), grant_id = new.id, scopes = scope.join(given.scopes),
			lifetime = application.refresh_token_lifetime or 30 * DAY }
		statements[#statements + 1] = grants.line_statement(line)
		refresh_token = refresh_text(line.id, 0)
	end
	return statements, refresh_token
end

local function signed(given, now, lifetime)
	local access_token, id_token
	if given.access_token ~= false then
		access_token = access.make(given, now, lifetime)
	end
	if given.id_token or (given.id_token == nil and scope.has(given.scopes, "openid")) then
		id_token = access.make_id(given, now, lifetime, access_token)
	end
	return access_token, id_token
end

-- What the token endpoint (or the authorization endpoint's front channel) answers, and the statements for the batch that
-- consumes the code, rotates the line, or makes the grant: nothing is written here.
-- given: application, user, scopes (list), req, nonce, claims (for the access token), id_token_claims (exactly what goes into
-- the ID token; absent: claims), and where it comes from, one of
--   code   a row of codes.look: its grant is made, with a refresh line where offline_access was granted
--   new    { id?, login?, session_id?, sid?, lasts = may have a refresh line, claims_parameter?, parent?, parent_jti? }: the same
--          for a grant without code; parent and parent_jti are of the access token that it was made from, and ends with
--   grant  a grant that stands, { id, login, session_id, sid }, and refresh = its line (tokens.refresh) when it was refreshed
-- Further: resources = the list that the access token is for (RFC 8707), act = who acts (RFC 8693 4.1), lifetime in seconds,
-- id_token = true or false to force, access_token = false for none, code_text = the code that goes along (c_hash), quiet = the
-- caller leaves the event.
function tokens.issue(given)
	local application = given.application
	local new = not given.grant and beginning(given) or nil
	local of = new or given.grant
	given.grant_id, given.login, given.sid = of.id, of.login, of.sid
	given.id_claims = given.id_token_claims or given.claims
	given.claims = given.claims or given.id_token_claims
	given.scope = scope.join(given.scopes)
	local now, lifetime = time.now(), given.lifetime or application.access_token_lifetime or 600
	local access_token, id_token = signed(given, now, lifetime)
	local statements, refresh_token = {}, nil
	if new then
		statements, refresh_token = grant_statements(given, new)
	elseif given.refresh then
		-- The successor is the same for everybody who is to have it.
		refresh_token = given.refresh.successor
	end
	if not given.quiet then
		statements[#statements + 1] = events.statement {
			kind = given.refresh and "token_refreshed" or "token_issued", user = given.user, application = application,
			session = of.session_id, req = given.req, reason = given.scope,
		}
	end
	return {
		access_token = access_token, token_type = access_token and "Bearer", expires_in = access_token and lifetime,
		scope = given.scope, id_token = id_token, refresh_token = refresh_token,
	}, statements
end

-- ---- refreshing ----

-- The line of a refresh token (auth/refresh_lines) with its successor, or nil and why.
function tokens.refresh(text, application, req)
	local id, generation = refresh_parts(text)
	if not id then
		return nil, "damaged"
	end
	local line, why = refresh_lines.find(id, generation, application, req)
	if not line then
		return nil, why
	end
	line.successor = refresh_text(id, generation + 1)
	return line
end

-- Rotates with `statements`: true, or nil and why.
function tokens.rotate(line, statements, req)
	return refresh_lines.rotate(line, line.application.refresh_token_lifetime or 30 * DAY, statements, req)
end

-- S4: the one answer to "is this access token good?". { user, application, grant, login, scopes, claims, client_id, jti }
-- or nil and why. Signatures may be remembered, this never.
function tokens.live(text)
	local claims, why = access.claims(text)
	if not claims then
		return nil, why
	end
	if claims.exp <= time.now() then
		return nil, "expired"
	end
	local grant, user = grants.live(claims.jti:sub(1, 26), claims.iat, claims.jti)
	if not grant then
		return nil, "ended"
	end
	local application = clients.by_id(grant.application_id)
	if not application or application.client_id ~= claims.client_id then
		return nil, "ended"
	end
	grant.scopes = scope.split(grant.scopes)
	return {
		user = user, application = application, grant = grant, login = grant.login, scopes = scope.split(claims.scope),
		claims = claims, client_id = claims.client_id, jti = claims.jti,
		-- S8: it was made for another resource server; no endpoint of ours serves it.
		foreign = claims.aud ~= claims.client_id and not (type(claims.aud) == "table" and scope.has(claims.aud, claims.client_id)),
	}
end

local ID_TYPS = { JWT = true }

-- The claims of an ID token of ours for this application, expired or not (OpenID Connect Core 3.1.2.1).
function tokens.id_token_hint(text, application)
	if type(text) ~= "string" or #text > 8192 then
		return nil, "damaged"
	end
	local claims, why = access.verified(text, ID_TYPS, keys.ours)
	if not claims then
		return nil, why
	end
	if claims.tlk or claims.iss ~= clients.issuer(application) or claims.aud ~= application.client_id then
		return nil, "another application's"
	end
	return claims
end

-- The line of a refresh token that would be taken now, and its application; nil for every other text. Nothing happens to it.
function tokens.line(text)
	local id, generation = refresh_parts(text)
	local line = id and grants.line(id)
	if not line or not line.alive or not refresh_lines.place(line, generation) then
		return nil
	end
	local application = clients.by_id(line.grant.application_id)
	if application then
		return line, application
	end
end

-- The owner and the statements that end the token, or nil when it is not this application's.
local function ending(text, application)
	local id = refresh_parts(text)
	if id then
		local line = grants.line(id)
		if line and line.grant.application_id == application.id then
			return line.user.id, grants.end_statements(line.grant.id, "revoked")
		end
		return nil
	end
	local claims = access.claims(text)
	local owner = claims and claims.client_id == application.client_id and grants.owner(claims.jti:sub(1, 26))
	if owner and owner.application_id == application.id then
		return owner.user_id, { grants.revoke_jti_statement(claims.jti, claims.exp) }
	end
end

-- RFC 7009: the client's own tokens only; another's is left alone without a word (S9). A refresh token takes its grant along,
-- and with it the access tokens (2.1).
function tokens.revoke(text, application, req)
	local user_id, statements = ending(text, application)
	if user_id then
		statements[#statements + 1] = events.statement { kind = "token_revoked", user = user_id, application = application, req = req }
		rows.urgent(statements)
	end
end

return tokens
