// security-cases 1, 2, 3, 5 and 9 at the authorization endpoint: the negative inputs of other products' advisories, each refused in every
// response type and mode.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, answerOf, pkce } from '../harness/browser.mjs';
import { Client, callback, conformanceFiles, conformanceObjects } from '../harness/conformance.mjs';

const types = ['code', 'id_token', 'code id_token token'];
const broker = await Broker.start({ objects: `${conformanceObjects(types)}
application "loop" { client_type = "public", redirect_uris = { "http://127.0.0.1/cb", "http://[::1]/cb" }, scopes = { "openid" } }`, files: conformanceFiles });

test('security_cases_1_only_the_exact_bytes_of_a_redirect_uri', async () => {
	const good = callback('one');
	const host = 'one.rp.example.org';
	const table = [`${good}*`, `https://*.rp.example.org/cb`, `https://${host}@evil.example/cb`, `https://evil.example\\@${host}/cb`, `https://${host}\\cb`, `https://${host}/x/%2e%2e/cb`, `https://${host}/x/../cb`,
		`https://${host}/x/..;/cb`, `https://${host}/cb\t`, `https://${host}/c\nb`, `https://${host}/cb\r\nSet-Cookie:x`, `https://${host}:443/cb`, `https://${host}:8443/cb`, `https://${host}/CB`, `HTTPS://${host}/cb`,
		`https://${host.toUpperCase()}/cb`, `${good}?x=1`, `${good}?`, `${good}#f`, `${good}#`, `${good}/`, `${good}%00`, `http://${host}/cb`, `https://${host}./cb`, `//${host}/cb`, `/cb`, `https:${host}/cb`,
		`https://one.rp.example.org.evil.example/cb`, `https://xn--one-.rp.example.org/cb`, 'javascript:alert(1)', 'data:text/html,x', `https://[fe80::1%25eth0]/cb`, `https://аne.rp.example.org/cb`, callback('two')];
	for (const redirect_uri of table) {
		for (const responseType of types) {
			const client = new Client(broker, { responseType, responseMode: responseType === 'code' ? undefined : 'form_post' });
			const answer = await client.browser.get(client.request({ redirect_uri }));
			assert.equal(answer.status, 400, `${responseType} ${redirect_uri}`);
			assert.equal(answer.headers.location, undefined);
			assert.doesNotMatch(answer.text, /form-post|<script/);
		}
	}
	const loop = (redirect_uri) => new Browser(broker).get(`/application/o/authorize/?${new URLSearchParams({ client_id: 'loop', response_type: 'code', redirect_uri })}`);
	for (const redirect_uri of ['http://127.0.0.1:1234/cb', 'http://[::1]:1234/cb']) assert.equal((await loop(redirect_uri)).status, 302, redirect_uri);
	for (const redirect_uri of ['http://localhost/cb', 'http://127.0.0.1:1234@evil.example/cb', 'http://127.0.0.1:x/cb', 'http://127.0.0.1:99999/cb', 'http://127.0.0.1.evil.example/cb', 'http://127.1/cb', 'http://127.0.0.2/cb', 'https://127.0.0.1/cb']) {
		assert.equal((await loop(redirect_uri)).status, 400, redirect_uri);
	}
});

test('security_cases_2_no_header_of_the_request_chooses_a_link', async () => {
	const client = new Client(broker);
	const answer = await client.browser.request('GET', client.request(), { headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', 'x-original-url': '//evil.example', referer: 'https://evil.example/' } });
	assert.match(answer.headers.location, /^\/signin\?request=/);
	const document = await client.browser.get('/application/o/one/.well-known/openid-configuration', { headers: { 'x-forwarded-host': 'evil.example' } });
	assert.doesNotMatch(document.text, /evil/);
});

test('security_cases_3_a_sealed_request_is_no_session_and_a_second_person_inherits_nothing', async () => {
	const client = new Client(broker, { responseType: 'id_token' });
	const first = await client.browser.get(client.request());
	const sealed = new URL(first.headers.location, broker.url).searchParams.get('request');
	const thief = new Browser(broker);
	thief.cookies.set('tidelock', sealed.slice(0, 90));
	assert.match((await thief.get('/')).headers.location, /^\/signin/);
	// Bob signs in where alice was: her half-finished request is not answered for him.
	const { front } = await client.finish(await client.arrive(await client.browser.open(client.request({ scope: 'openid email' }))));
	assert.equal(front.email, 'alice@example.org');
	const old = [...client.browser.cookies];
	const at = await client.browser.open(client.request({ prompt: 'login', scope: 'openid email' }));
	const bob = await client.finish(client.answered(await client.browser.signIn(at.page, 'bob', 'builder-bob')));
	assert.equal(bob.front.email, 'bob@example.org');
	const stale = new Browser(broker);
	stale.cookies = new Map(old);
	assert.equal(answerOf(await stale.open(client.request({ prompt: 'none' }))).parameters.error, 'login_required');
	assert.equal((await stale.get(`/application/o/authorize/?request=${encodeURIComponent(sealed)}`)).status, 400);
});

test('security_cases_5_pkce_of_a_code_from_the_hybrid_flow_cannot_be_left_out_or_added', async () => {
	const { verifier, challenge } = pkce();
	const client = new Client(broker, { responseType: 'code id_token token' });
	const bound = { code_challenge: challenge, code_challenge_method: 'S256' };
	const refused = async (code, more) => assert.equal((await client.exchange(code, more)).json.error, 'invalid_grant', JSON.stringify(more));
	const withChallenge = await client.visit(bound);
	for (const more of [{}, { code_verifier: '' }, { code_verifier: challenge }, { code_verifier: verifier.slice(0, 42) }]) await refused(withChallenge.code, more);
	assert.equal((await client.exchange(withChallenge.code, { code_verifier: verifier })).status, 200);
	const without = await client.visit();
	await refused(without.code, { code_verifier: verifier });
	for (const more of [{ ...bound, code_challenge_method: 'plain' }, { code_challenge: challenge }, { code_challenge: 'x'.repeat(42), code_challenge_method: 'S256' }, { code_challenge_method: 'S256' }]) {
		assert.equal(await client.error(more), 'invalid_request', JSON.stringify(more));
	}
});

test('security_cases_9_state_and_errors_are_text_in_every_mode', async () => {
	const client = new Client(broker, { responseType: 'id_token', responseMode: 'form_post' });
	for (const state of ['"><script>alert(1)</script>', `'onmouseover='alert(1)`, '</form><form action="https://evil.example">', 'javascript:alert(1)', '&quot;&lt;', '{{ csrf }}{% include "head" %}']) {
		for (const prompt of ['none', undefined]) {
			const at = await client.browser.open(client.request({ state, prompt, nonce: prompt ? 'n' : undefined }));
			assert.equal(client.answered(at).state, state);
			assert.equal(at.page.text.match(/<script/g).length, 1);
			assert.equal(at.page.text.match(/<form/g).length, 1);
		}
	}
	const location = (await client.browser.get(client.request({ response_mode: 'fragment', prompt: 'none', state: 'a\r\nSet-Cookie: x=1' }))).headers;
	assert.equal(location['set-cookie'], undefined);
	assert.match(location.location, /state=a%0D%0ASet-Cookie/);
});
