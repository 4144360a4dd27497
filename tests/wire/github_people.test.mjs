// GitHub's REST interface about other people: who sees whom, lists of members and teams with roles and teams inside, search; every change
// of people, groups and mappings reaches the next answer; only those whom it touched are asked about again; growth.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, eventually, root } from '../harness/broker.mjs';
import { ask, assertSchema, personalToken } from '../harness/github_rest.mjs';

const shipped = await readFile(path.join(root, 'etc/mappings/github_org_team.lua'), 'utf8');
const mapping = `if user.name == "Broken" then return user.nothing.there end
${shipped.replace('\nreturn {', '\nfor _, each in ipairs(organisations) do each.role = user.attributes.owns == each.login and "admin" or nil end\nreturn {')}`;
const objects = `github_mapping "default" { script = "mappings/default.lua" }
group "acme/web" {}
group "acme/web/mobile" {}
group "acme/ops" {}
group "other/ops" {}
group "everything-web" { parents = { "acme/web" } }
group "readers" { permissions = { "read_directory" } }
user "carol" { name = "Carol", email = "carol@example.org", email_verified = true, groups = { "acme/web/mobile" } }
user "dave" { name = "Dave", email = "dave@example.org", email_verified = true, groups = { "acme/web" } }
user "boss" { name = "Big Boss", groups = { "acme/web", "acme/ops" }, attributes = { owns = "acme" } }
user "eve" { name = "Eve", groups = { "other/ops" } }
user "mover" { name = "Mover" }
user "robot" { type = "service_account", groups = { "readers" } }
user "drone" { type = "service_account" }
user "reader" { groups = { "readers" } }`;
const broker = await Broker.start({ objects, files: { 'mappings/default.lua': mapping } });
const tokenOf = (user, ...scopes) => personalToken(broker, user, ...(scopes.length ? scopes : ['read:org']));
const [carol, eve, robot, drone, reader, blind] = await Promise.all([tokenOf('carol'), tokenOf('eve'), tokenOf('robot'), tokenOf('drone'), tokenOf('reader'), tokenOf('carol', 'gist')]);
const run = async (...argv) => assert.equal((await broker.command(...argv)).status, 0, argv.join(' '));
const status = async (token, target) => (await ask(broker, target, { token })).status;

async function list(route, target, token = robot) {
	const answer = await ask(broker, target, { token });
	assert.equal(answer.status, 200, `${target}: ${answer.text}`);
	assertSchema(route, answer.body);
	return (answer.body.items ?? answer.body).map((each) => each.login ?? each.slug);
}
const members = async (token = robot, query = '') => (await list('/orgs/{org}/members', `/orgs/acme/members${query}`, token)).sort();
const inTeam = async (team, token = robot, query = '') => (await list('/orgs/{org}/teams/{team_slug}/members', `/orgs/acme/teams/${team}/members${query}`, token)).sort();

test('a_token_sees_whom_its_person_shares_an_organisation_with_and_a_service_account_that_reads_the_directory_sees_all', async () => {
	const { id } = (await ask(broker, '/orgs/acme', { token: carol })).body;
	const dave = (await ask(broker, '/users/dave', { token: carol })).body;
	const ops = (await ask(broker, '/orgs/acme/teams/ops', { token: robot })).body;
	const targets = ['/users/dave', `/user/${dave.id}`, '/orgs/acme', `/organizations/${id}`, '/orgs/acme/members/dave', '/orgs/acme/memberships/dave', '/orgs/acme/members', '/orgs/acme/teams', '/orgs/acme/teams/ops',
		`/teams/${ops.id}`, `/teams/${ops.id}/members`, `/teams/${ops.id}/members/boss`, `/organizations/${id}/team/${ops.id}/memberships/boss`, '/orgs/acme/teams/web/members/carol', '/users/dave/orgs', '/users/dave/keys', '/orgs/acme/public_members'];
	for (const target of targets) {
		for (const token of [carol, robot]) assert.ok([200, 204].includes(await status(token, target)), target);
		// Somebody of another organisation, a service account without the permission, a person who has it, a token without the scope.
		for (const token of [eve, drone, reader, blind]) assert.equal(await status(token, target), 404, target);
		assert.equal(await status(undefined, target), 401, target);
	}
	assert.equal(dave.email, null, 'what he does not show to everybody is his');
	for (const target of ['/users/eve', '/orgs/other', '/orgs/other/members', '/orgs/other/members/eve']) {
		assert.ok(await status(robot, target) < 300, target);
		assert.equal(await status(carol, target), 404, target);
	}
	for (const target of ['/orgs/acme/members/eve', '/orgs/acme/members/nobody', '/orgs/nowhere', '/orgs/acme/teams/web/members/eve', '/orgs/acme/public_members/dave', '/users/nobody', '/users/nobody/orgs', '/repos/acme/x', '/repos/acme/x/collaborators/dave']) {
		assert.equal(await status(robot, target), 404, target);
	}
	assertSchema('/users/{username}', dave);
	assertSchema('/teams/{team_id}', (await ask(broker, `/teams/${ops.id}`, { token: robot })).body);
	assert.deepEqual(await list('/users/{username}/orgs', '/users/dave/orgs', carol), ['acme']);
});

