-- github/graphql/lexer.lua: the text of a request as tokens (GraphQL, October 2021, 2.1). In one pass, so that the time is the
-- length's; where a line begins is noted on the way, for the places that errors name.
local failure = require "github/graphql/failure"
local pause   = require "github/graphql/pause"

local lexer = {}

local MOST_BYTES, MOST_TOKENS = 65536, 10000

-- What GitHub's errors call a token.
local NAMES = {
	["!"] = "BANG", ["$"] = "VAR_SIGN", ["&"] = "AMP", ["("] = "LPAREN", [")"] = "RPAREN", ["..."] = "ELLIPSIS", [":"] = "COLON",
	["="] = "EQUALS", ["@"] = "DIR_SIGN", ["["] = "LBRACKET", ["]"] = "RBRACKET", ["{"] = "LCURLY", ["|"] = "PIPE", ["}"] = "RCURLY",
}
local ESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function line_starts(text)
	local starts = { 1 }
	for at in text:gmatch("()\n") do starts[#starts + 1] = at + 1 end
	return starts
end

-- { line, column } of a byte of the text.
function lexer.place(source, at)
	local low, high = 1, #source.starts
	while low < high do
		local middle = (low + high + 1) // 2
		if source.starts[middle] <= at then low = middle else high = middle - 1 end
	end
	local before = source.text:sub(source.starts[low], at - 1)
	return { line = low, column = (utf8.len(before) or #before) + 1 }
end

local function bad(source, at, what)
	local place = lexer.place(source, at)
	failure.raise(("Parse error on %s at [%d, %d]"):format(what, place.line, place.column), { locations = { place } })
end

-- ---- strings ----

local function unit(text, at)
	local digits = text:match("^\\u(%x%x%x%x)", at)
	return digits and tonumber(digits, 16)
end

-- One \u, or two that are a pair (UTF-16): the character and what follows.
local function unicode(source, at)
	local first = unit(source.text, at)
	-- A zero byte means nothing in any name of ours, and something to others who read on.
	if not first or first == 0 then bad(source, at, "bad Unicode escape") end
	if first < 0xd800 or first > 0xdfff then return utf8.char(first), at + 6 end
	local second = first < 0xdc00 and unit(source.text, at + 6)
	if not second or second < 0xdc00 or second > 0xdfff then bad(source, at, "bad Unicode escape") end
	return utf8.char(0x10000 + (first - 0xd800) * 0x400 + second - 0xdc00), at + 12
end

local function string_at(source, start)
	local text, at, out = source.text, start + 1, {}
	while true do
		local plain = text:match('^[^"\\\n\r]*', at)
		out[#out + 1], at = plain, at + #plain
		local character = text:sub(at, at)
		if character == '"' then return table.concat(out), at + 1 end
		if character ~= "\\" then bad(source, start, "a string that does not end") end
		local escape = text:sub(at + 1, at + 1)
		if escape == "u" then
			out[#out + 1], at = unicode(source, at)
		else
			out[#out + 1], at = ESCAPES[escape] or bad(source, at, "bad escape"), at + 2
		end
	end
end

-- 2.9.4: what all lines but the first begin with is taken away, and empty lines around.
local function unindented(raw)
	local lines, common = {}, nil
	for line in (raw:gsub("\r\n?", "\n") .. "\n"):gmatch("([^\n]*)\n") do
		lines[#lines + 1] = line
		local indent = #line:match("^[ \t]*")
		if #lines > 1 and indent < #line then common = math.min(common or indent, indent) end
	end
	for index = 2, #lines do lines[index] = lines[index]:sub((common or 0) + 1) end
	local first, last = 1, #lines
	while first <= last and not lines[first]:find("[^ \t]") do first = first + 1 end
	while last >= first and not lines[last]:find("[^ \t]") do last = last - 1 end
	return table.concat(lines, "\n", first, last)
end

local function block_at(source, start)
	local at, out = start + 3, {}
	while true do
		local stop = source.text:find('"""', at, true) or bad(source, start, "a string that does not end")
		if source.text:byte(stop - 1) ~= 92 then
			out[#out + 1] = source.text:sub(at, stop - 1)
			return unindented(table.concat(out)), stop + 3
		end
		out[#out + 1], at = source.text:sub(at, stop - 2) .. '"""', stop + 3
	end
end

-- ---- tokens ----

-- 2.9.1, 2.9.2: nothing that goes on like a name or a number may follow a number.
local function number_at(source, at)
	local integer = source.text:match("^%-?0", at) or source.text:match("^%-?[1-9]%d*", at)
	if not integer or #integer > 300 then bad(source, at, "bad number") end
	local rest = at + #integer
	local fraction = source.text:match("^%.%d+", rest) or ""
	local exponent = source.text:match("^[eE][+-]?%d+", rest + #fraction) or ""
	local stop = rest + #fraction + #exponent
	if source.text:find("^[%w_.]", stop) then bad(source, at, "bad number") end
	return fraction .. exponent == "" and "INT" or "FLOAT", source.text:sub(at, stop - 1), stop
end

-- kind, value and where the next begins. The kind of a mark is GitHub's name for it.
local function token_at(source, at)
	local text = source.text
	local name = text:match("^[_%a][_%w]*", at)
	if name then return "IDENTIFIER", name, at + #name end
	local mark = text:match("^%.%.%.", at) or text:sub(at, at)
	if NAMES[mark] then return NAMES[mark], mark, at + #mark end
	if text:find('^"""', at) then
		local value, stop = block_at(source, at)
		return "STRING", value, stop
	elseif mark == '"' then
		local value, stop = string_at(source, at)
		return "STRING", value, stop
	elseif mark:find("[%d-]") then
		return number_at(source, at)
	end
	bad(source, at, "bad character")
end

local function skip(text, at)
	while true do
		local stop = text:match("^[ \t\r\n,]*()", at)
		stop = text:match("^\xef\xbb\xbf()", stop) or text:match("^#[^\r\n]*()", stop) or stop
		if stop == at then return at end
		at = stop
	end
end

-- { text, starts, kinds, values, at }: the i-th token's kind, value and first byte; the last one is EOF. `text` is valid UTF-8.
function lexer.read(text)
	if #text > MOST_BYTES then failure.raise("The query has more than " .. MOST_BYTES .. " bytes.") end
	local source = { text = text, starts = line_starts(text), kinds = {}, values = {}, at = {} }
	local at = skip(text, 1)
	while at <= #text do
		local count = #source.kinds + 1
		if count > MOST_TOKENS then failure.raise("The query has more than " .. MOST_TOKENS .. " tokens.") end
		source.at[count] = at
		source.kinds[count], source.values[count], at = token_at(source, at)
		at = skip(text, at)
		pause(source)
	end
	local count = #source.kinds + 1
	source.kinds[count], source.values[count], source.at[count] = "EOF", "", #text + 1
	return source
end

return lexer
