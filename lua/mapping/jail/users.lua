-- mapping/jail/users.lua: questions about the user that the script was given.

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
	for key, want in pairs(filter) do
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

function ak_user_has_authenticator() return false end
