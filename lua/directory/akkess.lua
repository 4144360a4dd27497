-- directory/akkess.lua: Akkess's interface to the identity providers of an application (facts: directory C2). Managing them wants an API
-- key that may do everything; an application's own token sees what is PUBLIC or APPLICATION there; anybody sees what is PUBLIC. What
-- somebody may not see answers like what is not there, and no view has a secret.
local application_sources = require "auth/application_sources"
local bearer = require "auth/bearer"
local clients = require "auth/clients"
local err = require "kit/err"
local events = require "auth/events"
local permissions = require "auth/permissions"
local person_tokens = require "auth/person_tokens"
local reply = require "kit/reply"
local scope = require "kit/scope"
local sources = require "auth/sources"

local akkess = {}

local ADAPTERS = { oidc = "OIDC", oauth2 = "OAUTH_2", basic = "IAM_BASIC_IDP" }

-- ---- how they are written ----

local function mapping(paths) return paths and paths[1] and { attribute = paths[1] } or nil end

local function name_mapping(source)
	return { attribute = source.name_attributes[1], syncOption = (source.attributes.name or "always"):upper() }
end

-- One of the file that was not written in Akkess's form.
local function described(source)
	local out = { subjectPoolKey = source.pool:match(":([^:]*)$") }
	local maps = { usernameMapping = mapping(source.username_attributes), nameMapping = name_mapping(source) }
	if source.adapter == "oidc" then
		out.adapterConfigOidc = { issuer = source.issuer, audience = source.client_id, usernameMapping = maps.usernameMapping,
			nameMapping = maps.nameMapping }
	elseif source.adapter == "oauth2" then
		out.adapterConfigOauth2 = { clientId = source.client_id, authorizeUrl = source.authorization_url, tokenUrl = source.token_url,
			userInfoUrl = source.profile_url, subjectMapping = mapping { source.subject_attribute }, usernameMapping = maps.usernameMapping,
			nameMapping = maps.nameMapping }
	end
	return out
end

local function document(source)
	local out = {}
	for name, value in pairs(source.extra.akkess or described(source)) do out[name] = value end
	out.key, out.name, out.description = source.key, source.title, source.description
	out.adapter, out.visibility = ADAPTERS[source.adapter], source.visibility:upper()
	return out
end

-- As an array, or a line each where the asker wants application/x-ndjson.
local function answer(req, list)
	if (req.headers.accept or ""):lower():find("application/x-ndjson", 1, true) then
		local lines = {}
		for index, source in ipairs(list) do lines[index] = json.encode(document(source)) .. "\n" end
		return reply.json(table.concat(lines), 200, { ["content-type"] = "application/x-ndjson" })
	end
	local out = json.array {}
	for index, source in ipairs(list) do out[index] = document(source) end
	return reply.json(out)
end

-- ---- who asks ----

-- The user whose API key may do everything, or nil when there is no such key at all.
local function manager(req)
	local text = (req.headers.authorization or ""):match("^%a+ +(tlk_%S+) *$")
	if not text then return nil end
	local token, why = person_tokens.check(text, "api")
	if not token then
		events.add { kind = "api_key_refused", req = req, reason = "identity providers: " .. why, merge = true }
		err.raise("invalid_token", "The API key is not valid.", { status = 401 })
	end
	if not scope.has(scope.split(token.scopes), "everything") or not permissions.has(token.user, "everything") then
		err.raise("insufficient_scope", "The API key may not manage identity providers.", { status = 403, scope = "everything" })
	end
	return token.user
end

-- Anybody else is told what managing wants: who brings a token of another kind that he may not, who brings none that it is missing.
local function need_manager(req)
	local user = manager(req)
	if user then return user end
	bearer.require(req)
	err.raise("insufficient_scope", "Managing identity providers needs an API key that may do everything.",
		{ status = 403, scope = "everything" })
end

local function nothing_here() err.raise("not_found", "There is no such identity provider or application.", { status = 404 }) end

local function application_of(req, name)
	local application = clients.by_slug(name) or clients.find(name)
	if not application then nothing_here() end
	req.application = application
	return application
end

local function of_visibility(list, wanted)
	local out = {}
	for _, source in ipairs(list) do
		if wanted[source.visibility] then out[#out + 1] = source end
	end
	return out
end

local PUBLIC, SHOWN = { public = true }, { public = true, application = true }

-- What the asker may see of an application's: everything, what its own token shows, or what is public.
local function visible(req, application)
	if manager(req) then return sources.managed(application) end
	if req.headers.authorization then
		local live = bearer.require(req)
		local mine = live.application.id == application.id
		return of_visibility(sources.listed(application), mine and SHOWN or PUBLIC)
	end
	return of_visibility(sources.listed(application), PUBLIC)
end

-- ---- endpoints ----

local list = { kind = "bearer" }

function list.GET(req, name)
	need_manager(req)
	return answer(req, sources.managed(application_of(req, name)))
end

-- Replaces the application's own; those of the file stay. An empty array takes all away.
function list.PUT(req, name)
	local user = need_manager(req)
	local application = application_of(req, name)
	local kind = (req.headers["content-type"] or ""):lower():match("^%s*([^;%s]+)")
	if kind ~= "application/json" then err.raise("invalid_request", "The body must be application/json.", { status = 400 }) end
	local decoded, problem, offset = json.decode_repeated(req.body or "")
	if decoded == nil then err.raise("invalid_request", ("The body is no JSON: %s at byte %d."):format(problem, offset), { status = 400 }) end
	local read, why, field = application_sources.read(application, decoded)
	if not read then err.raise("invalid_request", why, { status = 400, field = field }) end
	if not application_sources.replace(application, read, { user = user, req = req }) then
		err.raise("conflict", "Somebody changed them at the same time; try again.", { status = 409 })
	end
	if (req.query or ""):find("returnUpdated=true", 1, true) then return answer(req, sources.managed(application)) end
	return { status = 204, headers = { ["cache-control"] = "no-store" }, body = "" }
end

local one = { kind = "bearer" }

function one.GET(req, path)
	local name, key = path:match("^([^/]+)/(.+)$")
	for _, source in ipairs(visible(req, application_of(req, name))) do
		if source.key == key then return reply.json(document(source)) end
	end
	nothing_here()
end

-- The application is named in the call, and there is no token.
local public = { kind = "bearer", cors = true }

function public.GET(req, name)
	return answer(req, of_visibility(sources.listed(application_of(req, name)), PUBLIC))
end

-- The application is the token's.
local own = { kind = "bearer" }

function own.GET(req)
	return answer(req, of_visibility(sources.listed(bearer.require(req).application), SHOWN))
end

-- The endpoint of a path below /authentication/v1/, and what the path names.
function akkess.find(path)
	if path == "application-identity-provider-policy" then return own end
	local name, rest = path:match("^applications/([^/]+)/(.+)$")
	if not name then return nil end
	if rest == "identity-providers" then return list, name end
	if rest == "public-identity-provider-policy" then return public, name end
	local key = rest:match("^identity%-providers/([^/]+)$")
	if key then return one, name .. "/" .. key end
end

return akkess
