-- 004: GitHub's side grows: who sees whom, and tokens that expire.

-- A name stays that of the wish it was made of: mappings may wish different names for one person.
create index github_logins_wanted on github_logins (kind, key, wanted);

-- What the mappings say of everybody is kept (github/index), so that lists are read and not made. A lens is one mapping as it stands
-- (fingerprint: its text and all it sees beside the person); another text is another lens. mapping: whose lens it is, whatever the text.
-- swept: everything that was touched before this number is in it.
insert into sequences (name, next) values ('github_lens', 1), ('github_touched', 1);
create table github_lenses (
	number bigint primary key,
	fingerprint text not null unique,
	mapping text not null,
	swept bigint not null,
	used_at bigint not null
);
-- Of one person. digest: of all that the mapping says; failed: the mapping could say nothing, and what stands here is of before.
create table github_people (
	lens bigint not null references github_lenses (number) on delete cascade,
	user_id text not null references users (id) on delete cascade,
	number bigint,
	login text,
	shown text,
	name text,
	profile text not null default '{}',
	digest text not null,
	failed integer not null,
	primary key (lens, user_id)
);
create unique index github_people_login on github_people (lens, login);
create unique index github_people_number on github_people (lens, number);
create index github_people_user on github_people (user_id);
create index github_people_failed on github_people (lens) where failed = 1;
-- Organisations (organization = 0) and teams, as long as somebody is in them. login: in lower case, of a team the slug. members is
-- kept by the triggers below.
create table github_places (
	lens bigint not null references github_lenses (number) on delete cascade,
	kind text not null,
	number bigint not null,
	organization bigint not null,
	login text not null,
	shown text not null,
	name text not null,
	description text,
	parent bigint,
	created_at bigint not null,
	members bigint not null default 0,
	primary key (lens, kind, number)
);
create unique index github_places_login on github_places (lens, kind, organization, login);
create index github_places_parent on github_places (lens, parent);
-- direct: not only by a team inside.
create table github_members (
	lens bigint not null,
	kind text not null,
	place bigint not null,
	person bigint not null,
	user_id text not null references users (id) on delete cascade,
	role text not null,
	direct integer not null,
	primary key (lens, kind, place, person),
	foreign key (lens, kind, place) references github_places (lens, kind, number) on delete cascade
);
create index github_members_role on github_members (lens, kind, place, role, person);
create index github_members_user on github_members (user_id, lens);
create trigger github_members_more after insert on github_members begin
	update github_places set members = members + 1 where lens = new.lens and kind = new.kind and number = new.place;
end;
create trigger github_members_fewer after delete on github_members begin
	update github_places set members = members - 1 where lens = old.lens and kind = old.kind and number = old.place;
end;

-- Whom and what a change touched of what mappings see, each under a number of its own, at the last time. Triggers, so that whoever
-- writes people and groups, now or later, cannot forget. Of a group everybody in it and below it is meant (github/index spreads it).
create table github_touched (
	kind text not null,
	id text not null,
	at bigint not null unique,
	primary key (kind, id)
);
create index group_parents_parent on group_parents (parent_id);
insert into github_touched (kind, id, at) select 'user', id, row_number() over (order by pk) from users;
update sequences set next = 1 + (select count(*) from users) where name = 'github_touched';
create trigger github_touched_by_user after insert on users begin
	insert into github_touched (kind, id, at) values ('user', new.id, (select next from sequences where name = 'github_touched'))
		on conflict (kind, id) do update set at = excluded.at;
	update sequences set next = next + 1 where name = 'github_touched';
end;
create trigger github_touched_by_change after update of pk, username, name, email, email_verified, type, active, attributes, uid, uuid,
	created_at, last_login_at on users begin
	insert into github_touched (kind, id, at) values ('user', new.id, (select next from sequences where name = 'github_touched'))
		on conflict (kind, id) do update set at = excluded.at;
	update sequences set next = next + 1 where name = 'github_touched';
end;
create trigger github_touched_by_joining after insert on memberships begin
	insert into github_touched (kind, id, at) values ('user', new.user_id, (select next from sequences where name = 'github_touched'))
		on conflict (kind, id) do update set at = excluded.at;
	update sequences set next = next + 1 where name = 'github_touched';
end;
create trigger github_touched_by_leaving after delete on memberships begin
	insert into github_touched (kind, id, at) values ('user', old.user_id, (select next from sequences where name = 'github_touched'))
		on conflict (kind, id) do update set at = excluded.at;
	update sequences set next = next + 1 where name = 'github_touched';
end;
create trigger github_touched_by_group after update of pk, name, attributes, declared on groups begin
	insert into github_touched (kind, id, at) values ('group', new.id, (select next from sequences where name = 'github_touched'))
		on conflict (kind, id) do update set at = excluded.at;
	update sequences set next = next + 1 where name = 'github_touched';
end;
create trigger github_touched_by_nesting after insert on group_parents begin
	insert into github_touched (kind, id, at) values ('group', new.group_id, (select next from sequences where name = 'github_touched'))
		on conflict (kind, id) do update set at = excluded.at;
	update sequences set next = next + 1 where name = 'github_touched';
end;
create trigger github_touched_by_parting after delete on group_parents begin
	insert into github_touched (kind, id, at) values ('group', old.group_id, (select next from sequences where name = 'github_touched'))
		on conflict (kind, id) do update set at = excluded.at;
	update sequences set next = next + 1 where name = 'github_touched';
end;
