-- auth/github_refresh.lua: tokens of GitHub's side that expire (github.expiring): a ghu_ for eight hours, and a ghr_ that gets the next
-- of both. A pair is made of its line and generation, so that whoever asks twice for the same gets the same (S7).
local events = require "auth/events"
local github_secret = require "kit/github_secret"
local grants = require "store/grants"
local policies = require "auth/policies"
local refresh_lines = require "auth/refresh_lines"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local store = require "store/github_tokens"

local github_refresh = {}

-- GitHub's, in seconds: eight hours, and 183 days without being refreshed.
local EXPIRES, LASTS = 8 * 3600, 183 * 86400

local function access_text(id, generation)
	return github_secret.derived("ghu_", secrets.mac("github access", id, generation))
end

local function refresh_text(id, generation)
	return github_secret.refresh(id, generation, secrets.mac("github refresh", id, generation))
end

local function pair(id, generation, expires_in)
	return {
		access_token = access_text(id, generation), expires_in = expires_in,
		refresh_token = refresh_text(id, generation), refresh_token_expires_in = LASTS,
	}
end

-- The first pair of a grant, the time when its access token ends, and the statement that makes its line.
function github_refresh.begin(grant_id, scopes)
	local line = { id = crypto.id(), grant_id = grant_id, scopes = scopes, lifetime = LASTS }
	return pair(line.id, 0, EXPIRES), time.now() + EXPIRES, grants.line_statement(line)
end

-- S1: what cannot be one is refused before any look-up.
local function parts(text)
	local id, generation = github_secret.refresh_parts(text)
	if id and generation < github_secret.LAST_GENERATION and crypto.equal(refresh_text(id, generation), text) then
		return id, generation
	end
end

-- The statements beside the rotation. Who comes again in time has had them all.
local function statements_of(line, issued, req)
	local list = { events.statement { kind = "token_refreshed", user = line.user, application = line.application, req = req,
		reason = "github, " .. scope.join(line.scopes) } }
	if line.state == "current" then
		list[2] = store.refresh_statement(line.grant.id, secrets.keyed(issued.access_token), time.now() + EXPIRES)
	end
	return list
end

-- The next pair and its scopes (a list) for a refresh token of this application's, which has proven itself: the pair of before is
-- dead. Or nil and why: reuse has ended the grant. Policies and the person's state are asked again.
function github_refresh.refresh(text, application, req)
	local id, generation = parts(text)
	if not id then
		return nil, "damaged"
	end
	local line, why = refresh_lines.find(id, generation, application, req)
	if not line then
		return nil, why
	end
	local decision = policies.decide { user = line.user, application = application, scopes = line.scopes, grant_type = "refresh_token",
		login = line.grant.login, req = req }
	if not decision.allowed then
		return nil, "refused"
	end
	local issued = pair(id, generation + 1, line.state == "current" and EXPIRES or EXPIRES - (time.now() - line.rotated_at))
	task.detach()
	local ok, problem = refresh_lines.rotate(line, LASTS, statements_of(line, issued, req), req)
	if not ok then
		return nil, problem
	end
	return issued, line.scopes
end

-- The grant of a refresh token, whoever shows it, or nil: what finds one may end it (/credentials/revoke).
function github_refresh.grant(text)
	local id = parts(text)
	local line = id and grants.line(id)
	return line and line.grant.id
end

return github_refresh
