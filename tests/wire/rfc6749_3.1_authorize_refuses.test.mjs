// The authorization endpoint: what is answered on a page of ours, and what at the redirect URI (RFC 6749 4.1.2.1).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, answerOf, authorizeUrl, pkce, redirectUri } from '../harness/browser.mjs';

const { challenge } = pkce();
const withPkce = { code_challenge: challenge, code_challenge_method: 'S256' };

// The answer to a request that goes wrong: { status, page, error }
async function asked(broker, parameters, { method = 'GET', extra = '' } = {}) {
	const url = authorizeUrl(broker, parameters) + extra;
	const browser = new Browser(broker);
	const response = method === 'GET' ? await browser.get(url) : await browser.post('/application/o/authorize/', new URL(url).search.slice(1), { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
	const location = response.headers.location ? new URL(response.headers.location, broker.url) : null;
	const told = location && location.origin !== broker.url ? answerOf({ away: location }).parameters : {};
	return { response, location, told, error: told.error };
}

test('S18_an_unknown_client_or_redirect_uri_is_a_page_with_400_and_never_a_redirect (test_authorize: unknown client, redirect URI mismatch)', async () => {
	const broker = await Broker.start();
	const bad = [
		{ client_id: undefined }, { client_id: '' }, { client_id: 'nobody', redirect_uri: redirectUri.web }, { client_id: "web' or 1=1", redirect_uri: redirectUri.web },
		{ redirect_uri: undefined }, { redirect_uri: '' },
		...['https://web.example.org/callback/', 'https://web.example.org/callback?x=1', 'https://web.example.org/Callback', 'https://web.example.org:444/callback',
			'https://web.example.org:443/callback', 'http://web.example.org/callback', 'https://web.example.org@evil.example/callback', 'https://web.example.org/callback#f',
			'https://web.example.org/%63allback', 'https://web.example.org/callback/..;/x', 'https://web.example.org\\@evil.example/callback', 'https://web.example.org/callback\t',
			'//web.example.org/callback', 'javascript:alert(1)', 'data:text/html,x', redirectUri.other, 'https://web.example.org./callback'].map((redirect_uri) => ({ redirect_uri })),
	];
	for (const parameters of bad) {
		for (const method of ['GET', 'POST']) {
			const { response } = await asked(broker, parameters, { method });
			assert.equal(response.status, 400, `${JSON.stringify(parameters)} ${method}`);
			assert.equal(response.headers.location, undefined);
			assert.match(response.headers['content-type'], /^text\/html/);
			assert.match(response.text, new RegExp(response.headers['x-request-id']));
		}
	}
});

test('rfc8252_7.3_a_loopback_redirect_may_have_any_port_and_nothing_else_may_differ', async () => {
	const broker = await Broker.start();
	for (const [redirect_uri, good] of [['http://127.0.0.1:1/callback', true], ['http://127.0.0.1:65535/callback', true], ['http://127.0.0.1/callback', true],
		['http://127.0.0.1:65536/callback', false], ['http://127.0.0.1:80@evil.example/callback', false], ['http://127.0.0.1:/callback', false], ['http://localhost:80/callback', false],
		['http://127.0.0.2/callback', false], ['https://127.0.0.1/callback', false], ['org.example.native:/callback', true], ['org.example.native://callback', false]]) {
		const { response } = await asked(broker, { client_id: 'native', redirect_uri, ...withPkce });
		assert.equal(response.status, good ? 302 : 400, redirect_uri);
	}
});

test('rfc6749_4.1.2.1_other_errors_go_to_the_client_with_state_and_iss (test_authorize: invalid response type, request param)', async () => {
	const broker = await Broker.start();
	const state = 'a b&c=d"<é%';
	const table = [
		[{ response_type: undefined }, 'invalid_request'], [{ response_type: 'token' }, 'unsupported_response_type'], [{ response_type: 'id_token' }, 'unsupported_response_type'],
		[{ response_type: 'code token' }, 'unsupported_response_type'], [{ response_mode: 'telepathy' }, 'invalid_request'],
		[{ request: 'eyJhbGciOiJub25lIn0.e30.' }, 'request_not_supported'], [{ request_uri: 'https://web.example.org/r' }, 'request_uri_not_supported'],
		[{ registration: '{}' }, 'registration_not_supported'], [{ scope: 'unheard of' }, 'invalid_scope'], [{ scope: 'openid "x"' }, 'invalid_scope'],
		[{ prompt: 'none login' }, 'invalid_request'], [{ prompt: 'none' }, 'login_required'], [{ max_age: '-1' }, 'invalid_request'], [{ max_age: '1e3' }, 'invalid_request'],
		[{ max_age: 'x' }, 'invalid_request'], [{ code_challenge: 'short', code_challenge_method: 'S256' }, 'invalid_request'], [{ code_challenge: challenge }, 'invalid_request'],
		[{ code_challenge: challenge, code_challenge_method: 'plain' }, 'invalid_request'], [{ code_challenge: challenge, code_challenge_method: 's256' }, 'invalid_request'],
		[{ code_challenge: `${challenge.slice(1)}!`, code_challenge_method: 'S256' }, 'invalid_request'], [{ code_challenge_method: 'S256' }, 'invalid_request'],
		[{ id_token_hint: 'nonsense' }, 'invalid_request'], [{ id_token_hint: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.' }, 'invalid_request'], [{ claims: 'nonsense' }, 'invalid_request'],
		[{ claims: '[1]' }, 'invalid_request'], [{ claims: '{"id_token":{"acr":{"essential":true,"values":["urn:unheard"]}}}' }, 'unmet_authentication_requirements'],
		[{ nonce: 'x'.repeat(1001) }, 'invalid_request'], [{ client_id: 'native', redirect_uri: redirectUri.native }, 'invalid_request'],
	];
	for (const [parameters, error] of table) {
		const got = await asked(broker, { state, ...parameters });
		assert.equal(got.response.status, 302, JSON.stringify(parameters));
		assert.equal(got.error, error, JSON.stringify(parameters));
		assert.equal(got.told.state, state);
		assert.equal(got.told.iss, broker.issuer(parameters.client_id ?? 'web'));
		assert.equal(got.told.code, undefined);
	}
	for (const name of ['state', 'scope', 'nonce', 'prompt']) {
		const got = await asked(broker, { [name]: 'login' }, { extra: `&${name}=login` });
		assert.equal(got.error, 'invalid_request', name);
	}
	const fragment = await asked(broker, { response_mode: 'fragment', prompt: 'none' });
	assert.equal(fragment.location.search, '');
	assert.equal(fragment.error, 'login_required');
});

test('bad_input_at_the_authorization_endpoint_is_a_clear_400', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const path = '/application/o/authorize/';
	for (const query of ['', '?client_id=web&client_id=web', '?client_id=web%00', '?client_id=%ff%fe', '?%zz', '?request=forged', '?request=', '?client_id=web&redirect_uri=x&redirect_uri=x']) {
		const answer = await browser.get(path + query);
		assert.equal(answer.status, 400, query);
		assert.equal(answer.headers.location, undefined);
	}
	assert.equal((await browser.post(path, '')).status, 400);
	assert.equal((await browser.post(path, '{"client_id":"web"}', { headers: { 'content-type': 'application/json' } })).status, 400);
	assert.equal((await browser.post(path, {})).status, 400);
	const cookies = Array.from({ length: 4000 }, (_, i) => `c${i}=1`).join('; ');
	assert.equal((await browser.get('/signin', { cookies: false, headers: { cookie: cookies.slice(0, 30000) } })).status, 200);
	assert.equal((await browser.get('/signin', { cookies: false, headers: { cookie: Array.from({ length: 10000 }, (_, i) => `c${i}=1`).join('; ') } }).catch(() => ({ status: 431 }))).status, 431);
	const forged = { cookie: `tidelock=tls_${'x'.repeat(43)}; tidelock-browser=tlb_${'x'.repeat(43)}; tidelock=` };
	assert.equal((await browser.get(authorizeUrl(broker), { cookies: false, headers: forged })).status, 302);
	const put = await browser.request('PUT', path, { body: 'x' });
	assert.equal(put.status, 405);
	assert.match(put.headers.allow, /GET.*POST/);
	assert.equal((await browser.get(path.slice(0, -1))).status, 404);
	const long = await browser.get(authorizeUrl(broker, { state: 's'.repeat(2000), nonce: 'n'.repeat(1000), login_hint: 'l'.repeat(320), claims: JSON.stringify({ id_token: { sub: { value: 'v'.repeat(2500) } } }) }));
	assert.equal(long.status, 400);
	assert.equal((await browser.get('/healthz')).status, 200);
});

test('S13_a_post_seals_its_parameters_and_answers_303_to_a_get', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const query = new URL(authorizeUrl(broker, { state: 'posted' })).searchParams;
	const first = await browser.post('/application/o/authorize/', query.toString(), { cookies: false, headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://web.example.org' } });
	assert.equal(first.status, 303);
	assert.equal(first.headers['set-cookie'], undefined);
	assert.doesNotMatch(first.headers.location, /posted/);
	let at = await browser.follow(first);
	at = await browser.signIn(at.page);
	assert.equal(at.away.searchParams.get('state'), 'posted');
	assert.match(at.away.searchParams.get('code'), /^tlc_/);
});

test('display_ui_locales_acr_values_and_unknown_parameters_are_ignored', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	let at = await browser.open(authorizeUrl(broker, { display: 'popup', ui_locales: 'de fr', claims_locales: 'se', acr_values: '1 2', extra: 'foobar', prompt: 'unheard' }));
	at = await browser.signIn(at.page);
	assert.match(at.away.searchParams.get('code'), /^tlc_/);
});
