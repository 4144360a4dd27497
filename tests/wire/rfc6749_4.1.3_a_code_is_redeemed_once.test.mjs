// S6: what a code is bound to, and that it works exactly once.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, claimsOf, headerOf, obtainCode, obtainTokens, redirectUri, tokenRequest } from '../harness/browser.mjs';

const redemption = (got, more = {}) => ({ grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier, ...more });
const without = (form, name) => { const { [name]: _, ...rest } = form; return rest; };
const userinfo = (broker, token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });

test('oidcc-server_the_answer_has_what_the_specifications_ask', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid profile email' });
	assert.match(got.answer.headers['cache-control'], /no-store/);
	assert.equal(got.answer.headers.pragma, 'no-cache');
	assert.match(got.answer.headers['content-type'], /^application\/json/);
	assert.equal(got.token_type, 'Bearer');
	assert.equal(got.scope, 'openid profile email');
	assert.equal(got.refresh_token, undefined);
	const claims = claimsOf(got.id_token);
	assert.equal(claims.iss, broker.issuer('web'));
	assert.equal(claims.aud, 'web');
	assert.equal(claims.nonce, 'n-1');
	assert.equal(claims.email, 'alice@example.org');
	assert.equal(claims.acr, 'goauthentik.io/providers/oauth2/default');
	assert.deepEqual(claims.amr, ['pwd']);
	for (const name of ['sub', 'exp', 'iat', 'auth_time', 'sid', 'at_hash']) assert.ok(claims[name], name);
	assert.equal(headerOf(got.id_token).alg, 'RS256');
	const jwks = (await new Browser(broker).get('/application/o/web/jwks/')).json;
	assert.ok(jwks.keys.some((key) => key.kid === headerOf(got.id_token).kid));
	assert.equal(headerOf(got.access_token).typ, 'at+jwt');
});

test('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { nonce: undefined });
	assert.equal(claimsOf(got.id_token).nonce, undefined);
});

test('no_id_token_without_the_openid_scope', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'profile' });
	assert.equal(got.id_token, undefined);
	assert.equal((await userinfo(broker, got.access_token)).status, 403);
});

test('oidcc-codereuse_a_second_redemption_is_invalid_grant_and_ends_the_grant', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid offline_access' });
	assert.equal((await userinfo(broker, got.access_token)).status, 200);
	await broker.advance(31);
	const again = await tokenRequest(broker, 'web', redemption(got));
	assert.equal(again.status, 400);
	assert.equal(again.json.error, 'invalid_grant');
	assert.equal((await userinfo(broker, got.access_token)).status, 401);
	const refreshed = await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: got.refresh_token });
	assert.equal(refreshed.json.error, 'invalid_grant');
	const events = await broker.events();
	assert.ok(JSON.stringify(events).includes('code_reused'));
});

test('of_fifty_parallel_redemptions_exactly_one_wins (security_cases_12)', async () => {
	const broker = await Broker.start();
	const got = await obtainCode(broker);
	const answers = await Promise.all(Array.from({ length: 50 }, () => tokenRequest(broker, 'web', redemption(got))));
	assert.equal(answers.filter((answer) => answer.status === 200).length, 1, answers.map((answer) => answer.status).join());
	for (const answer of answers.filter((one) => one.status !== 200)) assert.equal(answer.json.error, 'invalid_grant');
});

test('a_code_is_good_for_its_client_redirect_uri_and_verifier_only_and_survives_a_mistake', async () => {
	const broker = await Broker.start();
	const got = await obtainCode(broker);
	const good = redemption(got);
	const other = await tokenRequest(broker, 'other', good);
	assert.deepEqual([other.status, other.json.error], [400, 'invalid_grant']);
	for (const form of [{ ...good, redirect_uri: redirectUri.other }, without(good, 'redirect_uri'), without(good, 'code_verifier')]) {
		const answer = await tokenRequest(broker, 'web', form);
		assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_grant'], JSON.stringify(form));
	}
	assert.equal((await tokenRequest(broker, 'web', good)).status, 200);
});

test('S6_five_failures_burn_a_code', async () => {
	const broker = await Broker.start();
	const got = await obtainCode(broker);
	for (let i = 0; i < 5; i++) await tokenRequest(broker, 'web', redemption(got, { code_verifier: 'x'.repeat(43) }));
	assert.equal((await tokenRequest(broker, 'web', redemption(got))).json.error, 'invalid_grant');
});

