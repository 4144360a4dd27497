// RP-Initiated Logout 1.0, S5, S13-S15: who is signed out at once, who is asked, and where nobody is ever sent. With the cases of
// authentik's test_end_session and of test_revoke that are about sign-out.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as jose from 'jose';
import { Broker, configuration } from '../harness/broker.mjs';
import { Browser, authorizeUrl, claimsOf, formOf, obtainCode, obtainTokens, redirectUri, tokenRequest } from '../harness/browser.mjs';
import { asked, confirm, endSession, goodbye, isSignedOut, leaving, longState, saidGoodbye, signedIn } from '../harness/logout.mjs';

const nasty = `"'><img src=x onerror=alert(1)>`;
const broker = await Broker.start(leaving('', `
application "global" { name = "Global application", client_id = "global", client_secret = "global-secret", consent = "implicit", issuer_mode = "global",
	redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid" }, post_logout_redirect_uris = { "https://web.example.org/global" } }
application "nasty" { name = ${JSON.stringify(nasty)}, client_id = "nasty", client_secret = "nasty-secret", consent = "implicit",
	redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid" }, post_logout_redirect_uris = { "https://web.example.org/bye?x=%22%3E%3Cimg%20src=x%3E" } }`));
const open = (browser, parameters, slug = 'leaving') => browser.open(endSession(parameters, slug));
const userinfo = async (access_token) => (await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${access_token}` } })).status;

test('authentik_test_end_session_strict_match_and_no_match', async () => {
	const { browser, id_token } = await signedIn(broker);
	for (const uri of ['https://web.example.org/bye', 'https://web.example.org/bye?kept=2', 'https://web.example.org/goodbye/', 'http://web.example.org/goodbye', 'https://web.example.org/callback']) {
		const at = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: uri });
		assert.equal(at.page?.status, 400, uri);
	}
	const { away } = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: 'https://web.example.org/bye?kept=1' });
	assert.equal(away.href, 'https://web.example.org/bye?kept=1');
});

test('authentik_test_end_session_regex_match_and_no_match', async () => {
	const { browser, id_token } = await signedIn(broker);
	for (const uri of ['https://web.example.org/left/', 'https://web.example.org/left/a/../b', 'https://webxexample.org/left/a', 'https://web.example.org/left/a\n', 'https://web.example.org/left/a#b', 'https://evil.example/https://web.example.org/left/a']) {
		const at = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: uri });
		assert.equal(at.page?.status, 400, JSON.stringify(uri));
	}
	const { away } = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: 'https://web.example.org/left/now', state: 's' });
	assert.equal(away.href, 'https://web.example.org/left/now?state=s');
});

test('authentik_test_end_session_state_is_appended_unharmed', async () => {
	for (const [uri, state, wanted] of [[goodbye, longState()], [goodbye, 'a b&c=d#e?f+g%20/ä"\'<>'], [goodbye, ''], ['https://web.example.org/bye?kept=1', 'x', 'https://web.example.org/bye?kept=1&state=x'], [goodbye, 'y'.repeat(2000)]]) {
		const { browser, id_token } = await signedIn(broker);
		const { away } = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: uri, state });
		assert.equal(away.searchParams.get('state'), state);
		if (wanted) assert.equal(away.href, wanted);
	}
	const { browser, id_token } = await signedIn(broker);
	assert.equal((await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: goodbye, state: 'z'.repeat(2001) })).page.status, 400);
	assert.ok(!(await isSignedOut(broker, browser)));
});

test('authentik_test_end_session_POST_is_sealed_and_answered_303_S13', async () => {
	const { browser, id_token } = await signedIn(broker);
	const state = longState();
	const stranger = new Browser(broker); // a foreign form: the browser sends no cookies of ours with it
	const sealed = await stranger.post('/application/o/leaving/end-session/', { id_token_hint: id_token, post_logout_redirect_uri: goodbye, state }, { headers: { origin: 'https://web.example.org', 'sec-fetch-site': 'cross-site' } });
	assert.equal(sealed.status, 303);
	assert.match(sealed.headers.location, /^\/application\/o\/leaving\/end-session\/\?request=[\w-]+$/);
	assert.equal(sealed.headers['set-cookie'], undefined);
	assert.ok(!(await isSignedOut(broker, browser)), 'the POST changed nothing');
	assert.doesNotMatch(sealed.headers.location, new RegExp(state));
	const { away } = await browser.open(sealed.headers.location);
	assert.equal(away.href, `${goodbye}?state=${state}`);
	assert.ok(await isSignedOut(broker, browser));
	const wrong = await stranger.post('/application/o/leaving/end-session/', { id_token_hint: id_token, post_logout_redirect_uri: 'https://evil.example/' });
	assert.equal(wrong.status, 400);
	const kind = await stranger.request('POST', '/application/o/leaving/end-session/', { body: '{}', headers: { 'content-type': 'application/json' } });
	assert.equal(kind.status, 400);
	// What is sealed for one purpose is damaged for another.
	const text = new URL(sealed.headers.location, broker.url).searchParams.get('request');
	assert.equal((await browser.get(`/application/o/authorize/?request=${text}`)).status, 400);
	assert.equal((await browser.get(`/signout?request=${text}`)).status, 400, 'bound to nobody until the GET');
	const old = await stranger.post('/application/o/leaving/end-session/', { id_token_hint: id_token });
	await broker.advance(16 * 60);
	assert.equal((await browser.get(old.headers.location)).status, 400, 'fifteen minutes');
});

test('S5_codes_and_access_tokens_end_with_the_session_and_offline_grants_stay', async () => {
	const first = await signedIn(broker);
	const { browser } = first;
	const offline = await obtainTokens(broker, { scope: 'openid offline_access' }, { browser });
	const pending = await obtainCode(broker, {}, { browser });
	assert.equal(await userinfo(first.access_token), 200);
	await open(browser, { id_token_hint: first.id_token });
	assert.equal(await userinfo(first.access_token), 401);
	assert.equal((await tokenRequest(broker, 'web', { grant_type: 'authorization_code', code: pending.code, redirect_uri: redirectUri.web, code_verifier: pending.verifier })).json.error, 'invalid_grant');
	assert.equal(await userinfo(offline.access_token), 200, 'offline_access is for when nobody is there');
	assert.equal((await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: offline.refresh_token })).status, 200);
});

test('authentik_test_revoke_on_logout_on_session_delete_on_user_deactivation', async () => {
	const gone = [];
	const out = await signedIn(broker);
	await out.browser.submit(await out.browser.get('/signout'), {}, 'signout');
	gone.push(out);
	const [one, two] = [await signedIn(broker), await signedIn(broker)];
	const page = (await one.browser.get('/')).text;
	const { action, fields } = formOf(page.slice(page.indexOf('id="session-list"')));
	assert.equal(action, '/sessions/end');
	let list;
	for (let i = 0; i < 20 && (await userinfo(two.access_token)) === 200; i++) {
		list = (await one.browser.get('/')).text;
		const form = formOf(list.slice(list.indexOf('id="session-list"')));
		await one.browser.post(form.action, { ...fields, ...form.fields }, { headers: { origin: broker.url } });
	}
	gone.push(two);
	assert.equal(await userinfo(one.access_token), 200);
	const bob = await signedIn(broker, {}, { username: 'bob', password: 'builder-bob' });
	await broker.command('user', 'disable', 'bob');
	gone.push(bob);
	for (const { access_token } of gone) assert.equal(await userinfo(access_token), 401);
	await broker.command('user', 'enable', 'bob');
	assert.equal(await userinfo(bob.access_token), 401);
});

test('without_a_hint_the_person_is_asked_and_with_client_id_sent_back_afterwards', async () => {
	const { browser } = await signedIn(broker);
	const state = longState();
	const at = await open(browser, { client_id: 'leaving', post_logout_redirect_uri: goodbye, state, logout_hint: 'alice', ui_locales: 'de en' });
	assert.ok(asked(at));
	assert.match(at.page.text, /Leaving application/);
	assert.ok(!(await isSignedOut(broker, browser)));
	// S14, S15: the form is ours, and it does not lead away by a redirect.
	const { action, fields } = formOf(at.page.text, 'signout');
	for (const [wrong, headers] of [[{ ...fields, csrf: 'x' }, {}], [fields, { origin: 'https://web.example.org' }], [fields, { 'sec-fetch-site': 'same-site' }]]) {
		assert.equal((await browser.post(action, wrong, { headers })).status, 403);
		assert.ok(!(await isSignedOut(broker, browser)));
	}
	const left = await browser.post(action, fields, { headers: { origin: broker.url } });
	assert.equal(left.status, 200);
	assert.equal(left.headers.location, undefined);
	const next = /^0; url=(\/signout\?request=[\w-]+)$/.exec(left.headers.refresh)[1];
	assert.ok(left.text.includes(next));
	assert.equal((await new Browser(broker).get(next)).status, 400, 'another browser has no part in it');
	assert.equal((await browser.get(next)).headers.location, `${goodbye}?state=${state}`);
	assert.ok(await isSignedOut(broker, browser));
});

test('without_hint_and_client_id_the_registered_address_is_a_link_and_nothing_more', async () => {
	const { browser } = await signedIn(broker);
	const at = await confirm(browser, await open(browser, { post_logout_redirect_uri: goodbye, state: 's' }));
	assert.ok(saidGoodbye(at));
	assert.equal(at.page.headers.refresh, undefined);
	assert.match(at.page.text, /href="https:\/\/web\.example\.org\/goodbye\?state=s" id="back">Back to Leaving application</);
});

test('a_hint_of_another_session_or_person_is_asked_about', async () => {
	const before = await signedIn(broker);
	const { browser } = await signedIn(broker);
	const bob = await signedIn(broker, {}, { username: 'bob', password: 'builder-bob' });
	for (const { id_token } of [before, bob]) {
		const at = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: goodbye });
		assert.ok(asked(at));
		assert.match(at.page.text, /Alice Liddell/, 'who is signed in, not who is hinted at');
		assert.ok(!(await isSignedOut(broker, browser)));
	}
	const at = await confirm(browser, await open(browser, { id_token_hint: bob.id_token, post_logout_redirect_uri: goodbye }));
	assert.equal(at.away.href, goodbye);
	assert.ok(await isSignedOut(broker, browser));
	assert.ok(!(await isSignedOut(broker, before.browser)), 'other browsers stay as they are');
	assert.ok(!(await isSignedOut(broker, bob.browser)));
});

test('who_signs_in_again_keeps_the_sid_and_another_person_gets_a_new_one', async () => {
	const first = await signedIn(broker);
	const { browser } = first;
	await broker.advance(2);
	const again = await signedIn(broker, { prompt: 'login' }, { browser });
	assert.equal(claimsOf(again.id_token).sid, claimsOf(first.id_token).sid);
	assert.ok(claimsOf(again.id_token).auth_time > claimsOf(first.id_token).auth_time);
	assert.equal((await open(browser, { id_token_hint: first.id_token, post_logout_redirect_uri: goodbye })).away?.href, goodbye, 'the older hint is of this session too');
	const alice = await signedIn(broker, {}, { browser });
	await broker.advance(2);
	const bob = await signedIn(broker, { prompt: 'login' }, { browser, username: 'bob', password: 'builder-bob' });
	assert.notEqual(claimsOf(bob.id_token).sid, claimsOf(alice.id_token).sid);
	assert.notEqual(claimsOf(alice.id_token).sid, claimsOf(first.id_token).sid);
});

test('who_is_signed_in_no_more_is_sent_back_by_the_hint_and_told_so_without_it', async () => {
	const { browser, id_token } = await signedIn(broker);
	await open(browser, { id_token_hint: id_token });
	assert.equal((await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: goodbye, state: 's' })).away.href, `${goodbye}?state=s`);
	assert.ok(saidGoodbye(await open(browser, { client_id: 'leaving', post_logout_redirect_uri: goodbye })));
	assert.ok(saidGoodbye(await open(new Browser(broker), {})));
	assert.ok(saidGoodbye(await open(new Browser(broker), { id_token_hint: id_token })));
});

test('an_expired_hint_and_one_of_a_key_that_is_published_no_longer_are_good_and_of_a_withdrawn_key_not', async () => {
	const own = await Broker.start(leaving());
	const hint = await signedIn(own);
	await own.advance(3600);
	assert.equal((await own.command('key', 'rotate', '--now')).status, 0);
	await own.advance(5 * 3600);
	await hint.browser.get('/');
	const { kid } = jose.decodeProtectedHeader(hint.id_token);
	assert.ok(!(await hint.browser.get('/application/o/leaving/jwks/')).json.keys.some((key) => key.kid === kid));
	assert.equal((await hint.browser.open(endSession({ id_token_hint: hint.id_token, post_logout_redirect_uri: goodbye }, 'leaving'))).away?.href, goodbye);
	const next = await signedIn(own);
	await own.command('key', 'rotate', '--now');
	assert.equal((await own.command('key', 'retire', jose.decodeProtectedHeader(next.id_token).kid)).status, 0);
	assert.equal((await next.browser.open(endSession({ id_token_hint: next.id_token, post_logout_redirect_uri: goodbye }, 'leaving'))).page?.status, 400);
});

test('security_cases_6_11_what_is_no_ID_token_of_this_application_is_no_hint', async () => {
	const { browser, id_token, access_token } = await signedIn(broker);
	const other = await obtainTokens(broker, {}, { browser });
	const offline = await obtainTokens(broker, { scope: 'openid offline_access' }, { browser });
	const [header, payload, signature] = id_token.split('.');
	const claims = claimsOf(id_token);
	const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
	const hmac = await new jose.SignJWT(claims).setProtectedHeader({ ...jose.decodeProtectedHeader(id_token), alg: 'HS256' }).sign(Buffer.from('leaving-secret-leaving-secret-32'));
	for (const hint of [access_token, offline.refresh_token, other.id_token, `${header}.${encode({ ...claims, sub: 'x' })}.${signature}`, `${header}.${payload}.`, `${header}.${payload}`, hmac,
		`${encode({ alg: 'None', typ: 'JWT' })}.${payload}.`, 'x', 'x'.repeat(6000), `${header}.${payload}.${signature}.`, nasty]) {
		const at = await open(browser, { id_token_hint: hint, post_logout_redirect_uri: goodbye });
		assert.equal(at.page?.status, 400, hint.slice(0, 60));
		assert.match(at.page.text, /id="way-out"/);
		assert.doesNotMatch(at.page.text, /<img/);
	}
	assert.equal((await open(browser, { id_token_hint: id_token, client_id: 'other', post_logout_redirect_uri: goodbye })).page.status, 400);
	assert.equal((await browser.get(`${endSession({ id_token_hint: id_token }, 'leaving')}&id_token_hint=${id_token}`)).status, 400, 'twice');
	assert.equal((await open(browser, {}, 'nobody')).page.status, 404);
	assert.ok(!(await isSignedOut(broker, browser)));
});

test('security_cases_2_nobody_is_redirected_to_where_nobody_registered', async () => {
	const { browser, id_token } = await signedIn(broker);
	const list = ['//evil.example', '/\\evil.example', '/%09/evil.example', 'https:evil.example', 'https://web.example.org@evil.example/goodbye', 'https://web.example.org.evil.example/goodbye', 'https://[fe80::1%25en0]/', 'https://wéb.example.org/goodbye',
		'https://WEB.example.org/goodbye', 'https://web.example.org/GOODBYE', 'https://web.example.org/x/../goodbye', 'https://web.example.org/%67oodbye', 'https://web.example.org:443/goodbye', 'https://web.example.org/goodbye#x', ' https://web.example.org/goodbye',
		'https://web.example.org/goodbye\r\nset-cookie: a=b', 'https://web.example.org/goodbye\t', 'javascript:alert(1)', 'data:text/html,x', '', '*', 'https://web.example.org/..;/goodbye', 'https://web.example.org\\@evil.example/', '/'];
	for (const uri of list) {
		for (const more of [{ id_token_hint: id_token }, { client_id: 'leaving' }, {}]) {
			const at = await open(browser, { ...more, post_logout_redirect_uri: uri });
			assert.ok(at.page, `sent to ${at.away}`);
			if (uri === '') { // absent (RFC 6749 3.1)
				if (more.id_token_hint) await obtainTokens(broker, {}, { browser });
				continue;
			}
			assert.equal(at.page.status, 400, JSON.stringify(uri));
			assert.equal(at.page.headers.refresh, undefined);
		}
	}
	const spoofed = await browser.get(endSession({ post_logout_redirect_uri: goodbye }, 'leaving'), { headers: { 'x-forwarded-host': 'evil.example' } });
	assert.match(spoofed.headers.location ?? '/', /^\//);
});

test('security_cases_9_names_states_and_addresses_are_text_on_every_page_of_a_sign_out', async () => {
	const { browser, id_token } = await obtainTokens(broker, { client_id: 'nasty', redirect_uri: 'https://web.example.org/callback', scope: 'openid' }, {}).catch(async () => {
		const got = await obtainCode(broker, { client_id: 'nasty', redirect_uri: 'https://web.example.org/callback', scope: 'openid' });
		return { browser: got.browser };
	});
	const bye = 'https://web.example.org/bye?x=%22%3E%3Cimg%20src=x%3E';
	const clean = (page) => { assert.doesNotMatch(page.text, /<img/); assert.match(page.headers['content-security-policy'], /default-src 'none'/); return page; };
	const at = await browser.open(endSession({ post_logout_redirect_uri: bye, state: nasty, logout_hint: nasty, ui_locales: nasty }, 'nasty'));
	assert.match(clean(at.page).text, /&lt;img/);
	const left = await confirm(browser, at);
	assert.match(clean(left.page).text, /&lt;img/);
	assert.ok(left.page.text.includes('state=%22%27%3E%3Cimg'));
	assert.equal(id_token, undefined);
	clean(await browser.get(endSession({ id_token_hint: nasty }, 'nasty')));
	clean(await browser.get(endSession({ post_logout_redirect_uri: nasty }, 'nasty')));
});

test('S15_the_page_of_front_channel_logout_names_exactly_its_frames', async () => {
	const frames = await Broker.start({ objects: `
application "odd" { name = ${JSON.stringify(nasty)}, client_id = "odd", client_secret = "odd-secret-long", consent = "implicit", redirect_uris = { "https://odd.example.org:8443/cb" }, scopes = { "openid" },
	logout_uri = "https://odd.example.org:8443/out;a,b?x=1;y&z=%22", logout_method = "frontchannel" }
application "unused" { client_id = "unused", client_secret = "unused-secret", redirect_uris = { "https://unused.example.org/cb" }, scopes = { "openid" }, logout_uri = "https://unused.example.org/out", logout_method = "frontchannel" }` });
	const got = await obtainCode(frames, { client_id: 'odd', redirect_uri: 'https://odd.example.org:8443/cb', scope: 'openid' });
	const token = await tokenRequest(frames, 'odd', { grant_type: 'authorization_code', code: got.code, redirect_uri: 'https://odd.example.org:8443/cb', code_verifier: got.verifier }, { authorization: `Basic ${Buffer.from('odd:odd-secret-long').toString('base64')}` });
	const { iss, sid } = claimsOf(token.json.id_token);
	const page = await got.browser.get(endSession({ id_token_hint: token.json.id_token }, 'odd'));
	assert.equal(page.headers['content-security-policy'], "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; frame-src https://odd.example.org:8443/out%3Ba%2Cb");
	const sources = [...page.text.matchAll(/<iframe src="([^"]*)"/g)].map((match) => match[1].replaceAll('&amp;', '&'));
	assert.deepEqual(sources, [`https://odd.example.org:8443/out;a,b?x=1;y&z=%22&iss=${encodeURIComponent(iss)}&sid=${sid}`]);
	assert.doesNotMatch(page.text, /<img|<script/);
	assert.match(page.headers.refresh, /^3; url=\/signout\?request=[\w-]+$/);
	const next = page.headers.refresh.slice('3; url='.length);
	assert.ok(saidGoodbye({ page: await got.browser.get(next) }));
	assert.equal((await new Browser(frames).get(next)).status, 400);
});

