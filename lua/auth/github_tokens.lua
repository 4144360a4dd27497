-- auth/github_tokens.lua: tokens of GitHub's side (S1, S2, S3): issued, asked whether they are alive (S4), replaced, ended. A token
-- outlives the session (S5) and is dead with its grant.
local clients = require "auth/clients"
local events = require "auth/events"
local github_refresh = require "auth/github_refresh"
local github_secret = require "kit/github_secret"
local grants = require "store/grants"
local person_tokens = require "auth/person_tokens"
local policies = require "auth/policies"
local rows = require "store/rows"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local store = require "store/github_tokens"

local github_tokens = {}

local LASTS = 3650 * 86400
-- How stale `used_at` may be: using a token costs no write.
local USED_EVERY = 3600
-- How long policies' answer is remembered.
local POLICIES_EVERY = 300

-- The bound on tokens is one of a set of scopes.
local function sorted(list)
	local out = { table.unpack(list) }
	table.sort(out)
	return out
end

-- What the application gets, and the statements that make it good. With github.expiring it is a pair (auth/github_refresh).
local function made(application, grant_id, scopes)
	if not application.github.expiring then
		return { access_token = github_secret.new("gho_") }
	end
	return github_refresh.begin(grant_id, scopes)
end

github_tokens.by_application = store.by_application
github_tokens.list = store.list

-- given: application, user, scopes (list), login, grant_id (or none), req. { access_token, expires_in, refresh_token,
-- refresh_token_expires_in: these three if it expires }, and the statements that make it good.
function github_tokens.issue(given)
	local id, user, application, scopes = given.grant_id or crypto.id(), given.user, given.application, scope.join(given.scopes)
	local issued, expires_at, line_statement = made(application, id, scopes)
	local token = {
		id = crypto.id(), keyed = secrets.keyed(issued.access_token), kind = issued.access_token:sub(1, 3), user_id = user.id,
		application_id = application.id, grant_id = id, scopes = scope.join(sorted(given.scopes)), expires_at = expires_at,
	}
	local statements = {
		grants.insert_statement { id = id, user_id = user.id, application_id = application.id, side = "github", scopes = scopes,
			login_event_id = given.login and given.login.id, expires_at = time.now() + LASTS },
		table.unpack(store.insert_statements(token)),
	}
	statements[#statements + 1] = store.bound_statement(token)
	statements[#statements + 1] = line_statement
	statements[#statements + 1] = events.statement { kind = "token_issued", user = user, application = application, req = given.req,
		reason = scopes == "" and "github, no scope" or "github, " .. scopes }
	return issued, statements
end

-- ---- policies, which are asked again while a token is in use ----

local MOST_REMEMBERED = 2000
local remembered, count = {}, 0

-- The decision about this token's person, at most so old; a change of people or groups is seen at once.
local function decision_about(token, user, application, login, req)
	local entry = remembered[token.id]
	if entry and entry.until_ > time.mono() and entry.directory == user.directory and entry.application == application then
		return entry.decision
	end
	local decision = policies.decide { user = user, application = application, scopes = token.scopes, grant_type = "refresh_token",
		login = login, req = req }
	if count >= MOST_REMEMBERED then
		remembered, count = {}, 0
	end
	count = entry and remembered[token.id] and count or count + 1
	remembered[token.id] = { until_ = time.mono() + POLICIES_EVERY, directory = user.directory, application = application,
		decision = decision }
	return decision
end

local function seen(token)
	if time.now() - (token.used_at or 0) >= USED_EVERY then
		store.used(token.id)
	end
end

-- The row of a token whose grant and all behind it live, scopes as a list, with user, application and login; or nil and why.
local function alive(text)
	-- S1: another class of secret is refused before any look-up.
	local prefix = github_secret.prefix(text)
	if prefix ~= "gho_" and prefix ~= "ghu_" then
		return nil, "kind"
	end
	local token = store.by_key(secrets.keyed(text))
	if not token then
		return nil, "unknown"
	end
	local grant, user = grants.live(token.grant_id, token.created_at, token.id)
	local application = grant and clients.by_id(token.application_id)
	if not application or not application.github then
		return nil, "ended"
	end
	token.scopes = scope.split(token.scopes)
	token.user, token.application, token.login = user, application, grant.login
	return token
end

local function personal(text)
	local token, why = person_tokens.check(text, "personal")
	if not token then
		return nil, why
	end
	return { id = token.id, kind = "ghp", user = token.user, scopes = scope.split(token.scopes), created_at = token.created_at,
		expires_at = token.expires_at }
end

-- S4: { id, number, kind, user, application (none of a personal token), scopes = list, login, created_at, expires_at } of a token
-- that is good, or nil and why. What the application's policies take away now is not in scopes.
function github_tokens.live(text, req)
	if github_secret.prefix(text) == "ghp_" then
		return personal(text)
	end
	local token, why = alive(text)
	if not token then
		return nil, why
	end
	local decision = decision_about(token, token.user, token.application, token.login, req)
	if not decision.allowed then
		return nil, "refused"
	end
	token.scopes = scope.intersect(token.scopes, decision.scopes)
	seen(token)
	return token
end

-- ---- for the application that it was issued to ----

-- The token when it is alive and this application's, whatever the policies say.
function github_tokens.of(text, application)
	local token = alive(text)
	return token and token.application_id == application.id and token or nil
end

-- Another secret for the same authorization; nil when it has just been replaced or has ended.
function github_tokens.replace(token, req)
	local text = github_secret.new(token.kind .. "_")
	local ok = rows.batch { store.replace_statement(token, secrets.keyed(text)),
		events.statement { kind = "token_refreshed", user = token.user, application = token.application, req = req,
			reason = "github, by the application" } }
	return ok and text or nil
end

function github_tokens.revoke(token, req)
	local statements = grants.end_statements(token.grant_id, "revoked")
	statements[#statements + 1] = events.statement { kind = "token_revoked", user = token.user, application = token.application,
		req = req, reason = "github" }
	rows.urgent(statements)
end

-- ---- for whoever finds one ----

local function end_grant(id, req)
	local owner = id and grants.owner(id)
	if not owner or owner.ended_at then
		return false
	end
	local statements = grants.end_statements(id, "found")
	statements[#statements + 1] = events.statement { kind = "token_revoked", user = owner.user_id, application = owner.application_id,
		req = req, reason = "github, by somebody who has found it" }
	rows.urgent(statements)
	return true
end

-- Ends any kind of GitHub's tokens: whoever has it may. Was there one to end?
function github_tokens.found(text, req)
	local prefix = github_secret.prefix(text)
	if prefix == "ghp_" then
		local token = person_tokens.check(text, "personal")
		if token then
			person_tokens.revoke(token, { req = req, reason = "by somebody who has found it" })
		end
		return token ~= nil
	elseif prefix == "gho_" or prefix == "ghu_" then
		local token = store.by_key(secrets.keyed(text))
		return end_grant(token and token.grant_id, req)
	end
	return end_grant(github_refresh.grant(text), req)
end

return github_tokens
