-- store/applications.lua: clients. A row is { id, slug, client_id, data (the settings), active, valid_from, declared,
-- created_at, secrets = list of keyed texts that are good, sealed = those that can be read again, by keyed text }.
local rows = require "store/rows"
local secrets = require "kit/secrets"

local applications = {}

local function from(row)
	if not row then
		return nil
	end
	row.data, row.active, row.secrets, row.sealed = json.decode(row.data), row.active == 1, {}, {}
	for _, secret in ipairs(rows.all(
		"select keyed, sealed from client_secrets where application_id = $1 and retired_at is null order by created_at", row.id)) do
		row.secrets[#row.secrets + 1] = secret.keyed
		row.sealed[secret.keyed] = secret.sealed
	end
	return row
end

function applications.by_client_id(client_id)
	return from(rows.one("select * from applications where client_id = $1", client_id))
end

function applications.by_slug(slug)
	return from(rows.one("select * from applications where slug = $1", slug))
end

function applications.by_id(id)
	return from(rows.one("select * from applications where id = $1", id))
end

function applications.list()
	local list = rows.all("select * from applications order by slug")
	for _, row in ipairs(list) do
		from(row)
	end
	return list
end

function applications.is_tombstone(slug)
	return rows.one("select at from tombstones where kind = 'application' and name = $1", slug) ~= nil
end

function applications.insert_statement(application)
	local id = application.id or crypto.id()
	return { [[insert into applications (id, slug, client_id, data, declared, created_at)
		values ($1, $2, $3, $4, $5, $6)]], id, application.slug, application.client_id,
		rows.object(application.data), application.declared or 0, time.now(), rows = 1 }, id
end

function applications.update_statement(id, fields)
	return rows.statement({ rows = 1 }, [[update applications set client_id = coalesce($2, client_id),
		data = coalesce($3, data), active = coalesce($4, active), declared = coalesce($5, declared),
		valid_from = case when $4 = 0 and active = 1 then $6 else valid_from end where id = $1]],
		id, fields.client_id, fields.data and rows.object(fields.data) or nil,
		fields.active ~= nil and (fields.active and 1 or 0) or nil, fields.declared, time.now())
end

-- Who keeps a keyed hash checks a secret, but cannot check an HMAC made with it: for client_secret_jwt, and for nothing else, a
-- sealed copy stands beside (S2).
local function place(id, keyed)
	return "client_secrets " .. id .. " " .. keyed
end

local function stored(id, text, settings)
	local keyed = secrets.keyed(text)
	local readable = settings.token_endpoint_auth_method == "client_secret_jwt"
	return keyed, readable and base64.url_encode(crypto.seal(secrets.key("client secret"), text, place(id, keyed))) or nil
end

-- The live secrets of a row that can be read.
function applications.readable_secrets(row)
	local out = {}
	for _, keyed in ipairs(row.secrets) do
		local sealed = row.sealed[keyed]
		out[#out + 1] = sealed and crypto.unseal(secrets.key("client secret"), base64.url_decode(sealed), place(row.id, keyed))
	end
	return out
end

function applications.secret_statement(id, text, settings)
	local keyed, sealed = stored(id, text, settings)
	return rows.statement(nil, [[insert into client_secrets (application_id, keyed, sealed, declared, created_at)
		values ($1, $2, $3, 0, $4) on conflict (application_id, keyed) do update set retired_at = null, declared = 0,
		sealed = excluded.sealed]], id, keyed, sealed, time.now_ms())
end

-- The file's. One that is known as the file's already keeps its state.
function applications.declared_secret_statement(id, text, settings)
	local keyed, sealed = stored(id, text, settings)
	return rows.statement(nil, [[insert into client_secrets (application_id, keyed, sealed, declared, created_at)
		values ($1, $2, $3, 1, $4) on conflict (application_id, keyed) do update set declared = 1,
		retired_at = case when client_secrets.declared = 1 then client_secrets.retired_at else null end,
		sealed = case when client_secrets.declared = 1 and client_secrets.retired_at is not null then null
			else excluded.sealed end]],
		id, keyed, sealed, time.now_ms())
end

-- No copy is kept that the application has no use for any more.
function applications.forget_copies_statement(id)
	return { "update client_secrets set sealed = null where application_id = $1 and sealed is not null", id }
end

-- All but the newest one end; the count says how many.
function applications.retire_secrets(id)
	local results = rows.batch { { [[update client_secrets set retired_at = $2, sealed = null where application_id = $1
		and retired_at is null and keyed <> (select keyed from client_secrets where application_id = $1
		and retired_at is null order by created_at desc, keyed limit 1)]], id, time.now() } }
	return results[1].changes
end

-- Its service account, if it has one, is on while the application is; what a command switched off stays so.
function applications.account_statement(id, active)
	return { [[update users set active = case when switched_off = 1 then 0 else $2 end
		where id = (select user_id from service_accounts where application_id = $1)]], id, active and 1 or 0 }
end

-- The service account goes along, and its name is never given again (S11).
function applications.delete_statements(application)
	return {
		{ [[insert into tombstones (kind, name, at) select 'user', u.username, $2 from service_accounts s
			join users u on u.id = s.user_id where s.application_id = $1 on conflict do nothing]],
			application.id, time.now() },
		{ "delete from users where id = (select user_id from service_accounts where application_id = $1)", application.id },
		{ "delete from codes where application_id = $1", application.id },
		{ "delete from grants where application_id = $1", application.id },
		{ "delete from signing_keys where application_id = $1", application.id },
		{ "delete from applications where id = $1", application.id, rows = 1 },
		{ "insert into tombstones (kind, name, at) values ('application', $1, $2) on conflict do nothing",
			application.slug, time.now() },
	}
end

return applications
