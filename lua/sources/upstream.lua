-- sources/upstream.lua: what a source publishes of itself: its addresses (OpenID Connect Discovery 4) and its keys. Kept for a while,
-- asked for again when a token names a key that is not there, and good without the network for as long as they verify.
local conf = require "kit/conf"
local remote_documents = require "auth/remote_documents"
local remote_keys = require "auth/remote_keys"
local scope = require "kit/scope"
local store = require "store/source_documents"

local upstream = {}

local WELL_KNOWN = "/.well-known/openid-configuration"
local ENDPOINTS = { "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri" }

-- One of them becomes a header: nothing but an address may stand there.
local function is_address(value)
	return type(value) == "string" and #value <= 2000 and value:find("^https?://[\x21-\x7e]+$") ~= nil
end

local function read(document)
	if type(document) ~= "table" or json.is_array(document) then
		return nil, "is no discovery document"
	end
	if document.issuer ~= nil and type(document.issuer) ~= "string" then
		return nil, "is no discovery document: issuer is no text"
	end
	for _, name in ipairs(ENDPOINTS) do
		local value = document[name]
		if value ~= nil and not is_address(value) then
			return nil, ("is no discovery document: %s is no address"):format(name)
		end
	end
	return document
end

local documents = remote_documents.new {
	read = read, fresh = 3600, pause = 5, timeout = 10, max = 262144, most = 200, kept = store,
}
local key_sets = remote_documents.new {
	read = remote_keys.import, fresh = 3600, pause = 30, timeout = 10, max = 262144, most = 200, kept = store,
}

-- ---- who may be asked ----

local function host_of(text)
	local parsed = text and url.parse(text)
	return parsed and parsed.host
end

-- Hosts that the owner's own file names may be private addresses; those that an upstream or a program names may not, but for what
-- outgoing.allow says.
local function own_hosts(source)
	local out = {}
	for _, text in ipairs { source.issuer or "", source.authorization_url or "", source.token_url or "", source.profile_url or "",
		source.jwks_url or "" } do
		out[#out + 1] = host_of(text)
	end
	return out
end

-- How kit/fetch asks somebody of this source: { ca, allow }.
function upstream.how(source)
	return { ca = source.ca, allow = source.declared and own_hosts(source) or nil }
end

local function shelved(source, address)
	local how = upstream.how(source)
	how.key, how.owner = source.id .. " " .. address, source.id
	return how
end

-- ---- addresses ----

-- What the owner says of them, under discovery's names.
function upstream.own(source)
	return {
		issuer = source.issuer, authorization_endpoint = source.authorization_url, token_endpoint = source.token_url,
		userinfo_endpoint = source.profile_url, jwks_uri = source.jwks_url,
	}
end

local function without_slash(text)
	return (text:gsub("/+$", ""))
end

-- Discovery 4.3: true, or nil and what is wrong with the document. A slash at the end is forgiven to who typed the issuer; tokens are
-- compared with the document's. Pure.
function upstream.believed(source, document)
	local fine, why = read(document)
	if not fine then return nil, why end
	if type(document.issuer) ~= "string" or without_slash(document.issuer) ~= without_slash(source.issuer) then
		return nil, ("names another issuer, \"%s\""):format(tostring(document.issuer))
	end
	for _, name in ipairs(ENDPOINTS) do
		local value = document[name]
		if value and source.issuer:find("^https:") and not value:find("^https://") then
			return nil, ("has a %s that is not https"):format(name)
		end
	end
	return true
end

-- Where its document is, or nil when it has none.
function upstream.discovery_address(source)
	if source.adapter ~= "oidc" or not source.issuer or source.extra.discovery == false then return nil end
	return without_slash(source.issuer) .. WELL_KNOWN
end

local function discovered(source, address)
	local document, why = documents:get(address, shelved(source, address))
	local ok
	if document then
		ok, why = upstream.believed(source, document)
	end
	if ok then return document end
	return nil, ("the discovery document at %s %s"):format(address, why)
end

-- The owner's own addresses before the document's; further what the document says of itself (code_challenge_methods_supported …), and
-- `document`: there is one.
function upstream.over(source, document)
	local out = upstream.own(source)
	out.issuer, out.document = document.issuer, true
	return setmetatable(out, { __index = document })
end

-- The addresses of a source. nil and why they cannot be had. Waits.
function upstream.of(source)
	local address = upstream.discovery_address(source)
	if not address then return upstream.own(source) end
	local document, why = discovered(source, address)
	if document then return upstream.over(source, document) end
	local out = upstream.own(source)
	if out.authorization_endpoint and out.token_endpoint and out.jwks_uri then return out end
	return nil, why
end

-- Does a list of an upstream's document, if it is one, name this? Pure.
function upstream.lists(list, value)
	return type(list) == "table" and scope.has(list, value)
end

-- Where the upstream sends people back to.
function upstream.callback_url(source)
	return conf.link("/source/oauth/callback/" .. source.name .. "/")
end

-- ---- keys ----

local function found(list, kid)
	local out = {}
	for _, each in ipairs(list or {}) do
		if kid == nil or each.kid == kid then out[#out + 1] = each end
	end
	return out
end

-- The keys of the source that this kid names (none: all of them), as auth/remote_keys has them; another look is taken for a name that
-- is not there. nil and why. Waits.
function upstream.keys(source, up, kid)
	local address = up.jwks_uri
	if not address then return nil, "the source has no address for its keys" end
	local list, why = key_sets:get(address, shelved(source, address))
	if kid ~= nil and #found(list, kid) == 0 then
		list, why = key_sets:again(address, shelved(source, address))
	end
	if not list then return nil, ("the key set at %s %s"):format(address, why) end
	return found(list, kid)
end

return upstream
