// Back-Channel Logout 1.0: every application that took part hears of the end of a session, by what way it came; it is tried again,
// through a restart too; and who is slow keeps nobody else waiting. With authentik's test_backchannel_logout.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import * as jose from 'jose';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, claimsOf, formOf, obtainTokens, secretOf, tokenRequest } from '../harness/browser.mjs';
import { endSession } from '../harness/logout.mjs';

// Applications' ends of the back channel: /NAME is one's. `answers` says what each answers; a function may wait.
const peer = { heard: [], answers: {} };
peer.server = http.createServer(async (request, response) => {
	const chunks = [];
	for await (const chunk of request) chunks.push(chunk);
	const url = new URL(request.url, 'http://peer');
	const heard = { name: url.pathname.slice(1), query: url.search, method: request.method, headers: request.headers, form: new URLSearchParams(Buffer.concat(chunks).toString()) };
	heard.token = heard.form.get('logout_token');
	heard.claims = claimsOf(heard.token);
	peer.heard.push(heard);
	const answer = await (peer.answers[heard.name] ?? (() => 200))();
	response.writeHead(answer).end();
});
peer.server.listen(0, '127.0.0.1');
await once(peer.server, 'listening');
after(() => { peer.server.closeAllConnections(); peer.server.close(); });
peer.url = `http://127.0.0.1:${peer.server.address().port}`;
const heardBy = (name) => peer.heard.filter((one) => one.name === name);
const hears = (name, count = 1) => eventually(() => heardBy(name).length >= count && heardBy(name));

const app = (name, more = '') => {
	secretOf[name] = `${name}-secret-long-enough`;
	return `application "${name}" { name = "App ${name}", client_id = "${name}", client_secret = "${name}-secret-long-enough", consent = "implicit", redirect_uris = { "https://web.example.org/callback" },
	scopes = { "openid", "offline_access" }, logout_uri = "${peer.url}/${name}", ${more} }\n`;
};
const settings = 'outgoing = { allow = { "127.0.0.1" } }';
const objects = app('plain') + app('second') + app('es256', 'signing_alg = "ES256"') + app('pair', 'sub_mode = "pairwise"') + app('mail', 'sub_mode = "user_email"')
	+ app('front', 'logout_method = "backchannel", issuer_mode = "global"') + app('down') + app('slow') + app('scripted', 'script_claims = { "sub" }')
	+ app('framed', 'logout_method = "frontchannel"').replace('redirect_uris = {', `redirect_uris = { "${peer.url}/cb",`);
const broker = await Broker.start({ settings, objects });
const signedIn = (client_id, browser = new Browser(broker), more = {}) => obtainTokens(broker, { client_id, redirect_uri: 'https://web.example.org/callback', scope: 'openid', ...more.parameters }, { browser, ...more });
const leave = async (browser) => browser.submit(await browser.get('/signout'), {}, 'signout');
const kinds = async (application, kind) => (await broker.events('--kind', kind)).filter((event) => event.application === application);
function anew() { peer.heard.length = 0; peer.answers = {}; }

test('oidcc-backchannel-rp-initiated-logout-discovery-endpoint-verification', async () => {
	const { json } = await new Browser(broker).get('/application/o/plain/.well-known/openid-configuration');
	for (const name of ['backchannel_logout_supported', 'backchannel_logout_session_supported']) assert.equal(json[name], true);
	assert.ok(json.end_session_endpoint);
});

