-- 003: GitHub's side: its tokens, and the numbers and names its clients know everybody by.

insert into sequences (name, next) values ('github_token', 1);

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
