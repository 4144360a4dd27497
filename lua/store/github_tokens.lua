-- store/github_tokens.lua: tokens of GitHub's side (S3), one a grant. A row is { id, number, kind, keyed, user_id, application_id,
-- grant_id, scopes (text), created_at, expires_at, used_at }.
local rows = require "store/rows"

local github_tokens = {}

-- GitHub's: of one person, application and set of scopes.
github_tokens.MOST = 10
-- What nobody has used for so long is dead.
github_tokens.UNUSED = 365 * 86400

-- number: an Authorization is called by one.
function github_tokens.insert_statements(token)
	return {
		rows.statement({ rows = 1 }, "update sequences set next = next + 1 where name = 'github_token' returning next"),
		rows.statement({ rows = 1 }, [[insert into github_tokens (id, number, keyed, kind, user_id, application_id, grant_id, scopes,
			created_at, expires_at) select $1, (select next - 1 from sequences where name = 'github_token'), $2, $3, $4, $5, $6, $7,
			$8, $9]], token.id, token.keyed, token.kind, token.user_id, token.application_id, token.grant_id, token.scopes,
			time.now(), token.expires_at),
	}
end

-- Ends the oldest beyond what one may have.
function github_tokens.bound_statement(token)
	return rows.statement(nil, [[update grants set ended_at = $4, end_reason = 'too_many' where ended_at is null and id in
		(select grant_id from github_tokens where user_id = $1 and application_id = $2 and scopes = $3
		and grant_id in (select id from grants where ended_at is null) order by number desc limit 100 offset ]]
		.. github_tokens.MOST .. ")", token.user_id, token.application_id, token.scopes, time.now())
end

-- The row, unless its time is up.
function github_tokens.by_key(keyed)
	local now = time.now()
	return rows.one([[select * from github_tokens where keyed = $1 and (expires_at is null or expires_at > $2)
		and coalesce(used_at, created_at) > $3]], keyed, now, now - github_tokens.UNUSED)
end

-- What is good still, or can be refreshed. $2 is now.
local ALIVE = [[from github_tokens t join grants g on g.id = t.grant_id join users u on u.id = t.user_id
	join applications a on a.id = t.application_id
	where t.user_id = $1 and g.ended_at is null and t.created_at >= u.valid_from and t.created_at >= a.valid_from
	and coalesce(t.used_at, t.created_at) > $2 - ]] .. github_tokens.UNUSED .. [[

	and (t.expires_at is null or t.expires_at > $2 or exists (
		select 1 from refresh_lines r where r.grant_id = g.id and r.ended_at is null and r.expires_at > $2)) ]]

-- A person's by application: { [application id] = { count, last = seconds or nil } }.
function github_tokens.by_application(user_id)
	local out = {}
	for _, row in ipairs(rows.all("select t.application_id, count(*) as n, max(t.used_at) as last " .. ALIVE
		.. "group by t.application_id", user_id, time.now())) do
		out[row.application_id] = { count = row.n, last = row.last }
	end
	return out
end

-- A person's of one application, the newest first: { number, scopes (text), created_at, used_at, expires_at }.
function github_tokens.list(user_id, application_id)
	return rows.all("select t.number, t.scopes, t.created_at, t.used_at, t.expires_at " .. ALIVE
		.. "and t.application_id = $3 order by t.number desc limit 100", user_id, time.now(), application_id)
end

-- Nothing waits for this to be written.
function github_tokens.used(id)
	local statement = { "update github_tokens set used_at = $2 where id = $1", id, time.now() }
	task.spawn(function() db.batch { statement } end)
end

-- The same authorization with another secret: the old one is dead.
function github_tokens.replace_statement(token, keyed)
	return { "update github_tokens set keyed = $3 where id = $1 and keyed = $2 returning id", token.id, token.keyed, keyed, rows = 1 }
end

-- The next of a line: as new, and the one of before is dead.
function github_tokens.refresh_statement(grant_id, keyed, expires_at)
	return { "update github_tokens set keyed = $2, expires_at = $3, used_at = $4 where grant_id = $1", grant_id, keyed, expires_at,
		time.now(), rows = 1 }
end

return github_tokens
