// S18-S20: what may be registered, and what an application gets that says nothing about itself.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { Broker, configuration } from '../harness/broker.mjs';
import { Browser, answerOf, authorizeUrl, claimsOf, obtainTokens, pkce, secretOf, tokenRequest } from '../harness/browser.mjs';

const home = 'https://app.example.org/cb';
const app = (name, more = '') => `application "${name}" { client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${home}" }, ${more} }\n`;
const status = async (broker, parameters) => (await new Browser(broker).get(authorizeUrl(broker, parameters))).status;

test('S18_what_cannot_be_a_redirect_uri_is_refused_with_its_line (security_cases_1; test_authorize: unparsable regex)', async () => {
	const broker = await Broker.start();
	const bad = ['*', 'https://*.example.org/cb', 'https://app.example.org/cb#part', 'https://good@evil.example/cb', 'https://app.example.org\\\\@evil.example/', 'javascript:alert(1)', 'data:text/html,x', '/callback', '//evil.example/cb', 'app.example.org/cb',
		'https:///cb', 'https://app.example.org/a b', 'https://app.example.org/\\tcb', 'vbscript:x', 'https://app.example.org:99999/cb', ''];
	for (const uri of bad) {
		const text = configuration({ port: broker.port, dir: broker.dir, objects: `application "bad" {\n client_id = "bad", client_secret = "bad-secret",\n redirect_uris = { "${uri}" } }` });
		await writeFile(broker.file, text);
		const line = text.split('\n').findIndex((one) => one.startsWith(" redirect_uris")) + 1;
		const checked = await broker.command('check');
		assert.equal(checked.status, 1, `${uri} was accepted`);
		assert.match(checked.err + checked.out, new RegExp(`tidelock\\.lua:${line}:.*redirect_uris`), uri);
	}
	for (const regex of ['.*', 'https://.*', 'https?://app\\\\.example\\\\.org/.*', 'https://(a|b)\\\\.example\\\\.org/cb', 'https://app.example.org/.*', 'https://app\\\\.example\\\\.org(:[0-9]+)?/cb',
		'https://app\\\\.example\\\\.org/cb|https://evil\\\\.example/cb', 'https://app\\\\.example\\\\.org/a)|https://evil\\\\.example/(b']) {
		await writeFile(broker.file, configuration({ port: broker.port, dir: broker.dir, objects: `application "bad" { client_id = "bad", client_secret = "bad-secret", redirect_uris = { { regex = "${regex}" } } }` }));
		assert.equal((await broker.command('check')).status, 1, `${regex} was accepted`);
	}
	await broker.configure({});
});

test('S18_a_regex_matches_whole_and_only_what_it_says (test_authorize: regex match, regex mismatch, never learnt)', async () => {
	const broker = await Broker.start({ objects: `application "many" { client_id = "many", client_secret = "many-secret", redirect_uris = { { regex = "https://app\\\\.example\\\\.org/(?:[a-z]+|x1)/cb" } } }
${app('none', '').replace(`"${home}"`, '')}` });
	for (const [redirect_uri, good] of [['https://app.example.org/one/cb', true], ['https://app.example.org/two/cb', true], ['https://app.example.org/one/cb/', false], ['https://app.example.org/One/cb', false],
		['https://appXexample.org/one/cb', false], ['x https://app.example.org/one/cb', false], ['https://app.example.org/one/cb\nx', false], ['https://app.example.org/one/cb\n', false], ['https://app.example.org/a/b/cb', false],
		['https://app.example.org/..;/cb', false], ['https://evil.example/?https://app.example.org/one/cb', false], ['https://app.example.org/one/cb#x', false]]) {
		assert.equal(await status(broker, { client_id: 'many', redirect_uri }), good ? 302 : 400, redirect_uri);
	}
	// An expression that makes its own slash optional does not lead to another host.
	const optional = ['app', 'add', 'optional', '--client-id', 'optional', '--redirect-regex', 'https://app\\.example\\.org/?.*evil\\.example/cb'];
	assert.equal((await broker.command(...optional)).status, 0);
	for (const [redirect_uri, good] of [['https://app.example.org/evil.example/cb', true], ['https://app.example.org.evil.example/cb', false], ['https://app.example.org@evil.example/cb', false], ['https://app.example.org:443@evil.example/cb', false],
		['https://app.example.org/\\evil.example/cb', false], ['https://app.example.org/ evil.example/cb', false]]) {
		assert.equal(await status(broker, { client_id: 'optional', redirect_uri }), good ? 302 : 400, redirect_uri);
	}
	// No redirect_uris: none is accepted, and the first that comes is not learnt.
	for (let i = 0; i < 2; i++) assert.equal(await status(broker, { client_id: 'none', redirect_uri: home }), 400);
});

