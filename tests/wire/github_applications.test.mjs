// What an application asks about its tokens: check, reset, end (GitHub's REST "OAuth authorizations"). One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { assertSchema } from '../harness/github_rest.mjs';
import { authorize, basic, clients, connect, exchange, objects } from '../harness/github.mjs';

const broker = await Broker.start({ objects: `${objects}
policy "staff" { script = "staff.lua" }
application "guarded" {
  client_id = "guarded", client_secret = "guarded-secret", redirect_uris = { "https://guarded.example.org/callback" }, consent = "implicit",
  policies = { "staff" }, github = {},
}
`, files: { 'staff.lua': 'return is_member(user, "staff"), "Staff only."' } });
clients.guarded = { client_id: 'guarded', client_secret: 'guarded-secret', redirect_uri: 'https://guarded.example.org/callback' };

const { client_id: id, client_secret } = clients.forge;
const right = basic(id, client_secret);
const alice = new Browser(broker);
await alice.signIn(await alice.get('/signin'));

const ask = (method, what, body, headers = right, prefix = '/api/v3', client = id) => new Browser(broker).request(method, `${prefix}/applications/${client}/${what}`, {
	body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers },
});
const check = (access_token, headers, prefix, client) => ask('POST', 'token', { access_token }, headers, prefix, client);
const tokenFor = async (client = 'forge', parameters, browser = alice) => (await connect(broker, client, parameters, { browser })).access_token;

test('a_check_tells_whose_token_it_is', async () => {
	const access_token = await tokenFor('forge', { scope: 'user:email read:org' });
	const { status, json, headers } = await check(access_token);
	assert.equal(status, 200, JSON.stringify(json));
	assertSchema('/applications/{client_id}/token', json, 200, 'post');
	assert.match(headers['content-type'], /^application\/json/);
	assert.ok(headers['x-github-request-id']);
	assert.ok(Number.isInteger(json.id) && json.id > 0);
	assert.equal(json.token, access_token);
	assert.equal(json.token_last_eight, access_token.slice(-8));
	assert.equal(json.hashed_token, createHash('sha256').update(access_token).digest('hex'));
	assert.deepEqual(json.scopes, ['read:org', 'user:email']);
	assert.deepEqual(json.app, { client_id: id, name: 'Forge', url: 'https://forge.example.org' });
	assert.equal(json.user.login, 'alice');
	assert.match(json.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
	for (const name of ['note', 'note_url', 'fingerprint', 'expires_at']) assert.equal(json[name], null, name);
	assert.equal((await check(access_token, right, '')).status, 200, 'without the prefix, too');
	assert.deepEqual((await check(await tokenFor('forge', { scope: undefined }))).json.scopes, []);
});

test('S9_another_application_learns_nothing_and_a_bad_pair_is_401', async () => {
	const access_token = await tokenFor();
	assert.equal((await check(access_token, basic('jenkins', 'jenkins-secret'), '/api/v3', 'jenkins')).status, 404);
	assert.equal((await check(access_token, basic('jenkins', 'jenkins-secret'))).status, 404);
	for (const headers of [basic(id, 'wrong'), basic('nobody', 'x'), basic('tool', ''), basic('web', 'web-secret'), { authorization: `token ${access_token}` }, {}]) {
		const { status, json } = await check(access_token, headers);
		assert.deepEqual([status, json.message, json.status], [401, 'Bad credentials', '401'], JSON.stringify(headers));
	}
	for (const other of ['gho_' + 'a'.repeat(36), 'x', '', 'ghp_' + 'a'.repeat(36)]) assert.equal((await check(other)).status, 404, other);
});

test('bodies_that_are_none', async () => {
	for (const [body, status] of [['', 400], ['{', 400], ['[]', 422], [{}, 422], [{ access_token: 7 }, 422]]) {
		assert.equal((await ask('POST', 'token', body)).status, status, JSON.stringify(body));
		assert.equal((await ask('DELETE', 'token', body)).status, status, JSON.stringify(body));
	}
});

test('a_reset_gives_another_token_and_the_old_one_is_dead', async () => {
	const old = await tokenFor('forge', { scope: 'read:org' });
	const before = (await check(old)).json;
	const { status, json } = await ask('PATCH', 'token', { access_token: old });
	assert.equal(status, 200);
	assertSchema('/applications/{client_id}/token', json, 200, 'patch');
	assert.match(json.token, /^gho_\w{36}$/);
	assert.notEqual(json.token, old);
	assert.deepEqual([json.id, json.scopes], [before.id, ['read:org']]);
	assert.equal((await check(old)).status, 404);
	assert.equal((await check(json.token)).status, 200);
	assert.equal((await ask('PATCH', 'token', { access_token: old })).status, 404);
});

test('a_deleted_token_is_dead_and_the_persons_others_live', async () => {
	const [one, other] = [await tokenFor(), await tokenFor()];
	assert.equal((await ask('DELETE', 'token', { access_token: one })).status, 204);
	assert.equal((await ask('DELETE', 'token', { access_token: one })).status, 422);
	assert.equal((await check(one)).status, 404);
	assert.equal((await check(other)).status, 200);
	assert.equal((await ask('DELETE', 'token', { access_token: await tokenFor('jenkins', {}) })).status, 422, 'another application\'s');
});

test('a_deleted_grant_ends_every_token_of_that_person_and_application', async () => {
	const [one, other, elsewhere] = [await tokenFor(), await tokenFor(), await tokenFor('jenkins')];
	const bob = new Browser(broker);
	await bob.signIn(await bob.get('/signin'), 'bob', 'builder-bob');
	const bobs = await tokenFor('forge', {}, bob);
	assert.equal((await ask('DELETE', 'grant', { access_token: one })).status, 204);
	assert.equal((await check(one)).status, 404);
	assert.equal((await check(other)).status, 404);
	assert.equal((await check(bobs)).status, 200);
	assert.equal((await check(elsewhere, basic('jenkins', 'jenkins-secret'), '/api/v3', 'jenkins')).status, 200);
});

test('the_old_address_answers_whether_the_secret_is_right', async () => {
	assert.equal((await ask('GET', 'tokens/foo')).status, 404);
	assert.equal((await ask('GET', 'tokens/foo', undefined, basic(id, 'wrong'))).status, 401);
	assert.equal((await ask('GET', 'nonsense', undefined, {})).status, 404);
});

test('S6_the_second_use_of_a_code_ends_the_token_of_the_first', async () => {
	const { code } = await authorize(broker, 'forge', {}, { browser: alice });
	const { json: { access_token } } = await exchange(broker, { client_id: id, client_secret, code });
	assert.equal((await check(access_token)).status, 200);
	await exchange(broker, { client_id: id, client_secret: 'wrong', code });
	assert.equal((await check(access_token)).status, 200, 'only by the right client');
	await exchange(broker, { client_id: id, client_secret, code });
	assert.equal((await check(access_token)).status, 404);
});

test('S5_a_token_outlives_the_session_and_S4_ends_with_its_person', async () => {
	const browser = new Browser(broker);
	await browser.signIn(await browser.get('/signin'), 'root', 'root-of-all');
	const access_token = await tokenFor('forge', {}, browser);
	await browser.submit(await browser.get('/signout'));
	assert.equal((await check(access_token)).status, 200);
	await broker.advance(1);
	assert.equal((await broker.command('user', 'disable', 'root')).status, 0);
	assert.equal((await check(access_token)).status, 404);
	assert.equal((await broker.command('user', 'enable', 'root')).status, 0);
	assert.equal((await check(access_token)).status, 404, 'and does not come back');
});

test('a_person_takes_the_consent_back_and_the_tokens_end', async () => {
	const { access_token, browser } = await connect(broker, 'asking');
	const of = (token) => check(token, basic('asking', 'asking-secret'), '/api/v3', 'asking');
	assert.equal((await of(access_token)).status, 200);
	const home = await browser.get('/');
	const csrf = /action="\/consent\/withdraw"[^]*?name="csrf" value="([^"]+)"/.exec(home.text)[1];
	await browser.post('/consent/withdraw', { csrf, application: 'asking' }, { headers: { origin: broker.url } });
	assert.equal((await of(access_token)).status, 404);
});

