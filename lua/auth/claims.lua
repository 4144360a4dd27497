-- auth/claims.lua: the claims of one person for one application: asks mapping/scopes with what scripts may see (S24), picks
-- what belongs into the ID token and what to userinfo, and leaves an event for each script that failed or overreached.
--
-- A context is { user = row, application, scopes = list, grant_type, login = { at, amr, acr }, session_id, req,
-- requested = what the claims parameter selected (oidc/claims_parameter) and withheld = the scopes that a policy took away, or nil,
-- alone = no access token comes with the ID token }.
local events  = require "auth/events"
local mapping = require "mapping/scopes"
local report_failures = require "auth/failures"
local scope   = require "kit/scope"
local script  = require "mapping/script"
local users   = require "store/users"

local claims = {}

local function report(context, failures, dropped)
	report_failures(context, failures)
	for _, drop in ipairs(dropped) do
		events.add {
			kind = "claim_dropped", user = context.user, application = context.application, session = context.session_id,
			req = context.req,
			reason = ("scope mapping %s (%s) may not set %s"):format(drop.mapping, drop.script or "built-in", drop.claim),
		}
	end
end

local function evaluate(context, view, scopes)
	local login, req = context.login or {}, context.req or {}
	local made, provenance, failures, dropped = mapping.claims {
		user = view, application = context.application, scopes = scopes,
		token = { scopes = context.scopes, grant_type = context.grant_type },
		session = { auth_time = login.at, amr = login.amr, acr = login.acr },
		request = script.of_request(req),
		person = context.user, req = context.req, login = context.login, session_id = context.session_id, depth = context.depth,
	}
	report(context, failures, dropped)
	return made, provenance, failures
end

-- All claims of the context's scopes, which mapping made which ({ claim = "name (script)" }), and the failures.
function claims.of(context)
	return evaluate(context, users.view(context.user), context.scopes)
end

-- The scopes that make what the application has in every ID token, whether they are asked for or not (id_token_claims): those of
-- its own scopes, else the scope of the claim's name.
function claims.always(application)
	local out, names = {}, application.id_token_claims or {}
	local owner = #names > 0 and mapping.claim_names(application) or {}
	for _, name in ipairs(names) do out = scope.union(out, { owner[name] or name }) end
	return out
end

-- Claims by the granted scopes, and beside them those of scopes that only the claims parameter, or `always`, reaches for. What the
-- application has lost since is not made for it any more (S20).
local function both(context, always)
	local view, still = users.view(context.user), context.application.scopes
	local made, extra = evaluate(context, view, scope.intersect(context.scopes, still)), {}
	local requested = context.requested or {}
	local further = {}
	for _, name in ipairs(scope.union(scope.intersect(requested.scopes or {}, still), always)) do
		if not scope.has(context.scopes, name) and not scope.has(requested.withheld or {}, name) then further[#further + 1] = name end
	end
	if #further > 0 then extra = evaluate(context, view, further) end
	return made, extra
end

local function select(into, names, made, extra)
	for _, name in ipairs(names or {}) do
		if into[name] == nil then
			local value = made[name]
			if value == nil then value = extra[name] end
			into[name] = value
		end
	end
	return into
end

-- For the ID token: everything where the application has it so (authentik's default) or nobody could ask userinfo (Core 5.4), else
-- what `claims` asked for.
function claims.for_id_token(context)
	local application = context.application
	local made, extra = both(context, claims.always(application))
	local base = (context.alone or application.include_claims_in_id_token ~= false) and made or {}
	select(base, application.id_token_claims, made, extra)
	return select(base, (context.requested or {}).id_token, made, extra)
end

-- Under which sub the application knows the person: as its ID tokens say it, which a script may have made (script_claims).
function claims.subject(context)
	local application = context.application
	local made = scope.has(application.script_claims or {}, "sub") and claims.for_id_token(context).sub
	return made or users.subject(context.user, application)
end

function claims.for_userinfo(context)
	local made, extra = both(context, {})
	return select(made, (context.requested or {}).userinfo, made, extra)
end

return claims
