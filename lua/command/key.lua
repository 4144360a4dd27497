-- command/key.lua: tidelock key.
local args = require "command/args"
local clients = require "auth/clients"
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
		local application = row.application_id and clients.by_id(row.application_id)
		row.application, row.application_id = application and application.slug, nil
	end
	return list
end

function key.verbs.list(argv, first)
	local options = args.parse(argv, first, { usage = "key list" })
	return print_.list(options, listed(), { { "alg", "ALG" }, { "kid", "KID" }, { "application", "APPLICATION" }, { "state", "STATE" },
		{ "published", "PUBLISHED" }, { "created_at", "MADE" }, { "published_until", "PUBLISHED UNTIL" } })
end

-- The application whose own keys are meant, or nil for those that are shared.
local function owner(slug)
	if not slug then return nil end
	local application = clients.by_slug(slug) or refuse('there is no application "%s"', slug)
	if application.signing_key ~= "own" then
		refuse('the application "%s" signs with the shared keys; signing_key = "own" gives it its own', slug)
	end
	return application
end

-- Of one algorithm, or of all that have been published long enough.
function key.verbs.rotate(argv, first)
	local options = args.parse(argv, first, { usage = "key rotate [ALG] [--app NAME] [--now]", positional = { "[ALG]" },
		options = { now = "flag", app = "value" } })
	local application, done, reasons = owner(options.app), {}, {}
	for _, alg in ipairs(options.ALG and { options.ALG } or keys.algorithms(application)) do
		local kid, why = keys.rotate(alg, options.now, application)
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
