-- github/graphql/types.lua: a schema (GraphQL, October 2021, 3) of definitions as the parts of ours write them, and questions to it.
--
-- definition = { kind = "OBJECT" | "INTERFACE" | "ENUM" | "INPUT_OBJECT" | "SCALAR", name, description or nil,
--   fields = { { name, type, resolve, args = { { name, type, default = literal or nil } }, scopes, cost, connection } } of
--   objects and interfaces, or { { name, type, default } } of inputs; interfaces = { names }, values = { names } of an enum }
-- resolve(source, arguments, context) returns the value, or nil and an error { type, message }. A field's `scopes`: of which its token
-- must have one (context.allowed); `cost`: what it takes beside a field's one; `connection`: it multiplies what is below it.
--
-- Made of it: a type with `fields` in order and `field[name]`, each with `type` a reference, `args` and `arg[name]`; a reference is a type,
-- or { kind = "LIST" | "NON_NULL", of }.
local types = {}

-- ---- references ----

-- Of "[String!]!". Named types come from `find`.
local function reference(text, find)
	local inner = text:match("^(.*)!$")
	if inner then return { kind = "NON_NULL", of = reference(inner, find) } end
	inner = text:match("^%[(.*)%]$")
	if inner then return { kind = "LIST", of = reference(inner, find) } end
	return find(text)
end

-- As it is written.
function types.print(ref)
	if ref.kind == "NON_NULL" then return types.print(ref.of) .. "!" end
	if ref.kind == "LIST" then return "[" .. types.print(ref.of) .. "]" end
	return ref.name
end

-- The reference of a variable's type (parser), or nil and the name that there is not.
function types.of_variable(schema, node)
	if node.kind == "NAMED" then
		local named = schema.types[node.name]
		return named, not named and node.name or nil
	end
	local of, unknown = types.of_variable(schema, node.of)
	return of and { kind = node.kind, of = of }, unknown
end

-- Without lists and exclamation marks.
function types.named(ref)
	while ref.of do ref = ref.of end
	return ref
end

function types.nullable(ref) return ref.kind == "NON_NULL" and ref.of or ref end

function types.is_composite(ref) return ref.kind == "OBJECT" or ref.kind == "INTERFACE" end
function types.is_input(ref) return ref.kind == "SCALAR" or ref.kind == "ENUM" or ref.kind == "INPUT_OBJECT" end

-- The objects that a composite type can be.
function types.possible(named) return named.kind == "OBJECT" and { named } or named.possible end

function types.overlap(a, b)
	if a == b then return true end
	for _, one in ipairs(types.possible(a)) do
		for _, other in ipairs(types.possible(b)) do
			if one == other then return true end
		end
	end
	return false
end

-- Whether what has type `given` may stand where `wanted` is (5.8.5).
function types.fits(given, wanted)
	if wanted.kind == "NON_NULL" then return given.kind == "NON_NULL" and types.fits(given.of, wanted.of) end
	if given.kind == "NON_NULL" then return types.fits(given.of, wanted) end
	if given.kind == "LIST" or wanted.kind == "LIST" then
		return given.kind == wanted.kind and types.fits(given.of, wanted.of)
	end
	return given == wanted
end

-- ---- making ----

local function inputs(list, find)
	local out, by_name = {}, {}
	for index, each in ipairs(list or {}) do
		out[index] = { name = each[1], type = reference(each[2], find), default = each.default }
		by_name[each[1]] = out[index]
	end
	return out, by_name
end

local function fields(list, find)
	local out, by_name = {}, {}
	for index, each in ipairs(list) do
		local args, arg = inputs(each.args, find)
		out[index] = {
			name = each[1], type = reference(each[2], find), resolve = each[3], args = args, arg = arg, scopes = each.scopes,
			cost = each.cost, connection = each.connection,
		}
		by_name[each[1]] = out[index]
	end
	return out, by_name
end

local function fill(made, given, find)
	if given.kind == "INPUT_OBJECT" then
		made.fields, made.field = inputs(given.fields, find)
	elseif given.fields then
		made.fields, made.field = fields(given.fields, find)
	end
	if given.kind == "INTERFACE" then made.possible = {} end
	made.has = {}
	for index, name in ipairs(given.values or {}) do made.values[index], made.has[name] = name, true end
end

local function implement(made, given, find)
	for index, name in ipairs(given.interfaces or {}) do
		local interface = find(name)
		made.interfaces[index], made.has[interface] = interface, true
		table.insert(interface.possible, made)
	end
end

-- { types by name, order = all, query, directives } of definitions; the query's type is called Query. `directives` stays as it is given.
function types.schema(definitions, directives)
	local schema = { types = {}, order = {}, directives = directives }
	local function find(name) return schema.types[name] or error("no type " .. name) end
	for index, given in ipairs(definitions) do
		local made = { kind = given.kind, name = given.name, description = given.description, values = {}, interfaces = {} }
		schema.order[index], schema.types[given.name] = made, made
	end
	for index, given in ipairs(definitions) do fill(schema.order[index], given, find) end
	for index, given in ipairs(definitions) do implement(schema.order[index], given, find) end
	for _, each in ipairs(directives) do each.args, each.arg = inputs(each.args, find) end
	schema.query = schema.types.Query
	return schema
end

return types