test('S19_an_application_that_says_nothing_gets_the_safe_defaults', async () => {
	const broker = await Broker.start({ objects: `${app('plain')}application "spa" { client_type = "public", client_id = "spa", redirect_uris = { "${home}" } }\n${app('noiss', 'authorization_response_iss = false')}` });
	Object.assign(secretOf, { plain: 'plain-secret', noiss: 'noiss-secret' });
	const { challenge } = pkce();
	// PKCE: required of public clients, optional for confidential ones.
	const spa = await new Browser(broker).get(authorizeUrl(broker, { client_id: 'spa', redirect_uri: home }));
	assert.match(spa.headers.location, /error=invalid_request/);
	assert.match((await new Browser(broker).get(authorizeUrl(broker, { client_id: 'spa', redirect_uri: home, code_challenge: challenge, code_challenge_method: 'S256' }))).headers.location, /^\/signin/);
	assert.match((await new Browser(broker).get(authorizeUrl(broker, { client_id: 'plain', redirect_uri: home }))).headers.location, /^\/signin/);
	// Consent is asked once and remembered; a further scope asks again.
	const browser = new Browser(broker);
	let at = await browser.open(authorizeUrl(broker, { client_id: 'plain', redirect_uri: home, scope: 'openid' }));
	at = await browser.signIn(at.page);
	assert.match(at.page.text, /id="consent"/);
	at = await browser.submit(at.page, { answer: 'allow' }, 'consent');
	assert.equal(at.away.searchParams.get('iss'), broker.issuer('plain'));
	assert.ok((await browser.open(authorizeUrl(broker, { client_id: 'plain', redirect_uri: home, scope: 'openid' }))).away.searchParams.get('code'));
	assert.match((await browser.open(authorizeUrl(broker, { client_id: 'plain', redirect_uri: home, scope: 'openid email' }))).page.text, /id="consent"/);
	// A public client on loopback is asked each time: anyone on the machine could be it.
	const native = { client_id: 'native', redirect_uri: 'http://127.0.0.1:9/callback', code_challenge: challenge, code_challenge_method: 'S256' };
	for (let i = 0; i < 2; i++) {
		const asked = await browser.open(authorizeUrl(broker, native));
		assert.match(asked.page.text, /id="consent"/, `time ${i + 1}`);
		assert.ok((await browser.submit(asked.page, { answer: 'allow' }, 'consent')).away.searchParams.get('code'));
	}
	const silent = await browser.open(authorizeUrl(broker, { ...native, prompt: 'none' }));
	assert.equal(silent.away.searchParams.get('error'), 'consent_required');
	for (const grant_type of ['password', 'client_credentials', 'implicit', 'urn:ietf:params:oauth:grant-type:device_code', 'urn:ietf:params:oauth:grant-type:jwt-bearer', 'urn:ietf:params:oauth:grant-type:token-exchange']) {
		const answer = await tokenRequest(broker, 'plain', { grant_type, username: 'alice', password: 'wonderland' });
		assert.ok(['unsupported_grant_type', 'unauthorized_client'].includes(answer.json.error), grant_type);
	}
	for (const response_type of ['token', 'id_token', 'code token', 'code id_token', 'none']) {
		const at = await browser.open(authorizeUrl(broker, { client_id: 'plain', redirect_uri: home, response_type, nonce: 'n' }));
		assert.equal(answerOf(at).parameters.error, 'unsupported_response_type', response_type);
	}
	// One switch takes iss out of answers, errors and metadata.
	const off = await new Browser(broker).get(authorizeUrl(broker, { client_id: 'noiss', redirect_uri: home, prompt: 'none' }));
	assert.doesNotMatch(off.headers.location, /[?&]iss=/);
	assert.ok(!(await new Browser(broker).get('/application/o/noiss/.well-known/openid-configuration')).json.authorization_response_iss_parameter_supported);
});

test('S20_scopes_asked_none_and_named', async () => {
	const broker = await Broker.start();
	const none = await obtainTokens(broker, { scope: undefined });
	assert.equal(none.scope, 'openid profile email groups', 'the claim scopes, and nothing special');
	assert.equal(none.refresh_token, undefined);
	const named = await obtainTokens(broker, { scope: 'openid offline_access unheard-of' }, { browser: none.browser });
	assert.equal(named.scope, 'openid offline_access');
	assert.ok(named.refresh_token);
	assert.equal(claimsOf(named.id_token).email, undefined);
	const refreshed = await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: named.refresh_token });
	assert.equal(refreshed.json.scope, 'openid offline_access');
	for (const scope of ['openid  profile', 'openid openid', 'openid\tprofile', '"openid"', 'openid\\']) {
		const { away, page } = await none.browser.open(authorizeUrl(broker, { scope }));
		assert.ok(page || away.searchParams.get('error') === 'invalid_scope' || away.searchParams.get('code'), scope);
	}
	for (const special of ['goauthentik.io/api', 'user', 'repo']) {
		const { away } = await none.browser.open(authorizeUrl(broker, { scope: special }));
		assert.equal(away.searchParams.get('error'), 'invalid_scope', special);
	}
});

test('S21_sub_acr_amr_and_auth_time_only_by_leave', async () => {
	const files = { 'who.lua': 'return { sub = "made-by-script", acr = "made-by-script", amr = { "made-by-script" }, auth_time = 1 }' };
	const broker = await Broker.start({ files, objects: `scope_mapping "who" { scope = "who", script = "who.lua" }
${app('strict', 'scopes = { "openid", "who" }, consent = "implicit"')}${app('lenient', 'scopes = { "openid", "who" }, consent = "implicit", script_claims = { "acr", "amr" }')}` });
	Object.assign(secretOf, { strict: 'strict-secret', lenient: 'lenient-secret' });
	const [strict, lenient] = [await obtainTokens(broker, { client_id: 'strict', redirect_uri: home, scope: 'openid who' }), await obtainTokens(broker, { client_id: 'lenient', redirect_uri: home, scope: 'openid who' })].map((got) => claimsOf(got.id_token));
	for (const name of ['sub', 'acr', 'amr', 'auth_time']) assert.doesNotMatch(JSON.stringify(strict[name]), /made-by-script|^1$/, name);
	assert.equal(lenient.acr, 'made-by-script');
	assert.deepEqual(lenient.amr, ['made-by-script']);
	assert.notEqual(lenient.sub, 'made-by-script');
	assert.ok(lenient.auth_time > 1);
	for (const one of [strict, lenient]) for (const name of ['iss', 'aud', 'exp']) assert.ok(one[name], name);
});
