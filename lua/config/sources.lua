-- config/sources.lua: source "entra" { kind = "entra", … }: where people have an account already. What the owner says, completed by what
-- is known of the kind, is all that the rest of the product reads of it; nothing here needs the network.
local address = require "config/address"
local kinds = require "config/source_kinds"
local types = require "config/types"

local sources = { list = "sources" }

local word = types.text { max = 200 }
-- A dotted path into claims or profile: "email", "realm_access.roles", "otherMails.1".
local path = types.text { max = 200, pattern = "[^%c%s]+", why = "is no path of names like \"address.country\"" }
local GUID = ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(3) .. "%-" .. ("%x"):rep(12)
-- Entra's tenant of personal accounts (facts: directory E1).
local CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"

local function web_url(value)
	local url, why = address.url(value)
	if not url then
		return nil, why
	end
	if url.scheme ~= "https" and url.scheme ~= "http" or (url.host or "") == "" or url.fragment or url.userinfo
		or url.host:find("*", 1, true) then
		return nil, "must be an http or https URL of one host, without user and fragment"
	end
	return value
end

-- Akkess writes them in capitals.
local function sync(value)
	local lower = type(value) == "string" and value:lower()
	if lower ~= "never" and lower ~= "once" and lower ~= "always" then
		return nil, 'must be one of "never", "once", "always"'
	end
	return lower
end

local function syncs(value)
	if type(value) ~= "table" then
		return nil, "must be a table like { name = \"once\" }"
	end
	local out = {}
	for name, item in pairs(value) do
		local kept, why = sync(item)
		if type(name) ~= "string" or not kept then
			return nil, (".%s %s"):format(tostring(name), why or "is no name")
		end
		out[name] = kept
	end
	return out
end

sources.schema = {
	file = types.text { max = 1000 },
	kind = types.one_of("oidc", "oauth2", "entra", "github", "google", "gitlab", "okta", "keycloak", "basic"),
	name = types.text(), description = types.text { max = 2000, empty = true, lines = true },
	issuer = web_url, authorization_url = web_url, token_url = web_url, profile_url = web_url, jwks_url = web_url,
	client_id = types.text { max = 300, pattern = "[\x21-\x7e]+", why = "has characters that a client_id cannot have" },
	client_secret = types.text { max = 1000, pattern = "[\x20-\x7e]+", why = "has characters that a client_secret cannot have" },
	scopes = types.list(types.text { max = 200, pattern = "[^%c%s\"\\\x7f-\xff]+", why = "has characters that scopes cannot have" }),
	tenants = types.list(word), groups = types.any_of("true, false or the name of a claim", types.boolean, path),
	matching = types.one_of("identifier", "email_link", "email_deny", "username_link", "username_deny"),
	group_matching = types.one_of("identifier", "name_link", "name_deny"),
	mappings = types.list(word), conversion_rules = word, enrolment = types.boolean, trusted_usernames = types.boolean,
	reauthenticate = types.one_of("check", "trust"), attributes = syncs,
	subject_attribute = path, username_attribute = path, name_attribute = path, email_attribute = path,
	machine = types.record { audiences = types.list(word), clients = types.list(word), roles = types.list(word) },
	keep_tokens = types.boolean, visibility = types.one_of("public", "application", "hidden"), ca_file = types.text { max = 1000 },
}

-- It stands in the addresses that people type into other people's forms.
function sources.label(text)
	if #text > 100 or not text:find("^[%w][%w_%-]*$") then
		return "a source's name is part of its address: letters, digits, - and _"
	end
end

local function with_default(s, name, value)
	if s[name] == nil then
		s[name] = value
	end
end

local function contains(list, value)
	for _, each in ipairs(list or {}) do
		if each == value then return true end
	end
	return false
end

