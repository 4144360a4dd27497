-- auth/sources.lua: where people have an account already, as those who sign them in need it. A source is { id, name (of its address),
-- title, description, kind, adapter = "oidc" | "oauth2" | "basic", pool, visibility = "public" | "application" | "hidden", declared
-- (it stands in the file), application_id (of the application whose API made it), client_id, client_secret = function() → text | nil,
-- issuer, authorization_url, token_url, profile_url, jwks_url, scopes = list, tenants, groups = bool, matching, group_matching, mappings,
-- conversion_rules, enrolment, trusted_usernames, reauthenticate = "check" | "trust", machine, keep_tokens, attributes = { name =
-- "never" | "once" | "always" }, subject_attribute, username_attributes, name_attributes, email_attributes = paths of which the first that
-- has a value counts, ca = PEM, extra = what the kind needs besides (config/source_kinds) }. Borrowed by everybody: never changed.
local conf = require "kit/conf"
local scope = require "kit/scope"
local store = require "store/sources"

local sources = {}

-- They change by reload and by the API, which both say so (sources.changed); the age bounds what another node sees late.
local AGE, MOST = 5, 500
local cache, cached, changes = {}, 0, 0

function sources.changed()
	cache, cached, changes = {}, 0, changes + 1
end

-- One as its settings (config/sources) make it, for trying: it has no secret and stands nowhere.
function sources.of_settings(settings, pool)
	local source = setmetatable({ name = settings.label, title = settings.name, pool = pool, declared = true }, { __index = settings })
	function source.client_secret() return settings.client_secret end
	return source
end

local function source_of(row)
	local source = {}
	for name, value in pairs(row.data) do source[name] = value end
	source.id, source.name, source.key, source.title, source.pool = row.id, row.name, row.key, row.data.name, row.pool
	source.declared, source.application_id = row.declared == 1, row.application_id
	source.extra = source.extra or {}
	function source.client_secret() return store.secret(row) end
	return source
end

-- One that believes everybody is for testing only, also when it was made while that was allowed (S26).
local function usable(row)
	return row and row.active and row.declared ~= 2 and (row.data.adapter ~= "basic" or conf.settings().allow_test_sources)
end

local function found(kind, value, read)
	if type(value) ~= "string" or value == "" or #value > 200 or value:find("[^\x21-\x7e]") then return nil end
	local key = kind .. value
	local entry = cache[key]
	if not entry or entry.until_ < time.mono() then
		local before, row = changes, read(value)
		entry = { until_ = time.mono() + AGE, source = usable(row) and source_of(row) or nil }
		if cached >= MOST then cache, cached = {}, 0 end
		if before == changes then cache[key], cached = entry, cached + 1 end
	end
	return entry.source
end

function sources.by_name(name) return found("name:", name, store.by_name) end
function sources.by_id(id) return found("id:", id, store.by_id) end

-- ---- whose they are ----

local all = { until_ = 0 }

local function list()
	if all.changes ~= changes or all.until_ < time.mono() then
		local before, made = changes, {}
		for _, row in ipairs(store.list()) do
			if usable(row) then made[#made + 1] = source_of(row) end
		end
		all = { changes = before, until_ = time.mono() + AGE, list = made }
	end
	return all.list
end

-- All that can be used, by name.
function sources.all() return list() end

local function chosen(application, source)
	local names = application.sources or {}
	if #names > 0 then return scope.has(names, source.name) end
	return not source.application_id or source.application_id == application.id
end

-- What an application signs people in with, whatever their visibility: those that it names and no others; else all of the file's, and
-- its own.
function sources.of_application(application)
	local out = {}
	for _, source in ipairs(list()) do
		if chosen(application, source) then out[#out + 1] = source end
	end
	return out
end

-- What somebody who manages an application's sees: its own too, when it names others.
function sources.managed(application)
	local out = {}
	for _, source in ipairs(list()) do
		if source.application_id == application.id or chosen(application, source) then out[#out + 1] = source end
	end
	return out
end

-- What a sign-in page offers: for nobody's in particular (nil) the public ones of the file. One that is not public is shown to the
-- application that names it; a hidden one is never shown.
function sources.listed(application)
	local out = {}
	for _, source in ipairs(application and sources.of_application(application) or list()) do
		local own = application and (source.application_id or scope.has(application.sources or {}, source.name))
		if source.visibility == "public" and (own or not source.application_id) or (source.visibility == "application" and own) then
			out[#out + 1] = source
		end
	end
	return out
end

return sources
