-- mapping/jail/users.lua: people and groups as scripts see them, with what authentik's can be asked: user.groups.filter { name = "x" },
-- user.all_groups(), user.group_attributes(). All of it is behind the values, which stay plain: user.groups is a list of tables.
local core = ...

local tests = {
	exact      = function(have, want) return have == want end,
	iexact     = function(have, want) return tostring(have):lower() == tostring(want):lower() end,
	startswith = function(have, want) return tostring(have):sub(1, #want) == want end,
	endswith   = function(have, want) return want == "" or tostring(have):sub(-#want) == want end,
	contains   = function(have, want) return tostring(have):find(want, 1, true) ~= nil end,
	icontains  = function(have, want) return tostring(have):lower():find(want:lower(), 1, true) ~= nil end,
}
tests["in"] = function(have, want)
	for _, one in ipairs(want) do
		if one == have then return true end
	end
	return false
end

-- "attributes__team__name__startswith" → value of group.attributes.team.name, and the test.
local function look(group, key)
	local value, test = group, tests.exact
	for part in (key .. "__"):gmatch("(.-)__") do
		if type(value) == "table" and value[part] ~= nil then
			value = value[part]
		elseif tests[part] then
			test = tests[part]
		else
			return nil, test
		end
	end
	return value, test
end

local function fits(group, filter)
	for key, want in pairs(filter or {}) do
		local have, test = look(group, key)
		if have == nil or not test(have, want) then return false end
	end
	return true
end

-- Whether the user is in a group, also through a parent: is_member(user, "name") or is_member(user, { name = "x",
-- attributes__team = 1 }).
function is_member(user, group)
	local filter = type(group) == "table" and group or { name = group }
	if type(user) ~= "table" then error("is_member: the first argument is not a user", 2) end
	if next(filter) == nil then error("is_member: say which group", 2) end
	for _, one in ipairs(user.all_groups or user.groups or {}) do
		if fits(type(one) == "table" and one or { name = one }, filter) then return true end
	end
	return false
end

ak_is_group_member = is_member

-- There are no second factors yet.
function ak_user_has_authenticator() return false end

-- ---- what stands behind the values ----

-- Python's dot and Lua's colon: both groups.all() and groups:all().
local function bound(self, method)
	return function(first, ...)
		if rawequal(first, self) then return method(self, ...) end
		return method(self, first, ...)
	end
end

local listed = {}
local queries = {}
local list_behind = {
	__index = function(list, name)
		local method = type(name) == "string" and queries[name]
		return method and bound(list, method) or nil
	end,
	__call = function(list) return list end,
	__metatable = false,
}

function listed.of(list)
	return setmetatable(list, list_behind)
end

local function chosen(list, filter, wanted)
	local out = {}
	for _, each in ipairs(list) do
		if fits(each, filter) == wanted then out[#out + 1] = each end
	end
	return listed.of(out)
end

function queries.all(list) return list end
function queries.filter(list, filter) return chosen(list, filter, true) end
function queries.exclude(list, filter) return chosen(list, filter, false) end
function queries.first(list) return list[1] end
function queries.exists(list) return #list > 0 end
function queries.count(list) return #list end

function queries.values_list(list, field)
	local out = {}
	for _, each in ipairs(list) do out[#out + 1] = each[field] end
	return out
end

-- Adds what is in `more` and not in the list yet, each as { name = … }.
local function unite_named(out, seen, more)
	for _, name in ipairs(type(more) == "table" and more or {}) do
		if type(name) == "string" and not seen[name] then out[#out + 1] = { name = name } end
		seen[name] = true
	end
	return out
end

local function merged(into, more)
	for name, value in pairs(type(more) == "table" and more or {}) do
		local old = into[name]
		if type(old) == "table" and type(value) == "table" and #value > 0 and #old > 0 then
			local both = table.move(old, 1, #old, 1, {})
			into[name] = table.move(value, 1, #value, #both + 1, both)
		elseif type(value) == "table" and next(value) ~= nil and #value == 0 then
			into[name] = merged(merged({}, type(old) == "table" and #old == 0 and old or {}), value)
		else
			into[name] = value
		end
	end
	return into
end

local function slug_of(application)
	local slug = type(application) == "table" and application.slug or application
	return type(slug) == "string" and slug or error("say which application", 3)
end

-- The group's attribute `entitlements` is { application's slug = { names } }; so is the user's own.
local function entitlements_of(user, application)
	local slug, out, seen = slug_of(application), {}, {}
	for _, holder in ipairs { user, table.unpack(user.all_groups or {}) } do
		local all = type(holder.attributes) == "table" and holder.attributes.entitlements
		unite_named(out, seen, type(all) == "table" and all[slug])
	end
	return out
end

local asked = {}

-- Of all groups by their names, the user's own last; lists come together.
function asked.group_attributes(user)
	local groups = table.move(user.all_groups or {}, 1, #(user.all_groups or {}), 1, {})
	table.sort(groups, function(one, other) return one.name < other.name end)
	local out = {}
	for _, group in ipairs(groups) do merged(out, group.attributes) end
	return merged(out, user.attributes)
end

function asked.app_entitlements(user, application) return listed.of(entitlements_of(user, application)) end

-- The attribute `entitlement_attributes` = { application's slug = { entitlement = { … } } } of groups, merged for those that the user has.
function asked.app_entitlements_attributes(user, application)
	local slug, has, out = slug_of(application), {}, {}
	for _, each in ipairs(entitlements_of(user, application)) do has[each.name] = true end
	for _, group in ipairs(user.all_groups or {}) do
		local all = type(group.attributes) == "table" and group.attributes.entitlement_attributes
		for name, values in pairs(type(all) == "table" and type(all[slug]) == "table" and all[slug] or {}) do
			if has[name] then merged(out, values) end
		end
	end
	return merged(out, user.attributes)
end

-- The attribute `roles` of the user and of all groups.
function asked.all_roles(user)
	local out, seen = {}, {}
	for _, holder in ipairs { user, table.unpack(user.all_groups or {}) } do
		unite_named(out, seen, type(holder.attributes) == "table" and holder.attributes.roles)
	end
	return listed.of(out)
end

local user_behind = {
	__index = function(user, name)
		if name == "ak_groups" then return rawget(user, "groups") end
		return asked[name] and bound(user, asked[name]) or nil
	end,
	__metatable = false,
}

-- A group's parents, as far as the user is in them, too; by their names, so that what goes in a circle stays finite.
local function complete_groups(list)
	local by_name = {}
	for _, group in ipairs(list) do by_name[group.name or false] = group end
	local behind = {
		__index = function(group, name)
			if name == "group_uuid" then return rawget(group, "uuid") end
			if name == "num_pk" then return rawget(group, "pk") end
			if name == "roles" then return asked.all_roles { attributes = rawget(group, "attributes") } end
			if name ~= "parents" then return nil end
			local out = {}
			for _, parent in ipairs(rawget(group, "parent_names") or {}) do out[#out + 1] = by_name[parent] end
			return listed.of(out)
		end,
		__metatable = false,
	}
	for _, group in ipairs(list) do setmetatable(group, behind) end
	return listed.of(list)
end

-- What a value that came from outside becomes; anything that is no user stays as it is.
function core.user(user)
	if type(user) ~= "table" or type(user.username) ~= "string" then return user end
	if type(user.groups) == "table" then complete_groups(user.groups) end
	if type(user.all_groups) == "table" then complete_groups(user.all_groups) end
	-- The direct ones are the same groups, and their parents stand among all.
	local by_uuid = {}
	for _, group in ipairs(user.all_groups or {}) do by_uuid[group.uuid or group.name or false] = group end
	for index, group in ipairs(user.groups or {}) do user.groups[index] = by_uuid[group.uuid or group.name or false] or group end
	return setmetatable(user, user_behind)
end

function core.group(group) return type(group) == "table" and complete_groups({ group })[1] or nil end
