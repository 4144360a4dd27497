// S1, S2, S4: API keys, app passwords and personal tokens: made by command and on the portal page, shown once, ended for good.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, formOf } from '../harness/browser.mjs';

const broker = await Broker.start({ objects: `
group "readers" { permissions = { "read_directory" } }
user "rita" { name = "Rita Reader", password = "reader-rita", groups = { "readers" } }
user "robot" { name = "Robot", type = "service_account" }
user "paul" { name = "Paul <b>Page</b>", password = "pages-of-paul" }` });

const create = (user, intent, ...more) => broker.command('token', 'create', '--user', user, '--intent', intent, ...more);
async function filesHold(text) {
	const folder = path.join(broker.dir, 'data');
	for (const name of await readdir(folder)) {
		if (name.endsWith('.sock')) continue;
		if ((await readFile(path.join(folder, name))).includes(text)) return true;
	}
	return false;
}
async function signedIn(username, password) {
	const browser = new Browser(broker);
	await browser.signIn((await browser.open('/signin')).page, username, password);
	return browser;
}

test('S1_every_intent_has_its_prefix_and_S2_no_key_is_stored_as_it_is', async () => {
	for (const [intent, form] of [['api', /^tlk_[\w-]{43}$/], ['app_password', /^tlp_[\w-]{43}$/], ['personal', /^ghp_[A-Za-z0-9]{36}$/]]) {
		const made = await broker.json('token', 'create', '--user', 'rita', '--intent', intent, '--description', `for ${intent}`);
		assert.match(made.key, form);
		assert.deepEqual([made.user, made.intent, made.state, made.description], ['rita', intent, 'good', `for ${intent}`]);
		assert.match(made.identifier, /^[-\w]+$/);
		const listed = (await broker.json('token', 'list', '--user', 'rita')).find((one) => one.identifier === made.identifier);
		assert.equal(listed.key, undefined);
		assert.equal(await filesHold(made.key), false);
		assert.ok(!JSON.stringify(await broker.events()).includes(made.key));
	}
	const plain = await create('alice', 'app_password', '--identifier', 'backup-job');
	assert.match(plain.out, /^tlp_[\w-]{43}\n$/, 'the key alone, so that a script can take it');
	assert.match(plain.err, /backup-job.*not shown again/);
	assert.match((await broker.command('token', 'list')).out, /backup-job +alice +app_password/);
});

test('S25_a_key_gives_away_what_its_owner_has_and_no_more', async () => {
	const made = await broker.json('token', 'create', '--user', 'root', '--intent', 'api', '--scope', 'manage_users', '--scope', 'read_directory');
	assert.equal(made.scope, 'manage_users read_directory');
	assert.equal((await broker.json('token', 'create', '--user', 'rita', '--intent', 'api', '--scope', 'read_directory')).scope, 'read_directory');
	assert.match((await create('rita', 'api', '--scope', 'manage_users')).err, /lacks the permission "manage_users"/);
	assert.match((await create('alice', 'api', '--scope', 'read_directory')).err, /lacks/);
	assert.equal((await create('alice', 'api')).status, 0, 'without a scope it reads what its owner may, when it is used');
	assert.match((await create('root', 'api', '--scope', 'repo')).err, /no scope "repo"/);
	assert.equal((await broker.json('token', 'create', '--user', 'alice', '--intent', 'personal', '--scope', 'repo read:org')).scope, 'repo read:org');
	assert.match((await create('alice', 'personal', '--scope', 'everything')).err, /no scope/);
	assert.match((await create('alice', 'app_password', '--scope', 'repo')).err, /no scopes/);
});

test('token_create_says_what_is_wrong_with_its_words', async () => {
	for (const words of [['--intent', 'api'], ['--user', 'alice'], ['--user', 'alice', '--intent', 'recovery'], ['--user', 'alice', '--intent', 'api', 'more'], ['--user', 'alice', '--intent', 'api', '--colour', 'red']]) {
		const answer = await broker.command('token', 'create', ...words);
		assert.equal(answer.status, 2, words.join(' '));
		assert.match(answer.err, /usage: tidelock token create/);
	}
	for (const words of [['nobody', 'api'], ['alice', 'api', '--expires', 'soon'], ['alice', 'api', '--expires', '0s'], ['alice', 'api', '--identifier', 'a b'], ['alice', 'app_password', '--identifier', 'backup-job']]) {
		assert.equal((await create(...words)).status, 1, words.join(' '));
	}
	assert.equal((await broker.command('token')).status, 2);
	assert.equal((await broker.command('token', 'revoke', 'no-such-key')).status, 1);
	await broker.command('user', 'add', 'asleep');
	await broker.command('user', 'disable', 'asleep');
	assert.match((await create('asleep', 'api')).err, /switched off/);
});

