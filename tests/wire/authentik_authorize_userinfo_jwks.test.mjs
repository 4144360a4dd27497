// The cases of authentik's own tests for authorization, userinfo, keys and API that have no other place here. Where its behaviour is one
// of the gaps that we close, ours is asserted.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as jose from 'jose';
import { Broker } from '../harness/broker.mjs';
import { Browser, answerOf, authorizeUrl, claimsOf, obtainCode, obtainTokens, secretOf, tokenRequest } from '../harness/browser.mjs';
import { Client } from '../harness/conformance.mjs';

const uri = 'https://app.example.org/cb';
const app = (name, more = '', redirects = `"${uri}"`) => {
	secretOf[name] = `secret-of-${name}`;
	return `application "${name}" { client_id = "${name}", client_secret = "secret-of-${name}", redirect_uris = { ${redirects} }, consent = "implicit", ${more} }\n`;
};
const ask = async (broker, client_id, parameters) => new Browser(broker).open(authorizeUrl(broker, { client_id, redirect_uri: uri, nonce: 'n', ...parameters }));

test('test_authorize_disallowed_grant_type_and_response_type', async () => {
	const broker = await Broker.start({ objects: app('machine', 'grant_types = { "client_credentials" }') + app('words', 'grant_types = { "authorization_code", "implicit", "hybrid" }') });
	assert.equal(answerOf(await ask(broker, 'machine')).parameters.error, 'unauthorized_client');
	// authentik lets those words switch the front channel on; here response_types alone does.
	for (const response_type of ['id_token', 'id_token token', 'code id_token', 'invalid']) assert.equal(answerOf(await ask(broker, 'words', { response_type })).parameters.error, 'unsupported_response_type');
});

test('test_authorize_redirect_uris_missing_mismatched_forbidden_and_empty', async () => {
	const broker = await Broker.start({ objects: app('plain') + app('none', '', '') + app('dot', '', `{ regex = "https://local\\\\.example\\\\.org/.*" }`) });
	const status = async (client, redirect_uri) => (await new Browser(broker).get(authorizeUrl(broker, { client_id: client, redirect_uri }))).status;
	for (const [client, redirect_uri] of [['plain', undefined], ['plain', ''], ['plain', `${uri}/`], ['plain', 'http://app.example.org/cb'], ['plain', 'data:text/html,x'], ['plain', 'javascript:alert(1)'],
		['plain', 'vbscript:x'], ['none', uri], ['none', uri], ['dot', 'https://localxexample.org/'], ['dot', 'https://local.example.org.evil.example/']]) {
		assert.equal(await status(client, redirect_uri), 400, `${client} ${redirect_uri}`);
	}
	assert.equal(await status('dot', 'https://local.example.org/anything?x=1'), 302);
});

test('test_authorize_full_code_with_a_private_scheme_its_expiry_and_the_code_in_a_fragment', async () => {
	const broker = await Broker.start({ objects: app('foo', 'code_lifetime = "2m", scopes = { "openid" }', '"foo://localhost"') });
	const parameters = { client_id: 'foo', redirect_uri: 'foo://localhost', scope: 'openid', state: 'st' };
	const got = await obtainCode(broker, parameters);
	assert.equal(got.away.href, `foo://localhost?code=${got.code}&state=st&iss=${encodeURIComponent(broker.issuer('foo'))}`);
	const redeem = ({ code, verifier }) => tokenRequest(broker, 'foo', { grant_type: 'authorization_code', code, redirect_uri: 'foo://localhost', code_verifier: verifier });
	assert.equal((await redeem(got)).status, 200);
	const late = await obtainCode(broker, parameters, { browser: got.browser });
	await broker.advance(121);
	assert.equal((await redeem(late)).json.error, 'invalid_grant');
	const fragment = answerOf(await got.browser.open(authorizeUrl(broker, { ...parameters, response_mode: 'fragment' })));
	assert.equal(fragment.mode, 'fragment');
	assert.deepEqual(Object.keys(fragment.parameters), ['code', 'state', 'iss']);
	// A form cannot go to a private scheme: the answer takes its usual way and says so.
	assert.equal(answerOf(await got.browser.open(authorizeUrl(broker, { ...parameters, response_mode: 'form_post' }))).parameters.error, 'invalid_request');
});

