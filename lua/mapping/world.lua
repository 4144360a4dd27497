-- mapping/world.lua: what scripts ask for, judged by what their declaration says (`may`, S24) and bounded: other people, other hosts,
-- names of hosts. Each is function(about, entry, …) → true and a value, or false and why not (mapping/script).
local groups = require "store/groups"
local script = require "mapping/script"
local users  = require "store/users"

local world = {}

local BODY_MAX = 128 * 1024
local TIMEOUT = 4
local MOST_MEMBERS = 1000
local METHODS = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true, HEAD = true }
-- They say where a message ends and whom it is for: ours alone to say.
local OURS = { host = true, ["content-length"] = true, ["transfer-encoding"] = true, connection = true, te = true, upgrade = true }

local function contains(list, value)
	for _, each in ipairs(list or {}) do
		if each == value then return true end
	end
	return false
end

local function not_allowed(entry, what)
	return false, ("the declaration of %s does not say may = { %s }"):format(entry.name, what)
end

-- ---- people ----

local OF_USERS = { username = true, email = true, name = true, uid = true, uuid = true, pk = true }
local OF_GROUPS = { name = true, uuid = true, pk = true }

-- What { username = "x", attributes__address__city = "y" } says as columns and paths, or nil and the name that nobody has.
local function read_filter(filter, known)
	local columns, paths = {}, {}
	for key, value in pairs(filter) do
		if type(key) ~= "string" or (type(value) ~= "string" and math.type(value) ~= "integer") then return nil end
		local path = key:match("^attributes__(.+)$")
		if path then
			paths[#paths + 1] = { path = path, value = value }
		elseif known[key] then
			columns[key] = value
		else
			return nil
		end
	end
	return columns, paths
end

local function fits(thing, paths)
	for _, each in ipairs(paths) do
		local value = thing.attributes
		for part in (each.path .. "__"):gmatch("(.-)__") do value = type(value) == "table" and value[part] or nil end
		if value ~= each.value then return false end
	end
	return true
end

-- An unknown field finds nobody, as in authentik.
function world.user_by(_, entry, filter)
	if not (entry.may and entry.may.users) then return not_allowed(entry, "users = true") end
	local columns, paths = read_filter(type(filter) == "table" and filter or {}, OF_USERS)
	if not columns or (next(columns) == nil and #paths == 0) then return true, nil end
	for _, user in ipairs(users.matching(columns, paths)) do
		if fits(user, paths) then return true, users.view(user) end
	end
	return true, nil
end

function world.group_by(_, entry, filter)
	if not (entry.may and entry.may.users) then return not_allowed(entry, "users = true") end
	local columns, paths = read_filter(type(filter) == "table" and filter or {}, OF_GROUPS)
	if not columns or (next(columns) == nil and #paths == 0) then return true, nil end
	for _, group in ipairs(groups.matching(columns, paths)) do
		if fits(group, paths) then
			return true, { name = group.name, pk = group.pk, uuid = group.id, attributes = group.attributes,
				is_superuser = groups.is_superuser(group), users = groups.member_names(group, MOST_MEMBERS) }
		end
	end
	return true, nil
end

-- ---- hosts ----

local function seconds(about, asked)
	asked = math.type(asked) and asked > 0 and asked or TIMEOUT
	return math.min(asked, TIMEOUT, script.left(about))
end

local function headers_of(given)
	local out = { ["user-agent"] = "Tidelock" }
	for name, value in pairs(given or {}) do
		if OURS[name] then return nil, "the header " .. name .. " is not a script's to set" end
		out[name] = value
	end
	return out
end

function world.http(about, entry, asked)
	local fetch = require "kit/fetch"
	local target = type(asked.url) == "string" and url.parse(asked.url)
	if not target or not METHODS[asked.method] then return false, "a method and an http or https URL are wanted" end
	local host = (target.host or ""):lower()
	if not contains(entry.may and entry.may.http, host) then
		return not_allowed(entry, ('http = { "%s" }'):format(host))
	end
	local headers, why = headers_of(asked.headers)
	if not headers then return false, why end
	local answer, code, detail = fetch.request {
		method = asked.method, url = asked.url, headers = headers, body = asked.body, timeout = seconds(about, asked.timeout),
		max = BODY_MAX, allow = { host },
	}
	if not answer then return false, ("%s: %s%s"):format(host, code, detail and " (" .. tostring(detail) .. ")" or "") end
	return true, { status = answer.status, headers = answer.headers, body = answer.body }
end

-- ---- names of hosts: authentik remembers 32 answers for three minutes ----

local REMEMBERED, AGE = 32, 180
local known, known_count = {}, 0

local function remembered(key, look)
	local entry = known[key]
	if entry and entry.until_ > time.mono() then return entry.value end
	if known_count >= REMEMBERED then known, known_count = {}, 0 end
	entry = { value = look(), until_ = time.mono() + AGE }
	known[key], known_count = entry, known_count + 1
	return entry.value
end

function world.resolve_dns(about, entry, host, version)
	if not (entry.may and entry.may.dns) then return not_allowed(entry, "dns = true") end
	if type(host) ~= "string" or #host > 253 then return true, {} end
	return true, remembered(("%s %s"):format(version or "", host:lower()), function()
		return dns.resolve(host:lower(), { version = version, timeout = seconds(about) }) or {}
	end)
end

function world.reverse_dns(about, entry, address)
	if not (entry.may and entry.may.dns) then return not_allowed(entry, "dns = true") end
	if type(address) ~= "string" or #address > 64 then return true, address end
	return true, remembered("reverse " .. address, function()
		return dns.reverse(address, { timeout = seconds(about) }) or address
	end)
end

return world
