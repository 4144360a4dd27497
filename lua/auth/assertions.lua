-- auth/assertions.lua: signed proofs that a client is who it says (RFC 7523 3, OpenID Connect Core 9). Which kind is accepted is
-- told by what the client has registered, never by the assertion (RFC 8725 3.1).
local client_keys = require "auth/client_keys"
local store = require "store/assertions"

local assertions = {}

assertions.TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
assertions.ALGORITHMS = { "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512" }

local SKEW, LONGEST = 60, 3600
local TYPS = { ["jwt"] = true, ["client-authentication+jwt"] = true }

-- What an assertion says of itself before anything is proven: claims or nil.
function assertions.peek(text)
	local payload = text:match("^[%w_%-]+%.([%w_%-]+)%.[%w_%-]+$")
	local bytes = payload and base64.url_decode(payload)
	local claims = bytes and json.decode(bytes)
	return type(claims) == "table" and not json.is_array(claims) and claims or nil
end

local function is_number(value)
	return type(value) == "number" and value == value and math.abs(value) < 2 ^ 53
end

-- S10: each value must be ours, so that an assertion made for another server is not good here, nor this one there.
local function for_us(aud, audiences)
	local list = type(aud) == "string" and { aud } or aud
	if type(list) ~= "table" or #list == 0 or not (type(aud) == "string" or json.is_array(aud)) then
		return false
	end
	for _, value in ipairs(list) do
		if not audiences[value] then
			return false
		end
	end
	return true
end

local function timely(claims, now)
	if not is_number(claims.exp) or claims.exp <= now - SKEW then
		return false, "it has expired."
	end
	if claims.exp > now + LONGEST + SKEW then
		return false, "it is good for more than an hour."
	end
	for _, name in ipairs { "nbf", "iat" } do
		local value = claims[name]
		if value ~= nil and (not is_number(value) or value > now + SKEW) then
			return false, "its time has not come."
		end
	end
	return true
end

-- RFC 7523 3 of claims whose signature is right: true, or false and what is wrong.
local function acceptable(claims, client_id, audiences)
	if claims.iss ~= client_id or claims.sub ~= client_id then
		return false, "iss and sub are not the client_id."
	end
	if not for_us(claims.aud, audiences) then
		return false, "aud is not this server alone."
	end
	local ok, why = timely(claims, time.now())
	if not ok then
		return false, why
	end
	if type(claims.jti) ~= "string" or claims.jti == "" or #claims.jti > 500 then
		return false, "jti is missing."
	end
	return true
end

-- The token by the key pair or the shared secret that the client has registered; nil and why.
local function opened(text, application, shared)
	local parsed, why
	if application.token_endpoint_auth_method == "client_secret_jwt" then
		why = "the client has no secret for it."
		for _, secret in ipairs(shared()) do
			parsed, why = jws.open_hmac(text, secret)
			if parsed then
				break
			end
		end
	else
		parsed, why = jws.parse(text)
		if parsed then
			local right, reason, cause = client_keys.signed(application, parsed, assertions.ALGORITHMS)
			if not right then
				return nil, reason, cause
			end
		end
	end
	if not parsed then
		return nil, why
	end
	local typ = parsed.header.typ
	if typ ~= nil and not (type(typ) == "string" and TYPS[typ:lower()]) then
		return nil, "it is another kind of token."
	end
	return parsed
end

-- Does the assertion prove the application? audiences: set of what its aud may be; shared: function → the live secrets as text.
-- True, and it can never be used again; or false, why, and what only the owner is to know. Waits.
function assertions.prove(text, application, audiences, shared)
	local parsed, why, cause = opened(text, application, shared)
	local claims = parsed and json.decode(parsed.payload)
	if type(claims) ~= "table" then
		return false, why or "its payload is not an object.", cause
	end
	local ok
	ok, why = acceptable(claims, application.client_id, audiences)
	if not ok then
		return false, why
	end
	if not store.use(application.id, claims.jti, math.ceil(claims.exp) + SKEW + 1) then
		return false, "it has been used before."
	end
	return true
end

return assertions
