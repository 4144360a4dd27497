-- auth/codes.lua: authorization codes (S6): one client, one redirect_uri, one minute, one use.
local events = require "auth/events"
local grants = require "store/grants"
local rows = require "store/rows"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local store = require "store/codes"

local codes = {}

local LIFETIME = 60

-- A code for what `given` says (the field names are those of store/codes), and the statement that stores it, which fails
-- unless the session is alive.
function codes.make(given)
	local code = crypto.token("tlc_")
	local application = given.application
	return code, store.insert_statement {
		side = given.side, keyed = secrets.keyed(code), application_id = application.id, session_id = given.session.id,
		redirect_uri = given.redirect_uri, redirect_uri_sent = given.redirect_uri_sent ~= false,
		challenge = given.challenge, method = given.method, nonce = given.nonce, scopes = scope.join(given.scopes),
		claims_parameter = given.claims_parameter, resources = given.resources, grant_id = crypto.id(),
		expires_at = time.now() + (application.code_lifetime or LIFETIME),
	}
end

-- The row with scopes as a list, `application` found; nil when it is no code, unknown, burnt or expired. A used one is
-- returned (for a day): redeem says so. side: GitHub's codes are "github" (S16).
function codes.look(text, side)
	if type(text) ~= "string" or #text ~= 47 or not text:find("^tlc_[%w_%-]+$") then
		return nil
	end
	local row = store.look(secrets.keyed(text), side)
	if row then
		row.scopes = scope.parse(row.scopes)
	end
	return row
end

-- A redemption that did not fit: the code stays, five times.
function codes.fail(row, reason, req)
	if row.used_at then
		return
	end
	local failures = store.fail(row.keyed)
	if failures >= store.MOST_FAILURES then
		events.add { kind = "code_burnt", user = row.user, application = row.application_id, req = req, reason = reason }
	end
end

local function used_again(row, req)
	local statements = grants.end_statements(row.grant_id, "code_reused")
	statements[#statements + 1] = events.statement {
		kind = "code_reused", user = row.user, application = row.application_id, session = row.session_id, req = req,
		reason = "the grant has been ended",
	}
	rows.urgent(statements)
	return nil, "used"
end

-- Consumes the code together with `statements` (the grant, the refresh line). true, or nil and "used" (somebody was
-- first, the grant has been ended) or "dead" (session, user or application are gone, or time is up).
function codes.redeem(row, statements, req)
	if row.used_at then
		return used_again(row, req)
	end
	local list = { store.redeem_statement(row.keyed), table.unpack(statements) }
	if rows.batch(list) then
		return true
	end
	local now = store.look(row.keyed, row.side)
	if now and now.used_at then
		return used_again(row, req)
	end
	return nil, "dead"
end

return codes
