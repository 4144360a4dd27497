-- sources/machine.lua: tokens of programs from a source (S29): is this one the source's, of a program, and for us? Entra gives version 1
-- tokens unless the application there asks for version 2; both are taken.
local id_token = require "sources/id_token"
local profile = require "sources/profile"
local scope = require "kit/scope"
local sources = require "auth/sources"
local upstream = require "sources/upstream"

local machine = {}

-- Microsoft Graph, by both of its names.
local GRAPH = { ["https://graph.microsoft.com"] = true, ["00000003-0000-0000-c000-000000000000"] = true }
-- What says that a person stands behind a token (RFC 9068 2.2.1, OpenID Connect's sessions), or that it is an ID token.
local OF_PEOPLE = { "scp", "nonce", "at_hash", "c_hash", "auth_time", "sid" }
local OTHER_TYPES = { ["logout+jwt"] = true, ["dpop+jwt"] = true, ["secevent+jwt"] = true }

-- The sources that an application names and that speak for programs.
function machine.sources(application)
	local out = {}
	for _, source in ipairs(sources.of_application(application)) do
		local own = source.application_id == application.id or scope.has(application.sources or {}, source.name)
		if own and source.machine then out[#out + 1] = source end
	end
	return out
end

-- Header and claims, nothing proven; nil for what is no signed token.
function machine.peek(text)
	local parsed = jws.parse(text)
	local claims = parsed and json.decode(parsed.payload)
	if type(claims) == "table" and not json.is_array(claims) then return parsed.header, claims end
end

local function audiences(claims)
	return type(claims.aud) == "table" and claims.aud or { claims.aud }
end

-- An application's own name there comes with or without a last slash.
local function without_slash(text) return type(text) == "string" and (text:gsub("/$", "")) or text end

local function is_for_us(source, claims)
	for _, wanted in ipairs(source.machine.audiences) do
		for _, aud in ipairs(audiences(claims)) do
			if without_slash(aud) == without_slash(wanted) then return true end
		end
	end
	return false
end

-- Graph's tokens have a nonce in their header, and a signature that nobody else can check: what to ask for instead.
local function of_graph(source, header, claims)
	for _, aud in ipairs(audiences(claims)) do
		if GRAPH[without_slash(aud)] then return true end
	end
	return source.kind == "entra" and header.nonce ~= nil
end

local function has_role(source, claims)
	for _, role in ipairs(type(claims.roles) == "table" and claims.roles or {}) do
		if scope.has(source.machine.roles, role) then return true end
	end
	return false
end

-- Which program, and may it? Entra names it appid in version 1 and azp in version 2. [RFC 9068 2.2: client_id]
local function check_program(source, claims)
	local client = claims.azp or claims.appid or claims.client_id
	if source.machine.clients and not scope.has(source.machine.clients, client) then
		return "it was made for a program that machine.clients does not name"
	end
	if source.machine.roles and not has_role(source, claims) then return "it has none of machine.roles" end
end

local function check_kind(header, claims)
	local typ = type(header.typ) == "string" and header.typ:lower() or ""
	if OTHER_TYPES[typ] then return "it is another kind of token (typ)" end
	for _, name in ipairs(OF_PEOPLE) do
		if claims[name] ~= nil then return ("it is a person's, or an ID token (%s)"):format(name) end
	end
	if claims.idtyp ~= nil and claims.idtyp ~= "app" then return "it is no program's (idtyp)" end
end

-- Version 1 keys stand apart; those of version 2 say for which issuer they sign.
local function keys_for(source, up, claims)
	if source.kind ~= "entra" or claims.ver ~= "1.0" or not up.jwks_uri then return up end
	return setmetatable({ jwks_uri = (up.jwks_uri:gsub("/discovery/v2%.0/keys", "/discovery/keys")) }, { __index = up })
end

local function believed(source, text, header, claims)
	if of_graph(source, header, claims) then
		return nil, "it is for Microsoft Graph", ("The token is for Microsoft Graph and cannot be checked by anybody else: ask for the scope "
			.. "api://%s/.default instead."):format(source.client_id)
	end
	if not is_for_us(source, claims) then return nil, "it is for none of machine.audiences (aud)" end
	local up, problem = upstream.of(source)
	if not up then return nil, problem end
	local opened, why = id_token.open(source, keys_for(source, up, claims), text)
	if not opened then return nil, why end
	why = check_kind(header, opened) or check_program(source, opened) or id_token.check_times(opened)
	if why then return nil, why end
	if type(opened.sub) ~= "string" or opened.sub == "" or #opened.sub > 255 then return nil, "it has no sub" end
	return opened
end

-- The claims and the source; or nil, why none of `list` believes it, and what its owner could do. Waits.
function machine.verify(list, text)
	local header, claims = machine.peek(text)
	if not header then return nil, "it is no signed token" end
	local why, advice
	for _, source in ipairs(list) do
		local opened, problem, help = believed(source, text, header, claims)
		if opened then return opened, source end
		why = (why and why .. "; " or "") .. ("%s: %s"):format(source.name, problem)
		advice = advice or help
	end
	return nil, why or "no source of the application speaks for programs", advice
end

-- What arrives of a program (auth/arrivals). Its groups are those that the token says, and nobody else tells of them: where it says none,
-- there are none any more.
function machine.came(source, claims)
	local groups, complete = nil, true
	if source.groups then groups, complete = profile.claimed_groups(source, claims) end
	return { subject = claims.sub, issuer = claims.iss, claims = claims, info = claims, groups = groups,
		groups_complete = complete, token = {} }
end

return machine
