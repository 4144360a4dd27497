-- auth/arrived.lua: what a source says of somebody, as properties: { username, name, email, email_verified, attributes, groups = list of
-- { id, name } or nil }: first by the kind's own names of claims, then by the source's mapping scripts.
local mapping = require "mapping/sources"

local arrived = {}

-- The value at a dotted path ("address.country", "otherMails.1"); a claim whose name has dots itself comes first. Pure.
function arrived.at(value, path)
	if type(value) ~= "table" then return nil end
	if value[path] ~= nil then return value[path] end
	for part in path:gmatch("[^.]+") do
		if type(value) ~= "table" then return nil end
		local index = value[part] == nil and math.tointeger(tonumber(part)) or part
		value = value[index]
	end
	return value
end

-- Numbers exactly as they were written: an id of ten digits is no 1.2e+09.
function arrived.text(value)
	if math.type(value) == "integer" then return ("%d"):format(value) end
	if type(value) == "string" and value ~= "" and utf8.len(value) and not value:find("%c") then return value end
end

local function first(paths, ...)
	for _, path in ipairs(paths or {}) do
		for index = 1, select("#", ...) do
			local text = arrived.text(arrived.at((select(index, ...)), path))
			if text then return text end
		end
	end
end

-- Of old tokens, and of some makers, it is a text (facts: directory F).
local function is_true(value) return value == true or value == "true" end

-- Does the source vouch for this address? The assertion has to be about the very address.
local function verified(source, came, email)
	local name = source.extra.verified_email or "email_verified"
	for _, given in ipairs { came.claims or {}, came.info or {} } do
		if is_true(given[name]) and type(given.email) == "string" and given.email:lower() == email:lower() then return true end
	end
	return false
end

-- As many as a mapping may give: a group is a row here.
local MOST_GROUPS = 5000

local function group_of(item)
	if type(item) == "table" then
		local name = arrived.text(item.name)
		local id = arrived.text(item.id) or name
		return id and #id <= 255 and { id = id, name = name and #name <= 255 and name or id } or nil
	end
	local id = arrived.text(item)
	return id and #id <= 255 and { id = id, name = id } or nil
end

-- A list of groups without repetition, or nil when there is none: { id, name } or names.
function arrived.groups(value)
	if type(value) ~= "table" then return nil end
	local out, seen = {}, {}
	for _, item in ipairs(value) do
		local group = group_of(item)
		if group and not seen[group.id] then
			seen[group.id] = true
			out[#out + 1] = group
		end
	end
	return out
end

local function groups_of(source, came)
	if not source.groups then return nil end
	if came.groups then return arrived.groups(came.groups) end
	local path = source.extra.groups_attribute or "groups"
	return arrived.groups(arrived.at(came.info, path) or arrived.at(came.claims, path))
end

-- Before any script.
function arrived.base(source, came)
	local info, claims = came.info or {}, came.claims or {}
	local email = first(source.email_attributes, info, claims)
	local out = {
		username = first(source.username_attributes, info, claims), name = first(source.name_attributes, info, claims), attributes = {},
		groups = groups_of(source, came),
	}
	if email and #email <= 254 and email:find("^[^@%s]+@[^@%s]+$") then
		out.email, out.email_verified = email, verified(source, came, email)
	end
	return out
end

-- What a script's failure is to whoever refuses.
local function script_failed(failure)
	return { reason = "script_failed", cause = ("source mapping %s:%s: %s"):format(failure.script, failure.line or "?",
		failure.message or failure.kind), person = failure.given }
end

-- S27: the name that rules give is one that many may have.
local function convert(source, came, properties, req)
	local made, why, explained = require("auth/conversions").of_source(source, came, req)
	if not made then return { reason = "no_rule", cause = why, person = explained } end
	properties.username, properties.shared_name = made.user, true
	properties.groups = arrived.groups(made.groups)
end

local function too_many(properties)
	if #(properties.groups or {}) <= MOST_GROUPS then return nil end
	return { reason = "groups_unread", cause = ("the source tells of more than %d groups"):format(MOST_GROUPS) }
end

-- The properties, or nil and { reason, cause, person = what is about the person }. trying: see mapping/sources.run.
function arrived.properties(source, came, req, trying)
	if source.groups and came.groups_complete == false then
		return nil, { reason = "groups_unread", cause = "the groups could not all be read" }
	end
	local properties, refusal = arrived.base(source, came), nil
	if source.conversion_rules then refusal = convert(source, came, properties, req) end
	refusal = refusal or too_many(properties)
	if refusal or #source.mappings == 0 then return not refusal and properties or nil, refusal end
	local made, failure = mapping.run(source, came, properties, req, trying)
	if made then return made end
	return nil, script_failed(failure)
end

return arrived
