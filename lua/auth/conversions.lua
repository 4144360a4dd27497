-- auth/conversions.lua: would the cloud behind an application take this person? Its conversion rules (mapping/conversions) are asked about
-- the ID token before it is issued, so that who would be refused there is told here, and the owner finds why in the audit log.
local claims = require "auth/claims"
local events = require "auth/events"
local rule_words = require "mapping/rule_words"

local conversions = {}

local WORDS = {
	no_groups = "Your account is in none of the groups that this application needs.",
	no_rule_matched = "Your account does not fulfil the conditions of this application.",
	no_match = "Your account does not fulfil the conditions of this application.",
}
local OTHER = "This application could not tell who you are from your account."

-- What happened, as `tidelock try rules --explain` has it, in one line for the event.
local function explained(trace)
	return (table.concat(rule_words.explain(trace, {}), "; "):gsub("; +", "; "))
end

-- Who somebody is who comes from a source with conversion rules: { user, groups }, or nil, why, and what happened rule by rule.
function conversions.of_source(source, came, req)
	local all = {}
	for _, given in ipairs { came.claims or {}, came.info or {} } do
		for key, value in pairs(given) do all[key] = value end
	end
	local plain = require("mapping/sources").plain(all)
	local made, refused, trace = require("mapping/conversions").apply(source.conversion_rules, plain, { req = req }, true)
	if made then return made end
	return nil, ("conversion rules %s: %s"):format(source.conversion_rules, refused.reason),
		("%s; %s"):format(refused.message, explained(trace or {}))
end

-- context: as auth/claims has it. Returns { allowed, message }.
function conversions.decide(context)
	local name = context.application.conversion_rules
	if not name then return { allowed = true } end
	local mapping = require "mapping/conversions"
	local token = claims.for_id_token(context)
	token.sub = token.sub or claims.subject(context)
	local about = { person = context.user, application = context.application, req = context.req, session_id = context.session_id }
	local made, refused, trace = mapping.apply(name, token, about, true)
	if made then return { allowed = true } end
	events.add {
		kind = "conversion_refused", user = context.user, application = context.application, session = context.session_id, req = context.req,
		reason = ("conversion rules %s: %s"):format(name, refused.reason), merge = true,
		person = ("%s; %s"):format(refused.message, explained(trace or {})),
	}
	return { allowed = false, message = WORDS[refused.reason] or OTHER, by = name }
end

return conversions
