// Signing out in a real browser with an application that is a page: front-channel logout, the check-session frame, and what both do
// with strangers. The modules of the session and front-channel logout plans, under their names.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { Broker, eventually, freePort } from '../harness/broker.mjs';
import { basic, claimsOf, tokenRequest, secretOf } from '../harness/browser.mjs';
import { launch, screenshot } from '../harness/chromium.mjs';
import { endSession } from '../harness/logout.mjs';

// The application: it exchanges its codes, keeps what it was told, and asks the broker's frame from a page of its own.
class RelyingParty {
	static async start(client_id) {
		const party = new RelyingParty();
		Object.assign(party, { client_id, sessions: new Map(), told: [] });
		party.port = await freePort();
		party.server = http.createServer((request, response) => party.answer(request, response).catch((error) => response.writeHead(500).end(String(error))));
		party.server.listen(party.port, '127.0.0.1');
		await once(party.server, 'listening');
		after(() => { party.server.closeAllConnections(); party.server.close(); });
		return party;
	}
	get url() { return `http://127.0.0.1:${this.port}`; }
	declaration(more = '') {
		secretOf[this.client_id] = 'a-secret-of-this-party';
		return `application "${this.client_id}" { name = "Party ${this.client_id}", client_id = "${this.client_id}", client_secret = "a-secret-of-this-party", consent = "implicit", scopes = { "openid" },
	redirect_uris = { "${this.url}/cb" }, post_logout_redirect_uris = { "${this.url}/bye" }, ${more} }\n`;
	}
	async answer(request, response) {
		const url = new URL(request.url, this.url);
		const parameters = Object.fromEntries(url.searchParams);
		const html = (text, headers = {}) => response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(`<!doctype html><title>party</title>${text}`);
		if (url.pathname === '/start') return response.writeHead(302, { location: `${this.broker.url}/application/o/authorize/?${new URLSearchParams({ client_id: this.client_id, redirect_uri: `${this.url}/cb`, response_type: 'code', scope: 'openid', nonce: 'n', state: 's', ...parameters })}` }).end();
		if (url.pathname === '/cb' && parameters.error) return html(`<p id="error">${parameters.error}</p>`);
		if (url.pathname === '/cb') {
			const token = await tokenRequest(this.broker, this.client_id, { grant_type: 'authorization_code', code: parameters.code, redirect_uri: `${this.url}/cb` }, basic(this.client_id));
			this.session = { ...token.json, claims: claimsOf(token.json.id_token), session_state: parameters.session_state };
			return response.writeHead(302, { location: '/home' }).end();
		}
		if (url.pathname === '/home') return html(`<h1 id="home">Signed in</h1>${frame(this)}`, { 'set-cookie': 'party=1' });
		if (url.pathname === '/frontchannel') { this.told.push(parameters); return html('<p>bye</p>', { 'set-cookie': 'party=; Max-Age=0' }); }
		if (url.pathname === '/bye') return html(`<h1 id="bye">Goodbye</h1>`);
		response.writeHead(204).end(); // what a browser asks on its own
	}
}
// What Session Management 4.1 shows: the frame, a message, and the answer when it comes.
const frame = ({ broker, client_id, session }) => `<iframe id="op" src="${broker.url}/application/o/${client_id}/check-session/"></iframe><p id="status"></p><script>
const told = []; addEventListener('message', (event) => { if (event.origin === '${broker.url}') { told.push(event.data); status_(event.data); } });
const status_ = (text) => { document.getElementById('status').textContent = text; };
const ask = (text = '${client_id} ${session?.session_state}') => { document.getElementById('op').contentWindow.postMessage(text, '${broker.url}'); };
const answer = (text) => new Promise((resolve) => { addEventListener('message', (event) => resolve(event.data), { once: true }); ask(text); setTimeout(() => resolve('silence'), 1500); });
</script>`;

async function signIn(page, party, parameters = '') {
	await page.goto(`${party.url}/start${parameters}`);
	if (await page.$('#username')) {
		await page.fill('#username', 'alice');
		await page.fill('#password', 'wonderland');
		await page.click('#submit');
	}
	await page.waitForSelector('#home');
	await page.waitForLoadState(); // the frame's too
}

// Before the broker: what is left of it closes first.
const chromium = await launch();
const parties = { one: await RelyingParty.start('one'), two: await RelyingParty.start('two'), back: await RelyingParty.start('back') };
const broker = await Broker.start({ objects: parties.one.declaration(`logout_uri = "${parties.one.url}/frontchannel?kept=1&x=%20y", logout_method = "frontchannel"`)
	+ parties.two.declaration(`logout_uri = "${parties.two.url}/frontchannel", logout_method = "frontchannel"`) + parties.back.declaration() });
