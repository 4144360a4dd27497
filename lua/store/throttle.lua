-- store/throttle.lua: counters of failed secrets; they survive a restart (S30).
local rows = require "store/rows"

local throttle = {}

-- Forgotten after this long without a failure.
throttle.QUIET = 3600

-- Counts an attempt before its secret is looked at, so that parallel guesses count. The wait after the n-th failure
-- beyond the free ones is 1, 2, 4, … seconds up to cap. No row comes back while waiting.
local RESERVE = [[insert into throttle (key, failures, until, updated_at) values ($1, 1, $2, $2)
	on conflict (key) do update set
		failures = case when throttle.updated_at < $3 then 1 else throttle.failures + 1 end,
		until = $2 + case when throttle.updated_at < $3 or throttle.failures + 1 < $4 then 0
			when throttle.failures + 1 - $4 >= 12 or (1 << (throttle.failures + 1 - $4)) > $5 then $5
			else (1 << (throttle.failures + 1 - $4)) end,
		updated_at = $2
	where throttle.until <= $2 returning failures, until]]

-- Counts one attempt against each of `counters` ({ key, free, cap }), or against none when one of them has to wait: true, or
-- nil and the seconds to wait.
function throttle.reserve(counters)
	local now, statements = time.now(), {}
	for index, counter in ipairs(counters) do
		statements[index] = { RESERVE, counter.key, now, now - throttle.QUIET, counter.free, counter.cap, rows = 1 }
	end
	local ok, _, refused = rows.batch(statements)
	if ok then
		return true
	end
	local row = rows.one("select until from throttle where key = $1", counters[refused].key)
	return nil, row and math.max(1, row["until"] - now) or 1
end

function throttle.clear_statement(key)
	return { "delete from throttle where key = $1", key }
end

-- An attempt that was no guess is taken back.
function throttle.release_statement(key)
	return { [[update throttle set failures = failures - 1, until = 0 where key = $1 and failures > 0]], key }
end

return throttle
