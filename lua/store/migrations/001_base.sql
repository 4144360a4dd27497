-- 001: everything the first sign-in needs. Texts are ids (S11), integers are seconds unless the name says ms, booleans
-- are 0 and 1, JSON is text. Secrets are only here as keyed hashes or sealed (S2).

create table settings (key text primary key, value text not null);
create table sequences (name text primary key, next bigint not null);
insert into sequences (name, next) values ('user', 1), ('group', 1), ('directory', 1);

create table users (
	id text primary key,
	pk bigint not null unique,
	username text not null unique,
	name text not null default '',
	email text not null default '',
	email_verified integer not null default 0,
	type text not null default 'internal',
	active integer not null default 1,
	switched_off integer not null default 0, -- by command: the file does not switch on again
	attributes text not null default '{}',
	password text,
	password_at bigint,
	password_file text,
	uid text not null unique,
	valid_from bigint not null default 0,
	declared integer not null default 0,
	created_at bigint not null,
	last_login_at bigint
);

-- declared: 0 made by command or page, 1 in the file, 2 was in the file and left it.
create table groups (
	id text primary key,
	pk bigint not null unique,
	name text not null unique,
	attributes text not null default '{}',
	permissions text not null default '[]',
	declared integer not null default 0,
	created_at bigint not null
);
create table group_parents (
	group_id text not null references groups (id) on delete cascade,
	parent_id text not null references groups (id) on delete cascade,
	declared integer not null default 0,
	primary key (group_id, parent_id)
);
create table memberships (
	user_id text not null references users (id) on delete cascade,
	group_id text not null references groups (id) on delete cascade,
	declared integer not null default 0,
	primary key (user_id, group_id)
);
create index memberships_group on memberships (group_id);
create table tombstones (kind text not null, name text not null, at bigint not null, primary key (kind, name));

create table applications (
	id text primary key,
	slug text not null unique,
	client_id text not null unique,
	data text not null,
	active integer not null default 1,
	valid_from bigint not null default 0,
	declared integer not null default 0,
	created_at bigint not null
);
create table client_secrets (
	application_id text not null references applications (id) on delete cascade,
	keyed text not null,
	declared integer not null default 0,
	created_at bigint not null,
	retired_at bigint,
	primary key (application_id, keyed)
);
create table declared_objects (
	kind text not null,
	name text not null,
	digest text not null,
	at bigint not null,
	primary key (kind, name)
);

create table login_events (
	id text primary key,
	user_id text not null references users (id) on delete cascade,
	at_ms bigint not null,
	method text not null,
	amr text not null default '[]',
	acr text,
	address text
);
create table sessions (
	id text primary key,
	keyed_cookie text not null unique,
	user_id text not null references users (id) on delete cascade,
	login_event_id text not null references login_events (id),
	sid text not null,
	browser text not null,
	address text,
	agent text,
	created_at bigint not null,
	seen_at bigint not null,
	idle_until bigint not null,
	expires_at bigint not null,
	ended_at bigint
);
create index sessions_user on sessions (user_id);
create table known_browsers (
	browser text not null,
	user_id text not null references users (id) on delete cascade,
	address text,
	at bigint not null,
	primary key (user_id, browser)
);

create table grants (
	id text primary key,
	user_id text not null references users (id) on delete cascade,
	application_id text not null references applications (id) on delete cascade,
	side text not null default 'oidc',
	scopes text not null,
	login_event_id text references login_events (id),
	session_id text,
	sid text,
	claims_parameter text,
	cnf text,
	created_at bigint not null,
	expires_at bigint not null,
	ended_at bigint,
	end_reason text
);
create index grants_user on grants (user_id, application_id);
create index grants_session on grants (session_id);
create index grants_application on grants (application_id);
create table codes (
	keyed text primary key,
	application_id text not null references applications (id) on delete cascade,
	side text not null default 'oidc',
	user_id text not null references users (id) on delete cascade,
	session_id text not null references sessions (id) on delete cascade,
	login_event_id text not null references login_events (id),
	redirect_uri text not null,
	redirect_uri_sent integer not null default 1,
	challenge text,
	method text,
	nonce text,
	scopes text not null,
	claims_parameter text,
	created_at bigint not null,
	expires_at bigint not null,
	used_at bigint,
	grant_id text not null,
	failures integer not null default 0
);
create index codes_expiry on codes (expires_at);
create table refresh_lines (
	id text primary key,
	grant_id text not null references grants (id) on delete cascade,
	generation bigint not null default 0,
	rotated_at bigint not null,
	scopes text not null,
	created_at bigint not null,
	expires_at bigint not null,
	ended_at bigint
);
create index refresh_lines_grant on refresh_lines (grant_id);
create table consents (
	user_id text not null references users (id) on delete cascade,
	application_id text not null references applications (id) on delete cascade,
	scopes text not null,
	at bigint not null,
	expires_at bigint,
	primary key (user_id, application_id)
);
create table revoked_jti (jti text primary key, expires_at bigint not null);
create index revoked_jti_expiry on revoked_jti (expires_at);

create table signing_keys (
	kid text primary key,
	alg text not null,
	sealed text not null,
	state text not null,
	created_at bigint not null,
	active_at bigint,
	retired_at bigint,
	published_until bigint
);
create table certificates (
	name text primary key,
	pem text not null,
	sealed text not null,
	names text not null,
	not_after bigint not null,
	created_at bigint not null
);

create table events (
	id text primary key,
	at bigint not null,
	kind text not null,
	person text,
	user_id text,
	application_id text,
	session_id text,
	request_id text,
	address text,
	reason text,
	data text,
	count bigint not null default 1,
	merge_key text
);
-- Few events have one: the others cost this index nothing.
create unique index events_merge on events (merge_key) where merge_key is not null;
create table throttle (
	key text primary key,
	failures bigint not null,
	until bigint not null,
	updated_at bigint not null
);
create index throttle_updated on throttle (updated_at);
