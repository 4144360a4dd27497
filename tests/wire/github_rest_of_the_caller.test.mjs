// GitHub's REST interface for the person whose token asks, judged by GitHub's own schema (npm @octokit/openapi): people, e-mails,
// organisations, teams, memberships; who sees whom; errors; header fields; pages.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, eventually, root } from '../harness/broker.mjs';
import { ask, assertSchema, personalToken } from '../harness/github_rest.mjs';

const shipped = (name) => readFile(path.join(root, 'etc/mappings', name), 'utf8');
const many = Array.from({ length: 101 }, (_, index) => `group "acme/team-${String(index).padStart(3, '0')}" {}`).join('\n');
const broker = await Broker.start({
	objects: `github_mapping "default" { script = "mappings/github_org_team.lua" }
group "acme/web" {}
group "acme/web/mobile" {}
group "other/ops" {}
${many}
user "carol" { name = "Carol", email = "carol@example.org", email_verified = true, groups = { "acme/web/mobile", "other/ops" } }
user "dave" { name = "Dave", email = "dave@example.org", groups = { "acme/web" } }
user "many" { groups = { ${many.match(/"[^"]+"/g).join(', ')} } }
user "pinned" { groups = { "acme/web" }, attributes = { github_id = 4711, github_login = "Old.Name" } }
user "leaves" {}`,
	files: { 'mappings/github_org_team.lua': await shipped('github_org_team.lua'), 'mappings/github.lua': await shipped('github.lua') },
});
const carol = await personalToken(broker, 'carol', 'user', 'read:org');
const bare = await personalToken(broker, 'carol');
const dave = await personalToken(broker, 'dave', 'read:org', 'user:email', 'repo');
const crowd = await personalToken(broker, 'many', 'read:org');

async function judged(route, target, token, options = {}) {
	const answer = await ask(broker, target, { token, ...options });
	assert.equal(answer.status, 200, `${target}: ${answer.text}`);
	assertSchema(route, answer.body);
	return answer.body;
}
async function refused(status, message, target, options = {}) {
	const answer = await ask(broker, target, options);
	assert.equal(answer.status, status, `${target}: ${answer.text}`);
	assert.equal(answer.body.message, message);
	assert.equal(answer.body.status, String(status));
	assert.match(answer.body.documentation_url, /^https:/);
	assert.ok(answer.headers.get('x-github-request-id'));
	assert.deepEqual(Object.keys(answer.body).sort(), ['documentation_url', 'message', 'status']);
	return answer;
}

