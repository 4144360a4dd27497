-- kit/err.lua: the one thrower. What an endpoint cannot answer it raises as an object with a code; boot.lua, the one
-- catcher, turns it into the protocol's error object or a page.
local err = {}

-- Fields: oauth (the code), description, and of `extra`: status, cause (for the log only), headers, any other.
err.type = {
	__name = "tidelock.error",
	__tostring = function(e)
		return e.oauth .. (e.description and (": " .. e.description) or "")
	end,
}

function err.new(code, description, extra)
	local e = {}
	for name, value in pairs(extra or {}) do
		e[name] = value
	end
	e.oauth, e.description = code, description
	return setmetatable(e, err.type)
end

function err.raise(code, description, extra)
	error(err.new(code, description, extra), 0)
end

-- The value, when there is one.
function err.need(value, code, description, extra)
	if value == nil or value == false then
		err.raise(code, description, extra)
	end
	return value
end

function err.is(e)
	return getmetatable(e) == err.type
end

-- For results of the store: nil with "busy", "full", "corrupt" or "io" is not an answer but a failure.
function err.stored(value, code, ...)
	if value == nil and code ~= nil and code ~= "conflict" then
		err.raise("unavailable", "The database cannot answer at the moment.", { cause = "store: " .. tostring(code) })
	end
	return value, code, ...
end

return err
