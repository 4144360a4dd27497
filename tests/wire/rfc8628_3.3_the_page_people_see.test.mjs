// RFC 8628 3.3 and 5: /device: who answers, for what, how often one may guess, and what ends the answer. One broker serves the
// cases that do not stop it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, formOf, tokenRequest } from '../harness/browser.mjs';
import { answer, connect, enter, objects, poll, signedIn, start } from '../harness/device.mjs';

const policies = {
	never: 'return false, "Only on <weekdays>."',
	once: 'return context.oauth_grant_type ~= "refresh_token"',
	less: 'return { scopes = { "openid" } }',
	breaks: 'return user.nothing.there',
	shows: 'return false, json.encode({ scopes = context.oauth_scopes, type = context.oauth_grant_type, who = request.user.username })',
};
const app = (name) => `application "${name}-tv" { client_secret = "tv-secret", grant_types = { device, "refresh_token" }, scopes = { "openid", "profile", "offline_access" }, policies = { "${name}" } }`;
const setting = {
	objects: `${objects}${Object.keys(policies).map((name) => `policy "${name}" { script = "${name}.lua" }\n${app(name)}`).join('\n')}
application "marked" { name = "<b>&\\"'Marked", client_secret = "tv-secret", grant_types = { device } }`,
	files: Object.fromEntries(Object.entries(policies).map(([name, text]) => [`${name}.lua`, text])),
};
const broker = await Broker.start(setting);

