-- auth/source_groups.lua: the groups that a source says somebody is in. At each sign-in who is in a group by this source becomes equal to
-- what it says; memberships of other making stay. A group that gives permissions is filled by no source (S25).
local groups = require "store/groups"
local store = require "store/source_groups"
local users = require "store/users"

local source_groups = {}

local LONGEST_NAME = 100

local function fit(name)
	local text = name:gsub("%c", " ")
	if #text > LONGEST_NAME then text = text:sub(1, utf8.offset(text, 0, LONGEST_NAME + 1) - 1) end
	return text
end

-- What becomes of a group that is not linked yet: { id } of one that is here, { make = name }, or nil and why it stays away.
local function place_for(source, group, protected)
	local name = fit(group.name)
	local state, id = store.name(name)
	if state == "free" then return { make = name } end
	if source.group_matching == "name_deny" then return nil, "denied" end
	if source.group_matching == "name_link" then
		if not id then return nil, "was deleted, or left the configuration" end
		if protected[id] then return nil, "gives permissions" end
		return { id = id }
	end
	-- By identifier alone: a group that happens to be called the same is another one.
	local other = fit(("%s (%s)"):format(name:sub(1, LONGEST_NAME - #source.name - 3), source.name))
	if store.name(other) == "free" then return { make = other } end
	return nil, "its name is taken"
end

local function identifiers_of(list)
	local out = {}
	for index, group in ipairs(list) do out[index] = group.id end
	return out
end

-- What a sign-in changes for a user (nil: one not made yet): { join = { { id | make, identifier, link = bool, attributes } }, leave = ids,
-- skipped = { { name, why } }, names = as they will be called here }, or nil and the name of the group that is denied. Pure look.
-- list: { id, name, attributes }; nil: nothing changes.
function source_groups.plan(source, user_id, list)
	local plan = { join = {}, leave = {}, skipped = {} }
	if not list then return plan end
	local linked, protected = store.linked(source.name, identifiers_of(list)), store.protected()
	local now, stays, making = user_id and store.of_user(source.name, user_id) or {}, {}, {}
	for _, group in ipairs(list) do
		local id, place, why = linked[group.id], nil, nil
		if id and protected[id] then
			why = "gives permissions"
		elseif id then
			place = { id = id }
		else
			place, why = place_for(source, group, protected)
			if why == "denied" then return nil, group.name end
		end
		if place and place.make and making[place.make] then
			place = { make = place.make, same = making[place.make] }
		end
		if not place then
			plan.skipped[#plan.skipped + 1] = { name = group.name, why = why }
		elseif id and now[id] then
			stays[id] = true
		else
			stays[place.id or ""] = true
			place.identifier, place.name, place.link, place.attributes = group.id, group.name, not id, group.attributes
			plan.join[#plan.join + 1] = place
			if place.make and not place.same then making[place.make] = place end
		end
	end
	for id in pairs(now) do
		if not stays[id] then plan.leave[#plan.leave + 1] = id end
	end
	table.sort(plan.leave)
	return plan
end

function source_groups.changes(plan) return #plan.join + #plan.leave > 0 end

-- What makes it so, for the batch of the sign-in.
function source_groups.statements(source, user_id, plan)
	local list = {}
	local function add(more) table.move(more, 1, #more, #list + 1, list) end
	for _, each in ipairs(plan.join) do
		local id = each.id or each.same and each.same.made
		if not id then
			local more
			more, id = groups.insert_statements { name = each.make, attributes = each.attributes }
			each.made = id
			add(more)
		end
		if each.link then add { store.link_statement(source.name, each.identifier, id) } end
		add(store.join_statements(source.name, user_id, id))
	end
	for _, id in ipairs(plan.leave) do add(store.leave_statements(source.name, user_id, id)) end
	if #list > 0 then list[#list + 1] = users.directory_statement() end
	return list
end

return source_groups
