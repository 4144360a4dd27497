-- github/graphql/validate_selection.lua: fields, arguments, directives and fragments' conditions of one definition (GraphQL, October
-- 2021, 5.3 to 5.7). `v` is validate's: schema, document, add, within, and `now`, where spreads and uses of variables are noted.
local pause  = require "github/graphql/pause"
local types  = require "github/graphql/types"
local values = require "github/graphql/values"

local selection = {}

-- ---- arguments (5.4) ----

-- Notes the variables of a value that stands where `ref` (nil: unknown) is wanted.
local function note_variables(v, node, ref, argument, default)
	if node.kind == "variable" then
		if ref then table.insert(v.now.usages, { name = node.value, type = ref, at = node.at, argument = argument, default = default }) end
		return
	end
	local inner = ref and types.nullable(ref)
	if node.kind == "list" then
		for _, each in ipairs(node.value) do note_variables(v, each, inner and inner.kind == "LIST" and inner.of, argument) end
	elseif node.kind == "object" then
		for _, each in ipairs(node.value) do
			local field = inner and inner.kind == "INPUT_OBJECT" and inner.field[each.name]
			note_variables(v, each.value, field and field.type, each.name, field and field.default ~= nil)
		end
	end
end

local function check_argument(v, each, defined, what, kind)
	local known = defined.arg[each.name]
	if not known then
		v.add(v, each.at, ("%s doesn't accept argument '%s'"):format(what, each.name), "argumentNotAccepted",
			{ name = defined.name, typeName = kind, argumentName = each.name })
		return
	end
	note_variables(v, each.value, known.type, each.name, known.default ~= nil)
	if select(2, values.of_literal(each.value, known.type)) then
		v.add(v, each.at, ("Argument '%s' on %s has an invalid value (%s). Expected type '%s'."):format(each.name, what,
			values.print(each.value), types.print(known.type)), "argumentLiteralsIncompatible", { typeName = kind, argumentName = each.name })
	end
end

-- what: "Field 'user'"; kind: "Field" or "Directive".
local function check_arguments(v, at, given, defined, what, kind)
	local seen, missing = {}, {}
	for _, each in ipairs(given) do
		if seen[each.name] then
			v.add(v, each.at, ("There can be only one argument named \"%s\""):format(each.name), "argumentNotUnique",
				{ name = each.name })
		end
		seen[each.name] = true
		v.within(v, each.name, check_argument, each, defined, what, kind)
	end
	for _, each in ipairs(defined.args) do
		if each.type.kind == "NON_NULL" and each.default == nil and not seen[each.name] then missing[#missing + 1] = each.name end
	end
	if #missing > 0 then
		local names = table.concat(missing, ", ")
		v.add(v, at, ("%s is missing required arguments: %s"):format(what, names), "missingRequiredArguments",
			{ className = kind, name = defined.name, arguments = names })
	end
end

-- ---- directives (5.7) ----

local function directive_named(v, name)
	for _, each in ipairs(v.schema.directives) do
		if each.name == name then return each end
	end
end

-- Of a field, a fragment or an operation; place: as the schema names such places.
function selection.directives(v, node, place)
	local seen = {}
	for _, each in ipairs(node.directives) do
		local defined = directive_named(v, each.name)
		if not defined then
			v.add(v, each.at, ("Directive @%s is not defined"):format(each.name), "undefinedDirective", { directiveName = each.name })
		elseif not defined.on[place] then
			v.add(v, each.at, ("'@%s' can't be applied to %s"):format(each.name, place), "directiveCannotBeApplied",
				{ targetName = place, name = each.name })
		elseif seen[each.name] then
			v.add(v, each.at, ("The directive \"%s\" can only be used once at this location."):format(each.name),
				"directiveNotUniqueForLocation", { directiveName = each.name })
		else
			check_arguments(v, each.at, each.arguments, defined, ("Directive '%s'"):format(each.name), "Directive")
		end
		seen[each.name] = true
	end
end

-- ---- fields (5.3) ----

-- The field of a type; the three that are in no schema are the introspection's (4.1).
function selection.field(schema, on, name)
	if name == "__typename" then return schema.typename end
	if on == schema.query and (name == "__schema" or name == "__type") then return schema[name] end
	return on.field[name]
end

local function check_shape(v, node, field)
	local named = types.named(field.type)
	if types.is_composite(named) and not node.selections then
		v.add(v, node.at, ("Field must have selections (field '%s' returns %s but has no selections. Did you mean '%s { ... }'?)"):format(
			node.name, named.name, node.name), "selectionMismatch", { nodeName = ("field '%s'"):format(node.name), typeName = named.name })
	elseif node.selections and not types.is_composite(named) then
		v.add(v, node.at, ("Selections can't be made on %s (field '%s' returns %s but has selections)"):format(
			named.kind == "ENUM" and "enums" or "scalars", node.name, named.name), "selectionMismatch",
			{ nodeName = ("field '%s'"):format(node.name), typeName = named.name })
	elseif node.selections then
		selection.all(v, node.selections, named)
	end
end

local function check_field(v, node, on)
	local field = selection.field(v.schema, on, node.name)
	selection.directives(v, node, "FIELD")
	if not field then
		v.add(v, node.at, ("Field '%s' doesn't exist on type '%s'"):format(node.name, on.name), "undefinedField",
			{ typeName = on.name, fieldName = node.name })
		return
	end
	check_arguments(v, node.at, node.arguments, field, ("Field '%s'"):format(node.name), "Field")
	check_shape(v, node, field)
end

-- ---- fragments (5.5) ----

-- The type that a fragment is on; nil when there is no such type, which is told.
function selection.condition(v, node)
	local on = v.schema.types[node.on]
	if not on then
		v.add(v, node.at, ("No such type %s, so it can't be a fragment condition"):format(node.on), "undefinedType", { typeName = node.on })
	elseif not types.is_composite(on) then
		v.add(v, node.at, ("Invalid fragment on type %s (must be Union, Interface or Object)"):format(node.on), "fragmentOnNonCompositeType",
			{ typeName = node.on })
		on = nil
	end
	return on
end

local function check_overlap(v, node, on, parent, name)
	if types.overlap(on, parent) then return end
	v.add(v, node.at, ("Fragment %son %s can't be spread inside %s"):format(name and name .. " " or "", on.name, parent.name),
		"cannotSpreadFragment", { typeName = on.name, fragmentName = name or "unknown", parentName = parent.name })
end

local function check_inline(v, node, parent)
	selection.directives(v, node, "INLINE_FRAGMENT")
	local on = parent
	if node.on then
		on = selection.condition(v, node)
		if on then check_overlap(v, node, on, parent) end
	end
	if on then selection.all(v, node.selections, on) end
end

local function check_spread(v, node, parent)
	selection.directives(v, node, "FRAGMENT_SPREAD")
	local fragment = v.document.by_name[node.name]
	if not fragment then
		v.add(v, node.at, ("Fragment %s was used, but not defined"):format(node.name), "useAndDefineFragment", { fragmentName = node.name })
		return
	end
	table.insert(v.now.spreads, node.name)
	local on = v.schema.types[fragment.on]
	if on and types.is_composite(on) then check_overlap(v, node, on, parent, node.name) end
end

-- Selections of a composite type.
function selection.all(v, list, on)
	for _, node in ipairs(list) do
		pause(v)
		if node.kind == "field" then
			v.within(v, node.key, check_field, node, on)
		elseif node.kind == "inline" then
			v.within(v, "..." .. (node.on and " on " .. node.on or ""), check_inline, node, on)
		else
			v.within(v, "... " .. node.name, check_spread, node, on)
		end
	end
end

return selection
