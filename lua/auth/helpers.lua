-- auth/helpers.lua: what scripts ask of sign-in itself: tokens, signatures, events. Judged and bounded as mapping/world is: each is
-- function(about, entry, …) → true and a value, or false and why not.
local claims   = require "auth/claims"
local clients  = require "auth/clients"
local duration = require "kit/duration"
local events   = require "auth/events"
local keys     = require "auth/keys"
local policies = require "auth/policies"
local result   = require "mapping/result"
local rows     = require "store/rows"
local scope    = require "kit/scope"
local tokens   = require "auth/tokens"

local helpers = {}

local EVENTS = 5
local DETAILS_MAX = 1500

local function not_allowed(entry, what)
	return false, ("the declaration of %s does not say may = { %s }"):format(entry.name, what)
end

-- ---- events ----

local function secret_name(name)
	name = tostring(name):lower()
	return name:find("passw", 1, true) or name:find("secret", 1, true) or name:find("token", 1, true) or name:find("key", 1, true)
end

local function without_secrets(values)
	if type(values) ~= "table" then return values end
	local out = {}
	for name, value in pairs(values) do out[name] = secret_name(name) and "(left out)" or without_secrets(value) end
	return out
end

local function leave(about, entry, kind, details)
	about.events = (about.events or 0) + 1
	if about.events > EVENTS then return false, "a script leaves at most " .. EVENTS .. " events a call" end
	events.add {
		kind = kind, user = about.person, application = about.application, session = about.session_id, req = about.req, merge = true,
		reason = ("%s %s (%s)"):format(entry.what, entry.name, entry.script), person = details:sub(1, DETAILS_MAX),
	}
	return true
end

-- What it tells stands in `person`: it may be about one (S31).
function helpers.create_event(about, entry, action, values)
	if type(action) ~= "string" or not action:find("^[%w_]+$") or #action > 40 then
		return false, "an action is a word of letters, digits and _"
	end
	return leave(about, entry, "custom_" .. action:lower():gsub("^custom_", ""), json.encode(json.object(without_secrets(values or {}))))
end

function helpers.send_email(about, entry, address)
	local ok, why = leave(about, entry, "email_not_sent", tostring(address))
	if not ok then return false, why end
	return true, false
end

-- ---- tokens ----

-- "seconds=60", "hours=1;minutes=2", "10m" or seconds; nil when it is none of these.
local UNITS = { seconds = 1, minutes = 60, hours = 3600, days = 86400, weeks = 604800 }
local function lifetime_of(text)
	if text == nil then return 60 end
	if math.type(text) then return text // 1 | 0 end
	local total, parts = 0, 0
	for unit, count in tostring(text):gmatch("(%l+)=(%d+)") do
		if not UNITS[unit] or #count > 9 then return nil end
		total, parts = total + UNITS[unit] * tonumber(count), parts + 1
	end
	if parts > 0 then return total end
	return (duration.parse(text))
end

local function capped(validity, application)
	local seconds = lifetime_of(validity)
	return seconds and math.max(1, math.min(seconds, application.access_token_lifetime or 600))
end

-- For the person that this is about alone, as far as the application's own policies allow it.
function helpers.create_jwt(about, entry, pk, slug, wanted, validity)
	local person = about.person
	if not (entry.may and scope.has(entry.may.tokens_for or {}, slug)) then
		return not_allowed(entry, ('tokens_for = { "%s" }'):format(tostring(slug)))
	end
	local application = clients.by_slug(slug)
	if not application then return false, "there is no such application" end
	if not person or pk ~= person.pk then return false, "only for the user that this is about" end
	local seconds = capped(validity, application)
	if not seconds then return false, "validity is no duration" end
	local asked = type(wanted) == "table" and wanted or scope.parse(type(wanted) == "string" and wanted or "") or {}
	local context = {
		user = person, application = application, scopes = scope.intersect(asked, application.scopes), grant_type = "ak_create_jwt",
		req = about.req, login = about.login, session_id = about.session_id, depth = (about.depth or 0) + 1,
	}
	local scopes, requested = policies.permitted(context)
	if not scopes then return false, "the policies of the application refuse" end
	context.scopes, context.requested = scopes, requested
	local answer, statements = tokens.issue {
		application = application, user = person, scopes = scopes, req = about.req, lifetime = seconds, id_token = false,
		claims = claims.for_id_token(context), new = { login = about.login, session_id = about.session_id },
	}
	if not rows.batch(statements) then return false, "it could not be stored" end
	return true, answer.access_token
end

-- Nobody takes it for a token of ours: it has no issuer, and no script sets what our own have (S21).
function helpers.create_jwt_raw(about, entry, slug, validity, given)
	if not (entry.may and entry.may.sign) then return not_allowed(entry, "sign = true") end
	local application = type(slug) == "string" and clients.by_slug(slug)
	if not application then return false, "there is no such application" end
	local seconds = capped(validity, application)
	if not seconds or (given ~= nil and type(given) ~= "table") then return false, "wanted are an application, a validity and claims" end
	local payload, now = given or {}, time.now()
	local dropped = result.drop_reserved(payload, application.script_claims)
	if #dropped > 0 then return false, "only the broker sets " .. table.concat(dropped, ", ") end
	payload.aud, payload.iat, payload.exp = application.client_id, now, now + seconds
	local alg = application.signing_alg or "RS256"
	local handle, kid = keys.signing(alg, application)
	local text, why = jws.sign(handle, { typ = "JWT", kid = kid }, json.encode(json.object(payload)), alg)
	return text ~= nil, text or tostring(why)
end

return helpers