for (const party of Object.values(parties)) party.broker = broker;
async function aPage(options = {}) {
	const context = await chromium.newContext(options);
	const page = await context.newPage();
	page.problems = [];
	page.on('console', (message) => { if (message.type() === 'error') page.problems.push(message.text()); });
	page.on('pageerror', (error) => page.problems.push(String(error)));
	for (const party of Object.values(parties)) party.told.length = 0;
	return page;
}
const discovered = async (client) => (await fetch(`${broker.issuer(client)}.well-known/openid-configuration`)).json();

test('oidcc-frontchannel-rp-initiated-logout-discovery-endpoint-verification', async () => {
	const document = await discovered('one');
	for (const name of ['frontchannel_logout_supported', 'frontchannel_logout_session_supported', 'end_session_endpoint']) assert.ok(document[name], name);
});

test('oidcc-frontchannel-rp-initiated-logout', async () => {
	const page = await aPage();
	await signIn(page, parties.one);
	await signIn(page, parties.two);
	await signIn(page, parties.back);
	let policy;
	page.on('response', (response) => { if (response.url().includes('/end-session/')) policy = response.headers()['content-security-policy']; });
	await page.goto(broker.url + endSession({ id_token_hint: parties.one.session.id_token, post_logout_redirect_uri: `${parties.one.url}/bye`, state: 'x'.repeat(128) }, 'one'));
	await page.waitForSelector('#leaving');
	await screenshot(page, 'leaving');
	const asked = performance.now();
	for (const party of [parties.one, parties.two]) {
		await eventually(() => party.told.length === 1);
		assert.equal(party.told[0].iss, broker.issuer(party.client_id));
		assert.equal(party.told[0].sid, party.session.claims.sid);
	}
	assert.equal(parties.one.told[0].kept, '1');
	assert.equal(parties.one.told[0].x, ' y');
	assert.deepEqual(parties.back.told, [], 'who did not ask for a frame gets none');
	assert.match(policy, new RegExp(`; frame-src ${parties.one.url}/frontchannel ${parties.two.url}/frontchannel$`));
	await page.waitForURL(`${parties.one.url}/bye?state=${'x'.repeat(128)}`, { timeout: 10000 });
	assert.ok(performance.now() - asked > 1500, 'the frames had their time');
	assert.deepEqual(page.problems, []);
	await page.goto(`${parties.one.url}/start?prompt=none`);
	assert.equal(await page.textContent('#error'), 'login_required');
});

