-- kit/template.lua: HTML templates that escape by themselves. A page is lua/pages/NAME.html, parsed once into closures.
--
--   {{ user.name }}                      escaped; absent values print nothing
--   {% if a %} … {% elseif not b.c %} … {% else %} … {% end %}
--   {% for item in list %} … {{ loop.index }} {{ loop.first }} {{ loop.last }} … {% end %}
--   {% include "head" %}                 with the same values
--   {# a comment #}
--
-- In braces stand names with dots; in conditions also `not`. There nil, false, "" and empty tables are false. A value
-- wrapped by template.safe is printed as it stands.
local html = require "kit/html"

local template = {}

-- The mark of texts that are printed as they stand.
local safe_type = { __name = "tidelock.safe_html" }

local function truth(value)
	if type(value) == "table" and getmetatable(value) ~= safe_type then
		return next(value) ~= nil
	end
	return value ~= nil and value ~= false and value ~= ""
end

-- The names of a path like user.name; nothing else stands in a template's braces.
local function names_of(text, where)
	local names = {}
	for name in text:gmatch("[^.]*") do
		if not name:find("^[%a_][%w_]*$") then
			error(("%s: '%s' is out of place"):format(where, text), 0)
		end
		names[#names + 1] = name
	end
	return names
end

-- function(values) of a path.
local function path(text, where)
	local names = names_of(text:match("^%s*(.-)%s*$"), where)
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

-- function(values) of a path or `not` a path.
local function condition_of(text, where)
	local negated = text:match("^%s*not%s+(.*)$")
	local value = path(negated or text, where)
	return function(values)
		return truth(value(values)) ~= (negated ~= nil)
	end
end

function template.safe(text)
	return setmetatable({ text = text }, safe_type)
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
			if not branch.condition or branch.condition(values) then
				return run(branch.body, out, values)
			end
		end
	end
end

local function value_of(inner)
	return function(out, values)
		out[#out + 1] = printed(inner(values))
	end
end

-- Compiles pieces from `at` up to a block that ends this level; returns the block, that ending piece's text, and where.
local function compile(pieces, at, where)
	local block = {}

	local function branches_of(first)
		local branches, condition = {}, condition_of(first, where)
		local body, ending
		repeat
			body, ending, at = compile(pieces, at + 1, where)
			if not ending then
				error(where .. ": end expected after if", 0)
			end
			branches[#branches + 1] = { condition = condition, body = body }
			condition = ending:match("^elseif%s+(.+)$")
			condition = condition and condition_of(condition, where)
		until ending == "end"
		return branches
	end

	while pieces[at] do
		local piece = pieces[at]
		if type(piece) == "string" then
			block[#block + 1] = piece ~= "" and piece or nil
		elseif piece.kind == "{" then
			block[#block + 1] = value_of(path(piece.text, where))
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
				block[#block + 1] = each(variable, path(list, where), body)
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
