-- github/parameters.lua: what a request to GitHub's OAuth endpoints says, however it is sent: form, JSON, and in the URL where the
-- application allows it (S18); who asks, and whether it is that application.
local clients = require "auth/clients"
local err     = require "kit/err"
local events  = require "auth/events"
local guesses = require "auth/guesses"

local parameters = {}

local LONGEST = 2000
local NAMES = { "client_id", "client_secret", "code", "redirect_uri", "code_verifier", "grant_type", "device_code", "scope", "state",
	"refresh_token" }

local function malformed(text)
	err.raise("invalid_request", text, { status = 400 })
end

local function from_form(text)
	local fields, map, duplicated = url.form_parse(text)
	if not fields then malformed("The parameters are not well-formed.") end
	for _, name in ipairs(NAMES) do
		if duplicated[name] then malformed(("The parameter %s came more than once."):format(name)) end
	end
	return map
end

local function from_json(text)
	local value = json.decode(text)
	if type(value) ~= "table" then malformed("Problems parsing JSON") end
	return value
end

local function from_body(req)
	local body, kind = req.body or "", (req.headers["content-type"] or ""):lower()
	if kind:find("json", 1, true) or body:find("^%s*{") then return body == "" and {} or from_json(body) end
	return from_form(body)
end

-- The parameters that have a value, as texts.
local function known(map)
	local out = {}
	for _, name in ipairs(NAMES) do
		local value = map[name]
		if type(value) == "string" and value ~= "" then
			if #value > LONGEST then malformed(("The parameter %s is too long."):format(name)) end
			out[name] = value
		end
	end
	return out
end

-- Both halves of a Basic header as they stand, or nil. Other schemes are none of ours.
local function basic(req)
	local text = (req.headers.authorization or ""):match("^[Bb][Aa][Ss][Ii][Cc]%s+(%S+)%s*$")
	local pair = text and #text < 3000 and base64.decode(text)
	return (pair or ""):match("^([^:]*):(.*)$")
end

-- RFC 6749 2.3.1 has the halves encoded as in a form; many clients send them raw.
local function decoded(text)
	return url.decode((text:gsub("%+", " "))) or text
end

local function with_github(client_id)
	local application = client_id and clients.find(client_id)
	return application and application.github and application or nil
end

-- The application that a Basic header names, and the readings of its secret, the likeliest first; nil without such a header or such
-- an application (S16).
function parameters.by_basic(req)
	local id, secret = basic(req)
	local application = id and (with_github(id) or with_github(decoded(id)))
	if application then return application, { secret, decoded(secret) } end
end

-- The application that is named (raises where there is none), and the readings of its secret.
local function named(req, form)
	if not basic(req) then
		local application = err.need(with_github(form.client_id), "Not Found", nil, { status = 404 })
		return application, { form.client_secret }
	end
	local application, secrets = parameters.by_basic(req)
	err.need(application, "Not Found", nil, { status = 404 })
	if form.client_id and form.client_id ~= application.client_id then
		malformed("The Authorization header and the parameters name different clients.")
	end
	secrets[3] = form.client_secret
	return application, secrets
end

-- The parameters of the URL that the body has not. Only of applications that ask for it: URLs stand in logs.
local function with_query(req, form)
	local query = known(from_form(req.query or ""))
	if not next(query) then return form end
	local application = with_github(form.client_id or basic(req) or query.client_id)
	if not application or not application.github.query_secret then
		if application and not next(form) and not req.tried then
			events.add { kind = "client_failed", application = application, req = req, merge = true,
				reason = "the parameters stand in the URL, and query_secret is not set" }
		end
		return form
	end
	for name, value in pairs(form) do query[name] = value end
	return query
end

-- The application, nothing proven, and the parameters; `secrets` is what came as its secret. An unknown client_id, and one without
-- GitHub's side, is Not Found (S16).
function parameters.read(req)
	local form = with_query(req, known(from_body(req)))
	local application, secrets = named(req, form)
	req.application = application
	return application, form, secrets
end

-- Is one of `secrets` the application's? Guesses are counted (S30); a public client has none.
function parameters.has_secret(req, application, secrets)
	guesses.refuse(application.client_id, req)
	local right = false
	for index = 1, 3 do
		if secrets[index] and clients.has_secret(application, secrets[index]) then right = true end
	end
	if not right then
		guesses.count(application.client_id, req)
		events.add { kind = "client_failed", application = application, req = req, merge = true, reason = "the secret is wrong or missing." }
	end
	return right
end

-- Did one of `secrets` prove the application? A public client has none to prove.
function parameters.proven(req, application, secrets)
	return application.client_type == "public" or parameters.has_secret(req, application, secrets)
end

return parameters
