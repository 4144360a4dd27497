-- kit/template_expression.lua: what stands in a template's braces: a list of tokens, then one function per level of
-- precedence; each returns function(values).
local expression = {}

-- The mark of texts that are printed as they stand.
expression.safe_type = { __name = "tidelock.safe_html" }
local safe_type = expression.safe_type

local function truth(value)
	if type(value) == "table" and getmetatable(value) ~= safe_type then
		return next(value) ~= nil
	end
	return value ~= nil and value ~= false and value ~= ""
end

expression.truth = truth

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

-- A function of the values; `where` is the template's name for messages.
function expression.parse(text, where)
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

return expression
