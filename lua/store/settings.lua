-- store/settings.lua: single values that belong to the installation.
local rows = require "store/rows"

local settings = {}

function settings.get(key)
	local row = rows.one("select value from settings where key = $1", key)
	return row and row.value
end

function settings.set(key, value)
	rows.batch { { [[insert into settings (key, value) values ($1, $2)
		on conflict (key) do update set value = excluded.value]], key, value } }
end

-- The value; the first caller's stays.
function settings.once(key, value)
	rows.batch { { "insert into settings (key, value) values ($1, $2) on conflict (key) do nothing", key, value } }
	return settings.get(key)
end

-- Does the database answer? true, or nil and the code.
function settings.probe()
	local row, code = db.row("select next from sequences where name = $1", "user")
	return row and true or nil, code or "corrupt"
end

return settings
