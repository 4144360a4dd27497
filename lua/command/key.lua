-- command/key.lua: tidelock key.
local args = require "command/args"
local keys = require "auth/keys"
local print_ = require "command/print"
local refuse = require "command/refuse"

local key = { usage = "key list|rotate|retire …", verbs = {} }

local function listed()
	local list = keys.list()
	for _, row in ipairs(list) do
		for _, field in ipairs { "created_at", "active_at", "retired_at", "published_until" } do
			row[field] = print_.time(row[field])
		end
	end
	return list
end

function key.verbs.list(argv, first)
	local options = args.parse(argv, first, { usage = "key list" })
	return print_.list(options, listed(), { { "alg", "ALG" }, { "kid", "KID" }, { "state", "STATE" },
		{ "published", "PUBLISHED" }, { "created_at", "MADE" }, { "published_until", "PUBLISHED UNTIL" } })
end

-- Of one algorithm, or of all that have been published long enough.
function key.verbs.rotate(argv, first)
	local options = args.parse(argv, first, { usage = "key rotate [ALG] [--now]", positional = { "[ALG]" },
		options = { now = "flag" } })
	local done, reasons = {}, {}
	for _, alg in ipairs(options.ALG and { options.ALG } or keys.algorithms()) do
		local kid, why = keys.rotate(alg, options.now)
		if kid then
			done[#done + 1] = { alg = alg, kid = kid }
		else
			reasons[#reasons + 1] = why
		end
	end
	if #done == 0 or #reasons > 0 then
		refuse(table.concat(reasons, "\n"))
	end
	local lines = {}
	for index, one in ipairs(done) do
		lines[index] = ("%s signs with %s from now on"):format(one.alg, one.kid)
	end
	return print_.done(options, table.concat(lines, "\n"), { rotated = json.array(done), keys = json.array(listed()) })
end

function key.verbs.retire(argv, first)
	local options = args.parse(argv, first, { usage = "key retire KID", positional = { "KID" } })
	local ok, why = keys.retire(options.KID)
	if not ok then
		refuse(why)
	end
	return print_.done(options, options.KID .. " is published no longer", { kid = options.KID, retired = true })
end

return key