test('lists_have_roles_teams_inside_and_counts', async () => {
	assert.deepEqual(await members(), ['boss', 'carol', 'dave']);
	assert.deepEqual(await members(carol), ['boss', 'carol', 'dave']);
	assert.deepEqual([await members(robot, '?role=admin'), await members(robot, '?role=member'), await members(robot, '?role=all')], [['boss'], ['carol', 'dave'], ['boss', 'carol', 'dave']]);
	assert.deepEqual(await inTeam('web'), ['boss', 'carol', 'dave'], 'also those of the teams inside');
	assert.deepEqual([await inTeam('mobile'), await inTeam('web', robot, '?role=maintainer'), await inTeam('web', carol, '?role=member')], [['carol'], ['boss'], ['carol', 'dave']]);
	assert.deepEqual(await list('/orgs/{org}/teams', '/orgs/acme/teams'), ['mobile', 'ops', 'web']);
	assert.deepEqual(await list('/orgs/{org}/teams/{team_slug}/teams', '/orgs/acme/teams/web/teams'), ['mobile']);
	const teams = (await ask(broker, '/orgs/acme/teams', { token: carol })).body;
	assert.deepEqual(teams.map((team) => [team.slug, team.members_count, team.parent?.slug]), [['mobile', 1, 'web'], ['ops', 1, undefined], ['web', 3, undefined]]);
	const own = (await ask(broker, '/user/teams', { token: carol })).body;
	assert.deepEqual(own.map((team) => [team.slug, team.members_count]).sort(), [['mobile', 1], ['web', 3]]);
	assert.equal((await ask(broker, '/orgs/acme/memberships/boss', { token: carol })).body.role, 'admin');
	assert.equal((await ask(broker, '/orgs/acme/teams/web/memberships/boss', { token: carol })).body.role, 'maintainer');
	const page = await ask(broker, '/orgs/acme/members?role=all&per_page=2', { token: robot });
	assert.equal(page.headers.get('link'), `<${broker.url}/api/v3/orgs/acme/members?role=all&per_page=2&page=2>; rel="next", <${broker.url}/api/v3/orgs/acme/members?role=all&per_page=2&page=2>; rel="last"`);
});

test('what_this_is_not_about_is_an_empty_list', async () => {
	assert.equal(await status(carol, '/users/acme'), 404, 'an organisation is nobody');
	const personal = await tokenOf('carol', 'user');
	for (const [route, target] of [['/user/repos'], ['/user/starred'], ['/user/keys'], ['/user/gpg_keys'], ['/user/followers'], ['/user/public_emails'], ['/notifications'], ['/orgs/{org}/repos', '/orgs/acme/repos'], ['/orgs/{org}/public_members', '/orgs/acme/public_members'],
		['/orgs/{org}/teams/{team_slug}/repos', '/orgs/acme/teams/web/repos'], ['/users/{username}/keys', '/users/dave/keys'], ['/users/{username}/repos', '/users/dave/repos'], ['/users/{username}/followers', '/users/dave/followers']]) {
		const answer = await ask(broker, target ?? route, { token: personal });
		assert.deepEqual([answer.status, answer.body], [200, []], target ?? route);
		assertSchema(route, answer.body);
		assert.ok([401, 404].includes(await status(undefined, target ?? route)));
	}
	assert.deepEqual((await ask(broker, '/user/installations', { token: personal })).body, { total_count: 0, installations: [] });
	assert.equal((await ask(broker, '/user/keys', { token: personal, method: 'POST' })).status, 403);
	for (const target of ['/zen', '/octocat', '/emojis']) assert.equal(await status(undefined, target), 200, target);
});

