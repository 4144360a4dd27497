// S15: what every page says to the browser, how a form goes on to a client, and that nothing people typed becomes markup.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, formOf, obtainTokens } from '../harness/browser.mjs';

const POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

function isPageOfOurs(answer, name, policy = POLICY) {
	const { headers } = answer;
	assert.match(headers['content-type'], /^text\/html; charset=utf-8$/, name);
	assert.equal(headers['content-security-policy'], policy, name);
	assert.equal(headers['x-content-type-options'], 'nosniff', name);
	assert.equal(headers['referrer-policy'], 'same-origin', name);
	assert.match(headers['cache-control'], /no-store/, name);
	assert.equal(headers['x-frame-options'], 'DENY', name);
	assert.equal(headers['access-control-allow-origin'], undefined, name);
	assert.match(headers['x-request-id'], /^[0-9a-f]{16}$/, name);
	assert.doesNotMatch(answer.text, /<script|<style|\sstyle=|\son\w+=|javascript:/i, name);
	assert.match(answer.text, /<html lang="en">/, name);
	for (const [, link] of answer.text.matchAll(/(?:src|href|action)="([^"]*)"/g)) assert.match(link, /^(\/|data:,$|#|https:\/\/web\.example)/, `${name}: ${link}`);
}

test('S15_every_kind_of_page_has_the_same_strict_headers', async () => {
	const broker = await Broker.start({ settings: 'lab = true' });
	const browser = new Browser(broker);
	const signin = await browser.get('/signin');
	isPageOfOurs(signin, 'sign-in');
	isPageOfOurs(await browser.get('/nothing'), 'not found');
	isPageOfOurs(await browser.get('/application/o/authorize/?client_id=nobody'), 'unknown application');
	isPageOfOurs(await browser.request('PUT', '/signin', { body: '' }), 'wrong method');
	const wrong = await browser.submit(signin, { username: 'alice', password: 'wrong' }, 'signin');
	isPageOfOurs(wrong.page, 'wrong password');
	isPageOfOurs(await browser.post('/signin', { username: 'a' }), 'refused form');
	const asked = (await browser.open(authorizeUrl(broker, { client_id: 'careful' }))).page;
	const continuing = await browser.post('/signin', { ...formOf(asked.text, 'signin').fields, username: 'alice', password: 'wonderland' }, { headers: { origin: broker.url } });
	isPageOfOurs(continuing, 'continue');
	const { page: consent } = await browser.follow(continuing);
	isPageOfOurs(consent, 'consent');
	isPageOfOurs((await browser.open(authorizeUrl(broker, { prompt: 'select_account' }))).page, 'choose an account');
	isPageOfOurs(await browser.get('/'), 'home');
	isPageOfOurs(await browser.get('/lab/'), 'lab');
	isPageOfOurs(await browser.get('/signout'), 'sign out');
	isPageOfOurs((await browser.submit(await browser.get('/signout'), {}, 'signout')).page, 'signed out');
	const style = await browser.get('/static/tidelock.css');
	assert.match(style.headers['content-type'], /^text\/css/);
	assert.equal(style.headers['x-content-type-options'], 'nosniff');
	for (const redirect of [await browser.get('/'), await browser.get(authorizeUrl(broker)), await browser.get(authorizeUrl(broker, { prompt: 'none' }))]) {
		assert.equal(redirect.status, 302);
		assert.match(redirect.headers['cache-control'], /no-store/);
		assert.match(redirect.headers['referrer-policy'], /same-origin|no-referrer/);
	}
});

test('S15_a_form_on_the_way_to_a_client_answers_200_and_names_our_own_next_step', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const submitted = async (page, id, values) => {
		const form = formOf(page.text, id);
		return browser.post(form.action, { ...form.fields, ...values }, { headers: { origin: broker.url } });
	};
	const page = (await browser.open(authorizeUrl(broker, { client_id: 'careful' }))).page;
	const afterSignIn = await submitted(page, 'signin', { username: 'alice', password: 'wonderland' });
	const consent = (await browser.follow(afterSignIn)).page;
	const afterConsent = await submitted(consent, 'consent', { answer: 'allow' });
	const refused = await submitted((await browser.open(authorizeUrl(broker, { client_id: 'careful' }))).page, 'consent', { answer: 'deny' });
	for (const answer of [afterSignIn, afterConsent, refused]) {
		assert.equal(answer.status, 200);
		assert.equal(answer.headers.location, undefined);
		const next = /^0; url=(.*)$/.exec(answer.headers.refresh)[1];
		assert.equal(new URL(next, broker.url).origin, broker.url);
		assert.match(next, /^(http:\/\/127\.0\.0\.1:\d+)?\/application\/o\/authorize\/\?request=[\w-]+$/);
		assert.doesNotMatch(answer.text + answer.headers.refresh, /tlc_|tla_|careful\.example\.org/);
		assert.ok(answer.text.includes(next), 'the same step as a link');
		assert.match(answer.headers['cache-control'], /no-store/);
	}
	const final = await browser.get(/^0; url=(.*)$/.exec(afterConsent.headers.refresh)[1]);
	assert.equal(final.status, 302);
	assert.match(final.headers.location, /^https:\/\/careful\.example\.org\/callback\?code=tlc_/);
});

