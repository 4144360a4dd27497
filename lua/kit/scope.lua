-- kit/scope.lua: scope texts as ordered lists without repetition (RFC 6749 3.3).
local scope = {}

-- nil and what is wrong for bytes that no scope may hold. An absent or empty text is an empty list.
function scope.parse(text)
	local list, seen = {}, {}
	if not text then
		return list
	end
	if text:find("[%z\1-\31\"\\\x7f-\xff]") then
		return nil, "The scope has characters that scopes cannot have."
	end
	for name in text:gmatch("[^ ]+") do
		if not seen[name] then
			seen[name] = true
			list[#list + 1] = name
		end
	end
	return list
end

-- Of a text that join made: nothing is checked again.
function scope.split(text)
	local list = {}
	for name in text:gmatch("[^ ]+") do
		list[#list + 1] = name
	end
	return list
end

function scope.join(list)
	return table.concat(list, " ")
end

function scope.has(list, name)
	for _, each in ipairs(list) do
		if each == name then
			return true
		end
	end
	return false
end

-- Those of `a` that are in `b`, in the order of `a`.
function scope.intersect(a, b)
	local out = {}
	for _, name in ipairs(a) do
		if scope.has(b, name) then
			out[#out + 1] = name
		end
	end
	return out
end

function scope.without(list, name)
	local out = {}
	for _, each in ipairs(list) do
		if each ~= name then
			out[#out + 1] = each
		end
	end
	return out
end

function scope.contains_all(a, b)
	for _, name in ipairs(b) do
		if not scope.has(a, name) then
			return false
		end
	end
	return true
end

-- The same set, whatever the order.
function scope.equal(a, b)
	return #a == #b and scope.contains_all(a, b)
end

-- Both, without repetition.
function scope.union(a, b)
	local out = { table.unpack(a) }
	for _, name in ipairs(b) do
		if not scope.has(out, name) then
			out[#out + 1] = name
		end
	end
	return out
end

return scope
