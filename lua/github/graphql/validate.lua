-- github/graphql/validate.lua: whether a document means something in a schema (GraphQL, October 2021, 5), told as GitHub tells it: every
-- error has a path of what stands around it, a place and a code. Each definition is looked at once, whatever spreads it: the time is the
-- text's length. What depends on one another's fields (5.3.2) and on variables' values is plan.lua's affair.
local lexer     = require "github/graphql/lexer"
local pause     = require "github/graphql/pause"
local selection = require "github/graphql/validate_selection"
local types     = require "github/graphql/types"
local values    = require "github/graphql/values"

local validate = {}

-- Clients show the first few; nobody reads a thousand.
local MOST_ERRORS = 100

local function add(v, at, message, code, fields)
	if #v.errors >= MOST_ERRORS then return end
	local extensions = fields or {}
	extensions.code = code
	v.errors[#v.errors + 1] = {
		message = message, path = json.array { table.unpack(v.path) }, extensions = extensions,
		locations = { lexer.place(v.document.source, at) },
	}
end

-- Runs `inside` with `name` at the end of the path.
local function within(v, name, inside, ...)
	v.path[#v.path + 1] = name
	inside(v, ...)
	v.path[#v.path] = nil
end

-- ---- fragments (5.5) ----

-- The fragments that a definition spreads, and those that they do, once each.
local function spread_by(v, definition, out)
	for _, name in ipairs(v.found[definition].spreads) do
		local fragment = v.document.by_name[name]
		if fragment and not out[name] then
			out[name] = true
			spread_by(v, fragment, out)
		end
	end
	return out
end

-- Each fragment that is reached from within itself; `state` says which are "open" and which "done".
local function check_cycles(v, fragment, state)
	state[fragment] = "open"
	for _, name in ipairs(v.found[fragment].spreads) do
		local inner = v.document.by_name[name]
		if state[inner] == "open" then
			within(v, "fragment " .. name, add, inner.at, ("Fragment %s contains an infinite loop"):format(name), "infiniteLoop",
				{ fragmentName = name })
			state[inner] = "done"
		elseif inner and not state[inner] then
			check_cycles(v, inner, state)
		end
	end
	state[fragment] = "done"
end

local function check_used(v, fragment, used)
	if not used[fragment.name] then
		add(v, fragment.at, ("Fragment %s was defined, but not used"):format(fragment.name), "useAndDefineFragment",
			{ fragmentName = fragment.name })
	end
	if v.document.by_name[fragment.name] ~= fragment then
		add(v, fragment.at, ("Fragment name \"%s\" must be unique"):format(fragment.name), "fragmentNotUnique",
			{ fragmentName = fragment.name })
	end
end

-- ---- variables (5.8) ----

local function label(operation) return operation.name or "anonymous " .. operation.kind end

local function check_usage(v, operation, defined, usage)
	pause(v)
	local variable = defined[usage.name]
	if not variable then
		add(v, usage.at, ("Variable $%s is used by %s but not declared"):format(usage.name, label(operation)), "variableNotDefined",
			{ variableName = usage.name })
		return
	end
	local given = types.of_variable(v.schema, variable.type)
	-- 5.8.5: what has a default, here or there, is never absent.
	local wanted = usage.default and types.nullable(usage.type) or usage.type
	local ready = variable.default and variable.default.kind ~= "null"
	if not given or types.fits(ready and given.kind ~= "NON_NULL" and { kind = "NON_NULL", of = given } or given, wanted) then return end
	local mismatch = types.fits({ kind = "NON_NULL", of = types.nullable(given) }, wanted) and "Nullability mismatch" or "Type mismatch"
	add(v, usage.at, ("%s on variable $%s and argument %s (%s / %s)"):format(mismatch, usage.name, usage.argument, types.print(given),
		types.print(usage.type)), "variableMismatch", { variableName = usage.name, typeName = types.print(given),
		argumentName = usage.argument, errorMessage = mismatch })
end

local function check_variable(v, variable)
	selection.directives(v, variable, "VARIABLE_DEFINITION")
	local ref, unknown = types.of_variable(v.schema, variable.type)
	if unknown or not types.is_input(types.named(ref)) then
		add(v, variable.at, ("%s isn't a defined input type (on $%s)"):format(unknown or types.print(ref), variable.name),
			"variableRequiresValidType", { typeName = unknown or types.print(ref), variableName = variable.name })
	elseif variable.default and select(2, values.of_literal(variable.default, ref, {})) then
		add(v, variable.at, ("Default value for $%s doesn't match type %s"):format(variable.name, types.print(ref)),
			"defaultValueInvalidType", { variableName = variable.name, typeName = types.print(ref) })
	end
end

local function usages_of(v, operation)
	local out = { table.unpack(v.found[operation].usages) }
	for name in pairs(spread_by(v, operation, {})) do
		local more = v.found[v.document.by_name[name]].usages
		table.move(more, 1, #more, #out + 1, out)
	end
	return out
end

local function check_variables(v, operation)
	local defined, used = {}, {}
	for _, variable in ipairs(operation.variables) do
		if defined[variable.name] then
			add(v, variable.at, ("There can only be one variable named \"%s\""):format(variable.name), "variableNotUnique",
				{ variableName = variable.name })
		end
		defined[variable.name] = variable
		check_variable(v, variable)
	end
	for _, usage in ipairs(usages_of(v, operation)) do
		used[usage.name] = true
		check_usage(v, operation, defined, usage)
	end
	for _, variable in ipairs(operation.variables) do
		if not used[variable.name] then
			add(v, variable.at, ("Variable $%s is declared by %s but not used"):format(variable.name, label(operation)),
				"variableNotUsed", { variableName = variable.name })
		end
	end
end

-- ---- definitions ----

local function check_operation(v, operation)
	if operation.kind ~= "query" then
		add(v, operation.at, ("Schema is not configured for %ss"):format(operation.kind), "missingOperationType")
		return
	end
	selection.directives(v, operation, "QUERY")
	selection.all(v, operation.selections, v.schema.query)
end

local function check_fragment(v, fragment)
	selection.directives(v, fragment, "FRAGMENT_DEFINITION")
	local on = selection.condition(v, fragment)
	if on then selection.all(v, fragment.selections, on) end
end

local function check_names(v)
	local seen = {}
	for _, operation in ipairs(v.document.operations) do
		if operation.name and seen[operation.name] then
			add(v, operation.at, ("Operation name \"%s\" must be unique"):format(operation.name), "uniquelyNamedOperations",
				{ operationName = operation.name })
		elseif not operation.name and #v.document.operations > 1 then
			add(v, operation.at, "Operation name is required when multiple operations are present", "uniquelyNamedOperations")
		end
		seen[operation.name or 0] = true
	end
end

local function path_of(operation) return operation.kind .. (operation.name and " " .. operation.name or "") end

-- Notes what each definition spreads and uses on the way.
local function look(v, definition, path, check)
	v.now = { spreads = {}, usages = {} }
	v.found[definition] = v.now
	within(v, path, check, definition)
end

-- What is wrong: a list of errors as failure.raise_all takes them, empty when nothing is.
function validate.errors(schema, document)
	-- found: of each definition the fragments that it spreads and the variables that it uses, which selection fills in.
	local v = { schema = schema, document = document, errors = {}, path = {}, found = {}, add = add, within = within }
	local used, state = {}, {}
	check_names(v)
	for _, each in ipairs(document.operations) do look(v, each, path_of(each), check_operation) end
	for _, each in ipairs(document.fragments) do look(v, each, "fragment " .. each.name, check_fragment) end
	for _, each in ipairs(document.operations) do spread_by(v, each, used) end
	for _, each in ipairs(document.fragments) do
		within(v, "fragment " .. each.name, check_used, each, used)
		if not state[each] then check_cycles(v, each, state) end
	end
	for _, each in ipairs(document.operations) do within(v, path_of(each), check_variables, each) end
	return v.errors
end

return validate