test('search_finds_people_and_organisations_that_may_be_seen', async () => {
	const find = (q, token = robot) => list('/search/users', `/search/users?q=${encodeURIComponent(q)}`, token);
	assert.deepEqual([await find('da'), await find('acme type:org'), await find('acme type:user'), await find('boss in:login'), await find('big in:login'), await find('big')], [['dave'], ['acme'], [], ['boss'], [], ['boss']]);
	assert.deepEqual([await find('e org:acme'), await find('e org:nowhere'), await find('user:eve'), await find('100%_'), await find('o type:repository')], [['dave'], [], ['eve'], [], []]);
	assert.deepEqual([await find('eve', carol), await find('dav', carol), await find('other type:org', carol), await find('dav', blind)], [[], ['dave'], [], []]);
	const answer = (await ask(broker, '/search/users?q=type:org&per_page=1', { token: robot }));
	assert.deepEqual([answer.body.total_count, answer.body.items.length, answer.body.incomplete_results, answer.body.items[0].type], [2, 1, false, 'Organization']);
	assert.match(answer.headers.get('link'), /users\?q=type%3Aorg&per_page=1&page=2>; rel="next"/);
	for (const query of ['', 'q=', 'q=%20', `q=${'x'.repeat(300)}`, 'q=e&per_page=100&page=11', 'q=%ff']) {
		const refused = await ask(broker, `/search/users?${query}`, { token: robot });
		assert.deepEqual([refused.status, refused.body.message, refused.body.errors[0].field], [422, 'Validation Failed', 'q'], query);
	}
	assert.equal(await status(undefined, '/search/users?q=dave'), 401);
});

test('every_change_of_people_and_groups_is_in_the_next_answer', async () => {
	const changes = [
		[['group', 'add-user', 'acme/ops', 'mover'], ['boss', 'carol', 'dave', 'mover'], ['boss', 'mover']],
		[['user', 'disable', 'mover'], ['boss', 'carol', 'dave'], ['boss']],
		[['user', 'enable', 'mover'], ['boss', 'carol', 'dave', 'mover'], ['boss', 'mover']],
		[['group', 'remove-user', 'acme/ops', 'mover'], ['boss', 'carol', 'dave'], ['boss']],
		[['group', 'add-user', 'everything-web', 'mover'], ['boss', 'carol', 'dave', 'mover'], ['boss']],
		[['group', 'add', 'around'], ['boss', 'carol', 'dave', 'mover'], ['boss']],
		[['group', 'add', 'inner', '--parent', 'around'], ['boss', 'carol', 'dave', 'mover'], ['boss']],
		[['user', 'add', 'nested', '--group', 'inner'], ['boss', 'carol', 'dave', 'mover'], ['boss']],
		[['group', 'set', 'around', '--parent', 'acme/ops'], ['boss', 'carol', 'dave', 'mover', 'nested'], ['boss', 'nested']],
		[['group', 'delete', 'around'], ['boss', 'carol', 'dave', 'mover'], ['boss']],
		[['user', 'add', 'fresh', '--group', 'acme/ops'], ['boss', 'carol', 'dave', 'fresh', 'mover'], ['boss', 'fresh']],
		[['user', 'delete', 'fresh'], ['boss', 'carol', 'dave', 'mover'], ['boss']],
		[['group', 'remove-user', 'everything-web', 'mover'], ['boss', 'carol', 'dave'], ['boss']],
	];
	for (const [argv, everybody, ops] of changes) {
		await run(...argv);
		const team = (await ask(broker, '/orgs/acme/teams/ops', { token: robot })).body;
		assert.deepEqual([await members(), await inTeam('ops'), team.members_count], [everybody, ops, ops.length], argv.join(' '));
	}
	await run('user', 'add', 'renamed', '--name', 'Before', '--group', 'other/ops');
	assert.deepEqual(await list('/search/users', '/search/users?q=before'), ['renamed']);
	await run('user', 'set', 'renamed', '--name', 'Afterwards');
	assert.deepEqual([await list('/search/users', '/search/users?q=before'), await list('/search/users', '/search/users?q=afterwards')], [[], ['renamed']]);
	await run('group', 'remove-user', 'other/ops', 'renamed');
	assert.equal(await status(robot, '/orgs/other'), 200);
	await run('user', 'disable', 'eve');
	assert.equal(await status(robot, '/orgs/other'), 404, 'nobody is in it any more');
	const gone = (await ask(broker, '/users/eve', { token: robot })).body;
	assert.ok(Date.parse(gone.suspended_at) > 0);
	assert.deepEqual([await list('/users/{username}/orgs', '/users/eve/orgs'), await list('/search/users', '/search/users?q=eve')], [[], []]);
	await run('user', 'enable', 'eve');
	assert.equal(await status(robot, '/orgs/other/members/eve'), 204);
});

