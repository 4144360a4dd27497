// People in a real browser: signing in, consent, a wrong password, signing out, the keyboard alone, a phone's width, no script.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { Broker } from '../harness/broker.mjs';
import { authorizeUrl, pkce, redirectUri } from '../harness/browser.mjs';
import { launch, screenshot, standInFor } from '../harness/chromium.mjs';

async function setUp(options = {}, broker_options = {}) {
	const browser = await launch();
	const broker = await Broker.start({ tls: true, ...broker_options });
	const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
	await standInFor(context, 'https://web.example.org');
	await standInFor(context, 'https://careful.example.org');
	const page = await context.newPage();
	const problems = [];
	page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
	page.on('pageerror', (error) => problems.push(String(error)));
	return { broker, context, page, problems };
}
const ask = (broker, client, more = {}) => authorizeUrl(broker, { client_id: client, redirect_uri: redirectUri[client], code_challenge: pkce().challenge, code_challenge_method: 'S256', ...more });

async function signIn(page, username, password) {
	await page.fill('#username', username);
	await page.fill('#password', password);
	await page.click('#submit');
}

test('a_person_signs_in_and_arrives_at_the_application_with_a_code', async () => {
	const { broker, page, problems } = await setUp();
	await page.goto(ask(broker, 'web'));
	await screenshot(page, 'signin');
	assert.match(await page.textContent('main'), /Web application/);
	await signIn(page, 'alice', 'wonderland');
	await page.waitForSelector('#arrived');
	const arrived = new URL(page.url());
	assert.equal(arrived.origin + arrived.pathname, redirectUri.web);
	assert.match(arrived.searchParams.get('code'), /^tlc_/);
	assert.equal(arrived.searchParams.get('state'), 'st-1');
	assert.deepEqual(problems, []);
});

test('a_wrong_password_is_said_in_words_and_the_name_stays', async () => {
	const { broker, page } = await setUp();
	await page.goto(ask(broker, 'web'));
	await signIn(page, 'alice', 'not-it');
	await page.waitForSelector('#problem');
	await screenshot(page, 'wrong-password');
	assert.match(await page.textContent('#problem'), /wrong/);
	assert.equal(await page.inputValue('#username'), 'alice');
	assert.equal(await page.inputValue('#password'), '');
	await signIn(page, 'alice', 'wonderland');
	await page.waitForSelector('#arrived');
});

test('consent_is_asked_allowed_and_refused', async () => {
	const { broker, page } = await setUp();
	await page.goto(ask(broker, 'careful', { scope: 'openid profile email' }));
	await signIn(page, 'alice', 'wonderland');
	await page.waitForSelector('#allow');
	await screenshot(page, 'consent');
	assert.match(await page.textContent('h1'), /Careful application/);
	await page.click('#deny');
	await page.waitForSelector('#arrived');
	assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
	await page.goto(ask(broker, 'careful', { scope: 'openid profile email' }));
	await page.click('#allow');
	await page.waitForSelector('#arrived');
	assert.match(new URL(page.url()).searchParams.get('code'), /^tlc_/);
});

test('signing_out_ends_the_session', async () => {
	const { broker, page } = await setUp();
	await page.goto(`${broker.url}/signin`);
	await signIn(page, 'alice', 'wonderland');
	await page.waitForSelector('#greeting');
	await screenshot(page, 'home');
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'the page is wider than the window');
	await page.click('#signout');
	await page.waitForSelector('form#signout #submit');
	await page.click('#submit');
	await page.waitForSelector('#signed-out');
	await screenshot(page, 'signed-out');
	await page.goto(broker.url);
	assert.match(page.url(), /\/signin$/);
});

