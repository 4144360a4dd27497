-- 004: GitHub's side grows: who sees whom, and tokens that expire.

-- A name stays that of the wish it was made of: mappings may wish different names for one person.
create index github_logins_wanted on github_logins (kind, key, wanted);
