-- github/graphql/plan.lua: which fields of an operation are answered, and what that may cost (GraphQL, October 2021, 5.3.2, 6.3.2):
-- fragments spread, fields of one name merged, what @skip and @include leave out gone. Everything is bounded here, before anything is
-- looked up: fragments that spread one another make a short text long.
--
-- group = { key, node, nodes = those that were merged, field, arguments, listed = how many things these list, below = groups by object
-- type }
local failure   = require "github/graphql/failure"
local lexer     = require "github/graphql/lexer"
local pause     = require "github/graphql/pause"
local selection = require "github/graphql/validate_selection"
local types     = require "github/graphql/types"
local values    = require "github/graphql/values"

local plan = {}

-- GitHub's limit is that of nodes (and 100 of one connection); it has others that it does not tell.
local DEEPEST, MOST_SELECTIONS, MOST_NODES, MOST_ERRORS = 25, 5000, 500000, 100
local LARGEST_PAGE, LONGEST_LIST = 100, 100

local function place(p, node) return { lexer.place(p.document.source, node.at) } end

-- ---- collecting ----

local function directive(p, node, name)
	for _, each in ipairs(node.directives) do
		if each.name == name then
			local defined
			for _, one in ipairs(p.schema.directives) do
				if one.name == name then defined = one end
			end
			return (values.of_arguments(defined, each.arguments, p.variables) or {})["if"]
		end
	end
end

local function left_out(p, node) return directive(p, node, "skip") == true or directive(p, node, "include") == false end

local function written(node)
	if node.written then return node.written end
	local parts = {}
	for index, each in ipairs(node.arguments) do parts[index] = each.name .. ": " .. values.print(each.value) end
	table.sort(parts)
	node.written = "{" .. table.concat(parts, ", ") .. "}"
	return node.written
end

-- Two fields of one key must be one (5.3.2). Those of objects of different types are never answered together, and may differ.
local function check_same(p, group, node)
	local first = group.node
	if first == node or (first.name == node.name and written(first) == written(node)) then return end
	local kind, a, b = "a field", first.name, node.name
	if a == b then kind, a, b = "an argument", written(first), written(node) end
	local conflicts = a .. " or " .. b
	failure.raise(("Field '%s' has %s conflict: %s?"):format(node.key, kind, conflicts), {
		locations = { place(p, first)[1], place(p, node)[1] }, path = json.array {},
		extensions = { code = "fieldConflict", typeName = "Field", fieldName = node.key, conflicts = conflicts },
	})
end

