-- sources/tokens.lua: a code becomes tokens at the upstream's token endpoint (RFC 6749 4.1.3), with what GitHub and others do otherwise.
local api = require "sources/api"
local fetch = require "kit/fetch"
local upstream = require "sources/upstream"

local tokens = {}

local has = upstream.lists

local TIMEOUT, MOST_BYTES, LONGEST_TOKEN = 10, 262144, 65536

-- "basic", "post", or "none" without a secret. What the upstream does not say is Basic (Discovery 3).
local function method_of(source, up, secret)
	if not secret then return "none" end
	local methods = up.token_endpoint_auth_methods_supported
	return source.extra.token_auth
		or type(methods) == "table" and not has(methods, "client_secret_basic") and has(methods, "client_secret_post") and "post" or "basic"
end

-- RFC 6749 2.3.1.
local function basic(client_id, secret)
	local function encoded(text) return (url.form_encode { { "", text } }:gsub("^=", "")) end
	return "Basic " .. base64.encode(encoded(client_id) .. ":" .. encoded(secret))
end

-- Puts the client's proof where it belongs.
function tokens.authenticate(source, up, fields, headers)
	local secret = source.client_secret()
	local method = method_of(source, up, secret)
	if method == "basic" then
		headers.authorization = basic(source.client_id, secret)
		return
	end
	fields[#fields + 1] = { "client_id", source.client_id }
	if method == "post" then fields[#fields + 1] = { "client_secret", secret } end
end

-- Old servers answer as forms do.
local function decoded(answer)
	local kind = (answer.headers["content-type"] or ""):lower()
	if kind:find("^application/x%-www%-form%-urlencoded") then
		local _, map = url.form_parse(answer.body)
		return map
	end
	local value = json.decode(answer.body)
	return type(value) == "table" and not json.is_array(value) and value or nil
end

-- An error's word, as far as it is one: it goes into the log.
function tokens.word(value)
	return type(value) == "string" and value:match("^[%w_%.%-]+$") and value:sub(1, 60) or "an error"
end

-- What an upstream says of its error, for people; nil when it is not fit for them.
function tokens.words(value)
	if type(value) ~= "string" or not utf8.len(value) or not value:find("%S") then return nil end
	local text = value:gsub("[%z\1-\31\127]+", " ")
	local cut = utf8.offset(text, 401)
	return cut and text:sub(1, cut - 1) .. "…" or text
end

local function text_of(answer, name)
	local value = answer[name]
	return type(value) == "string" and value ~= "" and #value <= LONGEST_TOKEN and value or nil
end

local function lifetime(value)
	local seconds = math.tointeger(tonumber(value) or 0)
	return seconds and seconds > 0 and seconds < 2 ^ 31 and seconds or nil
end

-- GitHub answers 200 for errors too; a server that has trouble says nothing of the person.
local function read(answer)
	local got = decoded(answer)
	if answer.status < 500 and got and got.error ~= nil and got.error ~= json.null then
		return nil, "refused", ("the token endpoint answered %s"):format(tokens.word(got.error)), { person = tokens.words(got.error_description) }
	end
	if answer.status ~= 200 then
		return nil, answer.status >= 500 and "unreachable" or "unusable", ("the token endpoint answered with status %d"):format(answer.status)
	end
	if not got then return nil, "unusable", "the token endpoint's answer is no JSON object" end
	local kind = got.token_type
	local access_token, id_token = text_of(got, "access_token"), text_of(got, "id_token")
	if not access_token then return nil, "unusable", "the token endpoint's answer has no access_token" end
	if access_token:find("[^\33-\126]") then return nil, "unusable", "the access token has characters that no token has" end
	if type(kind) == "string" and kind:lower() ~= "bearer" then return nil, "unusable", "the access token is of a kind that we do not know" end
	return {
		access_token = access_token, id_token = id_token, refresh_token = text_of(got, "refresh_token"), token_type = "Bearer",
		scope = text_of(got, "scope"), expires_in = lifetime(got.expires_in),
	}
end

-- One request to the token endpoint: { access_token, token_type, id_token, refresh_token, expires_in (seconds), scope }, or nil, kind of
-- problem (sources/problem), why, and more of it. `fields` is a list of { name, value }. Waits.
function tokens.request(source, up, fields)
	local how, headers = upstream.how(source), { accept = "application/json" }
	tokens.authenticate(source, up, fields, headers)
	local answer, code, detail = fetch.post_form(up.token_endpoint, fields,
		{ timeout = TIMEOUT, max = MOST_BYTES, ca = how.ca, allow = how.allow, headers = headers })
	if not answer then return nil, api.kind_of(code), ("the token endpoint could not be asked: %s %s"):format(code, detail or "") end
	return read(answer)
end

-- A code's tokens. verifier: of PKCE, or nil.
function tokens.redeem(source, up, code, redirect_uri, verifier)
	local fields = { { "grant_type", "authorization_code" }, { "code", code }, { "redirect_uri", redirect_uri } }
	if verifier then fields[#fields + 1] = { "code_verifier", verifier } end
	local token, kind, why, more = tokens.request(source, up, fields)
	if token and source.adapter == "oidc" and not token.id_token then
		return nil, "unusable", "the token endpoint's answer has no id_token"
	end
	return token, kind, why, more
end

return tokens
