-- github/graphql/parser.lua: a request as a tree (GraphQL, October 2021, 2.2 to 2.12). Of documents only what can be executed.
--
-- document  = { source, operations = { operation }, fragments = { fragment }, by_name = fragments by name }
-- operation = { kind = "query" | "mutation" | "subscription", name or nil, variables, directives, selections, at }
-- fragment  = { name, on, directives, selections, at };  variable = { name, type, default or nil, directives, at }
-- selection = { kind = "field", name, key (the alias, or the name), arguments, directives, selections or nil, at }
--           | { kind = "spread", name, directives, at } | { kind = "inline", on or nil, directives, selections, at }
-- value     = { kind = "variable" | "int" | "float" | "string" | "boolean" | "null" | "enum" | "list" | "object", value, at }; of an
--             object: a list of { name, value, at }, as arguments are
-- type      = { kind = "NAMED", name } | { kind = "LIST" | "NON_NULL", of }
-- directive = { name, arguments, at }; `at`: its first byte (lexer.place)
local failure = require "github/graphql/failure"
local lexer   = require "github/graphql/lexer"
local pause   = require "github/graphql/pause"

local parser = {}

-- Of braces and brackets: what is deeper is no query that anybody wrote, and may not cost us our stack.
local DEEPEST = 60
-- Each operation is looked at with all the fragments that it spreads.
local MOST_OPERATIONS, MOST_FRAGMENTS = 20, 200

-- ---- reading tokens: p = { source, at = index of the next token, depth, constant = no variable may stand here } ----

local function kind(p) return p.source.kinds[p.at] end
local function value(p) return p.source.values[p.at] end
local function position(p) return p.source.at[p.at] end

local function unexpected(p)
	local place = lexer.place(p.source, position(p))
	if kind(p) == "EOF" then failure.raise("Unexpected end of document", { locations = { place } }) end
	failure.raise(('Parse error on "%s" (%s) at [%d, %d]'):format(value(p), kind(p), place.line, place.column), { locations = { place } })
end

local function take(p, wanted)
	pause(p)
	if kind(p) ~= wanted then unexpected(p) end
	p.at = p.at + 1
	return p.source.values[p.at - 1]
end

local function skip(p, wanted)
	if kind(p) ~= wanted then return false end
	p.at = p.at + 1
	return true
end

local function at_word(p, word) return kind(p) == "IDENTIFIER" and value(p) == word end

-- Runs `inside` one deeper.
local function deeper(p, inside, ...)
	p.depth = p.depth + 1
	if p.depth > DEEPEST then failure.raise("The query is more than " .. DEEPEST .. " levels deep.") end
	local out = inside(p, ...)
	p.depth = p.depth - 1
	return out
end