test('policies_are_asked_again_when_somebody_left_the_group', async () => {
	assert.equal((await broker.command('user', 'add', 'carol', '--password-stdin', { input: 'carols-password' })).status, 0);
	assert.equal((await broker.command('group', 'add-user', 'staff', 'carol')).status, 0);
	const browser = new Browser(broker);
	await browser.signIn(await browser.get('/signin'), 'carol', 'carols-password');
	const access_token = await tokenFor('guarded', {}, browser);
	const of = () => check(access_token, basic('guarded', 'guarded-secret'), '/api/v3', 'guarded');
	assert.equal((await of()).status, 200);
	assert.equal((await broker.command('group', 'remove-user', 'staff', 'carol')).status, 0);
	assert.equal((await of()).status, 404);
	assert.equal((await broker.command('group', 'add-user', 'staff', 'carol')).status, 0);
	assert.equal((await of()).status, 200);
});

test('ten_tokens_of_one_person_application_and_scope_and_the_oldest_goes', async () => {
	const browser = new Browser(broker);
	await browser.signIn(await browser.get('/signin'), 'bob', 'builder-bob');
	const list = [];
	for (let each = 0; each < 11; each++) list.push(await tokenFor('forge', { scope: each % 2 ? 'gist,read:org' : 'read:org gist' }, browser));
	const other = await tokenFor('forge', { scope: 'repo' }, browser);
	assert.deepEqual([(await check(list[0])).status, (await check(list[1])).status, (await check(other)).status], [404, 200, 200]);
});

test('a_token_that_nobody_uses_ends_after_a_year', async () => {
	const [used, unused] = [await tokenFor('jenkins', { scope: 'gist' }), await tokenFor('jenkins', { scope: 'repo' })];
	const of = (token) => check(token, basic('jenkins', 'jenkins-secret'), '/api/v3', 'jenkins');
	await broker.advance(200 * 86400);
	assert.equal((await of(used)).status, 200);
	await broker.advance(200 * 86400);
	assert.deepEqual([(await of(used)).status, (await of(unused)).status], [200, 404]);
	await broker.debug({ tick: true });
	assert.equal((await of(used)).status, 200, 'what is removed is the unused one');
	assert.doesNotMatch(broker.log, / error /);
});
