-- store/rows.lua: what all files of store/ share: reading that raises when the database cannot answer, batches, and the
-- turning of rows into plain tables.
local err = require "kit/err"

local rows = {}

local function failed(code, detail)
	err.raise("unavailable", "The database cannot answer at the moment. Nothing was changed.",
		{ cause = "store: " .. tostring(code) .. (detail and (" " .. tostring(detail)) or "") })
end

function rows.all(sql, ...)
	local list, code, detail = db.rows(sql, ...)
	if not list then
		failed(code, detail)
	end
	return list
end

-- One row or nil.
function rows.one(sql, ...)
	local row, code, detail = db.row(sql, ...)
	if not row and code then
		failed(code, detail)
	end
	return row
end

-- For what must go on when the disk is full: sign-out, revocation, disabling (S35).
function rows.urgent(statements)
	statements.urgent = true
	return rows.batch(statements)
end

-- A statement may have `after`: called with its result once all is written.
-- The results, or nil, "conflict", index of the statement whose expectation failed. Other failures raise.
function rows.batch(statements)
	local results, code, index = db.batch(statements)
	if not results and code ~= "conflict" then
		failed(code, index)
	end
	for number, statement in ipairs(results and statements or {}) do
		if statement.after then
			statement.after(results[number])
		end
	end
	return results, code, index
end

function rows.one_of(result)
	return result.rows and result.rows[1]
end

-- The numbers from first to last, for "$1, $2, …".
function rows.numbers(first, last)
	local out = {}
	for number = first, last do
		out[#out + 1] = number
	end
	return out
end

-- A statement with parameters of which some may be nil.
function rows.statement(expectation, sql, ...)
	local item = { sql, ... }
	item.n = select("#", ...)
	for name, value in pairs(expectation or {}) do
		item[name] = value
	end
	return item
end

-- An object's text; the table is left as it is (json.object would mark it).
function rows.object(value)
	return next(value) == nil and "{}" or json.encode(value)
end

function rows.json(text, default)
	if text == nil then
		return default
	end
	return json.decode(text)
end

return rows
