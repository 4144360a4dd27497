// GitHub's REST interface with a token that an application got: its own mapping, its query switch, what ends it; and `tidelock try github`.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';
import { connect, objects } from '../harness/github.mjs';
import { ask, assertSchema, personalToken } from '../harness/github_rest.mjs';

const shipped = (name) => readFile(path.join(root, 'etc/mappings', name), 'utf8');
const broker = await Broker.start({
	objects: `${objects.replace('github = { query_secret = true }', 'github = { query_token = true, mapping = "narrow" }')}
github_mapping "default" { script = "mappings/github.lua" }
github_mapping "narrow" { script = "mappings/narrow.lua" }
group "Web Team" { attributes = { github_id = 77 } }
user "erin" { name = "Erin", email = "erin@example.org", email_verified = true, password = "erin-of-web", groups = { "Web Team", "admins" } }`,
	files: {
		'mappings/github.lua': await shipped('github.lua'),
		'mappings/narrow.lua': 'return { name = application.slug, organisations = { { login = "narrow" } } }',
	},
});
const erin = { username: 'erin', password: 'erin-of-web' };
const of = async (client, scope) => (await connect(broker, client, { scope }, erin)).access_token;

test('each_application_has_its_mapping_and_the_numbers_are_the_same_everywhere', async () => {
	const [forge, jenkins] = [await of('forge', 'read:org user:email'), await of('jenkins', 'read:org')];
	const [one, other] = [(await ask(broker, '/user', { token: forge })), (await ask(broker, '/user', { token: jenkins }))];
	assertSchema('/user', one.body);
	assert.deepEqual([one.body.id, one.body.login, one.body.name, other.body.name], [other.body.id, 'erin', 'Erin', 'jenkins']);
	assert.equal(one.headers.get('x-oauth-client-id'), '0123456789abcdef0123');
	assert.equal(one.headers.get('x-oauth-scopes'), 'read:org, user:email');
	assert.deepEqual((await ask(broker, '/user/orgs', { token: forge })).body.map((each) => each.login), ['example']);
	assert.deepEqual((await ask(broker, '/user/orgs', { token: jenkins })).body.map((each) => each.login), ['narrow']);
	assert.equal((await ask(broker, '/orgs/example/members/erin', { token: jenkins })).status, 404, 'what the mapping does not give is not there');
	const teams = (await ask(broker, '/user/teams', { token: forge })).body;
	assertSchema('/user/teams', teams);
	assert.deepEqual(teams.map((each) => [each.slug, each.id === 77]).sort(), [['admins', false], ['web-team', true]]);
	assert.equal((await ask(broker, '/user/memberships/orgs/example', { token: forge })).body.role, 'admin');
	assert.equal((await ask(broker, '/orgs/example/teams/web-team/memberships/erin', { token: forge })).body.role, 'maintainer');
});

test('S18_a_token_in_the_query_is_good_only_where_its_application_asks_for_that', async () => {
	const [forge, jenkins] = [await of('forge', 'user:email'), await of('jenkins', 'user:email')];
	assert.equal((await ask(broker, `/user/emails?access_token=${jenkins}`)).status, 200);
	assert.equal((await ask(broker, `/user/emails?access_token=${forge}`)).status, 401);
	assert.equal((await ask(broker, `/user/emails?access_token=${jenkins}`, { token: 'x' })).status, 401, 'the field comes first');
	assert.ok(!broker.log.includes(jenkins), 'and it is in no log');
});

test('try_github_shows_who_somebody_is_without_allotting_a_number', async () => {
	assert.equal((await broker.command('user', 'add', 'newcomer', '--name', 'New Comer', '--email', 'new@example.org', '--email-verified')).status, 0);
	assert.equal((await broker.command('group', 'add-user', 'github-users', 'newcomer')).status, 0);
	const shown = await broker.command('try', 'github', '--user', 'newcomer');
	assert.equal(shown.status, 0, shown.err);
	assert.match(shown.out, /^login +\(new\) +newcomer, New Comer\ne-mail +new@example.org \(primary\)\norganisation .* example \(member\)\nteam +.* example\/github-users \(member\)\n/);
	assert.match(shown.out, /\nscript +mappings\/github.lua\ninstructions +\d+\n/);
	assert.equal((await broker.json('try', 'github', '--user', 'newcomer')).id, undefined);
	const { id } = (await ask(broker, '/user', { token: await personalToken(broker, 'newcomer') })).body;
	assert.equal((await broker.json('try', 'github', '--user', 'newcomer')).id, id);
	assert.deepEqual((await broker.json('try', 'github', '--user', 'newcomer', '--app', 'jenkins')).organizations.map((each) => each.login), ['narrow']);
	assert.match((await broker.command('try', 'github', '--user', 'bob')).out, /none that is verified/);
	assert.match((await broker.command('try', 'github', '--user', 'nobody')).err, /no user/);
	assert.match((await broker.command('try', 'github', '--user', 'newcomer', '--app', 'web')).err, /no GitHub side/);
	assert.equal((await broker.command('try', 'github')).status, 2);
});

test('try_github_tells_what_is_wrong_before_a_reload', async () => {
	const file = path.join(broker.dir, 'mappings/github.lua');
	const before = await readFile(file, 'utf8');
	await writeFile(file, 'local teams = user.nothing\nreturn { login = teams.name }');
	const failed = await broker.command('try', 'github', '--user', 'alice');
	assert.equal(failed.status, 1);
	assert.match(failed.err, /^mappings\/github.lua:2: /);
	await writeFile(file, 'return { organizations = {} }');
	assert.match((await broker.command('try', 'github', '--user', 'alice')).err, /the result has "organizations"/);
	await writeFile(file, 'return {');
	assert.match((await broker.command('check')).err, /mappings\/github.lua:1: /);
	await writeFile(file, before);
	assert.equal((await ask(broker, '/user', { token: await personalToken(broker, 'alice') })).status, 200, 'nothing of it went live');
});

test('an_application_names_a_mapping_that_is_declared', async () => {
	const config = await readFile(broker.file, 'utf8');
	await writeFile(broker.file, config.replace('mapping = "narrow"', 'mapping = "norrow"'));
	assert.match((await broker.command('check')).err, /github names the GitHub mapping "norrow", which is not declared, did you mean "narrow"\?/);
	await writeFile(broker.file, config.replace('script = "mappings/narrow.lua"', 'scripts = "mappings/narrow.lua"'));
	assert.match((await broker.command('check')).err, /there is no setting "scripts" here, did you mean "script"/);
	await writeFile(broker.file, config);
});
