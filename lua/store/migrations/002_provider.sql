-- 002: the whole provider: people's and programs' keys, devices, exchange, signed assertions, logout, keys of an application.

-- What applications know a person by; until now it was the id itself.
alter table users add column uuid text not null default '';
update users set uuid = id;
create unique index users_uuid on users (uuid);

-- A copy that can be read, for client_secret_jwt only.
alter table client_secrets add column sealed text;
-- Whose own key it is; '' is shared.
alter table signing_keys add column application_id text not null default '';

-- RFC 8707: what the person agreed to, as a JSON list.
alter table grants add column resources text;
alter table codes add column resources text;
-- RFC 8693 4.1: who acts for the user.
alter table grants add column act text;
-- The one grant of a client and its service account, or of a client and an app password.
alter table grants add column lasting text;
-- RFC 8693: whose access token it was made from; it ends with that.
alter table grants add column parent text references grants (id) on delete cascade;
alter table grants add column parent_jti text;
create unique index grants_lasting on grants (lasting) where lasting is not null;
create index grants_sid on grants (sid) where sid is not null;
create index grants_parent on grants (parent) where parent is not null;

-- RFC 8628. status: pending, approved, denied, used. user_keyed is of the normalised user code; a row stays an hour after its
-- end, so that what one address asks for can be counted.
create table device_codes (
	keyed text primary key,
	user_keyed text not null unique,
	application_id text not null references applications (id) on delete cascade,
	side text not null default 'oidc',
	scopes text not null,
	resources text,
	claims_parameter text, -- what the policies withheld
	status text not null default 'pending',
	user_id text references users (id) on delete cascade,
	login_event_id text references login_events (id),
	grant_id text not null,
	address text not null,
	anonymous integer not null, -- asked for without a client's secret
	created_at bigint not null,
	expires_at bigint not null
);
create index device_codes_expiry on device_codes (expires_at);
create index device_codes_application on device_codes (application_id);
create index device_codes_address on device_codes (address, created_at) where anonymous = 1;
create index device_codes_user on device_codes (user_id) where user_id is not null;
-- Who an application is when it speaks for itself (client_credentials): an account of its own, made when it first does.
create table service_accounts (
	application_id text primary key references applications (id) on delete cascade,
	user_id text not null unique references users (id) on delete cascade
);
-- API keys, app passwords and personal tokens of people (S3).
create table person_tokens (
	id text primary key,
	user_id text not null references users (id) on delete cascade,
	intent text not null,
	identifier text not null unique,
	description text not null default '',
	keyed text not null unique,
	scopes text not null default '',
	created_at bigint not null,
	expires_at bigint,
	used_at bigint
);
create index person_tokens_user on person_tokens (user_id);
-- S10: assertions that were accepted, until they would have ended.
create table assertions (
	client text not null,
	jti text not null,
	expires_at bigint not null,
	primary key (client, jti)
);
create index assertions_expiry on assertions (expires_at);
-- Who took part in a live session; goes with the session.
create table participants (
	sid text not null,
	application_id text not null references applications (id) on delete cascade,
	primary key (sid, application_id)
);
create index participants_application on participants (application_id);
-- Back-channel logout: who is still to be told. subject: of a person who has been deleted.
create table logouts (
	sid text not null,
	application_id text not null references applications (id) on delete cascade,
	user_id text references users (id) on delete set null,
	subject text,
	attempts bigint not null default 0,
	next_at bigint not null,
	created_at bigint not null,
	primary key (sid, application_id)
);
create index logouts_application on logouts (application_id, next_at);
create index logouts_user on logouts (user_id);
