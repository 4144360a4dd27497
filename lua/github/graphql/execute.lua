-- github/graphql/execute.lua: the answer of a plan (GraphQL, October 2021, 6.3, 6.4), written as JSON on the way, so that fields come in
-- the order in which they were asked for. A value is "null" where there is none; what must not be null takes what is around it away.
local failure = require "github/graphql/failure"
local lexer   = require "github/graphql/lexer"
local pause   = require "github/graphql/pause"
local plan    = require "github/graphql/plan"

local execute = {}

-- Of one request. A field is one step, what it looks up more (types.lua, cost), and each thing that its arguments list so many.
local MOST_STEPS, MOST_BYTES, MOST_ERRORS, OF_LISTED = 100000, 4 << 20, 100, 10

local function exceeded() failure.raise("Resource limits for this query exceeded.", { type = "RESOURCE_LIMITS_EXCEEDED" }) end

local function spend(x, steps)
	x.steps = x.steps + steps
	if x.steps > MOST_STEPS then exceeded() end
	pause(x)
end

-- path: { key, up }, from the inside out.
local function path_of(path)
	local out, count, at = {}, 0, path
	while at do count, at = count + 1, at.up end
	at = path
	for index = count, 1, -1 do out[index], at = at.key, at.up end
	return json.array(out)
end

local function add_error(x, group, path, one)
	-- A message may repeat what it was asked for.
	x.bytes = x.bytes + #one.message
	if #x.errors >= MOST_ERRORS or x.bytes > MOST_BYTES then exceeded() end
	x.errors[#x.errors + 1] = {
		type = one.type, message = one.message, path = path_of(path), extensions = one.extensions,
		locations = { lexer.place(x.plan.document.source, group.node.at) },
	}
end

local complete

local function leaf(x, ref, value)
	local text
	if ref.name == "Int" then
		text = ("%d"):format(value)
	elseif ref.name == "Boolean" then
		text = tostring(value)
	else
		text = json.encode(tostring(value))
	end
	x.bytes = x.bytes + #text
	return text
end

local function field(x, group, on, source, path)
	local defined = group.field
	spend(x, 1 + (defined.cost or 0) + OF_LISTED * group.listed)
	local value, problem
	if defined == x.plan.schema.typename then
		value = on.name
	elseif defined.resolve then
		value, problem = defined.resolve(source, group.arguments, x.plan)
	else
		value = source[defined.name]
	end
	if not problem then return complete(x, defined.type, value, group, path) end
	add_error(x, group, path, problem)
	return defined.type.kind ~= "NON_NULL" and "null" or nil
end

local function object(x, on, groups, source, path)
	local out = {}
	for index, group in ipairs(groups) do
		local text = field(x, group, on, source, { key = group.key, up = path })
		if not text then return "null" end
		out[index] = '"' .. group.key .. '":' .. text
		x.bytes = x.bytes + #group.key + 4
	end
	if x.bytes > MOST_BYTES then exceeded() end
	return "{" .. table.concat(out, ",") .. "}"
end

local function list(x, ref, value, group, path)
	local out = {}
	for index = 1, #value do
		local one = value[index]
		if one == json.null then one = nil end
		local text = complete(x, ref.of, one, group, { key = index - 1, up = path })
		if not text then return "null" end
		out[index] = text
	end
	return "[" .. table.concat(out, ",") .. "]"
end

-- The text of a value; nil where it is null and must not be. A value of an interface is { type = its name, value }.
complete = function(x, ref, value, group, path)
	if ref.kind == "NON_NULL" then
		local errors = #x.errors
		local text = complete(x, ref.of, value, group, path)
		if text ~= "null" then return text end
		if #x.errors == errors and value == nil then
			add_error(x, group, path, { message = ("Cannot return null for non-nullable field %s"):format(group.field.name) })
		end
		return nil
	end
	if value == nil then return "null" end
	if ref.kind == "LIST" then return list(x, ref, value, group, path) end
	local on = ref
	if ref.kind == "INTERFACE" then on, value = x.plan.schema.types[value.type], value.value end
	if on.kind ~= "OBJECT" then return leaf(x, on, value) end
	return object(x, on, plan.below(x.plan, group, on), value, path)
end

-- Runs a plan (plan.make); resolvers get it as their context. Returns the text of "data" and a list of errors.
function execute.run(made)
	local x = { plan = made, steps = 0, bytes = 0, errors = {} }
	return object(x, made.schema.query, made.groups, {}, nil), x.errors
end

return execute
