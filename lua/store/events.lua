-- store/events.lua: the audit log (S31). What names a person stands in `person` alone, which erasure empties.
local rows = require "store/rows"

local events = {}

events.MOST = 100000
events.OLDEST = 400 * 86400

-- Ids in the order of the events, also within one millisecond: those who follow the log ask for what is later than the last
-- they saw. The next after an id is the one whose random part is one more.
local ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
local last = ""

local function after(id)
	local tail = #id
	while tail > 0 do
		local place = ALPHABET:find(id:sub(tail, tail), 1, true)
		if place < #ALPHABET then
			return id:sub(1, tail - 1) .. ALPHABET:sub(place + 1, place + 1) .. ("0"):rep(#id - tail)
		end
		tail = tail - 1
	end
	return id
end

local function next_id()
	local id = crypto.id()
	last = id > last and id or after(last)
	return last
end

-- Events with the same merge_key become one row with a count.
function events.insert_statement(event)
	return rows.statement(nil, [[insert into events (id, at, kind, person, user_id, application_id, session_id, request_id,
		address, reason, data, merge_key) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		on conflict (merge_key) where merge_key is not null do update set count = events.count + 1]],
		next_id(), time.now(), event.kind, event.person, event.user_id, event.application_id, event.session_id,
		event.request_id, event.address, event.reason, event.data and rows.object(event.data) or nil,
		event.merge_key)
end

-- It happened so many times more.
function events.more_statement(merge_key, more)
	return { "update events set count = count + $2 where merge_key = $1", merge_key, more }
end

-- Erasure (S31): what is known of a person leaves the log; what happened, and when, stays.
function events.erase_statement(user)
	return { "update events set person = null, address = null, merge_key = null where user_id = $1 or person = $2",
		user.id, user.username }
end

-- Newest first; with `after` (an id) those later than it, oldest first.
function events.list(filter)
	local limit = filter.limit or 100
	local sql = [[select e.id, e.at, e.kind, e.person, e.request_id, e.address, e.reason, e.data, e.count, e.session_id,
		u.username as user, a.slug as application from events e left join users u on u.id = e.user_id
		left join applications a on a.id = e.application_id
		where (cast($1 as text) is null or u.username = $1 or e.person = $1)
		and (cast($2 as text) is null or e.kind = $2) and (cast($3 as text) is null or e.id > $3)
		order by e.id ]] .. (filter.after and "asc" or "desc") .. " limit $4"
	local list = rows.all(sql, filter.user or db.null, filter.kind or db.null, filter.after or db.null, limit)
	for _, row in ipairs(list) do
		row.data = rows.json(row.data)
	end
	return list
end

return events
