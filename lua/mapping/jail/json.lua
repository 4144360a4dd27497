-- mapping/jail/json.lua: json.encode with sorted names; an empty table is an empty list. json.decode is the core's strict one.
local core = ...

json = { decode = core.decode, null = core.null }

local encode

local function encode_list(value, depth)
	local out = {}
	for i = 1, #value do out[i] = encode(value[i], depth) end
	return "[" .. table.concat(out, ",") .. "]"
end

local function encode_object(value, depth)
	local names, out = {}, {}
	for name in next, value do
		if type(name) ~= "string" then
			error("json.encode: a table mixes list items and names, or has a hole", 0)
		end
		names[#names + 1] = name
	end
	table.sort(names)
	for i, name in ipairs(names) do out[i] = core.quote(name) .. ":" .. encode(value[name], depth) end
	return "{" .. table.concat(out, ",") .. "}"
end

function encode(value, depth)
	local kind = math.type(value) and "number" or type(value)
	if value == nil or value == core.null then return "null" end
	if kind == "boolean" then return tostring(value) end
	if kind == "number" then return core.number(value) end
	if kind == "string" then return core.quote(value) end
	if kind ~= "table" then error("json.encode: a " .. kind .. " cannot be encoded", 0) end
	if depth > 32 then error("json.encode: nested too deeply, or containing itself", 0) end
	local count = 0
	for _ in next, value do count = count + 1 end
	if count == #value then return encode_list(value, depth + 1) end
	return encode_object(value, depth + 1)
end

function json.encode(value) return encode(value, 1) end