const asked = (client) => new Browser(broker).post('/application/o/device/', {}, { headers: basic(client, 'tv-secret') });
const polled = (client, device_code) => tokenRequest(broker, client, { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code }, basic(client, 'tv-secret'));
const userinfo = (token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
const bob = ['bob', 'builder-bob'];

test('test_device_init_the_page_is_there_out_of_the_box_and_asks_to_sign_in_first', async () => {
	const { device_code, user_code, verification_uri_complete } = (await start(broker, 'tv', { scope: 'openid email' })).json;
	const browser = new Browser(broker);
	const { page: signin } = await browser.open(verification_uri_complete);
	assert.match(signin.text, /to connect a device/);
	assert.doesNotMatch(signin.text, /id="cancel"/);
	const { page: entry } = await browser.signIn(signin);
	assert.match(entry.url, /\/device\?code=/);
	assert.equal(formOf(entry.text, 'device').fields.code, user_code, 'the code of the link stands in the form');
	// RFC 8628 5.4: the link alone has answered nothing.
	assert.equal((await poll(broker, 'tv', device_code)).json.error, 'authorization_pending');
	const { page: confirm } = await browser.submit(entry, {}, 'device');
	for (const part of [user_code, 'Television', 'Alice Liddell', 'email', '127.0.0.1', 'refuse']) assert.ok(confirm.text.toLowerCase().includes(part.toLowerCase()), part);
	assert.equal((await poll(broker, 'tv', device_code)).json.error, 'slow_down');
	const done = await answer(browser, confirm, 'allow');
	assert.match(done.text, /return to your device/);
	assert.equal((await poll(broker, 'tv', device_code)).status, 200);
});

test('a_code_may_be_typed_in_any_way', async () => {
	const browser = await signedIn(broker);
	for (const typed of [(code) => code.toLowerCase(), (code) => ` ${code.replace('-', '')} `, (code) => code.replace('-', ' '), (code) => [...code.replace('-', '')].join('-')]) {
		const { user_code } = (await start(broker, 'tv')).json;
		assert.match((await enter(browser, typed(user_code))).text, /id="answer"/, typed(user_code));
	}
});

test('what_is_no_code_is_said_so_and_stays_in_the_form', async () => {
	const browser = await signedIn(broker, ...bob);
	for (const code of ['', 'AEIO-UAEI', 'BCDF-GHJ', 'BCDF-GHJKL', '"><script>alert(1)</script>', '🦊'.repeat(8)]) {
		const page = await enter(browser, code);
		assert.equal(page.status, 422, code);
		assert.match(page.text, /no such code/);
		assert.doesNotMatch(page.text, /<script>alert/);
	}
	const long = await browser.get(`/device?code=${'x'.repeat(201)}`);
	assert.equal(long.status, 400);
	const { page } = await browser.open(`/device?code=${encodeURIComponent('"><script>')}`);
	assert.doesNotMatch(page.text, /<script>/);
});

test('security_cases_9_an_applications_name_is_text', async () => {
	const { user_code } = (await asked('marked')).json;
	const page = await enter(await signedIn(broker), user_code);
	assert.match(page.text, /&lt;b&gt;&amp;&quot;&#39;Marked/);
});

test('a_code_is_answered_once', async () => {
	const { device_code, user_code } = (await start(broker, 'tv')).json;
	const [browser, other] = [await signedIn(broker), await signedIn(broker, ...bob)];
	const [first, second] = [await enter(browser, user_code), await enter(other, user_code)];
	await answer(browser, first, 'allow');
	const late = await answer(other, second, 'allow');
	assert.equal(late.status, 410);
	assert.match(late.text, /answered already/);
	assert.match((await answer(browser, first, 'deny')).text, /answered already/, 'and not taken back');
	assert.match((await enter(browser, user_code)).text, /answered already/);
	const got = await poll(broker, 'tv', device_code);
	assert.equal((await userinfo(got.json.access_token)).json.preferred_username, 'alice');
	assert.match((await enter(browser, user_code)).text, /answered already/, 'nor after its use');
});

test('two_answers_at_once_one_counts', async () => {
	const { user_code } = (await start(broker, 'tv')).json;
	const browsers = await Promise.all(Array.from({ length: 6 }, (_, n) => signedIn(broker, ...(n % 2 ? bob : []))));
	const pages = await Promise.all(browsers.map((one) => enter(one, user_code)));
	const answers = await Promise.all(browsers.map((one, n) => answer(one, pages[n], n % 3 ? 'allow' : 'deny')));
	assert.equal(answers.filter((page) => page.status === 200).length, 1);
});

test('S14_the_forms_are_ours', async () => {
	const { device_code, user_code } = (await start(broker, 'tv')).json;
	const browser = await signedIn(broker);
	const { page: entry } = await browser.open('/device');
	const confirm = await enter(browser, user_code);
	const [typed, answered] = [{ ...formOf(entry.text, 'device').fields, code: user_code }, { ...formOf(confirm.text, 'answer').fields, answer: 'allow' }];
	const origin = broker.url;
	for (const [target, fields] of [['/device', typed], ['/device/answer', answered]]) {
		for (const [body, headers] of [
			[{ ...fields, csrf: undefined }, { origin }], [{ ...fields, csrf: 'x' }, { origin }], [fields, { origin: 'https://evil.example.org' }],
			[fields, { 'sec-fetch-site': 'same-site' }], [{ ...fields, csrf: target === '/device' ? answered.csrf : typed.csrf }, { origin }],
		]) {
			if (body.csrf === undefined) delete body.csrf;
			const response = await browser.post(target, body, { headers });
			assert.ok([400, 403].includes(response.status), `${target}: ${response.status}`);
		}
	}
	const get = await browser.get(`/device/answer?${new URLSearchParams(answered)}`);
	assert.equal(get.status, 405);
	assert.equal((await poll(broker, 'tv', device_code)).json.error, 'authorization_pending');
});

test('S13_the_confirmation_belongs_to_one_session_of_one_browser', async () => {
	const { device_code, user_code } = (await start(broker, 'tv')).json;
	const [browser, other] = [await signedIn(broker), await signedIn(broker, ...bob)];
	const confirm = await enter(browser, user_code);
	const fields = { ...formOf(confirm.text, 'answer').fields, answer: 'allow' };
	assert.equal((await other.post('/device/answer', fields, { headers: { origin: broker.url } })).status, 403);
	const { page: shown } = await other.open(confirm.url);
	assert.doesNotMatch(shown.text, /id="answer"/, 'a link to somebody else\'s confirmation shows the entry form');
	assert.doesNotMatch(shown.text, new RegExp(user_code));
	await browser.signIn((await browser.open(authorizeUrl(broker, { prompt: 'login' }))).page, ...bob); // somebody else sits there now
	assert.equal((await browser.post('/device/answer', fields, { headers: { origin: broker.url } })).status, 403);
	const request = new URL(confirm.url).searchParams.get('request');
	for (const target of [`/consent?request=${request}`, `/application/o/authorize/?request=${request}`, `/signin?request=${request}`]) {
		assert.ok((await browser.get(target)).status >= 302, 'and is no request of another page');
	}
	assert.equal((await poll(broker, 'tv', device_code)).json.error, 'authorization_pending');
});

test('S13_a_confirmation_that_lay_too_long_is_typed_again', async () => {
	const { user_code } = (await start(broker, 'tv')).json;
	const browser = await signedIn(broker);
	const confirm = await enter(browser, user_code);
	await broker.advance(901);
	assert.match((await browser.get(confirm.url)).text, /id="device"/);
	assert.equal((await answer(browser, confirm, 'allow')).status, 400);
});

test('security_cases_17_CVE-2024-38371_the_applications_policy_decides', async () => {
	const browser = await signedIn(broker);
	const refusedBy = async (name) => {
		const { device_code, user_code } = (await asked(`${name}-tv`)).json;
		const page = await enter(browser, user_code);
		assert.equal(page.status, 403, name);
		assert.deepEqual((await polled(`${name}-tv`, device_code)).json.error, 'access_denied');
		return page.text;
	};
	assert.match(await refusedBy('never'), /Only on &lt;weekdays&gt;\./);
	assert.match(await refusedBy('shows'), /device_code.*alice/);
	await refusedBy('breaks'); // a script that fails denies
	const denied = await broker.events('--kind', 'device_denied');
	assert.ok(denied.some((event) => /^policy .*never.* refused/.test(event.reason) && event.user === 'alice' && event.request_id));
	const { device_code, user_code } = (await asked('less-tv')).json;
	const confirm = await enter(browser, user_code);
	assert.doesNotMatch(confirm.text, /id="scopes"/, 'what the policy takes away is not asked for');
	await answer(browser, confirm, 'allow');
	assert.equal((await polled('less-tv', device_code)).json.scope, 'openid');
});

test('test_device_init_denied_by_policy_between_page_and_answer', async () => {
	const { device_code, user_code } = (await asked('once-tv')).json;
	const browser = await signedIn(broker);
	const confirm = await enter(browser, user_code);
	assert.match(confirm.text, /id="answer"/);
	await broker.configure({ objects: setting.objects.replace('policies = { "once" }', 'policies = { "never" }') });
	broker.signal('SIGHUP');
	await eventually(() => broker.log.includes('reloaded'), 10);
	assert.equal((await answer(browser, confirm, 'allow')).status, 403);
	assert.equal((await polled('once-tv', device_code)).json.error, 'access_denied');
});

test('S5_a_device_outlives_the_session_and_ends_with_the_consent', async () => {
	const browser = await signedIn(broker);
	const got = await connect(broker, 'tv', { scope: 'openid profile offline_access' }, { browser });
	const short = await connect(broker, 'tv', { scope: 'openid' }, { browser });
	await browser.submit(await browser.get('/signout'), {}, 'signout');
	for (const token of [got, short]) assert.equal((await userinfo(token.json.access_token)).status, 200);
	const again = await signedIn(broker);
	const home = await again.get('/');
	assert.match(home.text, /Television/);
	const csrf = /action="\/consent\/withdraw"[^>]*>\s*<input type="hidden" name="csrf" value="([^"]+)"/.exec(home.text)[1];
	// What has been approved and not yet fetched ends too.
	const waiting = (await start(broker, 'tv')).json;
	await answer(again, await enter(again, waiting.user_code), 'allow');
	assert.equal((await again.post('/consent/withdraw', { csrf, application: 'tv' }, { headers: { origin: broker.url } })).status, 303);
	for (const token of [got, short]) assert.equal((await userinfo(token.json.access_token)).status, 401);
	const refreshed = await tokenRequest(broker, 'tv', { grant_type: 'refresh_token', refresh_token: got.json.refresh_token }, basic('tv', 'tv-secret'));
	assert.equal(refreshed.json.error, 'invalid_grant');
	assert.equal((await poll(broker, 'tv', waiting.device_code)).json.error, 'access_denied');
});

