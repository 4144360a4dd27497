-- kit/template.lua: HTML templates that escape by themselves. A page is lua/pages/NAME.html, parsed once into closures.
--
--   {{ user.name }}                      escaped; absent values print nothing
--   {% if a and not b.c == "x" %} … {% elseif d %} … {% else %} … {% end %}
--   {% for item in list %} … {{ loop.index }} {{ loop.first }} {{ loop.last }} … {% end %}
--   {% include "head" %}                 with the same values
--   {# a comment #}
--
-- Expressions: names with dots, "text", numbers, true, false, nil, #list, not, ==, ~=, <, >, .., and, or, parentheses.
-- In conditions nil, false, "" and empty tables are false. A value wrapped by template.safe is printed as it stands.
local html = require "kit/html"

local template = {}

local safe_type = { __name = "tidelock.safe_html" }

function template.safe(text)
	return setmetatable({ text = text }, safe_type)
end

local function truth(value)
	if type(value) == "table" and getmetatable(value) ~= safe_type then
		return next(value) ~= nil
	end
	return value ~= nil and value ~= false and value ~= ""
end

local function printed(value)
	if value == nil then
		return ""
	end
	if getmetatable(value) == safe_type then
		return value.text
	end
	return html.escape(value)
end

-- ---- expressions: a list of tokens, then one function per level of precedence; each returns function(values) ----

local function tokens_of(text, where)
	local out, at = {}, 1
	while true do
		at = text:find("%S", at)
		if not at then
			return out
		end
		local rest = text:sub(at)
		local token = rest:match('^"[^"]*"') or rest:match("^[%a_][%w_%.]*") or rest:match("^%d+%.?%d*")
			or rest:match("^==") or rest:match("^~=") or rest:match("^%.%.") or rest:match("^[<>#()]")
		if not token then
			error(where .. ": cannot read '" .. rest .. "'", 0)
		end
		out[#out + 1] = token
		at = at + #token
	end
end

local function lookup(path)
	local names = {}
	for name in path:gmatch("[^.]+") do
		names[#names + 1] = name
	end
	if #names == 1 then
		return function(values)
			return values[path]
		end
	end
	return function(values)
		local value = values
		for _, name in ipairs(names) do
			if type(value) ~= "table" then
				return nil
			end
			value = value[name]
		end
		return value
	end
end

local CONSTANT = { ["true"] = true, ["false"] = false }

local function parse_expression(text, where)
	local list, at = tokens_of(text, where), 1
	local either

	local function take(token)
		if list[at] == token then
			at = at + 1
			return true
		end
	end

	local function primary()
		local token = list[at]
		if not token then
			error(where .. ": the expression ends too early", 0)
		end
		at = at + 1
		if token == "(" then
			local inner = either()
			if not take(")") then
				error(where .. ": ) expected", 0)
			end
			return inner
		elseif token == "#" then
			local inner = primary()
			return function(values)
				local value = inner(values)
				return value and #value or 0
			end
		elseif token:sub(1, 1) == '"' then
			local constant = token:sub(2, -2)
			return function() return constant end
		elseif token:find("^%d") then
			local constant = tonumber(token)
			return function() return constant end
		elseif CONSTANT[token] ~= nil or token == "nil" then
			local constant = CONSTANT[token]
			return function() return constant end
		elseif token:find("^[%a_]") then
			return lookup(token)
		end
		error(where .. ": '" .. token .. "' is out of place", 0)
	end

	local function joined()
		local left = primary()
		while take("..") do
			local a, b = left, primary()
			left = function(values)
				return tostring(a(values) or "") .. tostring(b(values) or "")
			end
		end
		return left
	end

	local function compared()
		local left = joined()
		if take("==") then
			local right = joined()
			return function(values) return left(values) == right(values) end
		elseif take("~=") then
			local right = joined()
			return function(values) return left(values) ~= right(values) end
		elseif take("<") then
			local right = joined()
			return function(values) return left(values) < right(values) end
		elseif take(">") then
			local right = joined()
			return function(values) return left(values) > right(values) end
		end
		return left
	end

	local function negated()
		if take("not") then
			local inner = negated()
			return function(values) return not truth(inner(values)) end
		end
		return compared()
	end

	local function both()
		local left = negated()
		while take("and") do
			local a, b = left, negated()
			left = function(values)
				local value = a(values)
				if truth(value) then
					return b(values)
				end
				return value
			end
		end
		return left
	end

	function either()
		local left = both()
		while take("or") do
			local a, b = left, both()
			left = function(values)
				local value = a(values)
				if truth(value) then
					return value
				end
				return b(values)
			end
		end
		return left
	end

	local result = either()
	if list[at] then
		error(where .. ": '" .. list[at] .. "' is out of place", 0)
	end
	return result
end

-- ---- blocks: a list of pieces, each literal text or { kind, text } ----

local function pieces_of(text, where)
	local out, at = {}, 1
	while true do
		local open = text:find("{[{%%#]", at)
		if not open then
			out[#out + 1] = text:sub(at)
			return out
		end
		local mark = text:sub(open + 1, open + 1)
		local close = text:find(mark == "{" and "}}" or mark .. "}", open + 2, true)
		if not close then
			error(where .. ": " .. text:sub(open, open + 20) .. " is never closed", 0)
		end
		out[#out + 1] = text:sub(at, open - 1)
		if mark ~= "#" then
			out[#out + 1] = { kind = mark, text = text:sub(open + 2, close - 1):match("^%s*(.-)%s*$") }
		end
		at = close + 2
		-- A block alone on its line leaves no empty line.
		if mark ~= "{" and text:find("^\n", at) and (open == 1 or text:find("^\n", open - 1)) then
			at = at + 1
		end
	end
end

local compiled = {}

local function run(block, out, values)
	for i = 1, #block do
		local item = block[i]
		if type(item) == "string" then
			out[#out + 1] = item
		else
			item(out, values)
		end
	end
end

local function include(name)
	return function(out, values)
		run(template.load(name), out, values)
	end
end

local function each(variable, list, body)
	return function(out, values)
		local items = list(values) or {}
		for index, item in ipairs(items) do
			local loop = { index = index, first = index == 1, last = index == #items }
			run(body, out, setmetatable({ [variable] = item, loop = loop }, { __index = values }))
		end
	end
end

local function choice(branches)
	return function(out, values)
		for _, branch in ipairs(branches) do
			if not branch.condition or truth(branch.condition(values)) then
				return run(branch.body, out, values)
			end
		end
	end
end

local function value_of(expression)
	return function(out, values)
		out[#out + 1] = printed(expression(values))
	end
end

-- Compiles pieces from `at` up to a block that ends this level; returns the block, that ending piece's text, and where.
local function compile(pieces, at, where)
	local block = {}

	local function branches_of(first)
		local branches, condition = {}, parse_expression(first, where)
		local body, ending
		repeat
			body, ending, at = compile(pieces, at + 1, where)
			if not ending then
				error(where .. ": end expected after if", 0)
			end
			branches[#branches + 1] = { condition = condition, body = body }
			condition = ending:match("^elseif%s+(.+)$")
			condition = condition and parse_expression(condition, where)
		until ending == "end"
		return branches
	end

	while pieces[at] do
		local piece = pieces[at]
		if type(piece) == "string" then
			block[#block + 1] = piece ~= "" and piece or nil
		elseif piece.kind == "{" then
			block[#block + 1] = value_of(parse_expression(piece.text, where))
		else
			local word, rest = piece.text:match("^(%a+)%s*(.*)$")
			if word == "end" or word == "else" or word == "elseif" then
				return block, piece.text, at
			elseif word == "if" then
				block[#block + 1] = choice(branches_of(rest))
			elseif word == "for" then
				local variable, list = rest:match("^([%a_][%w_]*)%s+in%s+(.+)$")
				if not variable then
					error(where .. ": for NAME in LIST expected", 0)
				end
				local body, ending
				body, ending, at = compile(pieces, at + 1, where)
				if ending ~= "end" then
					error(where .. ": end expected after for", 0)
				end
				block[#block + 1] = each(variable, parse_expression(list, where), body)
			elseif word == "include" then
				block[#block + 1] = include(rest:match('^"([%w_%-/]+)"$') or error(where .. ': include "name" expected', 0))
			else
				error(where .. ": unknown block '" .. piece.text .. "'", 0)
			end
		end
		at = at + 1
	end
	return block, nil, at
end

-- Compiles a text; the result is for template.run.
function template.parse(text, where)
	local pieces = pieces_of(text, where)
	local block, ending = compile(pieces, 1, where)
	if ending then
		error(where .. ": '" .. ending .. "' is out of place", 0)
	end
	return block
end

function template.run(block, values)
	local out = {}
	run(block, out, values)
	return table.concat(out)
end

function template.load(name)
	if not compiled[name] then
		local text = sys.asset("pages/" .. name .. ".html")
		if not text then
			error("no template named " .. name, 0)
		end
		compiled[name] = template.parse(text, name .. ".html")
	end
	return compiled[name]
end

function template.render(name, values)
	return template.run(template.load(name), values)
end

return template
