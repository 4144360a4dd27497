-- sources/id_token.lua: is this ID token the source's, for us, of now and of this sign-in? (OpenID Connect Core 3.1.3.7, 3.2.2.11.)
-- Nothing of it is believed before all of it holds. Each refusal says one reason, for the owner.
local access = require "auth/access"
local entra = require "sources/entra"
local scope = require "kit/scope"
local upstream = require "sources/upstream"

local id_token = {}

-- Clocks may differ by five minutes, as Microsoft's own libraries have it.
local SKEW = 300
local ALGORITHMS = { "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512" }
-- Other kinds of token that the same keys may sign (RFC 9068, Back-Channel Logout 2.4, RFC 9449).
local OTHER_TYPES = { ["at+jwt"] = true, ["application/at+jwt"] = true, ["logout+jwt"] = true, ["dpop+jwt"] = true }

local function is_time(value)
	return type(value) == "number" and value == value and math.abs(value) < 2 ^ 53
end

-- ---- issuer and signature ----

-- The issuer that its tokens must have; the spellings that are good too.
local function issuer_of(source, up, claims)
	if source.kind == "entra" then return entra.issuer(source, claims) end
	if not up.issuer then return nil, "the source has no issuer to compare it with" end
	if claims.iss ~= up.issuer and scope.has(source.extra.issuers or {}, claims.iss) then return claims.iss end
	return up.issuer
end

-- A key without "alg" is of any kind that its numbers allow.
local function fits(entry, alg)
	local own = key.alg(entry.handle)
	return own == alg or own == nil and alg:find("^[RP]S") ~= nil
end

-- The one key that can have made it. A token that names none is good where only one fits.
local function key_for(source, up, parsed, claims, issuer)
	local kid = parsed.header.kid
	if kid ~= nil and type(kid) ~= "string" then return nil, "its kid is no text" end
	local list, why = upstream.keys(source, up, kid)
	if not list then return nil, why end
	local candidates = {}
	for _, entry in ipairs(list) do
		if fits(entry, parsed.header.alg) and (source.kind ~= "entra" or entra.may_sign(entry, claims, issuer)) then
			candidates[#candidates + 1] = entry
		end
	end
	if #candidates == 0 then
		return nil, #list == 0 and kid and "it is signed with a key that the source does not publish"
			or "the key that it names may not have signed it"
	elseif #candidates > 1 then
		return nil, "it does not say which of the source's keys signed it"
	end
	return candidates[1].handle
end

local function check_signature(source, up, parsed, claims, issuer)
	local handle, why = key_for(source, up, parsed, claims, issuer)
	if not handle then return why end
	local ok, reason = jws.check(parsed, handle, ALGORITHMS)
	return not ok and "its signature is wrong: " .. tostring(reason) or nil
end

-- ---- what it says ----

-- Section 3.1.3.7, 3 to 5: ours alone, or ours and azp says that it was made for us.
local function check_audience(source, claims)
	local aud, azp, ours = claims.aud, claims.azp, source.client_id
	local list = type(aud) == "string" and { aud } or aud
	if type(list) ~= "table" or #list == 0 then return "it has no aud" end
	if not scope.has(list, ours) then return "it is for another client (aud)" end
	if #list > 1 and azp == nil then return "it is for several clients and does not say for which (azp)" end
	if azp ~= nil and azp ~= ours then return "it was made for another client (azp)" end
end

-- Section 2: exp and iat are required; nbf is not, but means what it says.
local function check_times(claims)
	local now = time.now()
	if not is_time(claims.exp) then return "it has no exp" end
	if claims.exp <= now - SKEW then return "it has expired" end
	if not is_time(claims.iat) then return "it has no iat" end
	if claims.iat > now + SKEW then return "it was made in the future (iat): is a clock wrong?" end
	if claims.nbf ~= nil and (not is_time(claims.nbf) or claims.nbf > now + SKEW) then return "its time has not come (nbf)" end
end

local function check_subject(claims)
	local sub = claims.sub
	if type(sub) ~= "string" or sub == "" then return "it has no sub" end
	if #sub > 255 then return "its sub is longer than 255 bytes" end
end

local function check_hash(claims, name, alg, text)
	if claims[name] == nil or not text then return nil end
	if type(claims[name]) ~= "string" or not crypto.equal(claims[name], access.half_hash(alg, text)) then
		return ("it belongs to another token (%s)"):format(name)
	end
end

-- It is of this sign-in: nobody slipped in one of another (3.1.2.1, 3.1.3.6, 3.3.2.11).
local function check_belonging(claims, alg, expected)
	if expected.nonce then
		if claims.nonce == nil then return "it has no nonce" end
		local same = type(claims.nonce) == "string" and crypto.equal(claims.nonce, expected.nonce)
		if not same then return "its nonce is another sign-in's" end
	end
	return check_hash(claims, "at_hash", alg, expected.access_token) or check_hash(claims, "c_hash", alg, expected.code)
end

local function opened(text)
	local parsed, why = jws.parse(text)
	if not parsed then return nil, "it is no signed token: " .. tostring(why) end
	local typ = parsed.header.typ
	if typ ~= nil and type(typ) ~= "string" then return nil, "its typ is no text" end
	local claims = json.decode(parsed.payload)
	if type(claims) ~= "table" or json.is_array(claims) then return nil, "its payload is no object" end
	return parsed, claims
end

-- Signature and issuer of any token of the source's: claims and the parsed token; or nil, why not, and "denied" when it is right but of
-- a tenant that the owner does not admit. Waits.
function id_token.open(source, up, text)
	local parsed, claims = opened(text)
	if not parsed then return nil, claims end
	local issuer, why, kind = issuer_of(source, up, claims)
	if not issuer then return nil, why, kind end
	if claims.iss ~= issuer then return nil, claims.iss == nil and "it has no iss" or "it is another issuer's (iss)" end
	why = check_signature(source, up, parsed, claims, issuer)
	if why then return nil, why end
	return claims, parsed
end

-- Google's workspaces are named by a claim; the parameter that asks for one is a hint that anybody can take away.
local function check_workspace(source, claims)
	if source.kind ~= "google" or not source.tenants then return nil end
	local hd = type(claims.hd) == "string" and claims.hd:lower()
	if hd and scope.has(source.tenants, hd) then return nil end
	return hd and "the workspace is not one of the source's (hd)" or "the account is of no workspace (hd)"
end

-- The claims of an ID token; or nil, the reason why it is not believed, and "denied" as above. expected: { nonce = of this
-- sign-in (none: none was sent), access_token, code = what came with it, or nil }. Waits.
function id_token.verify(source, up, text, expected)
	local claims, parsed, kind = id_token.open(source, up, text)
	if not claims then return nil, parsed, kind end
	local typ = parsed.header.typ
	local why = typ and OTHER_TYPES[typ:lower()] and "it is another kind of token (typ)" or check_subject(claims)
		or check_audience(source, claims) or check_times(claims) or check_belonging(claims, parsed.header.alg, expected)
	if why then return nil, why end
	why = check_workspace(source, claims)
	if why then return nil, why, "denied" end
	return claims
end

id_token.check_audience, id_token.check_times = check_audience, check_times

return id_token
