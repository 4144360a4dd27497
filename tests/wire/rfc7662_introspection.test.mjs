// RFC 7662, S4, S8, S9: what a resource server may know of a token, and who is one. authentik's test_introspect.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, claimsOf, obtainTokens, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';

const app = (name, more = '') => `application "${name}" { client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${redirectUri.web}" },
	scopes = { "openid", "profile", "email", "groups", "offline_access" }, consent = "implicit", ${more} }\n`;
const objects = app('opaque', 'access_token = "opaque"') + app('gateway', 'federated = { "web", "opaque" }') + app('old', 'access_token_typ = "JWT", authentik_errors = true');
for (const name of ['opaque', 'gateway', 'old']) secretOf[name] = `${name}-secret`;
const offline = (client_id) => ({ client_id, redirect_uri: redirectUri[client_id] ?? redirectUri.web, scope: 'openid profile offline_access' });


const broker = await Broker.start({ objects });
const ask = (token, client = 'web', headers = basic(client), more = {}) => new Browser(broker).post('/application/o/introspect/', { token, ...more }, { headers });
const inactive = async (...given) => {
	const answer = await ask(...given);
	assert.equal(answer.status, 200, answer.text);
	assert.deepEqual(answer.json, { active: false });
};

test('test_introspect_access', async () => {
	for (const client of ['web', 'opaque', 'old']) {
		const got = await obtainTokens(broker, offline(client));
		const answer = await ask(got.access_token, client);
		assert.equal(answer.status, 200);
		assert.equal(answer.headers['cache-control'], 'no-store');
		assert.equal(answer.headers.pragma, 'no-cache');
		assert.equal(answer.headers['access-control-allow-origin'], undefined);
		const id = claimsOf(got.id_token), now = Date.now() / 1000, { active, token_type, username, scope, client_id, iss, aud, sub, exp, iat, jti, sid, auth_time, acr, amr, azp } = answer.json;
		assert.deepEqual({ active, token_type, username, scope, client_id, iss, aud, azp }, { active: true, token_type: 'Bearer', username: 'alice', scope: 'openid profile offline_access', client_id: client, iss: broker.issuer(client), aud: client, azp: client });
		assert.deepEqual({ sub, sid, auth_time, acr, amr }, { sub: id.sub, sid: id.sid, auth_time: id.auth_time, acr: id.acr, amr: id.amr });
		assert.ok(Math.abs(iat - now) < 30 && exp === iat + 600 && jti.length > 20);
		assert.equal(answer.json.tlk, undefined);
		assert.equal(answer.json.preferred_username, client === 'old' ? 'alice' : undefined, 'authentik\'s form of the token carries the claims, and so does this');
	}
});

test('test_introspect_refresh', async () => {
	const got = await obtainTokens(broker, offline('web'));
	const first = await ask(got.refresh_token, 'web', undefined, { token_type_hint: 'access_token' });
	const { active, scope, client_id, username, sub, exp, iat } = first.json;
	assert.deepEqual({ active, scope, client_id, username, sub }, { active: true, scope: 'openid profile offline_access', client_id: 'web', username: 'alice', sub: claimsOf(got.id_token).sub });
	assert.equal(exp - iat, 30 * 86400);
	assert.equal(first.json.token_type, undefined, 'it is not a bearer token');
	const next = await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: got.refresh_token });
	assert.equal((await ask(got.refresh_token)).json.active, true, 'within the grace it would be taken (S7)');
	assert.equal((await ask(next.json.refresh_token)).json.active, true);
	const third = await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: next.json.refresh_token });
	await inactive(got.refresh_token);
	assert.equal((await ask(third.json.refresh_token)).json.active, true, 'asking about an old one ends nothing');
});

test('test_introspect_unknown_token_and_every_other_class_of_secret_S1', async () => {
	const got = await obtainTokens(broker, offline('web'));
	const parts = got.access_token.split('.');
	const forged = [parts[0], Buffer.from(JSON.stringify({ ...claimsOf(got.access_token), scope: 'everything' })).toString('base64url'), parts[2]].join('.');
	for (const token of ['x', 'tlr_', 'tlr_0.0.0', 'tla_1_x', got.id_token, forged, `${got.access_token}x`, 'web-secret', got.browser.cookies.get('tidelock'), `${got.refresh_token.slice(0, -2)}AA`, got.refresh_token.replace(/\.0\./, '.1.')]) await inactive(token);
	const missing = await new Browser(broker).post('/application/o/introspect/', {}, { headers: basic('web') });
	assert.deepEqual([missing.status, missing.json.error], [400, 'invalid_request']);
});

