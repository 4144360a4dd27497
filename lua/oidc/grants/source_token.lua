-- oidc/grants/source_token.lua: RFC 8693 with an ID token of a source: an application that signs its people in elsewhere by itself gets a
-- token for the user here who is affiliated with that account (Akkess's model). Only of sources that the application names, or that are
-- its own; nobody is enrolled, and who has to be asked is not passed by.
local arrivals = require "auth/arrivals"
local consent = require "auth/consent"
local credentials = require "oidc/grants/credentials"
local err = require "kit/err"
local events = require "auth/events"
local id_token = require "sources/id_token"
local policies = require "auth/policies"
local profile = require "sources/profile"
local rows = require "store/rows"
local scope = require "kit/scope"
local sessions = require "store/sessions"
local sources = require "auth/sources"
local tokens = require "auth/tokens"
local upstream = require "sources/upstream"
local users = require "store/users"

local source_token = {}

local DAY = 86400

-- What the token says of itself, nothing proven.
local function peek(text)
	local parsed = jws.parse(text)
	local claims = parsed and json.decode(parsed.payload)
	return type(claims) == "table" and not json.is_array(claims) and claims or nil
end

local function names_client(claims, client_id)
	return claims.aud == client_id or (type(claims.aud) == "table" and scope.has(claims.aud, client_id))
end

-- The claims of the first source that believes it, and the source; or nil and why none does. Waits.
local function verified(application, text)
	local claims, why = peek(text), "it is no signed token"
	if not claims then return nil, why end
	why = "it is for no client of a source that this application names"
	for _, source in ipairs(sources.of_application(application)) do
		local own = source.application_id == application.id or scope.has(application.sources or {}, source.name)
		if own and source.adapter == "oidc" and names_client(claims, source.client_id) then
			local up, problem = upstream.of(source)
			local believed
			if up then believed, problem = id_token.verify(source, up, text, {}) end
			if believed then return believed, source end
			why = ("%s: %s"):format(source.name, problem)
		end
	end
	return nil, why
end

local function refused(req, application, why)
	events.add { kind = "source_token_refused", application = application, req = req, reason = why, merge = true }
	err.raise("invalid_request", "The subject_token is no ID token of a source of this application's that is believed.")
end

-- When the person signed in there, which may not lie ahead.
local function login_of(user, source, claims, req)
	local at = math.type(claims.auth_time) == "integer" and claims.auth_time or math.type(claims.iat) == "integer" and claims.iat or time.now()
	at = math.max(0, math.min(at, time.now()))
	return { id = crypto.id(), user_id = user.id, at = at, at_ms = at * 1000, method = "source", amr = {}, address = req.peer,
		source = source.name }
end

-- The user whose account it is, as he is now, and his login; refreshed as at a sign-in.
local function arrive(req, application, source, claims)
	local came = profile.of_token(source, claims)
	if not came then refused(req, application, source.name .. ": it does not say who it is") end
	local user, statements = arrivals.land(source, came, req, nil, true)
	err.need(user, "invalid_grant", "Nobody here is affiliated with this account, or may come in.")
	local login = login_of(user, source, claims, req)
	statements[#statements + 1] = sessions.login_statement(login)
	task.detach()
	err.need(rows.batch(statements), "invalid_grant", "The account was changed at the same time; try again.")
	return users.by_id(user.id), login
end

-- The answer's table.
function source_token.answer(req, form, application)
	if form.audience or form.resource or form.actor_token then
		err.raise("invalid_target", "An ID token of a source is exchanged for a token of this application alone.")
	end
	local claims, source = verified(application, form.subject_token)
	if not claims then refused(req, application, source) end
	local left = math.floor(claims.exp) - time.now()
	if left <= 0 or left > 366 * DAY then refused(req, application, source.name .. ": it has ended") end
	local user, login = arrive(req, application, source, claims)
	local asked = { user = user, application = application, scopes = credentials.scopes(form, application), grant_type = form.grant_type,
		req = req, login = login, context = { oauth_jwt = require("mapping/sources").plain(claims) } }
	local scopes, requested = policies.permitted(asked)
	if not scopes then err.raise("invalid_grant", policies.description(requested)) end
	if consent.needed(user, application, scopes) then
		err.raise("invalid_grant", "The person has not agreed to this, and there is nobody to be asked.")
	end
	local answer, statements = tokens.issue {
		application = application, user = user, scopes = scopes, req = req, id_token = false,
		lifetime = math.min(application.access_token_lifetime or 600, left), new = { login = login },
		id_token_claims = credentials.claims { user = user, application = application, scopes = scopes, grant_type = form.grant_type,
			req = req, login = login, requested = requested },
	}
	err.need(rows.batch(statements), "invalid_grant", "The account was changed at the same time; try again.")
	return answer
end

return source_token
