-- github/graphql/failure.lua: why a request cannot be executed: a list of errors as the answer has them, raised and caught in run.lua.
local failure = {}

failure.type = { __name = "tidelock.graphql.failure" }

-- Each error is { message, path, locations, extensions, type }.
function failure.raise_all(errors) error(setmetatable({ errors = errors }, failure.type), 0) end

function failure.raise(message, fields)
	local one = fields or {}
	one.message = message
	failure.raise_all { one }
end

function failure.is(raised) return getmetatable(raised) == failure.type end

return failure
