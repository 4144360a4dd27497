-- 001: everything the first sign-in needs. Texts are ids (S11), integers are seconds unless the name says ms, booleans
-- are 0 and 1, JSON is text. Secrets are only here as keyed hashes or sealed (S2).

create table settings (key text primary key, value text not null);
create table sequences (name text primary key, next bigint not null);
insert into sequences (name, next) values ('user', 1), ('group', 1), ('directory', 1), ('github_token', 1);

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
	uuid text not null unique,
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
	sealed text, -- a copy that can be read, for client_secret_jwt only
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
	resources text, -- RFC 8707: what the person agreed to, as a JSON list
	act text,       -- RFC 8693 4.1: who acts for the user
	lasting text unique, -- the one grant of a client and its service account, or of a client and an app password
	parent text references grants (id) on delete cascade, -- RFC 8693: whose access token it was made from; it ends with that
	parent_jti text,
	created_at bigint not null,
	expires_at bigint not null,
	ended_at bigint,
	end_reason text
);
create index grants_user on grants (user_id, application_id);
create index grants_session on grants (session_id);
create index grants_sid on grants (sid) where sid is not null;
create index grants_application on grants (application_id);
create index grants_parent on grants (parent) where parent is not null;
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
	resources text,
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
-- Tokens of GitHub's side. The secret of one may be replaced; it ends with its grant.
create table github_tokens (
	id text primary key,
	number bigint not null unique,
	keyed text not null unique,
	kind text not null,
	user_id text not null references users (id) on delete cascade,
	application_id text not null references applications (id) on delete cascade,
	grant_id text not null unique references grants (id) on delete cascade,
	scopes text not null,
	created_at bigint not null,
	expires_at bigint,
	used_at bigint
);
create index github_tokens_user on github_tokens (user_id, application_id);
create index github_tokens_application on github_tokens (application_id);
create index github_tokens_used on github_tokens (coalesce(used_at, created_at));
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
create table revoked_jti (jti text primary key, expires_at bigint not null);
create index revoked_jti_expiry on revoked_jti (expires_at);

-- The numbers and names that GitHub's clients know people, organisations and teams by. Rows stay for ever: no number and no name is
-- given to somebody else (S11). kind: user, organization, team; key: what the mapping calls it, a user's id. space: account (users and
-- organisations share one) or team.
insert into sequences (name, next) values ('github_account', 1000001), ('github_team', 1000001);
create table github_numbers (
	space text not null,
	number bigint not null,
	kind text not null,
	key text not null,
	created_at bigint not null,
	primary key (space, number)
);
create unique index github_numbers_key on github_numbers (kind, key);
-- login in lower case; a team's stands below its organisation: "1000002/web". wanted: what it was made of; current 0: it was once.
create table github_logins (
	login text primary key,
	shown text not null,
	wanted text not null,
	kind text not null,
	key text not null,
	current integer not null,
	at bigint not null
);
create unique index github_logins_key on github_logins (kind, key) where current = 1;

create table signing_keys (
	kid text primary key,
	alg text not null,
	application_id text not null default '', -- whose own key it is; '' is shared
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