-- Everything between two marks; at least one unless `empty`.
local function many(p, open, one, close, empty)
	local out = {}
	take(p, open)
	while (empty or #out > 0) and kind(p) ~= close or #out == 0 and not empty do out[#out + 1] = one(p) end
	take(p, close)
	return out
end

-- ---- values (2.9) ----

local any_value

local function list_value(p) return many(p, "LBRACKET", any_value, "RBRACKET", true) end

local function named_value(p)
	local out = { at = position(p), name = take(p, "IDENTIFIER") }
	take(p, "COLON")
	out.value = any_value(p)
	return out
end

local function object_value(p) return many(p, "LCURLY", named_value, "RCURLY", true) end

local function word_value(p)
	local word, at = take(p, "IDENTIFIER"), p.source.at[p.at - 1]
	if word == "true" or word == "false" then return { kind = "boolean", value = word == "true", at = at } end
	return { kind = word == "null" and "null" or "enum", value = word, at = at }
end

local function variable_name(p)
	take(p, "VAR_SIGN")
	return take(p, "IDENTIFIER")
end

local LITERALS = { INT = "int", FLOAT = "float", STRING = "string" }

any_value = function(p)
	local token, at = kind(p), position(p)
	if token == "IDENTIFIER" then return word_value(p) end
	if token == "VAR_SIGN" and not p.constant then return { kind = "variable", value = variable_name(p), at = at } end
	if token == "LBRACKET" then return { kind = "list", value = deeper(p, list_value), at = at } end
	if token == "LCURLY" then return { kind = "object", value = deeper(p, object_value), at = at } end
	if not LITERALS[token] then unexpected(p) end
	return { kind = LITERALS[token], value = take(p, token), at = at }
end

-- ---- types of variables (2.11) ----

local function type_reference(p)
	local out
	if skip(p, "LBRACKET") then
		out = { kind = "LIST", of = deeper(p, type_reference) }
		take(p, "RBRACKET")
	else
		out = { kind = "NAMED", name = take(p, "IDENTIFIER") }
	end
	return skip(p, "BANG") and { kind = "NON_NULL", of = out } or out
end

-- ---- selections (2.4 to 2.8, 2.12) ----

local function arguments(p) return kind(p) == "LPAREN" and many(p, "LPAREN", named_value, "RPAREN") or {} end

local function directives(p)
	local out = {}
	while kind(p) == "DIR_SIGN" do
		local at = position(p)
		take(p, "DIR_SIGN")
		out[#out + 1] = { at = at, name = take(p, "IDENTIFIER"), arguments = arguments(p) }
	end
	return out
end

local selection

local function selections(p) return many(p, "LCURLY", selection, "RCURLY") end

local function field(p)
	local out = { kind = "field", at = position(p), name = take(p, "IDENTIFIER") }
	out.key = out.name
	if skip(p, "COLON") then out.name = take(p, "IDENTIFIER") end
	out.arguments, out.directives = arguments(p), directives(p)
	if kind(p) == "LCURLY" then out.selections = deeper(p, selections) end
	return out
end

selection = function(p)
	local at = position(p)
	if not skip(p, "ELLIPSIS") then return field(p) end
	if kind(p) == "IDENTIFIER" and not at_word(p, "on") then
		return { kind = "spread", at = at, name = take(p, "IDENTIFIER"), directives = directives(p) }
	end
	local on
	if skip(p, "IDENTIFIER") then on = take(p, "IDENTIFIER") end
	return { kind = "inline", at = at, on = on, directives = directives(p), selections = deeper(p, selections) }
end

-- ---- definitions ----

local function variable(p)
	local out = { at = position(p), name = variable_name(p) }
	take(p, "COLON")
	out.type = type_reference(p)
	p.constant = true
	if skip(p, "EQUALS") then out.default = any_value(p) end
	out.directives = directives(p)
	p.constant = false
	return out
end

local KINDS = { query = true, mutation = true, subscription = true }

local function operation(p)
	local out = { at = position(p), kind = "query", variables = {}, directives = {} }
	if kind(p) ~= "LCURLY" then
		out.kind = take(p, "IDENTIFIER")
		if kind(p) == "IDENTIFIER" then out.name = take(p, "IDENTIFIER") end
		if kind(p) == "LPAREN" then out.variables = many(p, "LPAREN", variable, "RPAREN") end
		out.directives = directives(p)
	end
	out.selections = deeper(p, selections)
	return out
end

local function fragment(p)
	local at = position(p)
	take(p, "IDENTIFIER")
	if at_word(p, "on") then unexpected(p) end
	local name = take(p, "IDENTIFIER")
	if not at_word(p, "on") then unexpected(p) end
	take(p, "IDENTIFIER")
	return { at = at, name = name, on = take(p, "IDENTIFIER"), directives = directives(p), selections = deeper(p, selections) }
end

-- The document of a text; raises failure when it is none.
function parser.read(text)
	local p = { source = lexer.read(text), at = 1, depth = 0 }
	local out = { source = p.source, operations = {}, fragments = {}, by_name = {} }
	repeat
		if at_word(p, "fragment") then
			local one = fragment(p)
			out.fragments[#out.fragments + 1] = one
			out.by_name[one.name] = out.by_name[one.name] or one
		elseif kind(p) == "LCURLY" or kind(p) == "IDENTIFIER" and KINDS[value(p)] then
			out.operations[#out.operations + 1] = operation(p)
		else
			unexpected(p)
		end
		if #out.operations > MOST_OPERATIONS or #out.fragments > MOST_FRAGMENTS then
			failure.raise(("A document has at most %d operations and %d fragments."):format(MOST_OPERATIONS, MOST_FRAGMENTS))
		end
	until kind(p) == "EOF"
	return out
end

return parser
