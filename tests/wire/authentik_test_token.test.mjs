// authentik's test_token and test_token_pkce, case by case; where our decisions differ, ours is asserted and named.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, claimsOf, headerOf, obtainCode, obtainTokens, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';

const objects = `scope_mapping "greedy" { scope = "greedy", script = "greedy.lua" }
application "greedy" { client_id = "greedy", client_secret = "greedy-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "greedy" }, consent = "implicit", access_token_typ = "JWT" }
application "plain" { client_id = "plain", client_secret = "plain-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile" }, consent = "implicit", pkce_methods = { "S256", "plain" } }`;
Object.assign(secretOf, { greedy: 'greedy-secret', plain: 'plain-secret' });
const broker = await Broker.start({ objects, files: { 'greedy.lua': 'return { scope = "everything", sub = "root", aud = "other", color = "red" }' } });
const redemption = (got, more = {}) => ({ grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier, ...more });
const from = (origin) => ({ ...basic('web'), origin });

test('test_token_invalid_grant_type', async () => {
	for (const grant_type of ['foo', 'implicit', 'hybrid', 'AUTHORIZATION_CODE']) {
		const answer = await tokenRequest(broker, 'web', { grant_type });
		assert.deepEqual([answer.status, answer.json.error], [400, 'unsupported_grant_type'], grant_type);
	}
	assert.equal((await tokenRequest(broker, 'web', { grant_type: 'client_credentials' })).json.error, 'unauthorized_client', 'a grant type that the application does not list');
});

test('test_token_params_may_come_in_the_form_or_the_header', async () => {
	for (const [form, headers] of [[{ client_id: 'web', client_secret: 'web-secret' }, {}], [{}, basic('web')], [{ client_id: 'web' }, basic('web')]]) {
		const got = await obtainCode(broker, { scope: 'openid offline_access' });
		const answer = await tokenRequest(broker, 'web', redemption(got, form), headers);
		assert.equal(answer.status, 200, answer.text);
		assert.equal((await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: answer.json.refresh_token, ...form }, headers)).status, 200);
	}
});

test('test_token_code_view_the_answer_exactly', async () => {
	const got = await obtainTokens(broker, { scope: 'openid profile offline_access' });
	assert.deepEqual(Object.keys(got.answer.json).sort(), ['access_token', 'expires_in', 'id_token', 'refresh_token', 'scope', 'token_type']);
	assert.deepEqual([got.token_type, got.expires_in, got.scope], ['Bearer', 600, 'openid profile offline_access']);
	const claims = claimsOf(got.access_token);
	assert.deepEqual([claims.iss, claims.aud, claims.azp, claims.client_id, claims.exp - claims.iat, claims.scope], [broker.issuer('web'), 'web', 'web', 'web', 600, got.scope]);
});

test('test_token_refresh_view_rotates_and_names_the_origin', async () => {
	const got = await obtainTokens(broker, { scope: 'openid offline_access' });
	const ask = (refresh_token, origin) => tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token }, from(origin));
	const own = await ask(got.refresh_token, 'https://web.example.org');
	assert.deepEqual([own.status, own.headers['access-control-allow-origin'], own.headers['access-control-allow-credentials']], [200, 'https://web.example.org', undefined], 'S14: never with credentials');
	assert.notEqual(own.json.refresh_token, got.refresh_token);
	assert.equal(claimsOf(own.json.id_token).nonce, undefined);
	const foreign = await ask(own.json.refresh_token, 'https://another.example.org');
	assert.deepEqual([foreign.status, foreign.headers['access-control-allow-origin']], [200, undefined], 'refresh with a foreign origin');
	const refused = await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: 'tlr_x' }, from('https://web.example.org'));
	assert.deepEqual([refused.status, refused.headers['access-control-allow-origin']], [400, 'https://web.example.org'], 'a browser may read what was wrong');
});

test('test_token_reuse_of_a_refresh_token_is_an_event_and_S7_ends_the_line', async () => {
	const got = await obtainTokens(broker, { scope: 'openid offline_access' });
	const refresh = (refresh_token) => tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token });
	const next = await refresh(got.refresh_token);
	await broker.advance(31);
	const again = await refresh(got.refresh_token);
	assert.deepEqual([again.status, again.json.error], [400, 'invalid_grant']);
	assert.equal((await refresh(next.json.refresh_token)).json.error, 'invalid_grant');
	assert.equal((await broker.events('--kind', 'refresh_reused')).length, 1);
});

test('test_token_S21_a_mapping_does_not_override_scope', async () => {
	const got = await obtainTokens(broker, { client_id: 'greedy', redirect_uri: redirectUri.web, scope: 'openid greedy' });
	for (const claims of [claimsOf(got.access_token), claimsOf(got.id_token)]) {
		assert.equal(claims.color, 'red');
		assert.equal(claims.aud, 'greedy');
		assert.notEqual(claims.sub, 'root');
	}
	assert.equal(claimsOf(got.access_token).scope, 'openid greedy');
	assert.equal(headerOf(got.access_token).typ, 'JWT', 'S8: as authentik has it, where the application wants it so');
	const seen = await new Browser(broker).post('/application/o/introspect/', { token: got.access_token }, { headers: basic('greedy') });
	assert.deepEqual([seen.json.scope, seen.json.aud, seen.json.color, seen.json.active], ['openid greedy', 'greedy', 'red', true]);
});

test('test_token_pkce', async () => {
	const challenged = await obtainCode(broker);
	const none = await tokenRequest(broker, 'web', redemption(challenged, { code_verifier: '' }));
	assert.equal(none.json.error, 'invalid_grant', 'challenge, no verifier');
	assert.equal((await tokenRequest(broker, 'web', redemption(challenged))).status, 200, 'S256');
	const open = await obtainCode(broker, { code_challenge: undefined, code_challenge_method: undefined });
	assert.equal((await tokenRequest(broker, 'web', redemption(open))).json.error, 'invalid_grant', 'verifier, no challenge (CVE-2024-23647)');
	const verifier = 'a-plain-verifier-of-more-than-43-characters_';
	const plain = await obtainCode(broker, { client_id: 'plain', redirect_uri: redirectUri.web, code_challenge: verifier, code_challenge_method: 'plain' });
	assert.equal((await tokenRequest(broker, 'plain', redemption(plain, { code_verifier: verifier }))).status, 200, 'plain, where the application lists it');
});