test('only_those_whom_a_change_touched_are_asked_about_again', async () => {
	const calls = async () => (await broker.debug({ counters: true })).jail_calls;
	const asked = async (...argv) => {
		await members();
		await run(...argv);
		await ask(broker, '/user', { token: robot }); // of himself he is told anew
		const before = await calls();
		await members();
		await inTeam('web');
		return await calls() - before;
	};
	await run('group', 'add', 'crew', '--parent', 'acme/ops');
	await run('user', 'add', 'sailor', '--group', 'crew');
	assert.equal(await asked('group', 'add-user', 'acme/ops', 'dave'), 1);
	assert.equal(await asked('group', 'remove-user', 'acme/ops', 'dave'), 1);
	assert.equal(await asked('group', 'set', 'crew', '--parent', 'everything-web'), 1, 'he alone is in it');
	assert.equal(await asked('user', 'set', 'sailor', '--name', 'Popeye'), 1);
	assert.equal(await asked('user', 'delete', 'sailor'), 0);
	assert.equal(await asked('group', 'list'), 0);
	assert.equal(await asked('group', 'add', 'nobodys'), 0);
	// Each minute it is done before anybody asks.
	await run('group', 'add-user', 'acme/ops', 'dave');
	await ask(broker, '/user', { token: robot });
	const before = await calls();
	await broker.debug({ tick: true });
	await eventually(async () => await calls() === before + 1);
	assert.deepEqual(await inTeam('ops'), ['boss', 'dave']);
	assert.equal(await calls(), before + 1);
	await run('group', 'remove-user', 'acme/ops', 'dave');
});

test('where_the_mapping_fails_for_somebody_what_could_depend_on_him_is_503_and_the_rest_is_answered', async () => {
	await run('user', 'add', 'shaky', '--group', 'acme/web');
	assert.equal(await status(robot, '/orgs/acme/members/shaky'), 204);
	await run('user', 'set', 'shaky', '--name', 'Broken');
	for (const target of ['/orgs/acme/members', '/orgs/acme/teams', '/orgs/acme/teams/web/members', '/search/users?q=x', '/orgs/acme/members/shaky', '/users/shaky', '/orgs/nowhere', '/orgs/acme/teams/none']) assert.equal(await status(robot, target), 503, target);
	for (const target of ['/orgs/acme/members/carol', '/orgs/acme', '/orgs/acme/teams/ops', '/users/carol', '/user']) assert.ok(await status(robot, target) < 300, target);
	for (const target of ['/user', '/user/orgs', '/user/teams', '/orgs/acme/members/boss', '/orgs/acme/teams/web']) assert.ok(await status(carol, target) < 300, target);
	assert.deepEqual([await status(carol, '/users/shaky'), await status(drone, '/users/shaky')], [503, 404], 'who never saw him learns nothing');
	assert.ok((await broker.events()).some((each) => each.kind === 'script_failed' && /GitHub mapping default/.test(each.reason)));
	await run('user', 'delete', 'shaky');
	// Of whom the mapping never said anything: any name may be his, and none tells whether it is that of somebody who is hidden.
	await run('user', 'add', 'wobbly', '--name', 'Broken', '--group', 'acme/web');
	for (const token of [robot, carol]) for (const target of ['/users/wobbly', '/users/nobody', '/orgs/acme/members/wobbly', '/orgs/acme/teams/web/members/nobody']) assert.equal(await status(token, target), 503, target);
	assert.deepEqual([await status(robot, '/users/eve'), await status(carol, '/users/eve'), await status(carol, '/users/dave'), await status(drone, '/users/wobbly')], [200, 503, 200, 404]);
	await run('user', 'delete', 'wobbly');
	assert.deepEqual([await status(carol, '/users/eve'), await status(carol, '/users/nobody')], [404, 404]);
	assert.deepEqual(await members(), ['boss', 'carol', 'dave']);
});