test('the_global_issuer_has_an_end_session_of_its_own', async () => {
	const got = await obtainCode(broker, { client_id: 'global', redirect_uri: 'https://web.example.org/callback', scope: 'openid' });
	const token = (await tokenRequest(broker, 'global', { grant_type: 'authorization_code', code: got.code, redirect_uri: 'https://web.example.org/callback', code_verifier: got.verifier }, { authorization: `Basic ${Buffer.from('global:global-secret').toString('base64')}` })).json;
	const { browser } = got;
	assert.equal((await open(browser, { post_logout_redirect_uri: 'https://web.example.org/global' }, null)).page.status, 400, 'whose?');
	assert.equal((await open(browser, { client_id: 'nobody' }, null)).page.status, 400);
	assert.ok(asked(await open(browser, {}, null)));
	assert.equal((await open(browser, { id_token_hint: token.id_token, post_logout_redirect_uri: goodbye }, null)).page.status, 400);
	assert.ok(asked(await open(browser, { client_id: 'global', post_logout_redirect_uri: 'https://web.example.org/global' }, null)));
	assert.equal((await open(browser, { id_token_hint: token.id_token, post_logout_redirect_uri: 'https://web.example.org/global', state: 's' }, null)).away?.href, 'https://web.example.org/global?state=s');
	assert.ok(await isSignedOut(broker, browser));
});

