-- auth/throttle.lua: guessing slows down (S30). A key is what is guessed at or from where; attempts are counted before
-- the secret is looked at.
local rows = require "store/rows"
local secrets = require "kit/secrets"
local store = require "store/throttle"

local throttle = {}

-- Names are not stored as typed: people type passwords where a name is asked.
function throttle.key(kind, ...)
	return kind .. ":" .. secrets.mac("throttle", ...)
end

-- counters: { key, free, cap } each. The first `free` failures cost nothing; then 1, 2, 4, … seconds up to `cap`. True, or
-- nil and the seconds to wait.
throttle.reserve = store.reserve

function throttle.clear(key)
	rows.batch { store.clear_statement(key) }
end

throttle.QUIET = store.QUIET
throttle.clear_statement = store.clear_statement
throttle.release_statement = store.release_statement

return throttle
