-- kit/check.lua: what a request may say. Parameters are named, bounded and single (RFC 6749 3.1, 3.2); those that no
-- schema names are ignored.
--
-- A schema is { name = rule }; a rule may have max (bytes, 2000 unless said), required, pattern (a whole-match Lua
-- pattern), one_of (a list), keep_empty (otherwise an empty value counts as absent, RFC 6749 3.1), list (may be
-- repeated; the value is a list).
local err = require "kit/err"

local check = {}

local DEFAULT_MAX = 2000
local MAX_FIELDS = 100

local function contains(list, value)
	for _, each in ipairs(list) do
		if each == value then
			return true
		end
	end
	return false
end

local function one(name, rule, value)
	if #value > (rule.max or DEFAULT_MAX) then
		err.raise("invalid_request", ("The parameter %s is too long."):format(name))
	end
	if rule.pattern and not value:find("^" .. rule.pattern .. "$") then
		err.raise("invalid_request", ("The parameter %s is malformed."):format(name))
	end
	if rule.one_of and not contains(rule.one_of, value) then
		err.raise("invalid_request", ("The parameter %s has an unknown value."):format(name))
	end
	return value
end

local function apply(text, schema)
	local fields, by_name, duplicated = url.form_parse(text, MAX_FIELDS)
	if not fields then
		err.raise("invalid_request", "The parameters are not well-formed.", { cause = by_name })
	end
	local out = {}
	for name, rule in pairs(schema) do
		if rule.list then
			local values = {}
			for _, field in ipairs(fields) do
				if field[1] == name and (field[2] ~= "" or rule.keep_empty) then
					values[#values + 1] = one(name, rule, field[2])
				end
			end
			out[name] = #values > 0 and values or nil
		else
			if duplicated[name] then
				err.raise("invalid_request", ("The parameter %s came more than once."):format(name))
			end
			local value = by_name[name]
			if value == "" and not rule.keep_empty then
				value = nil
			end
			out[name] = value and one(name, rule, value)
		end
		if rule.required and not out[name] then
			err.raise("invalid_request", ("The parameter %s is missing."):format(name))
		end
	end
	return out
end

function check.is_form(req)
	local kind = req.headers["content-type"]
	if not kind then
		return false
	end
	local name, rest = kind:lower():match("^%s*([^;%s]+)%s*(.*)$")
	return name == "application/x-www-form-urlencoded"
		and (rest == "" or rest:find('^;%s*charset="?utf%-8"?%s*$') ~= nil)
end

-- The parameters of a form body. A request without a body has none.
function check.form(req, schema)
	local body = req.body or ""
	if body ~= "" and not check.is_form(req) then
		err.raise("invalid_request", "The body must be application/x-www-form-urlencoded.")
	end
	return apply(body, schema)
end

function check.query(req, schema)
	return apply(req.query or "", schema)
end

-- Where both methods are the same: the query of a GET, the body of a POST.
function check.params(req, schema)
	return req.method == "POST" and check.form(req, schema) or check.query(req, schema)
end

-- The value of one cookie, nil when absent or when it came twice (a sibling host may have planted one).
function check.cookie(req, name)
	return (url.cookie(req.headers.cookie, name))
end

return check