test('the_confirmation_lists_the_applications_that_took_part', async () => {
	const { browser } = await signedIn(broker);
	const list = async () => [...(await browser.get('/signout')).text.matchAll(/<li>([^<]+) <span/g)].map((match) => match[1]);
	assert.deepEqual(await list(), ['Leaving application']);
	await browser.open(authorizeUrl(broker, { client_id: 'other' }));
	assert.deepEqual(await list(), ['Leaving application'], 'a code that nobody redeemed is no part yet');
	await obtainTokens(broker, { client_id: 'other' }, { browser });
	await obtainTokens(broker, { client_id: 'other', scope: 'openid offline_access' }, { browser });
	await broker.advance(2);
	await signedIn(broker, { prompt: 'login' }, { browser });
	assert.deepEqual(await list(), ['Leaving application', 'Other application'], 'also after signing in again');
	await browser.submit(await browser.get('/signout'), {}, 'signout');
	const later = await signedIn(broker, {}, { browser });
	assert.deepEqual(await (async () => [...(await later.browser.get('/signout')).text.matchAll(/<li>([^<]+) <span/g)].map((match) => match[1]))(), ['Leaving application']);
});

test('authentik_test_end_session_configuration_create_invalid_regex_and_update', async () => {
	const check = async (more) => {
		await broker.configure({ config: (b) => configuration({ port: b.port, dir: b.dir, objects: `application "x" { client_id = "x", client_secret = "x-secret-long-enough", redirect_uris = { "https://x.example.org/cb", { regex = "https://y\\\\.example\\\\.org/.*" } },\n ${more} }` }) });
		const answer = await broker.command('check');
		return answer.status === 0 ? true : answer.err + answer.out;
	};
	assert.equal(await check('post_logout_redirect_uris = { "https://x.example.org/bye", { regex = "https://x\\\\.example\\\\.org/bye/[0-9]+" } }, logout_uri = "https://x.example.org/backchannel"'), true);
	for (const bad of ['{ "https://x.example.org/#a" }', '{ "javascript:alert(1)" }', '{ { regex = ".*" } }', '{ { regex = "https://.*/bye" } }', '{ { pattern = "x" } }', '{ "/bye" }']) assert.match(await check(`post_logout_redirect_uris = ${bad}`), /tidelock\.lua:\d+:.*post_logout_redirect_uris/, bad);
	for (const good of ['logout_uri = "https://x.example.org/out?x=y"', 'logout_uri = "https://y.example.org/out"']) assert.equal(await check(`${good}, logout_method = "frontchannel"`), true, good);
	for (const bad of ['logout_uri = "https://z.example.org/out", logout_method = "frontchannel"', 'logout_uri = "http://x.example.org/out", logout_method = "frontchannel"', 'logout_uri = "/out"', 'logout_uri = "https://x.example.org/out#f"', 'logout_uri = "ftp://x.example.org/"']) assert.match(await check(bad), /tidelock\.lua:\d+:.*logout_uri/, bad);
	assert.match(await check('logout_method = "pigeon"'), /logout_method/);
	await broker.configure({ config: undefined, ...leaving() });
	const made = await broker.json('app', 'add', 'made', '--redirect-uri', 'https://m.example.org/cb', '--post-logout-redirect-uri', 'https://m.example.org/bye', '--post-logout-redirect-regex', 'https://m\\.example\\.org/[a-z]+', '--logout-uri', 'https://m.example.org/out', '--logout-method', 'frontchannel');
	assert.ok(made);
	const shown = await broker.json('app', 'show', 'made');
	const settings = JSON.stringify(shown);
	for (const text of ['https://m.example.org/bye', 'https://m\\\\.example\\\\.org/[a-z]+', 'https://m.example.org/out', 'frontchannel']) assert.ok(settings.includes(text), `${text} in ${settings}`);
	assert.notEqual((await broker.command('app', 'set', 'made', '--logout-uri', 'https://elsewhere.example.org/out')).status, 0);
	assert.equal((await broker.command('app', 'set', 'made', '--logout-uri', 'https://elsewhere.example.org/out', '--logout-method', 'backchannel')).status, 0);
});
