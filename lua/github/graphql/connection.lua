-- github/graphql/connection.lua: lists by cursors, as GitHub pages them. A cursor is the place in the list: there are lists of thousands,
-- and a page costs the same wherever it is. How many may be asked for is plan.lua's affair.
local connection = {}

-- Of every such field; more may follow.
function connection.arguments(more)
	local out = { { "after", "String" }, { "before", "String" }, { "first", "Int" }, { "last", "Int" } }
	table.move(more or {}, 1, more and #more or 0, #out + 1, out)
	return out
end

-- What fetching a page costs beside its fields (types.lua).
connection.COST = 20

local function cursor(index) return base64.encode("cursor:v2:" .. index) end

-- The place that a cursor names; nil and an error when it is none of ours.
local function place(text)
	if not text then return nil end
	local decoded = #text <= 100 and base64.decode(text) or ""
	local index = decoded:match("^cursor:v2:(%d%d?%d?%d?%d?%d?%d?%d?%d?)$")
	if index then return math.tointeger(tonumber(index)) end
	return nil, { type = "INVALID_CURSOR_ARGUMENTS", message = ("`%s` does not appear to be a valid cursor."):format(text) }
end

-- Items from `start` (counted from 0), at most `count`, and how many there are. A list that is wanted the other way round is read from
-- its end.
local function slice(c, start, count)
	if not c.descending then return c.fetch(start, count) end
	local _, total = c.fetch(0, 1)
	local stop = math.max(0, total - start)
	local first = math.max(0, stop - count)
	local list, out = c.fetch(first, stop - first), {}
	for index = #list, 1, -1 do out[#out + 1] = list[index] end
	return out, total
end

local function load(c)
	if c.items then return c end
	local start, count = c.after or 0, c.first
	if c.last then
		local _, total = c.fetch(0, 1)
		local stop = math.min(c.before and c.before - 1 or total, total)
		start = math.max(start, stop - c.last)
		count = math.max(0, stop - start)
	elseif c.before then
		count = math.max(0, math.min(count, c.before - 1 - start))
	end
	c.start = start
	if count == 0 then
		c.items = {}
		c.total = select(2, c.fetch(0, 1))
	else
		c.items, c.total = slice(c, start, count)
	end
	return c
end

-- fetch(offset, limit) returns a list and how many there are in all. given: the field's arguments.
function connection.of(given, fetch, descending)
	local after, bad = place(given.after)
	local before, worse = place(given.before)
	if bad or worse then return nil, bad or worse end
	return { fetch = fetch, after = after, before = before, first = given.first, last = given.last, descending = descending }
end

-- The same of a list that is at hand.
function connection.of_list(given, list, descending)
	return connection.of(given, function(offset, limit) return table.move(list, offset + 1, math.min(offset + limit, #list), 1, {}), #list end,
		descending)
end

-- ---- the types ----

local function edges(c)
	load(c)
	local out = {}
	for index, item in ipairs(c.items) do out[index] = { node = item, cursor = cursor(c.start + index), connection = c } end
	return out
end

local function total(c)
	if not c.total then c.total = select(2, c.fetch(0, 1)) end
	return c.total
end

-- The definitions of a connection of `node`s: called name .. "Connection" and name .. "Edge". edge: its node's type and further fields,
-- whose resolvers get { node, cursor, connection }.
function connection.definitions(name, node, edge)
	local fields = { { "cursor", "String!" }, { "node", edge and edge.node or node } }
	table.move(edge or {}, 1, edge and #edge or 0, 3, fields)
	return { kind = "OBJECT", name = name .. "Edge", fields = fields }, { kind = "OBJECT", name = name .. "Connection", fields = {
		{ "edges", "[" .. name .. "Edge]", edges }, { "nodes", "[" .. node .. "]", function(c) return load(c).items end },
		{ "pageInfo", "PageInfo!", load }, { "totalCount", "Int!", total },
	} }
end

connection.PAGE_INFO = { kind = "OBJECT", name = "PageInfo", fields = {
	{ "endCursor", "String", function(c) return c.items[1] and cursor(c.start + #c.items) end },
	{ "hasNextPage", "Boolean!", function(c) return c.start + #c.items < c.total end },
	{ "hasPreviousPage", "Boolean!", function(c) return c.start > 0 end },
	{ "startCursor", "String", function(c) return c.items[1] and cursor(c.start + 1) end },
} }

return connection
