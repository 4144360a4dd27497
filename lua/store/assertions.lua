-- store/assertions.lua: the jti of assertions that were accepted (S10), kept until they would have ended. What the sender wrote is
-- stored as a keyed hash: bounded, whatever it is.
local rows = require "store/rows"
local secrets = require "kit/secrets"

local assertions = {}

-- Notes that this party's assertion was used: expects that it has not been before.
function assertions.use_statement(party, jti, expires_at)
	return { "insert into assertions (client, jti, expires_at) values ($1, $2, $3) on conflict do nothing",
		party, secrets.keyed(jti), expires_at, rows = 1 }
end

-- The same by itself: false when it has been used before; durable when it answers.
function assertions.use(party, jti, expires_at)
	return rows.batch { assertions.use_statement(party, jti, expires_at) } ~= nil
end

return assertions