local function add_field(p, on, node, groups)
	local group = groups[node.key]
	if group then
		check_same(p, group, node)
		group.nodes[#group.nodes + 1] = node
		return
	end
	group = { key = node.key, node = node, nodes = { node }, field = selection.field(p.schema, on, node.name), below = {} }
	groups[node.key], groups[#groups + 1] = group, group
end

local collect_inside

local function collect(p, on, list, groups, spread)
	for _, node in ipairs(list) do
		pause(p)
		p.selections = p.selections + 1
		if p.selections > MOST_SELECTIONS then
			failure.raise(("The query selects more than %d fields."):format(MOST_SELECTIONS))
		end
		if not left_out(p, node) then
			if node.kind == "field" then add_field(p, on, node, groups) else collect_inside(p, on, node, groups, spread) end
		end
	end
	return groups
end

-- Of a fragment; one that has a name once, whoever spreads it.
collect_inside = function(p, on, node, groups, spread)
	local inside = node
	if node.kind == "spread" then
		inside = p.document.by_name[node.name]
		if spread[inside] then return end
		spread[inside] = true
	end
	if not inside.on or types.overlap(p.schema.types[inside.on], on) then collect(p, on, inside.selections, groups, spread) end
end

-- What is answered below a group where its value is an object of type `on`.
function plan.below(p, group, on)
	local known = group.below[on]
	if known then return known end
	local groups, spread = {}, {}
	for _, node in ipairs(group.nodes) do collect(p, on, node.selections, groups, spread) end
	group.below[on] = groups
	return groups
end

-- ---- judging ----

local function scope_error(p, group)
	local quoted = function(list) return "['" .. table.concat(list, "', '") .. "']" end
	return {
		type = "INSUFFICIENT_SCOPES", locations = place(p, group.node),
		message = ("Your token has not been granted the required scopes to execute this query. The '%s' field requires one of the following "
			.. "scopes: %s, but your token has only been granted the: %s scopes. Please modify your token's scopes at: %s."):format(
			group.field.name, quoted(group.field.scopes), quoted(p.scopes), p.settings_url),
	}
end

local function arguments_of(p, group)
	local given, wrong = values.of_arguments(group.field, group.node.arguments, p.variables)
	if wrong then
		failure.raise(("Argument '%s' on Field '%s' has an invalid value (null). Expected type '%s'."):format(wrong.name, group.field.name,
			types.print(wrong.type)), { locations = place(p, group.node) })
	end
	local listed = 0
	for name, value in pairs(given) do
		-- Nothing of ours tells null from absent.
		if value == json.null then given[name] = nil end
		local count = type(value) == "table" and #value or 0
		if count > LONGEST_LIST then
			failure.raise(("You may not provide more than %d %s; you provided %d."):format(LONGEST_LIST, name, count),
				{ type = "ARGUMENT_LIMIT", locations = place(p, group.node) })
		end
		listed = listed + count
	end
	return given, listed
end

-- What is wrong with the pages that a connection is asked for: GitHub gives nothing without a bound. Its length alone needs none.
local function page_error(group, below)
	local given, name = group.arguments, group.field.name
	if given.first and given.last then
		return "Passing both `first` and `last` to paginate the `" .. name .. "` connection is not supported.", "UNPROCESSABLE"
	end
	for _, which in ipairs { "first", "last" } do
		local asked = given[which]
		if asked and asked < 0 then return ("`%s` on the `%s` connection cannot be less than zero."):format(which, name), "UNPROCESSABLE" end
		if asked and asked > LARGEST_PAGE then
			return ("Requesting %d records on the `%s` connection exceeds the `%s` limit of %d records."):format(asked, name, which,
				LARGEST_PAGE), "EXCESSIVE_PAGINATION"
		end
	end
	if given.first or given.last then return nil end
	for _, each in ipairs(below) do
		if each.field.name ~= "totalCount" and each.field.name ~= "__typename" then
			return ("You must provide a `first` or `last` value to properly paginate the `%s` connection."):format(name),
				"MISSING_PAGINATION_BOUNDARIES"
		end
	end
end

local function add(p, one)
	if #p.errors < MOST_ERRORS then p.errors[#p.errors + 1] = one end
end

-- How often what is below a connection comes, where it comes `times`.
local function count_connection(p, group, on, times)
	local message, kind = page_error(group, plan.below(p, group, on))
	if message then add(p, { type = kind, message = message, locations = place(p, group.node) }) end
	p.requests = p.requests + times
	local asked = math.max(0, math.min(group.arguments.first or group.arguments.last or 0, LARGEST_PAGE))
	p.nodes = p.nodes + times * asked
	return times * math.max(1, asked)
end

local judge

local function judge_below(p, group, times, depth)
	local named = types.named(group.field.type)
	if not types.is_composite(named) then return end
	if group.field.connection then times = count_connection(p, group, named, times) end
	for _, on in ipairs(types.possible(named)) do judge(p, plan.below(p, group, on), times, depth + 1) end
end

-- times: how often the object can come.
judge = function(p, groups, times, depth)
	if depth > DEEPEST then failure.raise(("The query is more than %d levels deep."):format(DEEPEST)) end
	for _, group in ipairs(groups) do
		group.arguments, group.listed = arguments_of(p, group)
		if group.field.scopes and not p.allowed(group.field.scopes) then add(p, scope_error(p, group)) end
		judge_below(p, group, times, depth)
	end
end

local function grouped(number)
	local text = ("%d"):format(number):reverse():gsub("(%d%d%d)", "%1,"):reverse()
	return (text:gsub("^,", ""))
end

-- given = { schema, document (valid), operation, variables, scopes = the token's, allowed = function(scopes) → boolean, settings_url }.
-- Returns it with groups, nodes (how many there can be) and requests (how many connections); raises failure.
function plan.make(given)
	local p = given
	p.selections, p.nodes, p.requests, p.errors = 0, 0, 0, {}
	p.groups = collect(p, p.schema.query, p.operation.selections, {}, {})
	judge(p, p.groups, 1, 1)
	if #p.errors > 0 then failure.raise_all(p.errors) end
	if p.nodes > MOST_NODES then
		failure.raise(("This query requests up to %s possible nodes which exceeds the maximum limit of %s."):format(grouped(p.nodes),
			grouped(MOST_NODES)), { type = "MAX_NODE_LIMIT_EXCEEDED" })
	end
	return p
end

return plan