test('rfc7636_security_cases_5_a_challenge_needs_its_verifier_and_a_verifier_its_challenge', async () => {
	const broker = await Broker.start({ objects: `application "plain" { client_type = "public", client_id = "plain", redirect_uris = { "https://plain.example.org/callback" },
		scopes = { "openid" }, pkce_methods = { "S256", "plain" }, consent = "implicit" }` });
	const unprotected = await obtainCode(broker, { code_challenge: undefined, code_challenge_method: undefined });
	assert.equal((await tokenRequest(broker, 'web', redemption(unprotected))).json.error, 'invalid_grant');
	assert.equal((await tokenRequest(broker, 'web', without(redemption(unprotected), 'code_verifier'))).status, 200);
	const got = await obtainCode(broker);
	for (const code_verifier of ['', 'short', 'x'.repeat(129), `${got.verifier.slice(1)}!`, got.verifier.toUpperCase()]) {
		assert.equal((await tokenRequest(broker, 'web', redemption(got, { code_verifier }))).json.error, 'invalid_grant', code_verifier);
		await obtainCode(broker, {}, { browser: got.browser });
	}
	// Nor one of the wrong form whose challenge is right (RFC 7636 4.1).
	for (const code_verifier of ['a', 'x'.repeat(42), 'x'.repeat(129), `${'x'.repeat(50)} `, `${'x'.repeat(50)}ä`]) {
		const weak = await obtainCode(broker, { code_challenge: createHash('sha256').update(code_verifier).digest('base64url') }, { browser: got.browser });
		assert.equal((await tokenRequest(broker, 'web', redemption(weak, { code_verifier }))).json.error, 'invalid_grant', code_verifier);
	}
	const verifier = 'plain-verifier_'.repeat(3);
	const redirect_uri = 'https://plain.example.org/callback';
	for (const method of ['plain', undefined]) {
		const plain = await obtainCode(broker, { client_id: 'plain', redirect_uri, code_challenge: verifier, code_challenge_method: method });
		const answer = await tokenRequest(broker, 'plain', { grant_type: 'authorization_code', code: plain.code, redirect_uri, code_verifier: verifier });
		assert.equal(answer.status, 200, answer.text);
	}
});

test('a_code_expires_and_dies_with_its_session_and_user', async () => {
	const broker = await Broker.start();
	const late = await obtainCode(broker);
	await broker.advance(61);
	assert.equal((await tokenRequest(broker, 'web', redemption(late))).json.error, 'invalid_grant');
	const orphan = await obtainCode(broker);
	assert.equal((await broker.command('user', 'disable', 'alice')).status, 0);
	assert.equal((await tokenRequest(broker, 'web', redemption(orphan))).json.error, 'invalid_grant');
});

test('rfc6749_5.2_the_token_endpoint_refuses_bad_requests_with_its_error_object', async () => {
	const broker = await Broker.start();
	const post = (body, headers = {}) => new Browser(broker).post('/application/o/token/', body, { headers });
	const form = 'application/x-www-form-urlencoded';
	const table = [
		[{}, basic('web'), 400, 'invalid_request'], [{ grant_type: 'implicit' }, basic('web'), 400, 'unsupported_grant_type'],
		[{ grant_type: 'authorization_code' }, basic('web'), 400, 'invalid_request'], [{ grant_type: 'refresh_token' }, basic('web'), 400, 'invalid_request'],
		[{ grant_type: 'authorization_code', code: 'x' }, basic('web'), 400, 'invalid_grant'], [{ grant_type: 'authorization_code', code: 'tlr_x' }, basic('web'), 400, 'invalid_grant'],
		[{ grant_type: 'refresh_token', refresh_token: 'tlc_x' }, basic('web'), 400, 'invalid_grant'], [{ grant_type: 'refresh_token', refresh_token: 'tlr_x.1.y' }, basic('web'), 400, 'invalid_grant'],
		['grant_type=authorization_code&grant_type=refresh_token', { 'content-type': form, ...basic('web') }, 400, 'invalid_request'],
		['grant_type=authorization_code&code=a%00b', { 'content-type': form, ...basic('web') }, 400, 'invalid_request'],
		['grant_type=%ff', { 'content-type': form, ...basic('web') }, 400, 'invalid_request'], ['', { ...basic('web') }, 400, 'invalid_request'],
		['{"grant_type":"authorization_code"}', { 'content-type': 'application/json', ...basic('web') }, 400, 'invalid_request'],
		['grant_type=authorization_code&code=x', basic('web'), 400, 'invalid_request'],
		[{ grant_type: 'authorization_code', code: 'tlc_x' }, basic('web', 'wrong'), 401, 'invalid_client'], [{ grant_type: 'authorization_code', code: 'tlc_x' }, basic('web', ''), 401, 'invalid_client'],
		[{ grant_type: 'authorization_code', code: 'tlc_x' }, {}, 401, 'invalid_client'], [{ grant_type: 'authorization_code', code: 'tlc_x', client_id: 'web' }, {}, 401, 'invalid_client'],
		[{ grant_type: 'authorization_code', code: 'tlc_x', client_id: 'web', client_secret: '' }, {}, 401, 'invalid_client'],
		[{ grant_type: 'authorization_code', code: 'tlc_x', client_id: 'nobody', client_secret: 'x' }, {}, 401, 'invalid_client'],
		[{ grant_type: 'authorization_code', code: 'tlc_x' }, { authorization: 'Basic !!!' }, 401, 'invalid_client'],
	];
	for (const [body, headers, status, error] of table) {
		const answer = await post(body, headers);
		assert.deepEqual([answer.status, answer.json?.error], [status, error], `${JSON.stringify(body)} ${JSON.stringify(headers)} ${answer.text}`);
		assert.match(answer.headers['cache-control'], /no-store/);
		if (status === 401) assert.match(answer.headers['www-authenticate'], /^Basic /);
	}
	const both = await post({ grant_type: 'authorization_code', code: 'tlc_x', client_id: 'web', client_secret: 'web-secret' }, basic('web'));
	assert.ok([400, 401].includes(both.status));
	assert.equal((await new Browser(broker).get('/application/o/token/')).status, 405);
});
