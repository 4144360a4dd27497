// S11, S25: who somebody is stays, whatever happens to names; what people may do comes from their groups.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, configuration } from '../harness/broker.mjs';
import { Browser, authorizeUrl, claimsOf, obtainTokens, secretOf } from '../harness/browser.mjs';

const dora = 'user "dora" { name = "Dora", password = "explorer-1", groups = { "staff" } }\n';
const shop = 'application "shop" { client_id = "shop", client_secret = "shop-secret", redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid" }, consent = "implicit" }\n';
const person = { username: 'dora', password: 'explorer-1' };
async function reload(broker, change) {
	await broker.configure({ config: (b) => change(configuration({ port: b.port, dir: b.dir })) });
	const answer = await broker.overControl('POST', '/reload');
	assert.equal(answer.status, 200, answer.text);
}
const userinfo = (broker, token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });

test('S11_who_leaves_the_file_is_disabled_and_returns_as_the_same_person', async () => {
	const broker = await Broker.start({ objects: dora });
	const before = await broker.json('user', 'show', 'dora');
	const got = await obtainTokens(broker, { scope: 'openid offline_access' }, person);
	await reload(broker, (text) => text);
	assert.equal((await broker.json('user', 'show', 'dora')).active, false);
	assert.equal((await userinfo(broker, got.access_token)).status, 401);
	assert.equal((await got.browser.get('/')).status, 302);
	await broker.advance(2);
	await reload(broker, (text) => text + dora);
	const after = await broker.json('user', 'show', 'dora');
	assert.equal(after.active, true);
	for (const name of ['pk', 'uid']) assert.equal(after[name], before[name], name);
	assert.equal((await userinfo(broker, got.access_token)).status, 401, 'what ended stays ended');
	assert.equal(claimsOf((await obtainTokens(broker, {}, person)).id_token).sub, claimsOf(got.id_token).sub);
	assert.equal(after.declared, true);
});

test('S11_an_application_that_leaves_the_file_answers_nobody_until_it_returns', async () => {
	const broker = await Broker.start({ objects: shop });
	const parameters = { client_id: 'shop', redirect_uri: 'https://web.example.org/callback', scope: 'openid' };
	secretOf.shop = 'shop-secret';
	const got = await obtainTokens(broker, parameters);
	await reload(broker, (text) => text);
	assert.equal((await userinfo(broker, got.access_token)).status, 401);
	assert.equal((await new Browser(broker).get(authorizeUrl(broker, parameters))).status, 400);
	assert.equal((await new Browser(broker).get('/application/o/shop/jwks/')).status, 404);
	await broker.advance(2);
	await reload(broker, (text) => text + shop);
	const again = await obtainTokens(broker, parameters);
	assert.equal(claimsOf(again.id_token).sub, claimsOf(got.id_token).sub);
	assert.equal((await userinfo(broker, got.access_token)).status, 401, 'tokens of before stay dead');
});

test('S11_names_of_the_deleted_and_words_of_ours_are_never_given', async () => {
	const broker = await Broker.start();
	assert.equal((await broker.command('user', 'add', 'gone', '--email', 'gone@example.org')).status, 0);
	const { pk } = await broker.json('user', 'show', 'gone');
	assert.equal((await broker.command('user', 'delete', 'gone')).status, 0);
	assert.match((await broker.command('user', 'add', 'gone')).err, /never given again/);
	await broker.command('user', 'add', 'next');
	assert.ok((await broker.json('user', 'show', 'next')).pk > pk, 'numbers are not reused');
	assert.equal((await broker.command('group', 'add', 'old')).status, 0);
	assert.equal((await broker.command('group', 'delete', 'old')).status, 0);
	assert.match((await broker.command('group', 'add', 'old')).err, /never given again/);
	for (const word of ['signin', 'signout', 'SignIn', 'lab', 'static', 'application', 'api']) {
		assert.equal((await broker.command('user', 'add', word)).status, 1, `user ${word}`);
		assert.equal((await broker.command('app', 'add', word.toLowerCase(), '--redirect-uri', 'https://x.example/')).status, 1, `app ${word}`);
	}
	for (const word of ['authorize', 'token', 'userinfo', 'jwks', 'revoke', 'introspect', 'device']) assert.equal((await broker.command('app', 'add', word, '--redirect-uri', 'https://x.example/')).status, 1, word);
	for (const text of ['user "signin" {}', 'user "gone" {}', 'application "token" { client_id = "x", client_secret = "x-secret-x", redirect_uris = {} }', 'user "a b" {}', 'user "" {}', 'user "a\\0b" {}', 'user "alice" {}']) {
		await broker.configure({ config: (b) => configuration({ port: b.port, dir: b.dir }) + text });
		const answer = await broker.overControl('POST', '/reload');
		assert.equal(answer.status, 409, text);
		assert.match(answer.text, /tidelock\.lua:\d+/, text);
	}
});

test('S11_internal_ids_are_never_shown', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid profile email groups offline_access' });
	const pages = [await got.browser.get('/'), await got.browser.get('/signout'), await userinfo(broker, got.access_token)].map((answer) => answer.text).join('\n');
	const claims = { ...claimsOf(got.id_token), ...claimsOf(got.access_token) };
	delete claims.jti; // names its grant, where it opens nothing
	// 26 characters of Crockford's alphabet that begin with this decade.
	assert.doesNotMatch(pages.replace(/value="[\w-]+"/g, ''), /\b01[0-9a-hjkmnp-tv-z]{24}\b/);
	assert.doesNotMatch(JSON.stringify(claims), /\b01[0-9a-hjkmnp-tv-z]{24}\b/);
	for (const value of pages.matchAll(/value="([\w-]+)"/g)) assert.doesNotMatch(value[1], /^01[0-9a-hjkmnp-tv-z]{24}$/);
});

test('S25_permissions_come_through_groups_and_their_parents', async () => {
	const broker = await Broker.start({ objects: 'group "helpers" { permissions = { "read_directory" } }\ngroup "juniors" { parents = { "helpers" } }\nuser "hal" { password = "helping-hal", groups = { "juniors" } }' });
	const of = async (name) => (await broker.json('user', 'show', name)).permissions;
	assert.deepEqual(await of('hal'), ['read_directory']);
	assert.deepEqual(await of('root'), ['everything']);
	assert.deepEqual(await of('alice'), []);
	await broker.command('group', 'add', 'ring-a', '--permission', 'manage_users');
	await broker.command('group', 'add', 'ring-b', '--parent', 'ring-a');
	await broker.command('group', 'set', 'ring-a', '--parent', 'ring-b'); // refused or harmless, but never endless
	await broker.command('user', 'add', 'rita');
	assert.equal((await broker.command('group', 'add-user', 'ring-b', 'rita')).status, 0);
	assert.deepEqual(await of('rita'), ['manage_users']);
	await broker.command('group', 'remove-user', 'ring-b', 'rita');
	assert.deepEqual(await of('rita'), []);
	assert.equal((await broker.command('group', 'add', 'gods', '--permission', 'everything_else')).status, 1);
	// A declared group is the file's.
	assert.equal((await broker.command('group', 'set', 'helpers', '--permission', 'everything')).status, 1);
	assert.equal((await broker.command('user', 'set', 'hal', '--name', 'Hal')).status, 1);
	// A group that left the file permits nothing.
	await reload(broker, (text) => `${text}user "hal" { password = "helping-hal" }`);
	assert.deepEqual(await of('hal'), []);
	assert.equal((await broker.command('group', 'show', 'helpers')).status, 1);
});
