-- oidc/grants/derived.lua: tokens made from another application's access token: the federated variant of client_credentials (S29)
-- and token exchange (RFC 8693). What is made keeps at most the scopes, the time and the life of what it was made from: it ends
-- with that token's session, grant and revocation. Both applications' policies are asked.
local credentials = require "oidc/grants/credentials"
local err         = require "kit/err"
local policies    = require "auth/policies"
local resources   = require "oidc/resources"
local rows        = require "store/rows"
local scope       = require "kit/scope"
local session     = require "auth/session"
local tokens      = require "auth/tokens"
local users       = require "store/users"

local derived = {}

-- Who acted before is told, but not without end.
local MOST_ACTORS = 5

-- May `application` use what was issued to `issuing`? Its own, or of one that its owner lists.
function derived.trusts(application, issuing)
	return issuing.id == application.id or scope.has(application.federated or {}, issuing.slug)
end

-- The live access token (tokens.live) that `application` may build on, or nil. A token for another resource server is only good
-- where that is the application itself (S8).
function derived.live(text, application)
	local live = tokens.live(text)
	if not live or not derived.trusts(application, live.application) then return nil end
	local aud = type(live.claims.aud) == "table" and live.claims.aud or { live.claims.aud }
	if live.foreign and not scope.has(aud, application.client_id) then return nil end
	return live
end

-- RFC 8693 4.1: who acts, with those who acted before. nil when there are too many.
function derived.act(actor, live)
	local depth, before = 1, live.claims.act
	while type(before) == "table" do
		depth, before = depth + 1, before.act
	end
	if depth > MOST_ACTORS then return nil end
	actor.act = live.claims.act
	return actor
end

local function lifetime(application, live, further)
	local most = math.min(application.access_token_lifetime or 600, live.claims.exp - time.now())
	return further and math.min(most, further) or most
end

-- Where a person is to be asked each time, nobody may be passed by. Otherwise what was allowed to the first application is the
-- bound: the owner lists it as trusted, and no scope is added.
local function needs_the_person(application, user)
	return application.consent == "always" and not users.is_service(user)
end

-- given: application = that the token is for, live, act, grant_type, lifetime (or nil), id_token (or nil). Raises `refusal` where
-- the application's own policy or consent says no.
function derived.answer(req, form, given)
	local application, live = given.application, given.live
	local user, grant_type = live.user, form.grant_type
	local function asked(of, scopes)
		return { user = user, application = of, scopes = scopes, grant_type = grant_type, req = req, login = live.login,
			session_id = live.grant.session_id, context = { oauth_jwt = live.claims } }
	end
	-- S29: what the first application's policies leave now is the bound.
	local most = policies.require(asked(live.application, live.scopes))
	if not users.is_service(user) and not session.suits({ login = live.login or {} }, application) then
		err.raise(given.refusal, "The application takes only those who signed in through certain sources.")
	end
	if needs_the_person(application, user) then
		err.raise(given.refusal, "The application asks the person each time, and there is nobody to be asked.")
	end
	local scopes, requested = policies.permitted(asked(application, credentials.scopes(form, application, most)), most)
	if not scopes then err.raise(given.refusal, policies.description(requested)) end
	local context = { user = user, application = application, scopes = scopes, grant_type = grant_type, req = req,
		login = live.login, session_id = live.grant.session_id, requested = requested }
	local answer, statements = tokens.issue {
		application = application, user = user, scopes = scopes, req = req, act = given.act, id_token = given.id_token,
		lifetime = lifetime(application, live, given.lifetime), resources = given.resources,
		new = { login = live.login, session_id = live.grant.session_id, sid = live.grant.sid, parent = live.grant.id,
			parent_jti = live.jti },
		id_token_claims = credentials.claims(context),
	}
	task.detach()
	err.need(rows.batch(statements), "invalid_grant", "What the token was made of has just ended.")
	return answer
end

-- S29: `text` is what came as client assertion.
function derived.federated(req, form, application, text)
	local live = derived.live(text, application)
	if not live or live.application.id == application.id then
		err.raise("invalid_grant", "The assertion is no live access token of an application that this one federates.")
	end
	local act = derived.act({ sub = live.client_id, client_id = live.client_id }, live)
	err.need(act, "invalid_grant", "Too many applications stand between.")
	return derived.answer(req, form, { application = application, live = live, act = act, refusal = "invalid_grant",
		resources = resources.at_token(form, nil, application) })
end

return derived
