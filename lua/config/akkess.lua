-- config/akkess.lua: a source as Akkess's documents describe it, read tolerantly: their examples name a member twice (the last counts,
-- here alone), misspell two names and leave the scheme of an issuer out. What is written back is spelled one way.
local akkess = {}

local ADAPTERS = { OIDC = "oidc", OAUTH_2 = "oauth2", IAM_BASIC_IDP = "basic" }
local VISIBILITIES = { PUBLIC = "public", APPLICATION = "application", HIDDEN = "hidden" }
local SYNCS = { NEVER = "never", ONCE = "once", ALWAYS = "always" }
local BLOCK = { OIDC = "adapterConfigOidc", OAUTH_2 = "adapterConfigOauth2" }
local MISSPELT = { adapterConfigOuath2 = "adapterConfigOauth2", visibiltiy = "visibility" }
local URLS = { authorizeUrl = "authorization_url", tokenUrl = "token_url", userInfoUrl = "profile_url" }

-- Their name of each setting, for messages.
akkess.NAMES = {
	issuer = "adapterConfigOidc.issuer", authorization_url = "adapterConfigOauth2.authorizeUrl", token_url = "adapterConfigOauth2.tokenUrl",
	profile_url = "adapterConfigOauth2.userInfoUrl", client_id = "adapterConfigOidc.audience or adapterConfigOauth2.clientId",
	client_secret = "clientSecret", subject_attribute = "subjectMapping.attribute", username_attribute = "usernameMapping.attribute",
	name_attribute = "nameMapping.attribute", trusted_usernames = "trustedUsernames",
}

-- What is wrong; caught in settings().
local function wrong(field, text, ...) error({ field = field, message = text:format(...) }, 0) end

local function same(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then return a == b end
	for name, item in pairs(a) do
		if not same(item, b[name]) then return false end
	end
	for name in pairs(b) do
		if a[name] == nil then return false end
	end
	return true
end

-- Without nulls, and each name as it is spelled today.
local function canonical(object)
	local out = {}
	for name, value in pairs(object) do
		local right = MISSPELT[name] or name
		if right ~= name and object[right] ~= nil and object[right] ~= json.null and not same(object[right], value) then
			wrong(right, "%s and %s are both there and differ", right, name)
		end
		if value ~= json.null and (out[right] == nil or right == name) then out[right] = value end
	end
	return out
end

local function text(object, name, place, needed)
	local value = object[name]
	if value == nil or value == json.null then
		if needed then wrong(place .. name, "%s%s is missing", place, name) end
		return nil
	end
	if type(value) ~= "string" or value == "" then wrong(place .. name, "%s%s must be a text", place, name) end
	return value
end

local function one_of(object, name, place, words, default)
	local value = text(object, name, place, default == nil)
	if value == nil then return default end
	if not words[value] then
		local known = {}
		for word in pairs(words) do known[#known + 1] = word end
		table.sort(known)
		wrong(place .. name, "%s%s is none of %s", place, name, table.concat(known, ", "))
	end
	return words[value]
end

-- The attribute of a mapping like { "attribute": "email" }, and the mapping.
local function attribute(block, name, place)
	local mapping = block[name]
	if mapping == nil or mapping == json.null then return nil end
	if type(mapping) ~= "table" then wrong(place .. name, "%s%s must be an object", place, name) end
	return text(mapping, "attribute", place .. name .. ".", true), mapping
end

-- subjectMapping is OAUTH_2's alone: an ID token has its sub.
local function mappings(out, block, place, adapter)
	if adapter == "OAUTH_2" then out.subject_attribute = attribute(block, "subjectMapping", place) end
	out.username_attribute = attribute(block, "usernameMapping", place)
	local name, mapping = attribute(block, "nameMapping", place)
	out.name_attribute = name
	out.attributes = {
		name = mapping and one_of(mapping, "syncOption", place .. "nameMapping.", SYNCS, "never") or "never",
		email = "never", attributes = "never",
	}
end

local function oidc(out, block, place)
	local issuer = text(block, "issuer", place, true)
	if not issuer:find("^%a[%w+.-]*://") then
		-- As in their example: tokens may have the one spelling or the other.
		out.more.issuers = { issuer }
		issuer = "https://" .. issuer
	end
	out.issuer, out.client_id = issuer, text(block, "audience", place, true)
end

local function oauth2(out, block, place)
	out.client_id = text(block, "clientId", place, true)
	for name, setting in pairs(URLS) do out[setting] = text(block, name, place, true) end
	-- Their document has no scopes, and a profile is nothing without one.
	out.scopes = { "openid", "email", "profile" }
end

local function block_of(object, adapter)
	local name = BLOCK[adapter]
	local block = object[name]
	if type(block) ~= "table" then wrong(name, "%s is missing: the adapter %s needs it", name, adapter) end
	return block, name .. "."
end

-- Two words of our own that their form has no place for.
local function ours(out, object)
	local trusted = object.trustedUsernames
	if trusted ~= nil and type(trusted) ~= "boolean" then wrong("trustedUsernames", "trustedUsernames must be true or false") end
	out.trusted_usernames = trusted
	if object.scopes ~= nil then
		if type(object.scopes) ~= "table" then wrong("scopes", "scopes must be a list") end
		out.scopes = { table.unpack(object.scopes) }
	end
end

local function read(object)
	object = canonical(object)
	local adapter = object.adapter
	local out = { more = {}, kind = one_of(object, "adapter", "", ADAPTERS), visibility = one_of(object, "visibility", "", VISIBILITIES) }
	out.name, out.description = text(object, "name", ""), object.description ~= "" and text(object, "description", "") or nil
	-- They know no registration by oneself: somebody enrols a person first.
	out.enrolment = false
	local key = text(object, "key", "")
	out.more.pool_key = text(object, "subjectPoolKey", "")
	out.attributes = { name = "never", email = "never", attributes = "never" }
	if BLOCK[adapter] then
		local block, place = block_of(object, adapter)
		if adapter == "OIDC" then oidc(out, block, place) else oauth2(out, block, place) end
		mappings(out, block, place, adapter)
		out.client_secret = text(block, "clientSecret", place)
		-- An absent one may be known already (auth/application_sources); null says that there is none.
		out.more.no_secret = block.clientSecret == json.null or nil
	end
	ours(out, object)
	return out, key, object
end

-- The settings (config/sources) of one of their objects, decoded; its key, or nil; and the object as it is written back: canonical names,
-- what we do not know kept, no secret. Or nil, what is wrong, and the field.
function akkess.settings(object)
	if type(object) ~= "table" or json.is_array(object) then return nil, "must be an object", "" end
	local ok, out, key, kept = pcall(read, object)
	if not ok then
		if type(out) == "table" and out.field then return nil, out.message, out.field end
		error(out, 0)
	end
	out.more.akkess = akkess.without_secret(kept)
	return out, key
end

-- The object, without what is a secret.
function akkess.without_secret(object)
	local out = {}
	for name, value in pairs(object) do
		local nested = type(value) == "table" and not json.is_array(value)
		if name ~= "clientSecret" then out[name] = nested and akkess.without_secret(value) or value end
	end
	return out
end

-- The text of a file with one object → settings, or nil and what is wrong.
function akkess.of_file(file)
	local object, why, offset = json.decode_repeated(file)
	if object == nil then return nil, ("no JSON: %s at byte %d"):format(why, offset) end
	return akkess.settings(object)
end

return akkess
