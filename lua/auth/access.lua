-- auth/access.lua: the two signed things, by their bytes: how access tokens (RFC 9068, S8) and ID tokens are made and known
-- again. Whether one is alive is not asked here but in auth/tokens.
local clients = require "auth/clients"
local keys = require "auth/keys"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local users = require "store/users"

local access = {}

local ACR = "goauthentik.io/providers/oauth2/default"
local DAY = 86400

-- S21: no script sets these; sub, acr, amr and auth_time only where the application lists them in script_claims.
local RESERVED = {}
for name in ([[iss aud azp client_id exp iat nbf jti nonce at_hash c_hash s_hash sid cnf act may_act scope events active
	tlk]]):gmatch("%S+") do
	RESERVED[name] = true
end
local BY_LEAVE = { sub = true, acr = true, amr = true, auth_time = true }

-- What RFC 9068 2.2.3.1 lets an access token say of a person. In authentik's form (typ JWT) it carries all claims.
local AUTHORIZATION = { groups = true, roles = true, entitlements = true }

local function merge_claims(into, claims, application, only)
	for name, value in pairs(claims or {}) do
		if BY_LEAVE[name] then
			if scope.has(application.script_claims or {}, name) then into[name] = value end
		elseif not RESERVED[name] and (not only or only[name]) then
			into[name] = value
		end
	end
	return into
end

-- ---- making ----

local HASH = { ["256"] = crypto.sha256, ["384"] = crypto.sha384, ["512"] = crypto.sha512 }