test('front_channel_from_our_own_page_ends_on_our_own_page', async () => {
	const page = await aPage({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' });
	await signIn(page, parties.one);
	await page.goto(`${broker.url}/signout`);
	await screenshot(page, 'signout-dark-320');
	assert.match(await page.textContent('#participants'), /Party one\s+is signed out too/);
	await page.focus('#submit');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#leaving');
	await screenshot(page, 'leaving-dark-320');
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
	await eventually(() => parties.one.told.length === 1);
	await page.click('#continue');
	await page.waitForSelector('#signed-out');
	await screenshot(page, 'signed-out-dark-320');
	assert.deepEqual(page.problems, []);
});

test('front_channel_works_without_script_and_a_frame_cannot_lead_the_page_away', async () => {
	await Promise.all([true, false].map(async (javaScriptEnabled) => {
		const page = await aPage({ javaScriptEnabled });
		await page.route(`${parties.two.url}/frontchannel**`, (route) => route.fulfill({ contentType: 'text/html', body: '<script>top.location = "https://evil.example/"</script>' }));
		await signIn(page, parties.two);
		await page.goto(`${broker.url}/signout`);
		await page.click('#submit');
		await page.waitForSelector('#leaving');
		await page.waitForSelector('#signed-out', { timeout: 10000 });
	}));
});

test('oidcc-session-management-discovery-endpoint-verification', async () => {
	assert.equal((await discovered('one')).check_session_iframe, `${broker.url}/application/o/one/check-session/`);
});

test('oidcc-session-management-rp-initiated-logout', async () => {
	const page = await aPage();
	await signIn(page, parties.back);
	assert.match(parties.back.session.session_state, /^[0-9a-f]{64}\.[\w-]{16}$/);
	assert.equal(await page.evaluate(() => answer()), 'unchanged');
	const another = await page.context().newPage();
	await another.goto(broker.url + endSession({ id_token_hint: parties.back.session.id_token }, 'back'));
	assert.equal(await page.evaluate(() => answer()), 'changed');
	// Somebody signs in: that is another session, and an answer for it is unchanged again.
	const old = parties.back.session.session_state;
	await signIn(page, parties.back);
	assert.equal(await page.evaluate((state) => answer(`back ${state}`), old), 'changed');
	assert.equal(await page.evaluate(() => answer()), 'unchanged');
	assert.equal(await page.evaluate((state) => answer(`one ${state}`), parties.back.session.session_state), 'changed', 'of another client');
	for (const malformed of ['', 'back', 'back ', 'back x', ' x.y', 'back a.b c', `back ${'a'.repeat(600)}.b`]) assert.equal(await page.evaluate((text) => answer(text), malformed), 'error', malformed);
	for (const thing of ['null', '{}', '[1]', '42']) assert.equal(await page.evaluate((text) => answer(JSON.parse(text)), thing), 'error', thing);
	assert.deepEqual(page.problems, []);
});

test('security_cases_19_the_frame_ignores_strangers_and_is_not_hung_by_many_messages', async () => {
	const page = await aPage();
	await signIn(page, parties.back);
	await page.evaluate(() => { for (let i = 0; i < 20000; i++) ask(i % 2 ? undefined : 'x'.repeat(10000)); });
	assert.equal(await page.evaluate(async () => { for (;;) { const text = await answer(); if (text === 'unchanged') return text; } }), 'unchanged');
	// The same page from an origin that is no application's.
	const stranger = await page.context().newPage();
	await stranger.goto(`http://localhost:${parties.back.port}/home`).catch(() => {});
	if (!(await stranger.$('#home'))) await stranger.route('http://stranger.example/', (route) => route.fulfill({ contentType: 'text/html', body: `<h1 id="home">Signed in</h1>${frame(parties.back)}` })).then(() => stranger.goto('http://stranger.example/'));
	await stranger.waitForSelector('#home');
	assert.equal(await stranger.evaluate(() => answer()), 'silence');
});

test('S15_only_the_check_session_frame_may_be_framed', async () => {
	const page = await aPage();
	await signIn(page, parties.back);
	for (const path of ['/', '/signout', '/signin', '/application/o/back/end-session/']) {
		await page.setContent(`<iframe src="${broker.url}${path}"></iframe>`);
		await eventually(async () => { const frames = page.frames(); return frames.length === 2 && /^chrome-error:/.test(frames[1].url()); });
	}
});

test('S12_the_state_cookie_works_under_its_own_name_over_TLS', async () => {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'party-'));
	after(() => rmSync(dir, { recursive: true, force: true }));
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`, '-days', '2', '-subj', '/CN=localhost'], { stdio: 'ignore' });
	const context = await chromium.newContext({ ignoreHTTPSErrors: true });
	const port = await freePort();
	const secure = await Broker.start({ tls: true, objects: `application "tls" { client_id = "tls", client_secret = "a-secret-of-this-party", consent = "implicit", scopes = { "openid" }, redirect_uris = { "https://localhost:${port}/cb" } }` });
	const party = https.createServer({ key: readFileSync(`${dir}/key.pem`), cert: readFileSync(`${dir}/cert.pem`) }, (request, response) => {
		const session_state = new URL(request.url, 'https://localhost').searchParams.get('session_state');
		response.writeHead(200, { 'content-type': 'text/html' }).end(`<h1 id="home">Signed in</h1>${frame({ broker: secure, client_id: 'tls', session: { session_state } })}`);
	});
	party.listen(port, '127.0.0.1');
	after(() => { party.closeAllConnections(); party.close(); });
	const page = await context.newPage();
	await page.goto(`${secure.url}/application/o/authorize/?client_id=tls&response_type=code&scope=openid&redirect_uri=${encodeURIComponent(`https://localhost:${port}/cb`)}`);
	await page.fill('#username', 'alice');
	await page.fill('#password', 'wonderland');
	await page.click('#submit');
	await page.waitForSelector('#home');
	await page.waitForLoadState(); // the frame's too
	const cookies = await context.cookies();
	const state = cookies.find(({ name }) => name === '__Host-tidelock-state');
	assert.deepEqual([state.secure, state.httpOnly, state.sameSite], [true, false, 'None']);
	assert.ok(!cookies.some(({ name, value }) => name !== state.name && value.includes(state.value)));
	assert.equal(await page.evaluate(() => answer()), 'unchanged');
	await context.clearCookies({ name: '__Host-tidelock-state' });
	assert.equal(await page.evaluate(() => answer()), 'changed');
	await context.close();
});
