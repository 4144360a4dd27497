-- mapping/sources.lua: who somebody from a source is here, as the owner's scripts say it. A script that fails refuses the sign-in.
--
-- A script sees info (the profile), claims (the verified ID token), token, source, client, properties (what is known so far) and request.
-- It returns a table with any of username, name, email, email_verified, attributes, groups; nil adds nothing. What it returns stands in
-- the place of what was known, `false` takes that away; attributes come together. groups = false leaves the person's groups as they are.
-- A mapping declared with of = "group" is asked for each group, with group_id and its properties { name }, and returns { name,
-- attributes }.
local result = require "mapping/result"
local script = require "mapping/script"

local sources = {}

local MOST_GROUPS = 5000
local FIELDS = {
	username = "string", name = "string", email = "string", email_verified = "boolean", attributes = "table", groups = "table",
}
local LONGEST = { username = 150, name = 500, email = 254 }

-- By name; the configuration's, once a generation.
local by_name = {}

local function entry_of(declared)
	return { name = declared.name, what = "source mapping", script = declared.script, source = declared.source, may = declared.may,
		of = declared.of }
end

-- Takes the configuration's mappings (script.declared). Returns true, or nil and "file:line: text".
function sources.declare(list, compile)
	local declared, why = script.declared(list, compile, entry_of)
	if not declared then return nil, why end
	by_name = declared
	return true
end

-- ---- what a result means ----

-- What is wrong; caught in take().
local function wrong(text, ...) error({ wrong = text:format(...) }, 0) end

local function text(value, name)
	if value == "" or not utf8.len(value) or value:find("%c") or #value > LONGEST[name] then
		wrong("%s is no text of 1 to %d bytes without control characters", name, LONGEST[name])
	end
	return value
end

local function is_name(value) return type(value) == "string" and value ~= "" and utf8.len(value) ~= nil and not value:find("%c") end

local function groups(value)
	if not result.is_list(value) or #value > MOST_GROUPS then wrong("groups is no list of at most %d", MOST_GROUPS) end
	local out, seen = {}, {}
	for index, item in ipairs(value) do
		local group = type(item) == "table" and item or { id = item, name = item }
		local id = math.type(group.id) == "integer" and ("%d"):format(group.id) or group.id
		local name = group.name or id
		if not is_name(id) or #id > 255 or not is_name(name) then wrong("groups[%d] is neither a name nor { id = …, name = … }", index) end
		if not seen[id] then out[#out + 1] = { id = id, name = name } end
		seen[id] = true
	end
	return out
end

local function take(properties, value)
	if value == nil then return end
	if type(value) ~= "table" or (result.is_list(value) and #value > 0) then
		wrong("it returned a %s that is no table of names", type(value))
	end
	for name, item in pairs(value) do
		if not FIELDS[name] then wrong("it returned \"%s\", which no property is called", tostring(name)) end
		if item ~= false and type(item) ~= FIELDS[name] then wrong("%s is no %s", name, FIELDS[name]) end
	end
	-- Whoever sets another address says whether it is verified: what the source said was of its own.
	if value.email ~= nil and value.email ~= properties.email then properties.email_verified = false end
	for name, item in pairs(value) do
		if name == "attributes" then
			properties.attributes = item and result.merge(properties.attributes, item) or {}
		elseif name == "groups" then
			properties.groups = item and groups(item) or nil
		elseif name == "email_verified" then
			properties.email_verified = item
		else
			properties[name] = item and text(item, name) or nil
		end
	end
	return true
end

local function take_group(group, value)
	if value == nil then return end
	if type(value) ~= "table" or not is_name(value.name or "x") or type(value.attributes or {}) ~= "table" then
		wrong("it returned no { name, attributes } of a group")
	end
	group.name, group.attributes = value.name or group.name, value.attributes or group.attributes
end

-- ---- asking ----

-- Plain values: nothing of JSON's nulls and marks, which no script could tell apart.
local plain
function plain(value)
	if value == json.null then return nil end
	if type(value) ~= "table" then return value end
	local out, listed = {}, json.is_array(value)
	for name, item in pairs(value) do
		local kept = plain(item)
		if not listed then out[name] = kept elseif kept ~= nil then out[#out + 1] = kept end
	end
	return out
end

sources.plain = plain

-- S24: no secret of ours, and of the tokens only the one that opens the profile.
local function given_of(source, came, req)
	local token = came.token or {}
	return {
		info = plain(came.info or {}), claims = plain(came.claims or {}),
		token = { access_token = token.access_token, token_type = token.token_type, scope = token.scope, expires_in = token.expires_in },
		source = { name = source.name, title = source.title, kind = source.kind }, client = { client_id = source.client_id },
		request = script.request(script.of_request(req)), ak_client_ip = req and req.peer, ak_is_sso_flow = true,
	}
end

local function failed(entry, given, kind, message, log)
	return script.failure(entry, given, { kind = kind, message = message, log = log })
end

-- Runs one script and takes its result by `use`. True, or nil and the failure.
local function ask(entry, given, req, use, costs)
	local answer, failure = script.run(entry, given, { req = req }, costs ~= nil)
	if not answer then return nil, failure end
	local ok, why = pcall(use, answer.result)
	if ok then
		if costs then costs[#costs + 1] = { name = entry.name, script = entry.script, instructions = answer.instructions,
			memory = answer.memory, ms = answer.ms, log = answer.log } end
		return true
	end
	if type(why) == "table" and why.wrong then return nil, failed(entry, given, "result", why.wrong, answer.log) end
	error(why, 0)
end

local function ask_groups(entry, given, properties, req, costs)
	for _, group in ipairs(properties.groups or {}) do
		given.group_id, given.properties = group.id, { name = group.name }
		local ok, failure = ask(entry, given, req, function(value) take_group(group, value) end, costs)
		if not ok then return nil, failure end
	end
	given.group_id = nil
	return true
end

local function entry_named(name, declared)
	for _, each in ipairs(declared or {}) do
		if each.name == name then return entry_of(each) end
	end
	return by_name[name]
end

-- The properties as the source's mappings make them, in their order, users' before groups'; or nil and the failure. trying = { declared =
-- the mappings of the configuration as its files stand now, costs = a list that gets what each run cost }: for `tidelock try`.
function sources.run(source, came, properties, req, trying)
	local declared, costs = (trying or {}).declared, (trying or {}).costs
	local given = given_of(source, came, req)
	for _, of in ipairs { "user", "group" } do
		for _, name in ipairs(source.mappings) do
			local entry = entry_named(name, declared)
			if not entry then return nil, failed({ name = name, what = "source mapping", script = "?" }, given, "missing", "it is not declared") end
			given.properties = properties
			local ok, failure = true, nil
			if entry.of == of and of == "user" then
				ok, failure = ask(entry, given, req, function(value) return take(properties, value) end, costs)
			elseif entry.of == of then
				ok, failure = ask_groups(entry, given, properties, req, costs)
			end
			if not ok then return nil, failure end
		end
	end
	return properties
end

return sources