test('user_is_the_person_of_the_token_with_every_key_of_the_schema', async () => {
	const me = await judged('/user', '/user', carol);
	assert.deepEqual([me.login, me.name, me.email, me.type, me.user_view_type, me.site_admin], ['carol', 'Carol', 'carol@example.org', 'User', 'private', false]);
	assert.ok(Number.isInteger(me.id) && me.id > 0 && me.id < 2 ** 31);
	assert.equal(Buffer.from(me.node_id, 'base64').toString(), `04:User${me.id}`);
	assert.match(me.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
	assert.equal(me.private_gists, 0);
	const few = await judged('/user', '/user', bare);
	assert.deepEqual([few.id, few.email, few.private_gists], [me.id, null, undefined], 'without a scope there is no address');
	assert.equal((await judged('/user', '/user', dave)).email, null, 'an address that is not verified is nobody\'s');
	assert.deepEqual(await judged('/users/{username}', '/users/CAROL', bare), { ...few, user_view_type: 'public' });
});

test('the_address_may_come_without_prefix_and_the_token_in_every_usual_way', async () => {
	const me = (await ask(broker, '/user', { token: carol })).body;
	for (const target of ['/user', '/user/emails', '/user/orgs', '/user/teams']) {
		assert.deepEqual((await ask(broker, target, { token: carol, prefix: '' })).body, (await ask(broker, target, { token: carol })).body);
	}
	const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;
	for (const authorization of [`token ${carol}`, `Bearer ${carol}`, `bearer ${carol}`, `TOKEN ${carol}`, basic(`carol:${carol}`), basic(`${carol}:x-oauth-basic`), basic(`:${carol}`)]) {
		assert.equal((await ask(broker, '/user', { headers: { authorization } })).body.id, me.id, authorization);
	}
	assert.equal((await ask(broker, '/orgs/acme', { token: carol, prefix: '' })).headers.get('content-type')?.includes('json'), false);
});

test('emails_are_the_verified_ones_and_one_is_primary', async () => {
	assert.deepEqual(await judged('/user/emails', '/user/emails', carol), [{ email: 'carol@example.org', primary: true, verified: true, visibility: null }]);
	assert.deepEqual(await judged('/user/emails', '/user/emails', dave), []);
	await refused(404, 'Not Found', '/user/emails', { token: bare });
});

test('organisations_and_teams_come_of_the_mapping_nested_as_it_says', async () => {
	const organisations = await judged('/user/orgs', '/user/orgs', carol);
	assert.deepEqual(organisations.map((each) => each.login).sort(), ['acme', 'other']);
	const teams = await judged('/user/teams', '/user/teams', carol);
	assert.deepEqual(teams.map((each) => `${each.organization.login}/${each.slug}<${each.parent?.slug ?? ''}`).sort(), ['acme/mobile<web', 'acme/web<', 'other/ops<']);
	assert.equal(teams.find((each) => each.slug === 'mobile').html_url, `${broker.url}/orgs/acme/teams/mobile`);
	const acme = await judged('/orgs/{org}', '/orgs/ACME', carol);
	assert.equal(acme.id, organisations.find((each) => each.login === 'acme').id);
	assert.ok(new Set([acme.id, ...organisations.map((each) => each.id), (await ask(broker, '/user', { token: carol })).body.id]).size === 3, 'people and organisations share one sequence');
	const memberships = await judged('/user/memberships/orgs', '/user/memberships/orgs?state=active&per_page=100', carol);
	assert.deepEqual(memberships.map((each) => `${each.organization.login} ${each.role} ${each.state}`).sort(), ['acme member active', 'other member active']);
	assert.deepEqual((await ask(broker, '/user/memberships/orgs?state=pending', { token: carol })).body, []);
	await judged('/user/memberships/orgs/{org}', '/user/memberships/orgs/acme', carol);
	await judged('/orgs/{org}/memberships/{username}', '/orgs/acme/memberships/carol', carol);
	const team = teams.find((each) => each.slug === 'web');
	await judged('/orgs/{org}/teams/{team_slug}', '/orgs/acme/teams/web', carol);
	await judged('/teams/{team_id}', `/teams/${team.id}`, carol);
	assert.deepEqual(await judged('/orgs/{org}/teams/{team_slug}/memberships/{username}', '/orgs/acme/teams/Web/memberships/Carol', carol),
		{ role: 'member', state: 'active', url: `${team.url}/memberships/carol` });
	assert.deepEqual((await judged('/orgs/{org}/teams/{team_slug}', team.url.slice(`${broker.url}/api/v3`.length), carol)).id, team.id, 'its own address is there');
	assert.deepEqual((await judged('/orgs/{org}/teams', '/orgs/acme/teams?per_page=100&page=2', carol)).map((each) => each.slug), ['team-099', 'team-100', 'web'], 'all of an organisation that one is in');
	for (const target of ['/user/orgs', '/user/teams', '/user/memberships/orgs']) {
		const answer = await ask(broker, target, { token: bare });
		assert.equal(answer.status, 403);
		assert.match(answer.body.message, /^You need at least read:org scope/);
		assert.match(answer.headers.get('x-accepted-oauth-scopes'), /read:org/);
	}
});

test('a_number_is_a_person_s_or_an_organisation_s_of_the_caller', async () => {
	const me = (await ask(broker, '/user', { token: carol })).body;
	const acme = (await ask(broker, '/orgs/acme', { token: carol })).body;
	const web = (await ask(broker, '/orgs/acme/teams/web', { token: carol })).body;
	assert.equal((await judged('/users/{username}', `/user/${me.id}`, carol)).login, 'carol');
	assert.equal((await judged('/orgs/{org}', `/user/${acme.id}`, carol)).type, 'Organization');
	assert.equal((await judged('/orgs/{org}', `/organizations/${acme.id}`, carol)).login, 'acme');
	assert.equal((await ask(broker, `/organizations/${acme.id}/team/${web.id}/members/carol`, { token: carol })).status, 204);
	assert.equal((await ask(broker, `/organizations/${acme.id}/team/${web.id}/memberships/carol`, { token: carol })).body.state, 'active');
	const other = (await ask(broker, '/orgs/other', { token: carol })).body;
	for (const target of [`/organizations/${other.id}/team/${web.id}`, `/organizations/${me.id}`, `/user/${web.id + 500}`, '/user/x', `/organizations/${acme.id}/team/${web.id}/members/many`]) {
		await refused(404, 'Not Found', target, { token: carol });
	}
	await refused(404, 'Not Found', `/user/${acme.id}`, { token: bare });
	await refused(404, 'Not Found', `/user/${me.id}`, { token: await personalToken(broker, 'alice', 'read:org') });
	assert.equal((await judged('/users/{username}', `/user/${me.id}`, dave)).login, 'carol', 'they share an organisation');
	for (const target of ['/user/keys', '/user/gpg_keys']) assert.deepEqual((await ask(broker, target, { token: carol })).body, []);
	const picture = await fetch(me.avatar_url + '&s=80');
	assert.deepEqual([picture.status, picture.headers.get('content-type')], [200, 'image/svg+xml']);
	assert.match(await picture.text(), /^<svg /);
	assert.equal((await fetch(me.avatar_url.replace(me.id, me.id + 1))).status, 200, 'whoever has it');
});

test('membership_is_204_or_404_and_nothing_else', async () => {
	const web = (await ask(broker, '/orgs/acme/teams/web', { token: carol })).body.id;
	for (const target of ['/orgs/acme/members/carol', '/orgs/Acme/members/CAROL', '/orgs/acme/members/dave', '/orgs/acme/teams/web/members/carol', `/teams/${web}/members/carol`]) {
		const answer = await ask(broker, target, { token: carol });
		assert.deepEqual([answer.status, answer.text], [204, ''], target);
	}
	const stranger = await personalToken(broker, 'alice', 'read:org');
	for (const [target, token] of [['/orgs/acme/members/alice', carol], ['/orgs/acme/members/nobody', carol], ['/orgs/other/members/dave', dave], ['/orgs/nowhere/members/carol', carol],
		['/orgs/acme/members/alice', stranger], ['/orgs/acme/members/carol', stranger], ['/orgs/acme/members/carol', bare], ['/orgs/other/teams/web/members/carol', carol],
		['/orgs/acme/teams/web/memberships/many', carol], ['/orgs/acme/teams/nothing/memberships/carol', carol], ['/orgs/acme', stranger], ['/orgs/acme', bare],
		['/orgs/acme/members/carol/', carol], ['/users/alice', carol], ['/users/dave', bare], ['/users/nobody', carol], ['/teams/1', carol], [`/teams/${web}`, stranger], [`/teams/${web}/memberships/dave`, stranger]]) {
		await refused(404, 'Not Found', target, { token });
	}
});

test('anonymous_sees_root_meta_and_rate_limit_and_a_bad_token_comes_before_everything', async () => {
	for (const [route, target] of [['/', '/'], ['/', ''], ['/meta', '/meta'], ['/rate_limit', '/rate_limit']]) {
		assertSchema(route, (await ask(broker, target)).body);
		await judged(route, target, bare);
	}
	assert.equal((await ask(broker, '/meta')).body.installed_version, '3.19.0');
	assert.equal((await ask(broker, '')).body.rate_limit_url, `${broker.url}/api/v3/rate_limit`);
	for (const target of ['/user', '/user/emails', '/user/orgs', '/user/teams', '/orgs/acme', '/orgs/acme/members/carol', '/users/carol']) {
		await refused(401, 'Requires authentication', target);
	}
	await refused(404, 'Not Found', '/nothing/here');
	assert.deepEqual((({ status, text }) => [status, text])(await ask(broker, '/status', { prefix: '' })), [200, 'alive\n']);
	assert.equal((await ask(broker, '/api/uploads/', { prefix: '' })).body.message, 'Not Found', 'go-github wants to have such an address');
	for (const authorization of ['token ghp_000000000000000000000000000000000000', 'Bearer x', 'token', 'Basic !', 'Basic Y2Fyb2w6cGFzc3dvcmQ=', 'Digest x', `token ${carol}x`, `tok${carol}`]) {
		for (const target of ['/', '/user', '/nothing/here', '/meta']) await refused(401, 'Bad credentials', target, { headers: { authorization } });
	}
	const app = (await broker.json('token', 'create', '--user', 'carol', '--intent', 'app_password')).key;
	await refused(401, 'Bad credentials', '/user', { token: app });
	await refused(401, 'Bad credentials', `/user?access_token=${carol}`);
	await eventually(async () => (await broker.events('--kind', 'github_token_refused')).length > 0);
	assert.equal((await ask(broker, '/user', { token: carol, method: 'DELETE' })).status, 404);
});

test('header_fields_are_those_that_clients_look_for', async () => {
	const answer = await ask(broker, '/user', { token: carol, headers: { accept: 'application/vnd.github.moondragon+json', 'x-github-api-version': '2022-11-28' } });
	const field = (name) => answer.headers.get(name);
	assert.equal(field('content-type'), 'application/json; charset=utf-8');
	assert.equal(field('x-github-media-type'), 'github.v3; format=json');
	assert.equal(field('x-oauth-scopes'), 'read:org, user');
	assert.equal(field('x-accepted-oauth-scopes'), '');
	assert.equal(field('x-github-enterprise-version'), 'enterprise-server@3.19.0');
	assert.equal(field('x-github-api-version-selected'), '2022-11-28');
	assert.equal(field('access-control-allow-origin'), '*');
	assert.equal(field('access-control-allow-credentials'), null);
	for (const name of ['limit', 'remaining', 'used', 'reset']) assert.match(field(`x-ratelimit-${name}`), /^\d+$/);
	assert.equal((await ask(broker, '/user/emails', { token: bare })).headers.get('x-accepted-oauth-scopes'), 'user, user:email');
	assert.equal((await ask(broker, '/', { token: bare })).headers.get('x-oauth-scopes'), '');
	assert.equal((await ask(broker, '/user', { method: 'OPTIONS' })).status, 204);
	const tag = field('etag');
	assert.match(tag, /^W\/"[0-9a-f]{64}"$/);
	for (const asked of [tag, tag.slice(2), `"x", ${tag}`]) {
		const again = await ask(broker, '/user', { token: carol, headers: { 'if-none-match': asked } });
		assert.deepEqual([again.status, again.text, again.headers.get('etag')], [304, '', tag]);
	}
	assert.equal((await ask(broker, '/user', { token: dave, headers: { 'if-none-match': tag } })).status, 200);
});

test('pages_are_linked_with_the_exact_text_and_end', async () => {
	const base = `${broker.url}/api/v3/user/teams`;
	const first = await ask(broker, '/user/teams', { token: crowd });
	assert.equal(first.body.length, 30);
	assert.equal(first.headers.get('link'), `<${base}?page=2>; rel="next", <${base}?page=4>; rel="last"`);
	const middle = await ask(broker, '/user/teams?per_page=50&page=2', { token: crowd });
	const link = (page) => `<${base}?per_page=50&page=${page}>`;
	assert.equal(middle.headers.get('link'), `${link(1)}; rel="prev", ${link(3)}; rel="next", ${link(3)}; rel="last", ${link(1)}; rel="first"`);
	const last = await ask(broker, '/user/teams?per_page=50&page=3', { token: crowd });
	assert.equal(last.body.length, 1);
	assert.equal(last.headers.get('link'), `${link(2)}; rel="prev", ${link(1)}; rel="first"`);
	assert.deepEqual((await ask(broker, '/user/teams?page=99', { token: crowd })).body, []);
	assert.deepEqual((await ask(broker, '/user/teams?page=99999999999999999999', { token: crowd })).body, []);
	for (const [query, length] of [['per_page=0', 30], ['per_page=1000000000', 100], ['per_page=-1', 30], ['per_page=x&page=y', 30], ['page=0', 30], ['per_page=1', 1], ['limit=5', 30], ['%zz', 30]]) {
		assert.equal((await ask(broker, `/user/teams?${query}`, { token: crowd })).body.length, length, query);
	}
	const all = new Set();
	for (let next = '/user/teams?per_page=7'; next; ) {
		const answer = await ask(broker, next, { token: crowd });
		for (const each of answer.body) all.add(each.id);
		next = answer.headers.get('link').match(/<([^>]+)>; rel="next"/)?.[1].slice(`${broker.url}/api/v3`.length);
	}
	assert.equal(all.size, 101);
	assert.match((await ask(broker, '/user/teams', { token: crowd, prefix: '' })).headers.get('link'), new RegExp(`^<${broker.url}/user/teams\\?page=2>`));
	assert.equal((await ask(broker, '/user/orgs', { token: carol })).headers.get('link'), null);
});

test('a_pinned_number_and_a_login_of_before_stay', async () => {
	const me = (await ask(broker, '/user', { token: await personalToken(broker, 'pinned') })).body;
	assert.deepEqual([me.id, me.login], [4711, 'Old-Name']);
});

test('a_change_of_groups_reaches_the_next_answer_and_who_is_switched_off_has_no_token', async () => {
	const token = await personalToken(broker, 'leaves', 'read:org');
	const { id } = (await ask(broker, '/user', { token })).body;
	assert.equal((await broker.command('group', 'add-user', 'acme/web', 'leaves')).status, 0);
	assert.equal((await ask(broker, '/orgs/acme/members/leaves', { token })).status, 204);
	assert.equal((await broker.command('group', 'remove-user', 'acme/web', 'leaves')).status, 0);
	assert.equal((await ask(broker, '/orgs/acme/members/leaves', { token })).status, 404);
	assert.deepEqual((await ask(broker, '/user/teams', { token })).body, []);
	assert.equal((await broker.command('group', 'add-user', 'acme/web', 'leaves')).status, 0);
	assert.equal((await ask(broker, '/orgs/acme/members/leaves', { token })).status, 204);
	assert.equal((await ask(broker, '/user', { token })).body.id, id);
	assert.equal((await broker.command('user', 'disable', 'leaves')).status, 0);
	await refused(401, 'Bad credentials', '/user', { token });
});

test('a_mapping_that_fails_is_503_and_an_event_never_an_empty_list', async () => {
	const file = path.join(broker.dir, 'mappings/github_org_team.lua');
	const before = await readFile(file, 'utf8');
	const numbers = (await ask(broker, '/user/teams', { token: carol })).body.map((each) => each.id);
	for (const script of ['return user.nothing.there', 'return { emails = { { email = "a@x.org", primary = true }, { email = "b@x.org", primary = true } } }', 'return 1', 'return { id = 4711 }']) {
		await writeFile(file, script);
		broker.signal('SIGHUP');
		await eventually(async () => (await ask(broker, '/user/teams', { token: carol })).body.length !== numbers.length);
		// Somebody without a number yet: one that is another's is refused, not replaced.
		if (/4711/.test(script)) assert.equal((await broker.command('user', 'add', 'newcomer')).status, 0);
		const token = /4711/.test(script) ? await personalToken(broker, 'newcomer', 'read:org') : carol;
		for (const target of ['/user', '/user/teams', '/orgs/acme/members/carol']) await refused(503, 'Service unavailable', target, { token });
		await writeFile(file, before);
		broker.signal('SIGHUP');
		await eventually(async () => (await ask(broker, '/user/teams', { token: carol })).body.length === numbers.length);
	}
	const events = await broker.events();
	assert.ok(events.some((each) => each.kind === 'script_failed' && /GitHub mapping default/.test(each.reason)));
	assert.ok(events.some((each) => each.kind === 'github_number_taken'));
	assert.deepEqual((await ask(broker, '/user/teams', { token: carol })).body.map((each) => each.id), numbers, 'numbers outlive a reload');
});
