-- kit/json_place.lua: where in a JSON text something stands, for messages that people act on.
local json_place = {}

-- Line and column, both from 1, of a byte (from 1); a column counts characters.
function json_place.of_byte(text, byte)
	local before = text:sub(1, byte - 1)
	local _, lines = before:gsub("\n", "")
	local line = before:match("[^\n]*$")
	return lines + 1, (utf8.len(line) or #line) + 1
end

local function skip(text, at) return text:match("^[ \t\r\n]*()", at) end

local function string_end(text, at)
	while true do
		local from = text:find('["\\]', at + 1)
		if text:byte(from) == 34 then return from + 1 end
		at = from + 1
	end
end

-- The byte after the value that begins at `at`. The text is JSON that was read before.
local function value_end(text, at)
	local depth = 0
	repeat
		local from = text:find('["%[%]{},]', at)
		if not from then return #text + 1 end
		local c = text:sub(from, from)
		if c == '"' then
			at = string_end(text, from)
			if depth == 0 then return at end
		elseif c == "[" or c == "{" then
			depth, at = depth + 1, from + 1
		elseif c == "," then
			if depth == 0 then return from end
			at = from + 1
		else
			if depth == 0 then return from end
			depth, at = depth - 1, from + 1
			if depth == 0 then return at end
		end
	until false
end

-- The byte where the member `name` of the object at `at` has its value.
local function member(text, at, name)
	at = skip(text, at + 1)
	while text:byte(at) == 34 do
		local key_end = string_end(text, at)
		local value = skip(text, text:find(":", key_end, true) + 1)
		if json.decode(text:sub(at, key_end - 1)) == name then return value end
		at = skip(text, value_end(text, value))
		if text:byte(at) ~= 44 then return nil end
		at = skip(text, at + 1)
	end
	return nil
end

local function item(text, at, index)
	at = skip(text, at + 1)
	for _ = 1, index do
		at = skip(text, value_end(text, at))
		if text:byte(at) ~= 44 then return nil end
		at = skip(text, at + 1)
	end
	return at
end

-- The byte where the value at `path` (names, and numbers from 0) begins; of what is not there, where the last one on the way does.
function json_place.byte(text, path)
	local at = skip(text, 1)
	for _, step in ipairs(path) do
		local c, found = text:sub(at, at), nil
		if c == "{" and type(step) == "string" then found = member(text, at, step) end
		if c == "[" and math.type(step) == "integer" then found = item(text, at, step) end
		if not found then return at end
		at = found
	end
	return at
end

return json_place
