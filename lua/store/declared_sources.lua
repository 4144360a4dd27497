-- store/declared_sources.lua: the part of store/declared that keeps sources equal to the file, and the pools they are in.
local references = require "config/source_references"
local sources = require "store/sources"

local declared_sources = {}

local IN_FILE, LEFT = 1, 2

local NOT_DATA = { label = true, client_secret = true, _at = true }

local function data_of(object)
	local data = {}
	for name, value in pairs(object) do
		if not NOT_DATA[name] then data[name] = value end
	end
	return data
end

local function extend(list, more) table.move(more, 1, #more, #list + 1, list) end

-- One that left the file signs nobody in; who its people are stays, and is so again when it returns (S11).
local function leaves(list, row)
	list[#list + 1] = { "update sources set declared = $2, active = 0 where id = $1", row.id, LEFT }
	extend(list, sources.leave_statements(row.name))
end

-- Adds what a changed source needs (item: see declared.diff).
function declared_sources.statements(list, item, config)
	local row = sources.by_name(item.name)
	if item.change == "removed" then
		if row then leaves(list, row) end
		return
	end
	local fields = { name = item.name, pool = references.pools(config)[item.name], data = data_of(item.object),
		secret = item.object.client_secret, declared = IN_FILE }
	list[#list + 1] = row and sources.update_statement(row.id, fields) or (sources.insert_statement(fields))
end

-- Pools that changed without their sources: after all sources are there.
function declared_sources.pool_statements(list, config)
	local pools = references.pools(config)
	for _, source in ipairs(config.sources or {}) do
		list[#list + 1] = { "update sources set pool = $2 where name = $1", source.label, pools[source.label] }
		extend(list, sources.move_statements(source.label, pools[source.label]))
	end
end

return declared_sources