-- Those of the kind and the owner's; a first "*" leaves the kind's out, as authentik has it.
local function scopes_of(s, kind)
	local out, own = {}, s.scopes or {}
	local function add(list, first)
		for index = first, #list do
			if not contains(out, list[index]) then out[#out + 1] = list[index] end
		end
	end
	if own[1] ~= "*" then add(kind.scopes, 1) end
	add(own, own[1] == "*" and 2 or 1)
	if s.groups and kind.group_scope then add({ kind.group_scope }, 1) end
	return out
end

local function origin_of(url)
	return url and url:match("^(https?://[^/?]+)")
end

-- S26: which tenants may come in is always said; an address that names one says it.
local function tenants_of(s, report)
	local segment = (s.authorization_url or ""):match("^https?://[^/]+/([^/]+)/")
	if not s.tenants and segment and segment:find("^" .. GUID .. "$") then
		s.tenants = { segment }
	end
	for index, each in ipairs(s.tenants or {}) do
		if not each:find("^" .. GUID .. "$") then
			report("tenants", ("\"%s\" is no tenant's id: that is a GUID"):format(each))
		end
		s.tenants[index] = each:lower()
	end
	if not s.tenants or #s.tenants == 0 then
		report("tenants", "tenants is missing: without it every Entra tenant on earth could sign in")
		return "organizations"
	end
	return segment or (#s.tenants == 1 and s.tenants[1]) or contains(s.tenants, CONSUMERS) and "common" or "organizations"
end

local function entra(s, report)
	local segment = tenants_of(s, report)
	local extra = s.extra
	extra.authority = origin_of(s.authorization_url) or origin_of(s.issuer) or extra.authority
	extra.graph = origin_of(s.profile_url) or extra.graph
	with_default(s, "authorization_url", ("%s/%s/oauth2/v2.0/authorize"):format(extra.authority, segment))
	with_default(s, "token_url", ("%s/%s/oauth2/v2.0/token"):format(extra.authority, segment))
	with_default(s, "jwks_url", ("%s/%s/discovery/v2.0/keys"):format(extra.authority, segment))
	with_default(s, "profile_url", extra.graph .. "/v1.0/me")
	-- E1: what a token's tenant is put into, of both versions; each cloud has its own (21Vianet's v1 is not Microsoft's).
	with_default(s, "issuer", extra.authority .. "/{tenantid}/v2.0")
	extra.issuer_v1 = extra.authority:find("chinacloudapi.cn", 1, true) and "https://sts.chinacloudapi.cn/{tenantid}/"
		or extra.authority:find("partner.microsoftonline.cn", 1, true) and "https://sts.chinacloudapi.cn/{tenantid}/"
		or "https://sts.windows.net/{tenantid}/"
	extra.segment = segment
end

local function github(s)
	local extra = s.extra
	if s.issuer then
		extra.web = s.issuer:gsub("/+$", "")
		extra.api = extra.web .. "/api/v3"
	end
	extra.web = origin_of(s.authorization_url) or extra.web
	extra.api = s.profile_url and s.profile_url:gsub("/user/?$", "") or extra.api
	with_default(s, "authorization_url", extra.web .. "/login/oauth/authorize")
	with_default(s, "token_url", extra.web .. "/login/oauth/access_token")
	with_default(s, "profile_url", extra.api .. "/user")
	s.issuer = nil
end

-- A workspace is a domain. The page at Google is told, and the token is looked at (sources/id_token).
local function google(s, report)
	if not s.tenants then return end
	if #s.tenants == 0 then report("tenants", "tenants is empty: the domains of the workspaces that may come in") end
	for index, each in ipairs(s.tenants) do s.tenants[index] = each:lower() end
	s.extra.parameters = s.extra.parameters or {}
	s.extra.parameters.hd = #s.tenants == 1 and s.tenants[1] or "*"
end

local SPECIAL = { entra = entra, github = github, google = google }

-- Does anybody on earth have an account there?
local function is_public(s, kind)
	return kind.public and not s.issuer and not s.authorization_url and not (s.kind == "google" and s.tenants) or false
end

local function copy(value)
	if type(value) ~= "table" then return value end
	local out = {}
	for name, item in pairs(value) do out[name] = copy(item) end
	return out
end

local function fill(s, kind, report)
	with_default(s, "name", s.label)
	s.open_to_all = is_public(s, kind) or nil
	with_default(s, "enrolment", not s.open_to_all)
	s.adapter, s.extra = kind.adapter, copy(kind.extra or {})
	for name, value in pairs(s.more or {}) do s.extra[name] = value end
	s.more = nil
	if contains(s.scopes, kind.group_scope) then
		with_default(s, "groups", true)
	end
	s.scopes = scopes_of(s, kind)
	if type(s.groups) == "string" then
		s.extra.groups_attribute, s.groups = s.groups, true
	end
	local special = SPECIAL[s.kind]
	if special then special(s, report) end
	with_default(s, "issuer", kind.issuer)
	with_default(s, "groups", false)
	with_default(s, "matching", "identifier")
	with_default(s, "group_matching", "identifier")
	with_default(s, "mappings", {})
	with_default(s, "trusted_usernames", false)
	with_default(s, "reauthenticate", "check")
	with_default(s, "attributes", {})
	with_default(s, "keep_tokens", false)
	with_default(s, "visibility", "public")
	with_default(s, "subject_attribute", kind.subject_attribute)
	for _, name in ipairs { "username", "name", "email" } do
		local own = s[name .. "_attribute"]
		s[name .. "_attributes"] = own and { own } or copy(kind[name .. "_attributes"] or kinds.CLAIMS[name .. "_attributes"])
		s[name .. "_attribute"] = nil
	end
end

-- What the kind cannot do without. An issuer's discovery document tells the addresses; with all of them no issuer is needed to find
-- any, but a token's is compared with it.
local function complain(s, kind, report)
	for _, name in ipairs(kind.needs) do
		if s[name] == nil then
			report(name, ("%s is missing: a source of kind \"%s\" needs it"):format(name, s.kind))
		end
	end
	if s.tenants and s.kind ~= "entra" and s.kind ~= "google" then
		report("tenants", ("tenants is of Entra and Google only: a source of kind \"%s\" knows none"):format(s.kind))
	end
	if s.machine and not (s.machine.audiences and (s.machine.clients or s.machine.roles)) then
		report("machine", "machine needs audiences, and clients or roles: who may speak, and to whom")
	end
end

-- Completes the settings of one source; `label` is set. report(field, message).
function sources.complete(s, report)
	local kind = kinds[s.kind or ""]
	if not kind or not kind.adapter then
		report("kind", "kind is missing: what the source is, like \"oidc\" or \"entra\"; or file, a document of Akkess's form")
		return s
	end
	fill(s, kind, report)
	complain(s, kind, report)
	s.file, s.ca_file = nil, nil
	return s
end

-- Before the schema sees it: the document of `file` is read, what stands beside it in the declaration comes before it; and the
-- authorities of ca_file, which the worker cannot open. read(path) → text, or nil and why.
function sources.prepare(given, read, report)
	local out = {}
	if type(given.file) == "string" then
		local text, why = read(given.file)
		local settings
		if text then settings, why = require("config/akkess").of_file(text) end
		if not settings then report("file", ("%s: %s"):format(given.file, why)) end
		out = settings or out
	end
	local more, ca = out.more or {}, nil
	out.more = nil
	if type(given.ca_file) == "string" then
		local text, why = read(given.ca_file)
		if text and not text:find("-----BEGIN CERTIFICATE-----", 1, true) then why = "holds no certificate in PEM" end
		if why then report("ca_file", ("%s: %s"):format(given.ca_file, why)) end
		ca = text
	end
	for name, value in pairs(given) do out[name] = value end
	return out, { more = more, ca = ca }
end

return sources
