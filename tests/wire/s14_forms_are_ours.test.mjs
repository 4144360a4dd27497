// S14: a form that changes something comes from our page, in this browser, this session, for this form.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, formOf, obtainTokens } from '../harness/browser.mjs';

const csrfOf = (page, action) => new RegExp(`action="${action}"[^>]*>\\s*<input type="hidden" name="csrf" value="([^"]+)"`).exec(page.text)?.[1];

async function signedIn(broker, username = 'alice', password = 'wonderland') {
	const browser = new Browser(broker);
	await browser.signIn(await browser.get('/signin'), username, password);
	return browser;
}

// Every form of ours as it would be sent rightly: { action, fields }, in a browser where all of them are there.
async function forms(broker) {
	const browser = await signedIn(broker);
	await obtainTokens(broker, { client_id: 'careful' }, { browser });
	await signedIn(broker); // a second session, so that there is one to end
	const home = await browser.get('/');
	const consent = (await browser.open(authorizeUrl(broker, { client_id: 'careful' }))).page;
	const choice = (await browser.open(authorizeUrl(broker, { prompt: 'select_account' }))).page;
	const other = (await browser.open(authorizeUrl(broker, { prompt: 'login' }))).page;
	const list = [
		{ action: '/consent', fields: { ...formOf(consent.text, 'consent').fields, answer: 'allow' } },
		{ action: '/signin/account', fields: { ...formOf(choice.text).fields, choice: 'current' } },
		{ action: '/signin', fields: { ...formOf(other.text, 'signin').fields, username: 'alice', password: 'wonderland' } },
		{ action: '/consent/withdraw', fields: { csrf: csrfOf(home, '/consent/withdraw'), application: 'careful' } },
		{ action: '/sessions/end', fields: { csrf: csrfOf(home, '/sessions/end'), session: 'others' } },
		{ action: '/password', fields: { ...formOf(home.text, 'password-form').fields, current: 'wonderland', new: 'changed it', repeat: 'changed it' } },
		{ action: '/signout', fields: formOf((await browser.get('/signout')).text, 'signout').fields },
	];
	for (const { action, fields } of list) assert.ok(fields.csrf, action);
	return { browser, list };
}

test('S14_a_form_without_its_token_or_from_elsewhere_changes_nothing', async () => {
	const broker = await Broker.start();
	const { browser, list } = await forms(broker);
	const stranger = await forms(broker);
	const foreign = Object.fromEntries(stranger.list.map(({ action, fields }) => [action, fields.csrf]));
	const origin = broker.url;
	const jar = new Map(browser.cookies);
	for (const { action, fields } of list) {
		const otherForm = list.find((one) => one.action !== action).fields.csrf;
		const { csrf, ...without } = fields;
		const attempts = [
			['without a token', without, { origin }], ['an empty token', { ...fields, csrf: '' }, { origin }], ['a made-up token', { ...fields, csrf: csrf.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) }, { origin }],
			['the token of another session', { ...fields, csrf: foreign[action] }, { origin }], ['the token of another form', { ...fields, csrf: otherForm }, { origin }],
			['another Origin', fields, { origin: 'https://evil.example' }], ['a sibling Origin', fields, { origin: 'http://127.0.0.1:1' }], ['Origin null', fields, { origin: 'null' }],
			['Origin with a path', fields, { origin: `${origin}/` }],
			['Sec-Fetch-Site: cross-site', fields, { 'sec-fetch-site': 'cross-site' }], ['Sec-Fetch-Site: same-site', fields, { origin, 'sec-fetch-site': 'same-site' }], ['Sec-Fetch-Site: none', fields, { 'sec-fetch-site': 'none' }],
		];
		for (const [name, sent, headers] of attempts) {
			const answer = await browser.post(action, sent, { headers });
			assert.ok([400, 403].includes(answer.status), `${action} ${name}: ${answer.status}`);
			assert.match(answer.headers['content-type'], /^text\/html/);
			assert.equal(answer.headers['set-cookie'], undefined, `${action} ${name} set a cookie`);
			assert.doesNotMatch(answer.text, new RegExp(csrf), 'the right token is not in the refusal');
		}
		assert.ok([400, 403].includes((await new Browser(broker).post(action, fields, { headers: { origin } })).status) || action === '/signout', `${action} without cookies`);
	}
	assert.deepEqual(browser.cookies, jar);
	const home = await browser.get('/');
	assert.equal(home.status, 200, 'still signed in');
	assert.match(home.text, /id="end-others"/, 'the other session lives');
	assert.ok(csrfOf(home, '/consent/withdraw'), 'the consent stands');
	const kinds = (await broker.events()).map((event) => event.kind);
	for (const kind of ['password_changed', 'sign_out', 'session_ended', 'consent_withdrawn']) assert.ok(!kinds.includes(kind), kind);
});

test('S14_the_same_forms_sent_rightly_work', async () => {
	const broker = await Broker.start();
	const { browser, list } = await forms(broker);
	for (const { action, fields } of list.filter((one) => one.action !== '/signin')) {
		const answer = await browser.post(action, fields, { headers: { origin: broker.url, 'sec-fetch-site': 'same-origin' } });
		assert.ok([200, 303].includes(answer.status), `${action}: ${answer.status} ${answer.text}`);
		if (action === '/password') { // a new session: the tokens of before are void
			assert.ok([400, 403].includes((await browser.post('/signout', list.at(-1).fields, { headers: { origin: broker.url } })).status));
			break;
		}
	}
	await browser.submit(await browser.get('/signout'), {}, 'signout');
	assert.equal((await browser.get('/')).status, 302);
});

test('S14_a_get_changes_nothing_and_forms_are_forms', async () => {
	const broker = await Broker.start();
	const { browser, list } = await forms(broker);
	for (const { action, fields } of list) {
		const got = await browser.get(`${action}?${new URLSearchParams(fields)}`);
		assert.ok([200, 400, 405].includes(got.status), `${action}: ${got.status}`);
		for (const [type, body] of [['application/json', JSON.stringify(fields)], ['text/plain', new URLSearchParams(fields).toString()], ['multipart/form-data; boundary=x', '--x--']]) {
			const answer = await browser.post(action, body, { headers: { origin: broker.url, 'content-type': type } });
			assert.equal(answer.status, 400, `${action} ${type}`);
		}
		const twice = await browser.post(action, `${new URLSearchParams(fields)}&csrf=${encodeURIComponent(fields.csrf)}`, { headers: { origin: broker.url, 'content-type': 'application/x-www-form-urlencoded' } });
		assert.equal(twice.status, 400, `${action}: csrf twice`);
		for (const bad of ['%00', '%ff', '%', '%zz']) {
			const broken = await browser.post(action, `${new URLSearchParams(fields)}&x=${bad}`, { headers: { origin: broker.url, 'content-type': 'application/x-www-form-urlencoded' } });
			assert.equal(broken.status, 400, `${action}: ${bad}`);
		}
	}
	assert.equal((await browser.get('/')).status, 200);
});