test('S4_who_is_disabled_after_the_approval_gives_nothing', async () => {
	const { device_code, user_code } = (await start(broker, 'tv')).json;
	const browser = await signedIn(broker, ...bob);
	await answer(browser, await enter(browser, user_code), 'allow');
	assert.equal((await broker.command('user', 'disable', 'bob')).status, 0);
	const response = await poll(broker, 'tv', device_code);
	assert.equal(response.status, 400);
	assert.ok(['access_denied', 'invalid_grant'].includes(response.json.error), response.text);
	assert.equal((await broker.command('user', 'enable', 'bob')).status, 0);
	assert.equal((await poll(broker, 'tv', device_code)).status, 400, 'and enabling gives nothing back');
	await broker.advance(2);
});

test('who_and_what_is_deleted_takes_its_requests_along', async () => {
	const made = await broker.json('app', 'add', 'radio', '--grant', 'urn:ietf:params:oauth:grant-type:device_code', '--scope', 'openid');
	assert.equal((await broker.command('user', 'add', 'carol', '--password-stdin', { input: 'higher further\n' })).status, 0);
	const radio = (await new Browser(broker).post('/application/o/device/', {}, { headers: basic(made.client_id, made.client_secret) })).json;
	const tv = (await start(broker, 'tv')).json;
	const browser = await signedIn(broker, 'carol', 'higher further');
	for (const { user_code } of [radio, tv]) await answer(browser, await enter(browser, user_code), 'allow');
	assert.equal((await broker.command('app', 'delete', 'radio')).status, 0);
	const gone = await broker.command('user', 'delete', 'carol');
	assert.equal(gone.status, 0, gone.err);
	assert.equal((await poll(broker, 'tv', tv.device_code)).json.error, 'invalid_grant');
});

test('S31_events_tell_who_approved_what_and_no_code', async () => {
	const { device_code, user_code } = (await start(broker, 'tv', { scope: 'openid profile' })).json;
	const browser = await signedIn(broker);
	const confirm = await enter(browser, user_code);
	const done = await answer(browser, confirm, 'allow');
	const id = /Request ([\w-]+)/.exec(done.text)[1];
	const approved = (await broker.events('--kind', 'device_approved')).find((event) => event.request_id === id);
	assert.deepEqual([approved.user, approved.reason], ['alice', 'openid profile: alice, for a device at 127.0.0.1']);
	const everything = JSON.stringify(await broker.events()) + broker.log;
	const stored = (await Promise.all(['tidelock.db', 'tidelock.db-wal'].map((name) => readFile(path.join(broker.dir, 'data', name)).catch(() => '')))).map(String).join('');
	for (const secret of [device_code, user_code, user_code.replace('-', '')]) {
		assert.ok(!everything.includes(secret), 'in events or log');
		assert.ok(!stored.includes(secret), 'in the database');
	}
});