test('the_keyboard_alone_is_enough', async () => {
	const { broker, page } = await setUp();
	await page.goto(ask(broker, 'careful'));
	assert.equal(await page.evaluate(() => document.activeElement.id), 'username');
	await page.keyboard.type('alice');
	await page.keyboard.press('Tab');
	assert.equal(await page.evaluate(() => document.activeElement.id), 'password');
	await page.keyboard.type('wonderland');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#allow');
	for (let presses = 0; presses < 10 && (await page.evaluate(() => document.activeElement.id)) !== 'allow'; presses++) await page.keyboard.press('Tab');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#arrived');
});

test('pages_fit_a_phone_and_work_in_the_dark', async () => {
	const { broker, page } = await setUp({ viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true, colorScheme: 'dark' });
	const noSidewaysScroll = async (name) => {
		await screenshot(page, `phone-${name}`);
		const { wide, seen } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, seen: window.innerWidth }));
		assert.ok(wide <= seen, `${name} is ${wide} wide on a screen of ${seen}`);
	};
	await page.goto(ask(broker, 'careful'));
	await noSidewaysScroll('signin');
	await signIn(page, 'alice', 'wonderland');
	await page.waitForSelector('#allow');
	await noSidewaysScroll('consent');
	await page.click('#allow');
	await page.waitForSelector('#arrived');
	await page.goto(broker.url);
	await noSidewaysScroll('home');
	await page.goto(`${broker.url}/no/such/page`);
	await noSidewaysScroll('error');
});

test('everything_works_with_script_switched_off', async () => {
	const application = http.createServer((request, response) => response.end('<h1 id="arrived">Arrived</h1>')).listen(0, '127.0.0.1');
	after(() => application.close());
	await once(application, 'listening');
	const callback = `http://127.0.0.1:${application.address().port}/callback`;
	const objects = `application "plain" { name = "Plain", client_id = "plain", client_secret = "plain-secret", consent = "always", redirect_uris = { "${callback}" }, scopes = { "openid", "profile" } }`;
	const { broker, page } = await setUp({ javaScriptEnabled: false }, { objects });
	await page.goto(ask(broker, 'plain', { redirect_uri: callback }));
	await signIn(page, 'alice', 'wonderland');
	await page.click('#allow');
	await page.waitForSelector('#arrived');
	assert.match(new URL(page.url()).searchParams.get('code'), /^tlc_/);
	await page.goto(broker.url);
	await page.click('#signout');
	await page.click('#submit');
	await page.waitForSelector('#signed-out');
});

test('each_field_has_a_label_and_the_page_a_language_and_a_title', async () => {
	const { broker, page } = await setUp();
	await page.goto(ask(broker, 'web'));
	assert.equal(await page.getAttribute('html', 'lang'), 'en');
	assert.match(await page.title(), /Sign in/);
	assert.equal(await page.getByLabel('User name').getAttribute('autocomplete'), 'username');
	assert.equal(await page.getByLabel('Password').getAttribute('autocomplete'), 'current-password');
	assert.equal(await page.getByRole('button', { name: 'Sign in' }).count(), 1);
});

test('a_person_changes_the_password_and_ends_another_session', async () => {
	const { broker, context, page } = await setUp();
	await page.goto(`${broker.url}/signin`);
	await signIn(page, 'bob', 'builder-bob');
	await page.waitForSelector('#greeting');
	const elsewhere = await context.browser().newContext({ ignoreHTTPSErrors: true });
	const other = await elsewhere.newPage();
	await other.goto(`${broker.url}/signin`);
	await signIn(other, 'bob', 'builder-bob');
	await other.waitForSelector('#greeting');
	await page.reload();
	await page.click('#end-others');
	await page.waitForSelector('#done');
	await other.reload();
	assert.match(other.url(), /\/signin$/);
	await page.fill('#current', 'builder-bob');
	await page.fill('#new', 'a much longer one');
	await page.fill('#repeat', 'a much longer one');
	await page.click('#password-form button');
	await page.waitForSelector('#done');
	assert.match(await page.textContent('#done'), /changed/);
	await signIn(other, 'bob', 'a much longer one');
	await other.waitForSelector('#greeting');
});
