-- mapping/scopes.lua: who becomes what. Runs the mappings of the scopes that a token has, built-in ones here, declared ones
-- in the jail, and brings their results together. Never raises for a script's mistake: a failing mapping drops its claims,
-- and the caller makes an event of what is in `failures` and `dropped`.
local builtin = require "mapping/builtin"
local has     = require "kit/scope".has
local result  = require "mapping/result"
local script  = require "mapping/script"

local mapping = {}

-- scope → list of mappings, ordered by name: { name, scope, description, label = "name (script)", script?, source?, run? }.
-- The built-in ones, until declare() puts the configuration's in their places, once a generation.
local function builtins()
	local out = {}
	for scope, own in pairs(builtin) do
		out[scope] = { {
			name = scope, scope = scope, description = own.description, run = own.run, label = scope .. " (built-in)",
		} }
	end
	return out
end

local by_scope = builtins()

-- Takes the configuration's mappings and, with `compile`, asks the jail whether they are Lua at all.
-- Returns true, or nil and "file:line: text".
function mapping.declare(list, compile)
	local declared = {}
	for _, entry in ipairs(list or {}) do
		local ok, why = true, nil
		if compile then ok, why = script.compile(entry) end
		if not ok then return nil, why end
		local of_scope = declared[entry.scope] or {}
		declared[entry.scope] = of_scope
		of_scope[#of_scope + 1] = {
			name = entry.name, what = "scope mapping", scope = entry.scope, description = entry.description, script = entry.script,
			source = entry.source, may = entry.may, label = ("%s (%s)"):format(entry.name, entry.script),
		}
	end
	by_scope = builtins()
	for scope, of_scope in pairs(declared) do
		table.sort(of_scope, function(one, other) return one.name < other.name end)
		by_scope[scope] = of_scope
	end
	return true
end

local function of_scope(scope) return by_scope[scope] or {} end

-- The scopes of an application in its own order: { { name, description, source = "built-in" | path | "none" } }.
function mapping.scopes(application)
	local out = {}
	for _, scope in ipairs(application.scopes) do
		local list = of_scope(scope)
		local description, source = "", "none"
		for _, entry in ipairs(list) do
			if description == "" then description = entry.description or "" end
			source = entry.script or "built-in"
		end
		out[#out + 1] = { name = scope, description = description, source = source }
	end
	return out
end

-- S24: what a mapping sees.
local function given_of(context)
	local token, session, request = context.token or {}, context.session or {}, script.request(context.request)
	return {
		user = context.user, application = script.application(context.application),
		token = { scopes = token.scopes or context.scopes, grant_type = token.grant_type },
		session = { auth_time = session.auth_time, amr = session.amr, acr = session.acr },
		request = request, ak_client_ip = request.client_ip, ak_is_sso_flow = (context.login or {}).method == "source",
	}
end

-- Runs one script; exact counts every instruction, for trying. Returns its claims and what the run cost, or nil and the
-- failure.
local function run(entry, given, about, exact)
	local answer, failure = script.run(entry, given, about, exact)
	local claims, why
	if answer then claims, why = result.claims(entry.scope, answer.result) end
	if claims then return claims, answer end
	failure = failure or script.failure(entry, given, { kind = "result", message = why })
	failure.mapping, failure.scope = entry.name, entry.scope
	return nil, failure
end

local function sorted_unique(scopes)
	local out, seen = {}, {}
	for _, scope in ipairs(scopes) do
		if not seen[scope] then out[#out + 1] = scope end
		seen[scope] = true
	end
	table.sort(out)
	return out
end

-- context = { user = users.view(…), application, scopes = list, token = { scopes, grant_type }, session = { auth_time,
-- amr, acr }, request = { client_ip, path } }. Returns claims, provenance { claim = "name (script), …" }, failures (see run),
-- dropped { { mapping, script, claim } }. Scopes run by name, so that the later name wins.
function mapping.claims(context)
	local claims, provenance, failures, dropped, given = {}, {}, {}, {}, nil
	context.failures = failures
	local function take(entry, made)
		for name in pairs(made) do
			provenance[name] = provenance[name] and provenance[name] .. ", " .. entry.label or entry.label
		end
		result.merge(claims, made)
	end
	local function evaluate(entry)
		given = given or given_of(context)
		local made, failure = run(entry, given, context)
		if not made then
			failures[#failures + 1] = failure
			return
		end
		for _, name in ipairs(result.drop_reserved(made, context.application.script_claims)) do
			dropped[#dropped + 1] = { mapping = entry.name, script = entry.script, claim = name }
		end
		take(entry, made)
	end
	for _, scope in ipairs(sorted_unique(context.scopes)) do
		for _, entry in ipairs(of_scope(scope)) do
			if entry.run then take(entry, entry.run(context.user)) else evaluate(entry) end
		end
	end
	return claims, provenance, failures, dropped
end

-- A person without properties, for finding out which claims mappings can make.
local nobody = {
	username = "anonymous", name = "", email = "anonymous@invalid", email_verified = false, uid = "", uuid = "", pk = 0,
	is_active = true, type = "internal", attributes = {}, groups = {}, all_groups = {},
}

-- OpenID Connect Core 5.4: whose claims these are, also where only somebody with properties has them.
local STANDARD = {
	profile = { "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "updated_at" },
	email = { "email", "email_verified" },
	address = { "address" },
	phone = { "phone_number", "phone_number_verified" },
}

-- By application; a changed application is another table.
local known_names = setmetatable({}, { __mode = "k" })

-- Which claim comes of which scope, as far as a user without properties or the standard shows it: { claim = scope }, and the names
-- that the former has, sorted. Failing mappings are skipped; nothing is reported.
function mapping.claim_names(application)
	local known = known_names[application]
	if known then return known.owner, known.names end
	local owner, names = {}, {}
	for _, scope in ipairs(sorted_unique(application.scopes)) do
		local made = mapping.claims { user = nobody, application = application, scopes = { scope } }
		for name in pairs(made) do
			if not owner[name] then names[#names + 1] = name end
			owner[name] = owner[name] or scope
		end
	end
	for scope, list in pairs(STANDARD) do
		for _, name in ipairs(has(application.scopes, scope) and list or {}) do owner[name] = owner[name] or scope end
	end
	table.sort(names)
	known_names[application] = { owner = owner, names = names }
	return owner, names
end

local function named(name, list)
	for _, entry in ipairs(list or {}) do
		if entry.name == name or entry.label == name then return entry end
	end
	for _, mappings in pairs(by_scope) do
		for _, entry in ipairs(mappings) do
			if entry.name == name then return entry end
		end
	end
	return of_scope(name)[1]
end

-- One mapping for `tidelock try scope`: by its name, else by its scope; `list`, the mappings of the configuration as the files
-- stand now, comes before what this generation runs. Returns { name, scope, script, claims, dropped, result,
-- instructions, memory, ms, log }, or nil and the failure; nil alone when there is no such mapping.
function mapping.try(name, context, list)
	local entry = named(name, list)
	if not entry then return nil end
	context.scopes = context.scopes or { entry.scope }
	local made, cost
	if entry.run then
		made = entry.run(context.user)
		cost = { result = made, log = {} }
	else
		made, cost = run(entry, given_of(context), context, true)
		if not made then return nil, cost end
	end
	local dropped = result.drop_reserved(made, (context.application or {}).script_claims)
	return {
		name = entry.name, scope = entry.scope, script = entry.script or "built-in", claims = made, dropped = dropped,
		result = cost.result, instructions = cost.instructions, memory = cost.memory, ms = cost.ms, log = cost.log,
		given = cost.given,
	}
end

return mapping
