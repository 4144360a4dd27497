// RFC 7009, S9: a client gives its own tokens back. authentik's test_revoke.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, obtainTokens, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';

const objects = `application "opaque" { client_id = "opaque", client_secret = "opaque-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile", "offline_access" }, consent = "implicit", access_token = "opaque" }
application "gateway" { client_id = "gateway", client_secret = "gateway-secret", federated = { "web" } }`;
secretOf.opaque = 'opaque-secret';
secretOf.gateway = 'gateway-secret';
const offline = (client_id) => ({ client_id, redirect_uri: redirectUri[client_id] ?? redirectUri.web, scope: 'openid profile offline_access' });


const broker = await Broker.start({ objects });
const revoke = (token, client = 'web', { headers = client in secretOf ? basic(client) : {}, ...form } = {}) => new Browser(broker).post('/application/o/revoke/', { token, ...(client in secretOf ? {} : { client_id: client }), ...form }, { headers });
const userinfo = async (token) => (await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } })).status;
const refresh = (refresh_token, client) => tokenRequest(broker, client, { grant_type: 'refresh_token', refresh_token });
const done = (answer, what) => { assert.deepEqual([answer.status, answer.text], [200, '{}'], what); };

test('test_revoke_access_and_only_it', async () => {
	for (const client of ['web', 'opaque', 'native']) {
		const got = await obtainTokens(broker, offline(client));
		const beside = (await refresh(got.refresh_token, client)).json;
		const answer = await revoke(got.access_token, client, { token_type_hint: 'refresh_token' });
		done(answer);
		assert.equal(answer.headers['cache-control'], 'no-store');
		assert.equal(await userinfo(got.access_token), 401, client);
		assert.equal(await userinfo(beside.access_token), 200, 'another access token of the grant lives');
		assert.equal((await refresh(beside.refresh_token, client)).status, 200);
		done(await revoke(got.access_token, client), 'a second time');
	}
});

test('test_revoke_refresh_which_ends_the_line_and_the_access_tokens_of_its_grant_RFC_7009_2.1', async () => {
	for (const client of ['web', 'opaque', 'native']) {
		const got = await obtainTokens(broker, offline(client));
		const next = (await refresh(got.refresh_token, client)).json;
		done(await revoke(next.refresh_token, client));
		for (const token of [got.access_token, next.access_token]) assert.equal(await userinfo(token), 401, client);
		for (const token of [got.refresh_token, next.refresh_token]) assert.equal((await refresh(token, client)).json.error, 'invalid_grant');
	}
	assert.ok((await broker.events('--kind', 'token_revoked')).length >= 3);
});

test('a_refresh_token_that_was_rotated_away_still_ends_its_line', async () => {
	const got = await obtainTokens(broker, offline('web'));
	const second = (await refresh(got.refresh_token, 'web')).json;
	const third = (await refresh(second.refresh_token, 'web')).json;
	done(await revoke(got.refresh_token));
	assert.equal((await refresh(third.refresh_token, 'web')).json.error, 'invalid_grant');
	assert.equal(await userinfo(third.access_token), 401);
});

test('test_revoke_unknown_tokens_are_gone_already', async () => {
	const got = await obtainTokens(broker, offline('web'));
	for (const token of ['x', 'tlr_', 'tla_', 'tlc_abc', got.id_token, `${got.access_token}x`, `${got.refresh_token}x`]) done(await revoke(token), token);
	assert.equal(await userinfo(got.access_token), 200);
	const missing = await new Browser(broker).post('/application/o/revoke/', {}, { headers: basic('web') });
	assert.deepEqual([missing.status, missing.json.error], [400, 'invalid_request']);
	assert.equal((await new Browser(broker).get('/application/o/revoke/?token=x', { headers: basic('web') })).status, 405);
});

test('S9_test_revoke_another_clients_token_stays_federated_confidential_or_public', async () => {
	const got = await obtainTokens(broker, offline('web'));
	for (const client of ['other', 'gateway', 'native']) {
		for (const token of [got.access_token, got.refresh_token]) done(await revoke(token, client), client);
	}
	assert.equal(await userinfo(got.access_token), 200);
	assert.equal((await refresh(got.refresh_token, 'web')).status, 200);
});

test('test_revoke_bad_auth_bad_secret', async () => {
	const { access_token } = await obtainTokens(broker);
	const table = { 'a wrong secret': { headers: basic('web', 'wrong') }, nobody: { headers: basic('nobody', 'x') }, 'no client': { headers: {} }, 'a confidential client by its id': { headers: {}, client_id: 'web' }, 'a public client with a secret': { headers: basic('native', 'x') } };
	for (const [name, given] of Object.entries(table)) {
		const answer = await revoke(access_token, 'web', given);
		assert.deepEqual([answer.status, answer.json.error], [401, 'invalid_client'], name);
		assert.match(answer.headers['www-authenticate'], /^Basic /, name);
	}
	assert.equal(await userinfo(access_token), 200);
});

test('browser_applications_of_the_clients_origin_may_read_the_answer_without_credentials', async () => {
	const got = await obtainTokens(broker, offline('web'));
	const from = async (origin, client = 'web') => (await revoke(got.access_token, client, { headers: { ...basic(client), origin } })).headers;
	const own = await from('https://web.example.org');
	assert.equal(own['access-control-allow-origin'], 'https://web.example.org');
	assert.equal(own['access-control-allow-credentials'], undefined);
	assert.equal((await from('https://evil.example.org'))['access-control-allow-origin'], undefined);
});

test('test_revoke_on_logout_on_session_delete_on_user_deactivation', async () => {
	for (const client of ['web', 'opaque']) {
		const got = await obtainTokens(broker, { ...offline(client), scope: 'openid' });
		await got.browser.submit(await got.browser.get('/signout'), {}, 'signout');
		assert.equal(await userinfo(got.access_token), 401, client);
		const bob = await obtainTokens(broker, offline(client), { username: 'bob', password: 'builder-bob' });
		await broker.command('user', 'disable', 'bob');
		assert.equal(await userinfo(bob.access_token), 401, client);
		await broker.advance(2);
		await broker.command('user', 'enable', 'bob');
		assert.equal(await userinfo(bob.access_token), 401, client);
	}
});