test('test_authorize_full_implicit_fragment_amr_exp_and_a_sub_that_a_mapping_may_not_set', async () => {
	const broker = await Broker.start({ files: { 'sub.lua': 'return { sub = "foo", extra = "kept" }' },
		objects: `scope_mapping "sub" { scope = "extra", script = "sub.lua" }${app('full', 'scopes = { "openid", "extra" }, response_types = { "id_token token" }, access_token_lifetime = "1h"')}` });
	const client = new Client(broker, { client: 'full', responseType: 'id_token token' });
	const { told, front } = await client.succeed({ scope: 'openid extra', redirect_uri: uri });
	assert.deepEqual(Object.keys(told), ['access_token', 'token_type', 'expires_in', 'scope', 'id_token', 'session_state', 'state', 'iss']);
	assert.equal(told.expires_in, '3600');
	assert.deepEqual(front.amr, ['pwd']);
	assert.equal(front.exp - front.iat, 3600);
	assert.notEqual(front.sub, 'foo');
	assert.equal(front.extra, 'kept');
	assert.ok((await broker.events()).some((event) => event.kind === 'claim_dropped'));
});

test('test_authorize_ui_locales_login_hint_and_an_empty_state', async () => {
	const broker = await Broker.start({ objects: app('plain') });
	for (const ui_locales of ['en', 'de-AT fr', 'not a locale!', '%%']) assert.match((await ask(broker, 'plain', { ui_locales, login_hint: 'alice' })).page.text, /value="alice"/);
	const { parameters } = answerOf(await ask(broker, 'plain', { prompt: 'none', state: '' }));
	assert.equal(parameters.state, '');
	assert.equal(answerOf(await ask(broker, 'plain', { prompt: 'none', state: undefined })).parameters.state, undefined);
});

test('test_userinfo_normal_claim_set_exact', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid profile email' });
	const info = (await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } })).json;
	assert.deepEqual(info, { sub: claimsOf(got.id_token).sub, name: 'Alice Liddell', given_name: 'Alice Liddell', preferred_username: 'alice', nickname: 'alice',
		groups: ['staff'], email: 'alice@example.org', email_verified: true });
});

test('test_userinfo_a_broken_mapping_is_skipped_and_leaves_an_event', async () => {
	const broker = await Broker.start({ files: { 'broken.lua': 'return { x = nothing.at.all }' }, objects: `scope_mapping "broken" { scope = "broken", script = "broken.lua" }${app('plain', 'scopes = { "openid", "email", "broken" }')}` });
	const got = await obtainTokens(broker, { client_id: 'plain', redirect_uri: uri, scope: 'openid email broken' });
	const info = (await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } })).json;
	assert.deepEqual(Object.keys(info).sort(), ['email', 'email_verified', 'sub']);
	const event = (await broker.events()).find((each) => each.kind === 'script_failed');
	assert.match(event.reason, /broken\.lua:1/);
});

test('test_jwks_rs256_es256_es384_es512_with_coordinates_of_full_length', async () => {
	const algorithms = ['RS256', 'ES256', 'ES384', 'ES512'];
	const broker = await Broker.start({ objects: algorithms.map((alg) => app(alg.toLowerCase(), `signing_alg = "${alg}", scopes = { "openid" }`)).join('') });
	const length = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };
	for (const alg of algorithms) {
		const got = await obtainTokens(broker, { client_id: alg.toLowerCase(), redirect_uri: uri, scope: 'openid' });
		const keys = (await new Browser(broker).get(`/application/o/${alg.toLowerCase()}/jwks/`)).json;
		for (const key of keys.keys.filter((each) => each.kty === 'EC')) for (const name of ['x', 'y']) assert.equal(Buffer.from(key[name], 'base64url').length, length[key.crv]);
		const { protectedHeader } = await jose.jwtVerify(got.id_token, jose.createLocalJWKSet(keys), { algorithms: [alg] });
		assert.equal(protectedHeader.alg, alg);
	}
});

test('test_api_redirect_uris_are_validated_when_an_application_is_made', async () => {
	const broker = await Broker.start();
	for (const bad of ['no-scheme', 'https://a.example/#f', 'javascript:alert(1)', 'https://user@a.example/', 'https://*.example.org/', 'https://a.example/ x']) {
		assert.equal((await broker.command('app', 'add', 'made', '--redirect-uri', bad)).status, 1, bad);
	}
	const made = await broker.command('app', 'add', 'made', '--redirect-uri', uri, '--response-type', 'id_token', '--response-type', 'code id_token', '--json');
	assert.equal(made.status, 0, made.err);
	assert.equal((await broker.command('app', 'add', 'other2', '--redirect-uri', uri, '--response-type', 'token')).status, 1);
});