test('S4_a_key_ends_by_time_by_revocation_with_a_new_password_and_with_its_owner', async () => {
	const state = async (identifier) => (await broker.json('token', 'list')).find((one) => one.identifier === identifier)?.state;
	await create('bob', 'api', '--identifier', 'short', '--expires', '1h');
	await create('bob', 'app_password', '--identifier', 'long', '--expires', '30d');
	await create('bob', 'app_password', '--identifier', 'gone');
	assert.match((await broker.command('token', 'revoke', 'gone')).out, /revoked/);
	assert.equal(await state('gone'), undefined);
	await broker.advance(3601);
	assert.deepEqual([await state('short'), await state('long')], ['expired', 'good']);
	await broker.command('user', 'password', 'bob', '--password-stdin', { input: 'a new password\n' });
	await broker.advance(1);
	assert.equal(await state('long'), 'ended');
	await create('bob', 'api', '--identifier', 'later');
	assert.equal(await state('later'), 'good');
	await broker.advance(2);
	await broker.command('user', 'disable', 'bob');
	await broker.command('user', 'enable', 'bob');
	assert.equal(await state('later'), 'ended', 'switched off once, it does not come back');
	await broker.command('user', 'add', 'leaving');
	await create('leaving', 'api', '--identifier', 'of-leaving');
	await broker.command('user', 'delete', 'leaving');
	assert.equal(await state('of-leaving'), undefined);
	const kinds = (await broker.events()).map((event) => event.kind);
	assert.ok(kinds.includes('person_token_made') && kinds.includes('person_token_revoked'));
});

test('the_portal_page_makes_lists_and_revokes_app_passwords_and_shows_one_once', async () => {
	const browser = await signedIn('paul', 'pages-of-paul');
	const page = await browser.get('/');
	const made = (await browser.submit(page, { description: 'Mail <i>on</i> "phone"', expires: '90' }, 'app-password-form')).page;
	assert.equal(made.status, 200);
	assert.equal(made.headers['cache-control'], 'no-store');
	const key = /id="app-password">(tlp_[\w-]{43})</.exec(made.text)?.[1];
	assert.ok(key, made.text);
	assert.ok(made.text.includes('Mail &lt;i&gt;on&lt;/i&gt;') && !made.text.includes('<i>on'));
	const again = await browser.get('/');
	assert.ok(!again.text.includes(key), 'shown once');
	assert.match(again.text, /never used, expires \d{4}-\d\d-\d\d/);
	assert.equal((await broker.json('token', 'list', '--user', 'paul')).length, 1);

	const list = again.text.slice(again.text.indexOf('id="app-password-list"'));
	const form = formOf(list);
	assert.equal(form.action, '/app-passwords/revoke');
	const origin = new URL(broker.url).origin;
	const post = (target, fields, headers = { origin }, who = browser) => who.post(target, fields, { headers });
	assert.equal((await post(form.action, form.fields, { origin: 'https://evil.example' })).status, 403, 'S14');
	assert.equal((await post(form.action, { ...form.fields, csrf: 'x' })).status, 403);
	assert.equal((await post('/app-passwords', { ...formOf(again.text, 'password-form').fields, description: 'x', expires: '30' })).status, 403, "another form's token");
	assert.equal((await post('/app-passwords', { ...formOf(again.text, 'app-password-form').fields, description: 'x', expires: '9999' })).status, 400);
	assert.equal((await post('/app-passwords', { ...formOf(again.text, 'app-password-form').fields, description: '', expires: '30' })).status, 422);
	assert.equal((await post('/app-passwords', form.fields, { origin }, new Browser(broker))).status, 400, 'nobody signed in');
	// Another person's own form does not reach paul's.
	const other = await signedIn('alice', 'wonderland');
	const own = formOf((await other.get('/')).text, 'app-password-form').fields;
	assert.equal((await post(form.action, { csrf: own.csrf, identifier: form.fields.identifier }, { origin }, other)).status, 303);
	assert.equal((await broker.json('token', 'list', '--user', 'paul')).length, 1);

	assert.equal((await post(form.action, form.fields)).headers.location, '/?done=app_password');
	assert.equal((await broker.json('token', 'list', '--user', 'paul')).length, 0);
	assert.ok(!(await browser.get('/')).text.includes('app-password-list'));
});

test('S11_accounts_of_programs_have_no_password_and_no_page', async () => {
	assert.equal((await create('robot', 'app_password')).status, 0);
	assert.match((await broker.command('user', 'list')).out, /robot .*service_account/);
	assert.match((await broker.command('user', 'password', 'robot', '--password-stdin', { input: 'robots-password\n' })).err, /app password/);
	assert.equal((await broker.command('user', 'add', 'robot2', '--type', 'service_account', '--password-stdin', { input: 'robots-password\n' })).status, 1);
	assert.equal((await broker.command('user', 'add', 'turned', '--password-stdin', { input: 'once-a-person\n' })).status, 0);
	await broker.command('user', 'set', 'turned', '--type', 'service_account');
	const browser = new Browser(broker);
	const answer = await browser.signIn((await browser.open('/signin')).page, 'turned', 'once-a-person');
	assert.equal(answer.page.status, 403);
	assert.equal((await broker.command('user', 'set', 'robot', '--type', 'internal_service_account')).status, 1);
	await broker.configure({ objects: 'user "robot" { type = "service_account", password = "robots-password" }' });
	const reload = await broker.overControl('POST', '/reload');
	assert.match(reload.text, /a service account has no password/);
	await eventually(async () => (await broker.isReady()));
});