-- OpenID Connect Core 3.1.3.6: the left half of the hash that the signature's algorithm uses.
function access.half_hash(alg, text)
	local digest = HASH[alg:sub(-3)](text)
	return base64.url_encode(digest:sub(1, #digest // 2))
end

local function sign(application, typ, payload)
	local alg = application.signing_alg or "RS256"
	local handle, kid = keys.signing(alg, application)
	return assert(jws.sign(handle, { typ = typ, kid = kid }, json.encode(payload), alg))
end

-- What both tokens say, with places for what each adds.
local function common(given, now, lifetime)
	local application, login = given.application, given.login
	return {
		iss = clients.issuer(application), sub = users.subject(given.user, application), iat = now, exp = now + lifetime,
		auth_time = login and login.at, acr = login and (login.acr or ACR),
		amr = login and login.amr and #login.amr > 0 and login.amr or nil, sid = given.sid,
		azp = application.client_id, act = given.act, aud = nil, jti = nil, client_id = nil, scope = nil, tlk = nil,
	}
end

-- RFC 8707 2.2: the resources that were asked for, else the client itself and what the owner adds: never another application's
-- client_id (S21), however the two came to be.
local function audience(application, resources)
	if resources and #resources > 0 then
		return #resources == 1 and resources[1] or json.array { table.unpack(resources) }
	end
	local list = json.array { application.client_id }
	for _, name in ipairs(application.audiences or {}) do
		if not clients.find(name) then list[#list + 1] = name end
	end
	return #list > 1 and list or application.client_id
end

local function access_payload(given, now, lifetime)
	local application = given.application
	local payload = common(given, now, lifetime)
	local compatible = application.access_token_typ == "JWT"
	payload.aud, payload.client_id = audience(application, given.resources), application.client_id
	payload.jti = given.grant_id .. hex.encode(crypto.random(8))
	payload.scope, payload.tlk = given.scope, "a"
	return merge_claims(payload, given.claims, application, not compatible and AUTHORIZATION or nil)
end

-- S8: the sealed form; the key changes daily and its day stands in front.
local function seal(payload)
	local day = tostring(time.now() // DAY)
	local sealed = crypto.seal(secrets.key("opaque access " .. day), json.encode(payload), "tla_" .. day)
	return "tla_" .. day .. "_" .. base64.url_encode(sealed)
end

-- given: see tokens.issue.
function access.make(given, now, lifetime)
	local application, payload = given.application, access_payload(given, now, lifetime)
	if application.access_token == "opaque" then
		return seal(payload)
	end
	local typ = application.access_token_typ == "JWT" and "JWT" or "at+jwt"
	return sign(application, typ, payload)
end

-- The ID token needs the access token's text for at_hash, and both are signed on the pool: when the access token is a
-- JWT its signature is the slow part, so the ID token's wait for it cannot be avoided.
function access.make_id(given, now, lifetime, access_token)
	local application = given.application
	local alg = application.signing_alg or "RS256"
	local payload = common(given, now, lifetime)
	payload.aud, payload.nonce = application.client_id, given.nonce
	payload.at_hash = access_token and access.half_hash(alg, access_token)
	payload.c_hash = given.code_text and access.half_hash(alg, given.code_text)
	payload.jti = hex.encode(crypto.random(16))
	return sign(application, "JWT", merge_claims(payload, given.id_claims, application))
end

-- ---- checking ----

local function payload_of(parsed)
	local claims = json.decode(parsed.payload)
	return type(claims) == "table" and claims or nil
end

-- The claims of a signature of ours; nil and why. Which key it was is told by kid alone; jku, jwk and x5u are never
-- looked at (security-cases 6). find: keys.by_kid, unless older ones are good too.
function access.verified(text, typs, find)
	local parsed, why = jws.parse(text)
	if not parsed then
		return nil, why
	end
	local header = parsed.header
	if not typs[header.typ or ""] or type(header.kid) ~= "string" then
		return nil, "kind"
	end
	local handle, alg = (find or keys.by_kid)(header.kid)
	if not handle or header.alg ~= alg then
		return nil, "key"
	end
	local ok, reason = jws.check(parsed, handle, { alg })
	if not ok then
		return nil, reason or "signature"
	end
	return payload_of(parsed), header.kid
end

-- Claims of access tokens whose signature was good, by their text: two tables, the older one forgotten when the newer one is
-- full. Key, time and liveness are asked each time.
local REMEMBERED = 256
local newer, older, count = {}, {}, 0

local function remember(text, entry)
	if count >= REMEMBERED then
		newer, older, count = {}, newer, 0
	end
	newer[text], count = entry, count + 1
	return entry
end

local function remembered(text)
	local entry = newer[text]
	if not entry then
		entry = older[text]
		if entry then
			remember(text, entry)
		end
	end
	if entry and (not entry.kid or keys.by_kid(entry.kid)) then
		return entry.claims
	end
end

local ACCESS_TYPS = { ["at+jwt"] = true, JWT = true }

local function unsealed(text)
	local day, sealed = text:match("^tla_(%d+)_([%w_%-]+)$")
	local bytes = day and #day < 7 and base64.url_decode(sealed)
	-- Keys of days that no token can be of are not even derived.
	local today = time.now() // DAY
	if not bytes or math.abs(today - tonumber(day)) > 31 then
		return nil, "damaged"
	end
	local plain = crypto.unseal(secrets.key("opaque access " .. day), bytes, "tla_" .. day)
	if not plain then
		return nil, "damaged"
	end
	return json.decode(plain)
end

-- The claims (borrowed) of an access token of ours, whether alive or not. Kinds are told apart by the private claim, never by aud.
function access.claims(text)
	if type(text) ~= "string" or #text > 16384 then
		return nil, "damaged"
	end
	local claims = remembered(text)
	if claims then
		return claims
	end
	local kid
	if text:find("^tla_") then
		claims, kid = unsealed(text)
	else
		claims, kid = access.verified(text, ACCESS_TYPS)
	end
	if not claims then
		return nil, kid
	end
	if claims.tlk ~= "a" or type(claims.jti) ~= "string" then
		return nil, "kind"
	end
	remember(text, { claims = claims, kid = kid })
	return claims
end

return access
