-- github/graphql/introspection.lua: what a schema says of itself (GraphQL, October 2021, 4): the types of __schema and __type, and the
-- scalars and directives that every schema has.
local types  = require "github/graphql/types"
local values = require "github/graphql/values"

local introspection = {}

-- Nothing of ours is deprecated, so that includeDeprecated changes nothing.
local DEPRECATED = { { "includeDeprecated", "Boolean", default = false } }

local function never() return false end
local function kind_is(kind, name) return function(type) return type.kind == kind and type[name] or nil end end

local function fields_of(type) return types.is_composite(type) and type.fields or nil end
local function inputs_of(type) return type.kind == "INPUT_OBJECT" and type.fields or nil end

local function enum_values(type)
	if type.kind ~= "ENUM" then return nil end
	local out = {}
	for index, name in ipairs(type.values) do out[index] = { name = name } end
	return out
end

-- A default as it would be written (4.2.5).
local function literal(ref, value)
	if value == nil then return nil end
	if value == json.null then return "null" end
	ref = types.nullable(ref)
	local out = {}
	if ref.kind == "LIST" then
		for index, each in ipairs(value) do out[index] = literal(ref.of, each) end
		return "[" .. table.concat(out, ", ") .. "]"
	elseif ref.kind == "INPUT_OBJECT" then
		for _, each in ipairs(ref.fields) do
			if value[each.name] ~= nil then out[#out + 1] = each.name .. ": " .. literal(each.type, value[each.name]) end
		end
		return "{" .. table.concat(out, ", ") .. "}"
	end
	return type(value) == "string" and ref.kind ~= "ENUM" and values.print { kind = "string", value = value } or tostring(value)
end

local function default(input) return literal(input.type, input.default) end

local function locations(directive)
	local out = {}
	for name in pairs(directive.on) do out[#out + 1] = name end
	table.sort(out)
	return out
end

local TYPE = { kind = "OBJECT", name = "__Type", fields = {
	{ "kind", "__TypeKind!" }, { "name", "String" }, { "description", "String" },
	{ "fields", "[__Field!]", fields_of, args = DEPRECATED },
	{ "interfaces", "[__Type!]", function(type) return types.is_composite(type) and type.interfaces or nil end },
	{ "possibleTypes", "[__Type!]", kind_is("INTERFACE", "possible") },
	{ "enumValues", "[__EnumValue!]", enum_values, args = DEPRECATED },
	{ "inputFields", "[__InputValue!]", inputs_of, args = DEPRECATED },
	{ "ofType", "__Type", function(type) return type.of end }, { "specifiedByURL", "String" },
} }

-- Definitions that belong to every schema (types.lua).
introspection.definitions = {
	{ kind = "SCALAR", name = "Boolean" }, { kind = "SCALAR", name = "ID" }, { kind = "SCALAR", name = "Int" },
	{ kind = "SCALAR", name = "String" },
	TYPE,
	{ kind = "OBJECT", name = "__Schema", fields = {
		{ "description", "String", function() end }, { "types", "[__Type!]!", function(schema) return schema.order end },
		{ "queryType", "__Type!", function(schema) return schema.query end }, { "mutationType", "__Type", function() end },
		{ "subscriptionType", "__Type", function() end }, { "directives", "[__Directive!]!" },
	} },
	{ kind = "OBJECT", name = "__Field", fields = {
		{ "name", "String!" }, { "description", "String" }, { "args", "[__InputValue!]!", nil, args = DEPRECATED }, { "type", "__Type!" },
		{ "isDeprecated", "Boolean!", never }, { "deprecationReason", "String" },
	} },
	{ kind = "OBJECT", name = "__InputValue", fields = {
		{ "name", "String!" }, { "description", "String" }, { "type", "__Type!" }, { "defaultValue", "String", default },
		{ "isDeprecated", "Boolean!", never }, { "deprecationReason", "String" },
	} },
	{ kind = "OBJECT", name = "__EnumValue", fields = {
		{ "name", "String!" }, { "description", "String" }, { "isDeprecated", "Boolean!", never }, { "deprecationReason", "String" },
	} },
	{ kind = "OBJECT", name = "__Directive", fields = {
		{ "name", "String!" }, { "description", "String" }, { "locations", "[__DirectiveLocation!]!", locations },
		{ "args", "[__InputValue!]!", nil, args = DEPRECATED }, { "isRepeatable", "Boolean!", never },
	} },
	{ kind = "ENUM", name = "__TypeKind",
		values = { "SCALAR", "OBJECT", "INTERFACE", "UNION", "ENUM", "INPUT_OBJECT", "LIST", "NON_NULL" } },
	{ kind = "ENUM", name = "__DirectiveLocation", values = {
		"QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD", "INLINE_FRAGMENT", "VARIABLE_DEFINITION",
		"SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION", "ARGUMENT_DEFINITION", "INTERFACE", "UNION", "ENUM", "ENUM_VALUE",
		"INPUT_OBJECT", "INPUT_FIELD_DEFINITION",
	} },
}

-- Names, whether something is left out, and the places where that may be said (3.13.1, 3.13.2).
function introspection.directives()
	local out = {}
	for index, name in ipairs { "include", "skip" } do
		out[index] = { name = name, args = { { "if", "Boolean!" } }, on = { FIELD = true, FRAGMENT_SPREAD = true, INLINE_FRAGMENT = true } }
	end
	return out
end

-- Gives a schema the fields that stand in none of its types (4.1).
function introspection.add(schema)
	local function field(name, ref, resolve)
		schema[name == "__typename" and "typename" or name] = { name = name, type = ref, resolve = resolve, args = {}, arg = {} }
	end
	local function not_null(of) return { kind = "NON_NULL", of = of } end
	field("__typename", not_null(schema.types.String))
	field("__schema", not_null(schema.types.__Schema), function() return schema end)
	field("__type", schema.types.__Type, function(_, given) return schema.types[given.name] end)
	local name = { name = "name", type = not_null(schema.types.String) }
	schema.__type.args, schema.__type.arg.name = { name }, name
	return schema
end

return introspection
