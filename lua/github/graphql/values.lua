-- github/graphql/values.lua: what comes in (GraphQL, October 2021, 3.5 to 3.11, 6.1.2, 6.4.1): literals and JSON as values of a type,
-- arguments and variables with their defaults. Absent is nil, null is json.null.
local failure = require "github/graphql/failure"
local lexer   = require "github/graphql/lexer"
local types   = require "github/graphql/types"

local values = {}

local null = json.null

-- ---- scalars as input: kind "int", "float", "string", "boolean" of a literal, or what JSON has ----

local LARGEST = 2147483647

local function integer(kind, value)
	local number = kind == "int" and math.tointeger(tonumber(value))
	if number and number >= -LARGEST - 1 and number <= LARGEST then return number end
end

local readers = {
	Int = integer,
	Float = function(kind, value) return (kind == "int" or kind == "float") and tonumber(value) or nil end,
	String = function(kind, value) if kind == "string" then return value end end,
	Boolean = function(kind, value) if kind == "boolean" then return value end end,
	ID = function(kind, value) if kind == "string" or kind == "int" then return tostring(value) end end,
}

local function scalar(ref, kind, value)
	local read = readers[ref.name] or readers.String
	return read(kind, value)
end

-- ---- literals ----

-- As it is written, for messages and introspection.
function values.print(node)
	local out = {}
	if node.kind == "list" then
		for index, each in ipairs(node.value) do out[index] = values.print(each) end
		return "[" .. table.concat(out, ", ") .. "]"
	elseif node.kind == "object" then
		for index, each in ipairs(node.value) do out[index] = each.name .. ": " .. values.print(each.value) end
		return "{" .. table.concat(out, ", ") .. "}"
	elseif node.kind == "string" then
		return json.encode(node.value)
	end
	return (node.kind == "variable" and "$" or "") .. tostring(node.value)
end

local of_literal

local function list_literal(node, ref, variables)
	if node.kind ~= "list" then
		local one, wrong = of_literal(node, ref.of, variables)
		return not wrong and { one } or nil, wrong
	end
	local out = {}
	for index, each in ipairs(node.value) do
		local one, wrong = of_literal(each, ref.of, variables)
		if wrong then return nil, wrong end
		-- A variable without a value is null in a list.
		out[index] = one == nil and null or one
	end
	return out
end

local function object_literal(node, ref, variables)
	if node.kind ~= "object" then return nil, node end
	local given, out = {}, {}
	for _, each in ipairs(node.value) do
		if given[each.name] or not ref.field[each.name] then return nil, node end
		given[each.name] = each.value
	end
	for _, each in ipairs(ref.fields) do
		local literal, value, wrong = given[each.name], nil, nil
		if literal then value, wrong = of_literal(literal, each.type, variables) end
		if value == nil then value = each.default end
		local unknown = not variables and literal and literal.kind == "variable"
		if wrong or (value == nil and each.type.kind == "NON_NULL" and not unknown) then return nil, wrong or node end
		out[each.name] = value
	end
	return out
end

-- `variables`: their values; nil while there are none yet, when any variable will do.
of_literal = function(node, ref, variables)
	if node.kind == "variable" then
		local value = variables and variables[node.value]
		if variables and ref.kind == "NON_NULL" and (value == nil or value == null) then return nil, node end
		return value
	end
	if ref.kind == "NON_NULL" then
		if node.kind == "null" then return nil, node end
		return of_literal(node, ref.of, variables)
	end
	if node.kind == "null" then return null end
	if ref.kind == "LIST" then return list_literal(node, ref, variables) end
	if ref.kind == "INPUT_OBJECT" then return object_literal(node, ref, variables) end
	if ref.kind == "ENUM" then
		if node.kind == "enum" and ref.has[node.value] then return node.value end
		return nil, node
	end
	local value = scalar(ref, node.kind, node.value)
	return value, value == nil and node or nil
end

