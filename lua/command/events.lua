-- command/events.lua: tidelock events: the audit log, oldest first; --follow goes on by asking again.
local args = require "command/args"
local print_ = require "command/print"
local store = require "store/events"

local events = {}

local SPEC = {
	usage = "events [--follow] [--user U] [--kind K] [--limit N]",
	options = { follow = "flag", user = "value", kind = "value", limit = "number", after = "value" },
}

local COLUMNS = { { "at", "TIME" }, { "kind", "KIND" }, { "user", "USER" }, { "application", "APPLICATION" },
	{ "address", "ADDRESS" }, { "request_id", "REQUEST" }, { "count", "COUNT" }, { "reason", "REASON" } }

local function listed(options)
	local list = store.list {
		user = options.user, kind = options.kind, after = options.after,
		limit = math.max(1, math.min(options.limit or 100, 10000)),
	}
	local last = options.after
	if not options.after then
		local turned = {}
		for index = #list, 1, -1 do
			turned[#turned + 1] = list[index]
		end
		list = turned
	end
	for _, row in ipairs(list) do
		last = row.id
		row.at = print_.time(row.at)
		if row.person and row.user and row.person ~= row.user then
			row.reason = row.reason .. ": " .. row.person
		end
		row.user, row.person = row.user or row.person, nil
	end
	return list, last
end

-- What --follow prints: a line each, without heading.
local function lines_of(options, list)
	local lines = {}
	for index, row in ipairs(list) do
		if options.json then
			lines[index] = json.encode(row)
		else
			local parts = {}
			for position, column in ipairs(COLUMNS) do
				parts[position] = print_.plain(row[column[1]])
			end
			lines[index] = table.concat(parts, "  ")
		end
	end
	return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
end

-- The same question from the last event seen on.
local function again(options, last)
	local argv = { "events", "--follow", "--after", last or crypto.id() }
	for _, name in ipairs { "user", "kind" } do
		if options[name] then
			table.move({ "--" .. name, options[name] }, 1, 2, #argv + 1, argv)
		end
	end
	if options.json then
		argv[#argv + 1] = "--json"
	end
	return { argv = argv, delay = 1 }
end

function events.run(argv, first)
	local options = args.parse(argv, first, SPEC)
	local list, last = listed(options)
	if options.follow then
		return { out = lines_of(options, list), again = again(options, last) }
	end
	return print_.list(options, list, COLUMNS)
end

return events
