-- config/types.lua: what a value may be. A rule is a function: value → the value as it is kept, or nil and what is wrong.
local duration = require "kit/duration"

local types = {}

-- How a command line gives what a rule takes: "list", "boolean" or "json"; a plain text where nothing is said.
types.form = setmetatable({}, { __mode = "k" })

local function formed(form, rule)
	types.form[rule] = form
	return rule
end

local function kind(value)
	return type(value) == "table" and "a table" or type(value) == "string" and "a text" or type(value) == "nil" and "nothing"
		or type(value) == "boolean" and "true or false" or "a " .. type(value)
end

local function wrong(wanted, value)
	return nil, ("must be %s, not %s"):format(wanted, kind(value))
end

function types.boolean(value)
	if type(value) ~= "boolean" then
		return wrong("true or false", value)
	end
	return value
end
formed("boolean", types.boolean)

-- max defaults to 500 bytes; empty only where `empty` says so.
function types.text(options)
	options = options or {}
	return function(value)
		if type(value) ~= "string" then
			return wrong("a text", value)
		end
		if value == "" and not options.empty then
			return nil, "must not be empty"
		end
		if #value > (options.max or 500) then
			return nil, ("is longer than %d bytes"):format(options.max or 500)
		end
		if not utf8.len(value) then
			return nil, "is not UTF-8"
		end
		if value:find("[%z\1-\8\11\12\14-\31\127]") or (not options.lines and value:find("[\r\n]")) then
			return nil, "has control characters"
		end
		if options.pattern and not value:find("^" .. options.pattern .. "$") then
			return nil, options.why or "has a wrong form"
		end
		return value
	end
end

function types.integer(least, most)
	return function(value)
		if math.type(value) ~= "integer" then
			return wrong("a whole number", value)
		end
		if value < least or value > most then
			return nil, ("must be between %d and %d"):format(least, most)
		end
		return value
	end
end

-- Kept as seconds.
function types.duration(least, most)
	return function(value)
		local seconds, why = duration.parse(value)
		if not seconds then
			return nil, "is " .. why
		end
		if seconds < least or seconds > most then
			return nil, ("must be between %s and %s"):format(duration.text(least), duration.text(most))
		end
		return seconds
	end
end

-- Of alternatives the first is the default, which the caller fills in.
function types.one_of(...)
	local allowed = { ... }
	return function(value)
		for _, each in ipairs(allowed) do
			if each == value then
				return value
			end
		end
		return nil, ("must be one of \"%s\""):format(table.concat(allowed, "\", \""))
	end
end

-- A list whose items obey `rule`; without repetition.
function types.list(rule, most)
	most = most or 200
	return formed("list", function(value)
		if type(value) ~= "table" then
			return wrong("a list { … }", value)
		end
		local count = 0
		for key in pairs(value) do
			if math.type(key) ~= "integer" or key < 1 or key > #value then
				return nil, ("must be a list, but has the name \"%s\""):format(tostring(key))
			end
			count = count + 1
		end
		if count > most then
			return nil, ("has more than %d items"):format(most)
		end
		local out, seen = {}, {}
		for i, item in ipairs(value) do
			local kept, why = rule(item)
			if kept == nil then
				return nil, ("item %d %s"):format(i, why)
			end
			if type(kept) ~= "string" or not seen[kept] then
				out[#out + 1] = kept
			end
			seen[kept] = true
		end
		return out
	end)
end

-- A table of known fields, nested.
function types.record(schema)
	return formed("json", function(value)
		if type(value) ~= "table" then
			return wrong("a table { … }", value)
		end
		local out = {}
		for name, item in pairs(value) do
			local rule = schema[name]
			if not rule then
				return nil, ("knows no \"%s\""):format(tostring(name))
			end
			local kept, why = rule(item)
			if kept == nil then
				return nil, (".%s %s"):format(name, why)
			end
			out[name] = kept
		end
		return out
	end)
end

-- Plain data of the owner's: attributes. Texts, numbers, booleans and tables of them, 8 deep.
function types.data(value)
	local function copy(item, depth)
		local t = type(item)
		if t == "string" and not utf8.len(item) then
			return nil, "has a text that is not UTF-8"
		end
		if t == "number" and (item ~= item or item == math.huge or item == -math.huge) then
			return nil, "has a number that is not finite"
		end
		if t == "string" or t == "number" or t == "boolean" then
			return item
		end
		if t ~= "table" then
			return nil, "has a " .. t .. " in it"
		end
		if depth > 8 then
			return nil, "is more than 8 levels deep"
		end
		local out, size = {}, 0
		for _ in pairs(item) do
			size = size + 1
		end
		for key, each in pairs(item) do
			local listed = math.type(key) == "integer" and key >= 1 and key <= size and #item == size
			if not listed and (type(key) ~= "string" or #item > 0 or not utf8.len(key)) then
				return nil, "has a table that is neither a list without holes nor one of names and values"
			end
			local kept, why = copy(each, depth + 1)
			if kept == nil then
				return nil, why
			end
			out[key] = kept
		end
		return out
	end
	if type(value) ~= "table" then
		return wrong("a table { … }", value)
	end
	return copy(value, 1)
end

function types.any_of(wanted, ...)
	local rules = { ... }
	return formed("json", function(value)
		for _, rule in ipairs(rules) do
			local kept = rule(value)
			if kept ~= nil then
				return kept
			end
		end
		return wrong(wanted, value)
	end)
end

-- Checks the fields of `given` by `schema`; report(field, message) for each that is wrong. Unknown fields are wrong.
function types.check(schema, given, report, nearest)
	local out = {}
	local names = {}
	for name in pairs(given) do
		names[#names + 1] = name
	end
	table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
	for _, name in ipairs(names) do
		local rule = schema[name]
		if not rule then
			local near = nearest(name, schema)
			report(name, ("there is no setting \"%s\" here%s"):format(tostring(name),
				near and (", did you mean \"%s\"?"):format(near) or ""))
		else
			local kept, why = rule(given[name])
			if kept == nil then
				report(name, ("%s %s"):format(name, why))
			else
				out[name] = kept
			end
		end
	end
	return out
end

return types