-- The value of a literal, or nil and the literal, or the part of it, that is of another type. Without variables' values: in a place that a
-- variable has nothing is said.
values.of_literal = of_literal

-- ---- JSON ----

local of_json

local function kind_of(value)
	if type(value) == "number" then return math.tointeger(value) and "int" or "float" end
	return type(value)
end

local function list_json(value, ref)
	if type(value) ~= "table" or not json.is_array(value) then
		local one, why = of_json(value, ref.of)
		return not why and { one } or nil, why
	end
	local out = {}
	for index, each in ipairs(value) do
		local one, why, path = of_json(each, ref.of)
		if why then return nil, why, { index - 1, table.unpack(path or {}) } end
		out[index] = one
	end
	return out
end

local function object_json(value, ref)
	if type(value) ~= "table" or json.is_array(value) then return nil, "Expected value to be an object" end
	for name in pairs(value) do
		if not ref.field[name] then return nil, "Field is not defined on " .. ref.name, { name } end
	end
	local out = {}
	for _, each in ipairs(ref.fields) do
		local one, why, path = value[each.name], nil, nil
		if one == nil then one = each.default else one, why, path = of_json(one, each.type) end
		if one == nil and not why and each.type.kind == "NON_NULL" then why = "Expected value to not be null" end
		if why then return nil, why, { each.name, table.unpack(path or {}) } end
		out[each.name] = one
	end
	return out
end

of_json = function(value, ref)
	if value == nil or value == null then
		if ref.kind == "NON_NULL" then return nil, "Expected value to not be null" end
		return value
	end
	if ref.kind == "NON_NULL" then return of_json(value, ref.of) end
	if ref.kind == "LIST" then return list_json(value, ref) end
	if ref.kind == "INPUT_OBJECT" then return object_json(value, ref) end
	if ref.kind == "ENUM" then
		if type(value) == "string" and ref.has[value] then return value end
		return nil, ("Expected %s to be one of: %s"):format(json.encode(value), table.concat(ref.values, ", "))
	end
	local out = scalar(ref, kind_of(value), value)
	if out ~= nil then return out end
	return nil, ("Could not coerce value %s to %s"):format(json.encode(value), ref.name)
end

-- ---- variables and arguments ----

local function invalid(document, node, ref, value, why, path)
	return {
		message = ("Variable $%s of type %s was provided invalid value%s"):format(node.name, types.print(ref),
			path and " for " .. table.concat(path, ".") .. " (" .. why .. ")" or ""),
		locations = { lexer.place(document.source, node.at) },
		extensions = { value = value == nil and null or value, problems = { { path = json.array(path or {}), explanation = why } } },
	}
end

-- The values of an operation's variables of what came with it; raises failure. Their types are known to exist.
function values.of_variables(schema, document, operation, given)
	local out, errors = {}, {}
	for _, node in ipairs(operation.variables) do
		local ref, value = types.of_variable(schema, node.type), given[node.name]
		local result, why, path
		if value == nil and node.default then
			result = of_literal(node.default, ref, {})
		else
			result, why, path = of_json(value, ref)
		end
		if why then errors[#errors + 1] = invalid(document, node, ref, value, why, path) end
		out[node.name] = result
	end
	if #errors > 0 then failure.raise_all(errors) end
	return out
end

-- What a field or directive is given, by name; nil and the first argument that is null although it must not be (a variable's doing).
function values.of_arguments(defined, given, variables)
	local out = {}
	for _, each in ipairs(defined.args) do
		local node, value, wrong = nil, nil, nil
		for _, one in ipairs(given) do
			if one.name == each.name then node = one.value end
		end
		if node then value, wrong = of_literal(node, each.type, variables) end
		if value == nil and not wrong then value = each.default end
		if wrong or (each.type.kind == "NON_NULL" and (value == nil or value == null)) then return nil, each end
		out[each.name] = value
	end
	return out
end

return values