test('another_text_of_the_mapping_is_another_answer_at_once', async () => {
	const file = path.join(broker.dir, 'mappings/default.lua');
	const numbers = (await ask(broker, '/orgs/acme/members', { token: robot })).body.map((each) => each.id);
	await writeFile(file, mapping.replace('name = login', 'name = "The " .. login').replace('group.name:match', 'group.name:gsub("^other", "acme"):match'));
	broker.signal('SIGHUP');
	await eventually(async () => (await ask(broker, '/orgs/acme', { token: robot })).body.name === 'The acme');
	assert.deepEqual(await members(), ['boss', 'carol', 'dave', 'eve']);
	await writeFile(file, mapping);
	await broker.configure({ settings: 'github_anonymous_organizations = true' });
	broker.signal('SIGHUP');
	await eventually(async () => (await ask(broker, '/orgs/acme')).status === 200);
	assert.deepEqual((await ask(broker, '/orgs/acme/members', { token: robot })).body.map((each) => each.id), numbers, 'and numbers stay');
	const anonymous = (await ask(broker, '/orgs/Acme')).body;
	assertSchema('/orgs/{org}', anonymous);
	assert.equal(anonymous.id, (await ask(broker, '/orgs/acme', { token: carol })).body.id);
	assert.equal((await ask(broker, '/orgs/acme', { token: blind })).body.id, anonymous.id, 'no token sees less than none');
	assert.deepEqual([await status(undefined, '/orgs/nowhere'), await status(undefined, '/orgs/acme/members'), await status(undefined, '/orgs/acme/members/carol'), await status(drone, '/orgs/acme/members')], [404, 401, 401, 404]);
});

test('a_page_costs_the_same_wherever_it_is_and_a_change_of_one_asks_about_one', async () => {
	await broker.stop();
	const many = 900;
	execFileSync('sqlite3', [path.join(broker.dir, 'data/tidelock.db')], { input: `pragma foreign_keys = on;
insert into users (id, uuid, pk, username, uid, created_at) with recursive n(i) as (select 1 union all select i + 1 from n where i < ${many})
	select 'u' || i, 'u' || i, 1000000 + i, 'crowd' || i, 'u' || i, 1700000000 from n;
insert into groups (id, pk, name, created_at) with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) select 'g' || i, 1000000 + i, 'crowd/team-' || i, 1700000000 from n;
insert into memberships (user_id, group_id) select id, 'g1' from users where pk > 1000000;
insert into memberships (user_id, group_id) select 'u7', id from groups where pk > 1000001;` });
	await broker.serve();
	const seven = await tokenOf('crowd7');
	const measure = async (target, token, count) => {
		let least = Infinity;
		for (let i = 0; i < 7; i++) {
			const from = performance.now();
			const answer = await ask(broker, target, { token });
			least = Math.min(least, performance.now() - from);
			assert.equal(answer.body.length, count, target);
		}
		return least;
	};
	for (const [target, token, last] of [['/orgs/crowd/members', robot, 30], ['/orgs/crowd/teams', robot, 10], ['/user/teams', seven, 10], ['/orgs/crowd/teams/team-1/members', seven, 30]]) {
		const [first, end] = [await measure(`${target}?page=1`, token, 30), await measure(`${target}?page=${last}`, token, 30)];
		assert.ok(end < 3 * first + 3, `${target}: ${first} ms, and at the end ${end} ms`);
		assert.deepEqual((await ask(broker, `${target}?page=${last + 1}`, { token })).body, []);
	}
	const seen = new Set();
	for (let page = 1; page <= 9; page++) for (const each of (await ask(broker, `/orgs/crowd/members?per_page=100&page=${page}`, { token: robot })).body) seen.add(each.login);
	assert.equal(seen.size, many);
	const before = (await broker.debug({ counters: true })).jail_calls;
	await run('user', 'disable', 'crowd9');
	const answer = await ask(broker, '/orgs/crowd/members?per_page=1', { token: robot });
	assert.match(answer.headers.get('link'), /page=899>; rel="last"/);
	assert.equal((await broker.debug({ counters: true })).jail_calls, before);
});
