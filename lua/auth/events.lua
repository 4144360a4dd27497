-- auth/events.lua: what goes into the audit log (S31), with the request id that pages and errors show. Never a secret, and
-- never what somebody typed where a name was asked: people type passwords there. What is about a person stands in `person`,
-- which erasure empties: the name when nothing else is given; a reason names nobody.
local rows = require "store/rows"
local store = require "store/events"

local events = {}

-- What happens again at each request until somebody mends it, and what strangers can cause as often as they like.
local MERGED = { script_failed = true, claim_dropped = true, sign_in_failed = true, client_failed = true, device_failed = true,
	sign_in_cancelled = true }

local function id_of(thing)
	return type(thing) == "table" and thing.id or type(thing) == "string" and thing or nil
end

-- Not every text is fit for a database: control characters and broken UTF-8 become question marks.
function events.clean(text, most)
	if text == nil then
		return nil
	end
	text = tostring(text):sub(1, most or 500)
	if not utf8.len(text) then
		text = text:gsub("[\x80-\xff]", "?")
	end
	return text:find("%c") and text:gsub("[%z\1-\8\11-\31\127]", "?") or text
end

local function row_of(event)
	local req = event.req or {}
	return {
		kind = event.kind, user_id = id_of(event.user), application_id = id_of(event.application),
		session_id = id_of(event.session), request_id = req.id, address = req.peer,
		person = events.clean(event.person, 2000) or type(event.user) == "table" and event.user.username or nil,
		reason = events.clean(event.reason, 1000), data = event.data,
	}
end

-- Repeated failures of one kind, object and address are one row a minute.
local function merge_key(row)
	return table.concat({ row.kind, row.user_id or "", row.application_id or "", row.address or "", row.reason or "",
		tostring(time.now() // 60) }, "|")
end

-- An event as a statement of the batch that does what it tells of.
function events.statement(event)
	local row = row_of(event)
	row.merge_key = (event.merge or MERGED[event.kind]) and merge_key(row) or nil
	return store.insert_statement(row)
end

-- ---- what programs do by the thousand ----

-- By merge key: how many more there were since the row was written. Bounded: what finds no place here is written.
local MOST_TALLIES = 1000
local tallies, tallied = {}, 0

-- The first of a minute is written before this returns; the others are counted, and events.flush adds them to that row. What a
-- crash loses is how often, never that it happened.
function events.tally(event)
	local row = row_of(event)
	row.merge_key = merge_key(row)
	if tallies[row.merge_key] then
		tallies[row.merge_key] = tallies[row.merge_key] + 1
		return
	end
	rows.batch { store.insert_statement(row) }
	if not tallies[row.merge_key] and tallied < MOST_TALLIES then
		tallies[row.merge_key], tallied = 0, tallied + 1
	end
end

function events.flush()
	local statements = {}
	for key, more in pairs(tallies) do
		if more > 0 then
			statements[#statements + 1] = store.more_statement(key, more)
		end
	end
	tallies, tallied = {}, 0
	if #statements > 0 then
		rows.batch(statements)
	end
end

-- Returns at once; the row is written by a task of its own, so a client that leaves takes no event with it.
function events.add(event)
	local statement = events.statement(event)
	local function write() rows.batch { statement } end
	-- With too many tasks the asker waits: nothing is lost.
	if not task.spawn(write) then
		write()
	end
end

return events