test('security_cases_9_texts_of_others_are_text_on_every_page', async () => {
	const nasty = `"'><img src=x onerror=alert(1)>`;
	const lua = JSON.stringify(nasty);
	const broker = await Broker.start({ settings: 'lab = true', objects: `
group ${lua} {}
user "eve" { name = ${lua}, email = "eve@example.org", password = "evil-eve-1", groups = { ${lua} } }
scope_mapping "nasty" { scope = "nasty", description = ${lua}, script = "nasty.lua" }
application "nasty" { name = ${lua}, client_id = "nasty", client_secret = "nasty-secret", redirect_uris = { "https://nasty.example.org/" }, scopes = { "openid", "nasty" }, consent = "always" }`,
	files: { 'nasty.lua': `return { [${lua}] = ${lua} }` } });
	const browser = new Browser(broker);
	const clean = (answer, name) => { assert.doesNotMatch(answer.text, /<img/, name); assert.match(answer.headers['content-type'], /text\/html/); };
	const url = authorizeUrl(broker, { client_id: 'nasty', redirect_uri: 'https://nasty.example.org/', scope: 'openid nasty', state: nasty, login_hint: nasty });
	const signin = (await browser.open(url)).page;
	clean(signin, 'sign-in');
	clean((await browser.submit(signin, { username: nasty, password: nasty }, 'signin')).page, 'wrong password');
	const consent = (await browser.signIn(signin, 'eve', 'evil-eve-1')).page;
	clean(consent, 'consent');
	assert.match(consent.text, /&lt;img/);
	await browser.submit(consent, { answer: 'allow' }, 'consent');
	for (const path of ['/', '/signout', '/lab/', `/${encodeURIComponent(nasty)}`, `/application/o/authorize/?client_id=${encodeURIComponent(nasty)}`, `/application/o/authorize/?client_id=nasty&redirect_uri=${encodeURIComponent(nasty)}`,
		`/?done=${encodeURIComponent(nasty)}`, `/signin?request=${encodeURIComponent(nasty)}`, `/lab/run?application=${encodeURIComponent(nasty)}`, `/lab/callback?error=${encodeURIComponent(nasty)}&error_description=${encodeURIComponent(nasty)}&state=${encodeURIComponent(nasty)}`]) clean(await browser.get(path), path);
});

test('security_cases_2_nothing_in_a_request_chooses_where_we_send_people', async () => {
	const broker = await Broker.start();
	const { browser } = await obtainTokens(broker);
	for (const target of ['//evil.example', '/\\evil.example', '/%09/evil.example', 'https:evil.example', 'https://evil.example', '/%5cevil.example', '/%0d%0aLocation:%20https://evil.example', '/..//evil.example']) {
		for (const path of [target.startsWith('/') ? target : `/${target}`, `/signin?next=${target}`, `/signin?rd=${target}&return_to=${target}`, `/signout?next=${target}`, `/?next=${target}`, `/signin/cancel?next=${target}`]) {
			const answer = await browser.request('GET', broker.url + path).catch((error) => ({ status: 400, headers: {}, error }));
			const location = answer.headers.location;
			if (location) assert.equal(new URL(location, broker.url).origin, broker.url, `${path} leads to ${location}`);
			assert.doesNotMatch(answer.headers.refresh ?? '', /evil/);
		}
	}
	const page = await browser.get('/signout', { headers: { 'x-forwarded-host': 'evil.example', 'x-original-url': '/evil', referer: 'https://evil.example/' } });
	assert.doesNotMatch(page.text, /evil/);
});
