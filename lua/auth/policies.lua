-- auth/policies.lua: may this person use this application, and with which scopes? Asks the owner's policies (mapping/policies)
-- and leaves an event for each refusal and each script that failed. Asked wherever something is granted: at authorize before
-- consent, at refresh, at device approval, at each grant without browser.
local claims  = require "auth/claims"
local err     = require "kit/err"
local events  = require "auth/events"
local mapping = require "mapping/policies"
local report_failures = require "auth/failures"
local scope   = require "kit/scope"
local script  = require "mapping/script"
local users   = require "store/users"

local policies = {}

local GENERIC = "The policy of this application does not allow it."

local function report(asked, decision)
	report_failures(asked, decision.failures)
	if not decision.allowed then
		events.add {
			kind = "access_refused", user = asked.user, application = asked.application, session = asked.session_id, req = asked.req,
			reason = ("policy %s, %s"):format(decision.by, asked.grant_type), merge = true,
		}
	end
end

-- asked = { user = row, application, scopes = list, grant_type, req, login = { at, method, amr, acr } or nil, session_id,
-- context = what else the policies may know (never a secret, S24) }. Returns { allowed, message = for the person or nil,
-- scopes = those that are left, in their order, by }. Raises temporarily_unavailable when no script can be run now.
function policies.decide(asked)
	local names, req = asked.application.policies, asked.req or {}
	if not names or #names == 0 then return { allowed = true, scopes = asked.scopes } end
	local decision = mapping.decide {
		user = users.view(asked.user), application = asked.application, scopes = asked.scopes, grant_type = asked.grant_type,
		context = asked.context, login = asked.login, request = script.of_request(req),
		person = asked.user, req = asked.req, session_id = asked.session_id, depth = asked.depth,
	}
	report(asked, decision)
	return decision
end

-- What the claims parameter selected (or nil), reaching for none of `asked` that the policies took away. `withheld` stays with the
-- grant: what the application has in every ID token (id_token_claims) is no way around them. `requested` itself when nothing new is.
function policies.claims(requested, asked, left)
	local before = (requested or {}).withheld or {}
	local withheld = before
	for _, name in ipairs(asked) do
		if not scope.has(left, name) then withheld = scope.union(withheld, { name }) end
	end
	if #withheld == #before then return requested end
	local out = {}
	for name, value in pairs(requested or {}) do out[name] = value end
	out.scopes, out.withheld = scope.intersect(out.scopes or {}, left), withheld
	return out
end

-- Asks the policies for asked.scopes and, within `most` (nil: all), for what the application has in every ID token. What is left of
-- the scopes, and what auth/claims is to know of the rest; nil and the decision when they refuse.
function policies.permitted(asked, most)
	local scopes, always = asked.scopes, claims.always(asked.application)
	asked.scopes = scope.union(scopes, most and scope.intersect(always, most) or always)
	local decision = policies.decide(asked)
	if not decision.allowed then return nil, decision end
	return scope.intersect(scopes, decision.scopes), policies.claims(nil, scope.union(scopes, always), decision.scopes)
end

-- Why, for a client: error_description has no other characters (RFC 6749 4.1.2.1, 5.2).
function policies.description(decision)
	local text = (decision.message or GENERIC):gsub("%s+", " ")
	return text:find('[^]\32-\33\35-\91\94-\126]') and GENERIC or text
end

-- At the token endpoint: the scopes that are left, or invalid_grant.
function policies.require(asked)
	local decision = policies.decide(asked)
	err.need(decision.allowed, "invalid_grant", policies.description(decision))
	return decision.scopes
end

return policies