test('S9_CVE-2024-47077_test_introspect_foreign_provider_sees_nothing_a_federated_one_does', async () => {
	for (const client of ['web', 'opaque']) {
		const got = await obtainTokens(broker, offline(client));
		for (const token of [got.access_token, got.refresh_token]) {
			await inactive(token, 'other');
			assert.equal((await ask(token, 'gateway')).json.client_id, client);
		}
	}
	const unlisted = await obtainTokens(broker, offline('old'));
	await inactive(unlisted.access_token, 'gateway');
});

test('test_introspect_bad_auth_public_client', async () => {
	const { access_token } = await obtainTokens(broker);
	const table = { 'a wrong secret': [basic('web', 'wrong')], 'an empty secret': [basic('web', '')], nobody: [basic('nobody', 'x')], 'no credentials': [{}], 'the id alone': [{}, { client_id: 'web' }],
		'a bearer': [{ authorization: `Bearer ${access_token}` }], 'a public client': [{}, { client_id: 'native' }], 'two methods': [basic('web'), { client_secret: 'web-secret' }] };
	for (const [name, [headers, form]] of Object.entries(table)) {
		const answer = await ask(access_token, null, headers, form);
		assert.deepEqual([answer.status, answer.json.error], [401, 'invalid_client'], name);
		assert.match(answer.headers['www-authenticate'], /^Basic realm="tidelock"/);
		assert.doesNotMatch(answer.text, /alice|active/);
	}
	assert.equal((await new Browser(broker).get(`/application/o/introspect/?token=${access_token}`, { headers: basic('web') })).status, 405);
	assert.equal((await new Browser(broker).post('/application/o/introspect', { token: access_token }, { headers: basic('web') })).status, 404, 'authentik\'s path ends in a slash');
});

test('authentik_errors_every_failure_is_a_token_that_is_not_active', async () => {
	const { access_token } = await obtainTokens(broker, offline('old'));
	await inactive(access_token, null, basic('old', 'wrong'));
	await inactive(access_token, null, {}, { client_id: 'old' });
	const missing = await new Browser(broker).post('/application/o/introspect/', {}, { headers: basic('old') });
	assert.deepEqual([missing.status, missing.json], [200, { active: false }]);
});

test('S4_what_ends_a_token_ends_it_here_opaque_or_not', async () => {
	for (const client of ['web', 'opaque']) {
		const bob = { username: 'bob', password: 'builder-bob' };
		const bound = await obtainTokens(broker, { ...offline(client), scope: 'openid' });
		await bound.browser.submit(await bound.browser.get('/signout'), {}, 'signout');
		await inactive(bound.access_token, client);
		const held = await obtainTokens(broker, offline(client), bob);
		assert.equal((await ask(held.access_token, client)).json.username, 'bob');
		await broker.command('user', 'disable', 'bob');
		await inactive(held.access_token, client);
		await inactive(held.refresh_token, client);
		await broker.advance(2);
		await broker.command('user', 'enable', 'bob');
		await inactive(held.access_token, client);
		const late = await obtainTokens(broker, offline(client), bob);
		await broker.advance(601);
		await inactive(late.access_token, client);
		assert.equal((await ask(late.refresh_token, client)).json.active, true);
	}
});

test('security_cases_12_a_removed_or_disabled_client_is_nobody_and_its_tokens_are_dead_at_once', async () => {
	const made = await broker.json('app', 'add', 'passing', '--redirect-uri', redirectUri.web, '--scope', 'openid', '--scope', 'offline_access', '--consent', 'implicit', '--client-id', 'passing', '--access-token', 'opaque');
	await broker.configure({ objects: `${objects}application "watcher" { client_id = "watcher", client_secret = "watcher-secret", federated = { "web" } }` });
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	secretOf.passing = made.client_secret;
	secretOf.watcher = 'watcher-secret';
	const got = await obtainTokens(broker, { client_id: 'passing', redirect_uri: redirectUri.web, scope: 'openid offline_access' });
	assert.equal((await ask(got.access_token, 'passing')).json.active, true);
	const web = await obtainTokens(broker, offline('web'));
	assert.equal((await ask(web.access_token, 'watcher')).json.active, true);
	assert.equal((await broker.command('app', 'delete', 'passing')).status, 0);
	assert.equal((await ask(got.access_token, 'passing')).status, 401);
	assert.equal((await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } })).status, 401);
	await broker.configure({ objects });
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	assert.equal((await ask(web.access_token, 'watcher')).status, 401, 'who left the file asks nothing any more');
});

test('introspection_writes_nothing', async () => {
	const got = await obtainTokens(broker, offline('web'));
	await ask(got.access_token);
	const { commits } = await broker.debug({ counters: true });
	for (let i = 0; i < 10; i++) for (const token of [got.access_token, got.refresh_token]) assert.equal((await ask(token)).json.active, true);
	assert.equal((await broker.debug({ counters: true })).commits, commits);
});
