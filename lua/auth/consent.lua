-- auth/consent.lua: what a person lets an application know, and for how long (S19).
local events = require "auth/events"
local github_scopes = require "auth/github_scopes"
local grants = require "store/grants"
local mapping = require "mapping/scopes"
local rows = require "store/rows"
local scope = require "kit/scope"
local urls = require "kit/urls"

local consent = {}

local LIFETIME = 28 * 86400

-- Anyone on the machine may listen on loopback or claim a private scheme: being asked is then the only protection.
local function always_asked(application, t)
	if application.consent == "always" then
		return true
	end
	local target = t and t.params and t.params.redirect_uri
	return application.client_type == "public" and target ~= nil and urls.is_native(target)
end

-- Was it given on this request's page, by this person in this session? (S13)
local function given_here(t, session, scopes)
	local mark = t and t.consented
	return mark and session and mark.session == session.id and mark.user == session.user_id
		and scope.contains_all(mark.scopes or {}, scopes)
end

-- The consent that still counts. One that was given while it did not expire ends with the lifetime that is set now.
local function standing(user, application)
	local row = grants.consent(user.id, application.id)
	if row and application.consent == "expiring" and row.at + (application.consent_lifetime or LIFETIME) <= time.now() then
		return nil
	end
	return row
end

-- Must the person be asked? And what was given before (a list).
function consent.needed(user, application, scopes, t, session)
	if given_here(t, session, scopes) then
		return false, scopes
	end
	local forced = t and scope.has(t.prompt or {}, "consent")
	if application.consent == "implicit" then
		return forced or false, {}
	end
	local row = standing(user, application)
	local already = row and scope.parse(row.scopes) or {}
	if forced or always_asked(application, t) then
		return true, already
	end
	return not (row and scope.contains_all(already, scopes)), already
end

-- What records that a person agreed, as statements.
function consent.statements(user, application, scopes, req)
	local row = standing(user, application)
	local all = row and scope.union(scope.parse(row.scopes), scopes) or scopes
	local expires_at = application.consent == "expiring" and time.now() + (application.consent_lifetime or LIFETIME) or nil
	return {
		grants.consent_statement(user.id, application.id, scope.join(all), expires_at),
		events.statement { kind = "consent_given", user = user, application = application, req = req,
			reason = scope.join(scopes) },
	}
end

function consent.give(user, application, scopes, req)
	local statements = consent.statements(user, application, scopes, req)
	task.detach()
	rows.batch(statements)
end

-- What it opened ends with it (S5).
function consent.withdraw(user, application, req)
	local statements = grants.end_for_statements(user.id, application.id, "consent_withdrawn")
	statements[#statements + 1] = grants.forget_consent_statement(user.id, application.id)
	statements[#statements + 1] = events.statement {
		kind = "consent_withdrawn", user = user, application = application, req = req,
	}
	task.detach()
	rows.urgent(statements)
end

-- application id → { at, expires_at or nil, scopes = list }.
function consent.list(user)
	local out = {}
	for _, row in ipairs(grants.consents_of(user.id)) do
		out[row.application_id] = { at = row.at, expires_at = row.expires_at, scopes = scope.parse(row.scopes) }
	end
	return out
end

-- What the page says of each scope; openid and scopes without a description are not listed.
function consent.describe(application, scopes)
	local out = {}
	-- In the application's order; what it has in every ID token may be of no scope of its own.
	local ordered = scope.union(scope.intersect(application.scopes, scopes), scopes)
	for _, known in ipairs(mapping.scopes { scopes = ordered }) do
		local text = known.description
		if known.name ~= "openid" and text and text ~= "" then
			out[#out + 1] = { scope = known.name, text = text }
		end
	end
	for _, name in ipairs(scopes) do
		local text = github_scopes.describe(name)
		if text then
			out[#out + 1] = { scope = name, text = text }
		end
	end
	return out
end

return consent