test('test_api_logout_uris_are_validated_when_an_application_is_made', async () => {
	const broker = await Broker.start();
	const add = (...words) => broker.command('app', 'add', 'leaver', '--redirect-uri', uri, ...words);
	for (const option of ['--post-logout-redirect-uri', '--logout-uri']) {
		for (const bad of ['no-scheme', 'https://app.example.org/#f', 'javascript:alert(1)', 'data:text/html,x', 'https://user@app.example.org/', 'https://*.example.org/', '//app.example.org/']) {
			const answer = await add(option, bad);
			assert.equal(answer.status, 1, `${option} ${bad}`);
			assert.match(answer.err, /logout_(redirect_)?uri/, `${option} ${bad}`);
		}
	}
	assert.match((await add('--logout-uri', 'https://elsewhere.example/out', '--logout-method', 'frontchannel')).err, /logout_uri/);
	const made = await add('--post-logout-redirect-uri', 'https://app.example.org/bye', '--logout-uri', 'https://app.example.org/out', '--json');
	assert.equal(made.status, 0, made.err);
});

// authentik signs with the client's secret where no key is chosen, and shows a key set without keys. Here every token has a public key.
test('test_jwks_HS256_is_no_algorithm_of_ours_and_the_set_is_never_empty', async () => {
	const broker = await Broker.start();
	for (const alg of ['HS256', 'none', 'RS512']) assert.notEqual((await broker.command('app', 'add', 'shared', '--redirect-uri', uri, '--signing-alg', alg)).status, 0, alg);
	for (const key of (await new Browser(broker).get('/application/o/web/jwks/')).json.keys) {
		assert.ok(['RSA', 'EC'].includes(key.kty));
		for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(key[secret], undefined);
	}
});

test('test_provider_info_claims_of_a_failing_mapping_are_left_out_and_a_changed_one_is_seen', async () => {
	const objects = `scope_mapping "broken" { scope = "broken", script = "broken.lua" }\nscope_mapping "team" { scope = "team", script = "team.lua" }${app('told', 'scopes = { "openid", "email", "broken", "team" }')}`;
	const broker = await Broker.start({ objects, files: { 'broken.lua': 'return { broken = user.nothing.there }', 'team.lua': 'return { team = "red" }', 'later.lua': 'return { squad = "red", crew = "blue" }' } });
	const claims = async () => (await new Browser(broker).get('/application/o/told/.well-known/openid-configuration')).json.claims_supported;
	const first = await claims();
	for (const name of ['sub', 'iss', 'aud', 'exp', 'iat', 'auth_time', 'acr', 'amr', 'nonce', 'email', 'email_verified', 'team']) assert.ok(first.includes(name), name);
	assert.ok(!first.includes('broken'));
	assert.equal(new Set(first).size, first.length);
	assert.ok(!(await broker.events()).some((event) => event.kind === 'script_failed'), 'nobody signed in: there is nothing to tell');
	await broker.configure({ objects: objects.replace('team.lua', 'later.lua') });
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	const second = await claims();
	assert.deepEqual(['team', 'squad', 'crew'].map((name) => second.includes(name)), [false, true, true]);
});

test('S20_the_claims_parameter_and_rfc8707_resources_reach_the_front_channel', async () => {
	const broker = await Broker.start({ objects: app('front', `scopes = { "openid", "profile", "email" }, response_types = { "id_token", "code id_token token" }, include_claims_in_id_token = false, audiences = { "https://api.example.org/" }`) });
	const claims = JSON.stringify({ id_token: { email: { essential: true }, secret: null }, userinfo: { name: null } });
	const hybrid = new Client(broker, { client: 'front', responseType: 'code id_token token' });
	const { front, userinfo } = await hybrid.succeed({ redirect_uri: uri, claims });
	assert.equal(front.email, 'alice@example.org');
	assert.equal(front.name, undefined);
	assert.deepEqual(Object.keys(userinfo).sort(), ['name', 'sub']);
	const alone = new Client(broker, { client: 'front', responseType: 'id_token' });
	assert.equal((await alone.succeed({ redirect_uri: uri, claims })).front.email, 'alice@example.org');
	assert.equal(await alone.error({ redirect_uri: uri, claims: '[1]' }), 'invalid_request');
	const told = await hybrid.visit({ redirect_uri: uri, resource: 'https://api.example.org/' });
	assert.equal(claimsOf(told.access_token).aud, 'https://api.example.org/');
	assert.equal(await hybrid.error({ redirect_uri: uri, resource: 'https://elsewhere.example/' }), 'invalid_target');
});
