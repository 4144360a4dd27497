-- store/keys.lua: signing keys (sealed; state next, active, retired, or withdrawn by hand) and certificates.
local rows = require "store/rows"

local keys = {}

function keys.list()
	return rows.all("select * from signing_keys order by alg, created_at, kid")
end

function keys.insert_statement(key)
	return rows.statement({ rows = 1 }, [[insert into signing_keys (kid, alg, application_id, sealed, state, created_at, active_at)
		values ($1, $2, $3, $4, $5, $6, $7)]], key.kid, key.alg, key.application_id, key.sealed, key.state, time.now(),
		key.state == "active" and time.now() or nil)
end

-- next signs, active is published until what it signed has ended. Two statements that both must hit.
function keys.rotate_statements(alg, application_id, next_kid, published_until)
	return {
		{ [[update signing_keys set state = 'retired', retired_at = $2, published_until = $3
			where alg = $1 and application_id = $4 and state = 'active']], alg, time.now(), published_until, application_id, rows = 1 },
		{ "update signing_keys set state = 'active', active_at = $3 where kid = $1 and alg = $2 and state = 'next'",
			next_kid, alg, time.now(), rows = 1 },
	}
end

function keys.retire_statement(kid)
	return { "update signing_keys set state = 'withdrawn', published_until = $2 where kid = $1 and state = 'retired'", kid, time.now(),
		rows = 1 }
end

function keys.certificate(name)
	local row = rows.one("select * from certificates where name = $1", name)
	if row then
		row.names = json.decode(row.names)
	end
	return row
end

function keys.save_certificate(certificate)
	rows.batch { { [[insert into certificates (name, pem, sealed, names, not_after, created_at)
		values ($1, $2, $3, $4, $5, $6) on conflict (name) do update set pem = excluded.pem, sealed = excluded.sealed,
		names = excluded.names, not_after = excluded.not_after, created_at = excluded.created_at]],
		certificate.name, certificate.pem, certificate.sealed, json.encode(certificate.names),
		certificate.not_after, time.now() } }
end

return keys
