-- 005: sources, where people have an account already, and who somebody from there is here.

-- declared as with users: 0 made by API, 1 in the file, 2 left it. pool: whose subjects are one another's (S26). key: what the
-- application that made it calls it. data: what the configuration makes of it; the secret stands sealed beside (S2).
create table sources (
	id text primary key,
	name text not null unique,
	key text not null,
	pool text not null,
	application_id text references applications (id) on delete cascade,
	data text not null,
	sealed text,
	active integer not null default 1,
	declared integer not null default 0,
	created_at bigint not null
);
create unique index sources_key on sources (application_id, key) where application_id is not null;

-- Who somebody is: a subject of a pool is one person. They outlive their source: it may return. source: the name of the one that the
-- row was made through; claimed: the name that it was claimed by.
create table identities (
	pool text not null,
	subject text not null,
	user_id text not null references users (id) on delete cascade,
	source text not null,
	label text,
	claimed text,
	declared integer not null default 0,
	linked_at bigint not null,
	used_at bigint,
	primary key (pool, subject)
);
create index identities_user on identities (user_id);
create index identities_source on identities (source);
-- Names by which people were enrolled before their first sign-in; claimed once, then the subject is pinned (S26).
create table identity_names (
	pool text not null,
	username text not null,
	user_id text not null references users (id) on delete cascade,
	source text not null,
	subject text,
	declared integer not null default 0,
	created_at bigint not null,
	claimed_at bigint,
	primary key (pool, username)
);
create index identity_names_user on identity_names (user_id);
create index identity_names_source on identity_names (source);

-- A name and an address in another spelling are the same one's to whoever comes (users.like_name, users.with_email).
create index users_like_name on users (lower(username));
create index users_with_email on users (lower(email)) where email <> '';

-- Which group a source's group is here, and who is in which by a source. A membership that is by sources only has declared = 3.
create table source_groups (
	source text not null,
	identifier text not null,
	group_id text not null references groups (id) on delete cascade,
	created_at bigint not null,
	primary key (source, identifier)
);
create index source_groups_group on source_groups (group_id);
create table source_memberships (
	user_id text not null references users (id) on delete cascade,
	group_id text not null references groups (id) on delete cascade,
	source text not null,
	primary key (user_id, group_id, source)
);
create index source_memberships_group on source_memberships (group_id);
create index source_memberships_source on source_memberships (source);

-- The source that a login came from (its name), when the person is proven to have signed in there (S28; null: nobody knows), and which
-- session there: what an upstream's back-channel logout speaks of.
alter table login_events add column source text;
alter table login_events add column proven_at bigint;
create table source_sessions (
	session_id text primary key references sessions (id) on delete cascade,
	source text not null,
	subject text,
	sid text
);
create index source_sessions_subject on source_sessions (source, subject);
create index source_sessions_sid on source_sessions (source, sid);

-- What an upstream gave for a person, where the owner has tokens kept for scripts: sealed (S2), refreshed when it has ended.
create table kept_tokens (
	user_id text not null references users (id) on delete cascade,
	source text not null,
	sealed text not null,
	expires_at bigint,
	kept_at bigint not null,
	primary key (user_id, source)
);

-- What upstreams publish of themselves (discovery documents, key sets), as it was last read: good without the network after a restart.
create table source_documents (
	source_id text not null references sources (id) on delete cascade,
	address text not null,
	body text not null,
	at bigint not null,
	primary key (source_id, address)
);