for (const [client, alg] of [['plain', 'RS256'], ['es256', 'ES256'], ['pair', 'RS256'], ['mail', 'RS256'], ['front', 'RS256']]) {
	test(`oidcc-backchannel-rp-initiated-logout (${client}, ${alg})`, async () => {
		anew();
		const { browser, id_token } = await signedIn(client);
		const id = claimsOf(id_token);
		const answer = await browser.get(endSession({ id_token_hint: id_token }, client));
		assert.equal(answer.status, 200);
		const [heard] = await hears(client);
		assert.equal(heard.method, 'POST');
		assert.equal(heard.headers['content-type'], 'application/x-www-form-urlencoded');
		assert.deepEqual([...heard.form.keys()], ['logout_token']);
		const keys = jose.createLocalJWKSet((await browser.get(`/application/o/${client}/jwks/`)).json);
		const { payload, protectedHeader } = await jose.jwtVerify(heard.token, keys, { issuer: id.iss, audience: client, algorithms: [alg], typ: 'logout+jwt', currentDate: new Date(Date.now() + broker.moved * 1000) });
		assert.equal(protectedHeader.alg, alg);
		assert.ok(Math.abs(payload.iat - (Date.now() / 1000 + broker.moved)) < 30);
		assert.ok(payload.exp > payload.iat && payload.exp - payload.iat <= 120);
		assert.match(payload.jti, /^[0-9a-f]{32}$/);
		assert.deepEqual(payload.events, { 'http://schemas.openid.net/event/backchannel-logout': {} });
		assert.equal(payload.sub, id.sub);
		assert.equal(payload.sid, id.sid);
		assert.equal(payload.nonce, undefined);
		assert.deepEqual(Object.keys(payload).sort(), ['aud', 'events', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub']);
		assert.equal(await eventually(async () => (await kinds(client, 'logout_told'))[0]?.user), 'alice');
	});
}

test('a_script_that_chooses_the_subject_leaves_the_sid_to_say_who', async () => {
	anew();
	const { browser, id_token } = await signedIn('scripted');
	await leave(browser);
	const [{ claims }] = await hears('scripted');
	assert.equal(claims.sub, undefined);
	assert.equal(claims.sid, claimsOf(id_token).sid);
});

test('every_application_of_the_session_is_told_once_and_no_other_one', async () => {
	anew();
	const { browser } = await signedIn('plain');
	await signedIn('plain', browser);
	await signedIn('plain', browser, { parameters: { scope: 'openid offline_access' } });
	const second = await signedIn('second', browser, { parameters: { scope: 'openid offline_access' } });
	await signedIn('framed', browser);
	const elsewhere = await signedIn('mail');
	await leave(browser);
	await hears('plain');
	await hears('second');
	await eventually(async () => (await kinds('second', 'logout_told')).length);
	assert.deepEqual(peer.heard.map(({ name }) => name).sort(), ['plain', 'second']);
	assert.equal(heardBy('second')[0].claims.sid, claimsOf(second.id_token).sid);
	assert.equal((await tokenRequest(broker, 'second', { grant_type: 'refresh_token', refresh_token: second.refresh_token })).status, 200, 'S5, 2.7: offline grants stay');
	await leave(elsewhere.browser);
	await hears('mail');
});

const ends = {
	'sign-out page': ({ browser }) => leave(browser),
	'another session ended on the portal page': async ({ username, password }) => {
		const other = new Browser(broker);
		await other.signIn(await other.get('/signin'), username, password);
		const page = (await other.get('/')).text;
		const form = formOf(page.slice(page.indexOf('id="session-list"')));
		await other.post(form.action, { ...form.fields, session: 'others' }, { headers: { origin: broker.url } });
	},
	'own password change': async ({ browser, password }) => {
		const form = formOf((await browser.get('/')).text, 'password-form');
		const answer = await browser.post(form.action, { ...form.fields, current: password, new: 'another password', repeat: 'another password' }, { headers: { origin: broker.url } });
		assert.equal(answer.status, 303, answer.text);
	},
	'password reset': ({ username }) => broker.command('user', 'password', username, '--password-stdin', { input: 'a reset password\n' }),
	'user disabled': ({ username }) => broker.command('user', 'disable', username),
	'user deleted': ({ username }) => broker.command('user', 'delete', username),
	'another person signs in in the same browser': async ({ browser }) => {
		await browser.get('/');
		const page = await browser.open(`/application/o/authorize/?client_id=plain&response_type=code&scope=openid&redirect_uri=https%3A%2F%2Fweb.example.org%2Fcallback&prompt=login`);
		await browser.signIn(page.page, 'bob', 'builder-bob');
	},
	'session expired': async () => {
		await broker.advance(12 * 3600 + 1);
		await broker.debug({ tick: true });
	},
};
for (const [index, [way, end]] of Object.entries(ends).entries()) {
	test(`back_channel_after_${way.replaceAll(' ', '_')}`, async () => {
		anew();
		const username = `person${index}`;
		await broker.command('user', 'add', username, '--password-stdin', { input: 'a first password\n' });
		const session = await signedIn('plain', new Browser(broker), { username, password: 'a first password' });
		await signedIn('pair', session.browser);
		const [plain, pair] = [claimsOf(session.id_token), claimsOf((await signedIn('pair', session.browser)).id_token)];
		await end({ ...session, username, password: 'a first password' });
		const [{ claims }] = await hears('plain');
		assert.deepEqual([claims.sub, claims.sid], [plain.sub, plain.sid]);
		const [{ claims: other }] = await hears('pair');
		assert.deepEqual([other.sub, other.sid], [pair.sub, pair.sid], 'also of somebody who is no more');
	});
}

test('signing_in_again_tells_nobody', async () => {
	anew();
	const { browser } = await signedIn('plain');
	await broker.advance(2);
	await signedIn('second', browser, { parameters: { prompt: 'login' } });
	await broker.debug({ tick: true });
	await leave(browser);
	await hears('plain');
	await hears('second');
	assert.equal(heardBy('plain').length, 1);
});

test('authentik_test_backchannel_logout_a_failure_is_tried_again_and_given_up_in_the_end', async () => {
	anew();
	let status = 500;
	peer.answers.down = () => status;
	const { browser } = await signedIn('down');
	await leave(browser);
	await hears('down');
	await eventually(async () => (await kinds('down', 'logout_failed')).some(({ reason }) => reason === 'status 500'));
	await new Browser(broker).get('/healthz');
	assert.equal(heardBy('down').length, 1, 'not at once');
	status = 204;
	await broker.advance(61);
	await new Browser(broker).get('/healthz');
	await hears('down', 2);
	assert.notEqual(heardBy('down')[0].claims.jti, heardBy('down')[1].claims.jti);
	await eventually(async () => (await kinds('down', 'logout_told')).some(({ reason }) => reason === 'attempt 2'));
	anew();
	peer.answers.down = () => 302; // is no answer, and nowhere is gone to
	const again = await signedIn('down');
	await leave(again.browser);
	for (const [count, pause] of [[1, 61], [2, 301], [3, 1801], [4, 7201], [5, 6 * 3600 + 1], [6, 86400]]) {
		await hears('down', count);
		await eventually(async () => (await kinds('down', count < 6 ? 'logout_failed' : 'logout_given_up')).some(({ reason }) => reason.endsWith('status 302')));
		await eventually(async () => { await broker.advance(pause); await new Browser(broker).get('/healthz'); return true; });
	}
	await broker.debug({ tick: true });
	assert.equal(heardBy('down').length, 6);
	assert.match((await kinds('down', 'logout_given_up'))[0].reason, /^after 6 attempts: status 302$/);
});

test('one_slow_application_keeps_nobody_else_waiting', async () => {
	anew();
	let release;
	const held = new Promise((resolve) => { release = resolve; });
	peer.answers.slow = () => held.then(() => 200);
	const browsers = [];
	for (let i = 0; i < 4; i++) {
		const { browser } = await signedIn('slow');
		await signedIn('plain', browser);
		browsers.push(browser);
	}
	for (const browser of browsers) assert.equal((await leave(browser)).page.status, 200);
	await hears('plain', 4);
	assert.equal(heardBy('slow').length, 2, 'two at a time');
	release();
	await hears('slow', 4);
	await eventually(async () => (await kinds('slow', 'logout_told')).length === 4);
});

test('who_is_to_be_told_survives_a_power_cut_and_a_restart', async () => {
	anew();
	const own = await Broker.start({ settings, objects: app('down') });
	peer.answers.down = () => 503;
	const { browser, id_token } = await obtainTokens(own, { client_id: 'down', redirect_uri: 'https://web.example.org/callback', scope: 'openid' });
	await leave(browser);
	await eventually(async () => (await own.events('--kind', 'logout_failed')).some(({ reason }) => reason === 'status 503'));
	await own.killHard();
	peer.answers.down = () => 200;
	await own.serve();
	await own.advance(120);
	await own.debug({ tick: true });
	await hears('down', 2);
	assert.equal(heardBy('down')[1].claims.sid, claimsOf(id_token).sid);
});

test('a_drain_waits_for_no_peer_and_the_next_broker_tells_it', async () => {
	anew();
	const own = await Broker.start({ settings, objects: app('slow') });
	let release;
	const held = new Promise((resolve) => { release = resolve; });
	peer.answers.slow = () => held.then(() => 200);
	const { browser } = await obtainTokens(own, { client_id: 'slow', redirect_uri: 'https://web.example.org/callback', scope: 'openid' });
	await leave(browser);
	await hears('slow');
	assert.equal((await own.stop()).code, 0);
	release();
	await own.serve();
	await own.advance(61);
	await own.debug({ tick: true });
	await hears('slow', 2);
	await eventually(async () => (await own.events('--kind', 'logout_told')).some(({ reason }) => reason === 'attempt 2'));
});

test('security_cases_8_private_addresses_are_told_only_when_the_owner_allows_them', async () => {
	const guarded = await Broker.start({ objects: app('inside') + app('metadata').replace(peer.url, 'http://169.254.169.254') });
	anew();
	const { browser } = await obtainTokens(guarded, { client_id: 'inside', redirect_uri: 'https://web.example.org/callback', scope: 'openid' }, {});
	await obtainTokens(guarded, { client_id: 'metadata', redirect_uri: 'https://web.example.org/callback', scope: 'openid' }, { browser });
	await leave(browser);
	for (const application of ['inside', 'metadata']) {
		await eventually(async () => (await guarded.events('--kind', 'logout_failed')).some((event) => event.application === application && event.reason === 'blocked'));
	}
	assert.equal(peer.heard.length, 0);
});

test('security_cases_11_a_logout_token_is_good_for_nothing_else_and_stands_in_no_log', async () => {
	anew();
	const { browser } = await signedIn('plain');
	await leave(browser);
	const [{ token }] = await hears('plain');
	const api = new Browser(broker);
	assert.equal((await api.get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } })).status, 401);
	assert.equal((await api.get(endSession({ id_token_hint: token }, 'plain'))).status, 400);
	assert.equal((await tokenRequest(broker, 'plain', { grant_type: 'refresh_token', refresh_token: token })).status, 400);
	const log = broker.log + JSON.stringify(await broker.events());
	for (const { token: text } of peer.heard) assert.ok(!log.includes(text.split('.')[2]));
});
