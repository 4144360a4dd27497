// Session Management 1.0 without a browser: session_state in answers, the cookie it is made of, and the page that may be framed.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Broker } from '../harness/broker.mjs';
import { Browser, answerOf, authorizeUrl, obtainCode } from '../harness/browser.mjs';

const broker = await Broker.start({ objects: `
application "page" { client_id = "page", client_secret = "page-secret-long", consent = "implicit", redirect_uris = { "https://page.example.org:8443/cb?a=b", "http://127.0.0.1/cb", "org.example.page:/cb" }, origins = { "https://api.example.org" },
	scopes = { "openid", "profile" }, response_types = { "code", "id_token" } }
application "global" { client_id = "global", client_secret = "global-secret", consent = "implicit", issuer_mode = "global", redirect_uris = { "https://global.example.org/cb" }, scopes = { "openid" } }` });
const cb = 'https://page.example.org:8443/cb?a=b';
const ask = (more) => authorizeUrl(broker, { client_id: 'page', redirect_uri: cb, nonce: 'n', ...more });
// What a page of the application can compute of what the frame's script reads.
const expected = (client, origin, browser, salt) => `${createHash('sha256').update(`${client} ${origin} ${browser.cookies.get('tidelock-state') ?? ''} ${salt}`).digest('hex')}.${salt}`;
const matches = (state, client, origin, browser) => state === expected(client, origin, browser, state.split('.')[1]);

test('every_answer_with_openid_has_a_session_state_of_client_origin_cookie_and_salt', async () => {
	const { browser } = await obtainCode(broker);
	const seen = new Set();
	for (const more of [{}, { response_mode: 'fragment' }, { response_mode: 'form_post' }, { response_type: 'id_token' }, { prompt: 'none' }]) {
		const { parameters } = answerOf(await browser.open(ask(more)));
		assert.match(parameters.session_state, /^[0-9a-f]{64}\.[\w-]{16}$/, JSON.stringify(more));
		assert.ok(matches(parameters.session_state, 'page', 'https://page.example.org:8443', browser));
		assert.ok(!matches(parameters.session_state, 'web', 'https://page.example.org:8443', browser));
		assert.ok(!matches(parameters.session_state, 'page', 'https://page.example.org', browser));
		seen.add(parameters.session_state);
	}
	assert.equal(seen.size, 5, 'a salt each');
	const local = answerOf(await browser.open(ask({ redirect_uri: 'http://127.0.0.1:5555/cb' }))).parameters;
	assert.ok(matches(local.session_state, 'page', 'http://127.0.0.1:5555', browser));
	for (const more of [{ scope: 'profile' }, { redirect_uri: 'org.example.page:/cb' }, { prompt: 'none login' }]) assert.equal(answerOf(await browser.open(ask(more))).parameters.session_state, undefined, JSON.stringify(more));
	assert.equal(answerOf(await new Browser(broker).open(ask({ prompt: 'none' }))).parameters.session_state, undefined);
});

test('S12_the_state_cookie_changes_with_every_session_and_says_nothing', async () => {
	const { browser, answered } = await obtainCode(broker, {});
	const first = browser.cookies.get('tidelock-state');
	for (const [name, value] of browser.cookies) if (name !== 'tidelock-state') assert.ok(!value.includes(first) && !first.includes(value.slice(4)), name);
	await obtainCode(broker, { client_id: 'other' }, { browser });
	assert.equal(browser.cookies.get('tidelock-state'), first, 'the same as long as the session is');
	await browser.submit(await browser.get('/signout'), {}, 'signout');
	assert.equal(browser.cookies.get('tidelock-state'), undefined);
	assert.ok(!matches(answered.session_state, 'web', 'https://web.example.org', browser));
	await obtainCode(broker, {}, { browser });
	assert.notEqual(browser.cookies.get('tidelock-state'), first);
	const other = (await obtainCode(broker)).browser.cookies.get('tidelock-state');
	assert.notEqual(other, browser.cookies.get('tidelock-state'), 'of the same person elsewhere');
	// It is no session, and nobody asks for it.
	const forged = new Browser(broker);
	for (const name of ['tidelock', 'tidelock-browser']) forged.cookies.set(name, other);
	assert.equal((await forged.get('/')).status, 302);
	browser.cookies.set('tidelock-state', 'x');
	assert.equal((await browser.get('/')).status, 200);
});

test('S15_the_frame_is_one_hashed_script_and_the_only_page_that_may_be_framed', async () => {
	for (const [path, origins] of [['/application/o/page/check-session/', 'http://127.0.0.1:* https://api.example.org https://page.example.org:8443'], ['/application/o/web/check-session/', 'https://web.example.org'], ['/application/o/check-session/', 'https://global.example.org']]) {
		const { status, headers, text } = await new Browser(broker).get(path);
		assert.equal(status, 200);
		const script = /<script>([^]*)<\/script>/.exec(text)[1];
		const hash = createHash('sha256').update(script).digest('base64');
		assert.equal(headers['content-security-policy'], `default-src 'none'; base-uri 'none'; form-action 'none'; script-src 'sha256-${hash}'`);
		assert.equal(headers['x-frame-options'], undefined);
		assert.equal(headers['set-cookie'], undefined);
		assert.equal(headers['x-content-type-options'], 'nosniff');
		assert.equal(/data-origins="([^"]*)"/.exec(text)[1], origins);
		assert.match(text, /data-cookie="tidelock-state"/);
	}
	assert.equal((await new Browser(broker).get('/application/o/nobody/check-session/')).status, 404);
	assert.equal((await new Browser(broker).post('/application/o/web/check-session/', {})).status, 405);
});
