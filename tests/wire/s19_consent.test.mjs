// S19: what an application may know, and for how long; authentik's stages/consent cases. What was allowed is seen and taken back at "/".
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, obtainTokens, secretOf, tokenRequest } from '../harness/browser.mjs';

const day = 86400;
const uri = 'https://consents.example.org/cb';
const apps = ['remembered', 'always', 'expiring', 'implicit'].map((mode) => {
	secretOf[mode] = `${mode}-secret`;
	return `application "${mode}" { name = "The ${mode} one", client_secret = "${mode}-secret", redirect_uris = { "${uri}" }, consent = "${mode}", consent_lifetime = "2d",
	scopes = { "openid", "profile", "email", "offline_access" } }\n`;
}).join('');
const ask = (broker, browser, client_id, scope = 'openid profile', more = {}) => browser.open(authorizeUrl(broker, { client_id, redirect_uri: uri, scope, ...more }));
const asks = (at) => /id="consent"/.test(at.page?.text ?? '');
const allow = (browser, at) => browser.submit(at.page, { answer: 'allow' }, 'consent');
const signedIn = async (broker) => {
	const browser = new Browser(broker);
	await browser.signIn((await browser.open('/signin')).page);
	return browser;
};

test('always_asks_each_time_and_implicit_never_but_when_the_client_wants_it (stages/consent: always)', async () => {
	const broker = await Broker.start({ objects: apps });
	const browser = await signedIn(broker);
	for (let n = 0; n < 2; n++) {
		const at = await ask(broker, browser, 'always');
		assert.ok(asks(at));
		assert.ok((await allow(browser, at)).away.searchParams.get('code'));
	}
	assert.ok((await ask(broker, browser, 'implicit')).away);
	assert.ok(asks(await ask(broker, browser, 'implicit', 'openid', { prompt: 'consent' })));
});

test('remembered_asks_once_and_more_scopes_ask_again_showing_old_and_new (stages/consent: permanent, more scopes, same scopes)', async () => {
	const broker = await Broker.start({ objects: apps });
	const browser = await signedIn(broker);
	let at = await ask(broker, browser, 'remembered');
	assert.ok(asks(at));
	assert.doesNotMatch(at.page.text, /\(new\)/);
	await allow(browser, at);
	assert.ok((await ask(broker, browser, 'remembered')).away, 'the same scopes');
	assert.ok((await ask(broker, browser, 'remembered', 'openid')).away, 'fewer scopes');
	assert.equal((await ask(broker, browser, 'remembered', 'openid email', { prompt: 'none' })).away.searchParams.get('error'), 'consent_required');
	at = await ask(broker, browser, 'remembered', 'openid profile email');
	const items = [...at.page.text.matchAll(/<li>(.*?)<\/li>/g)].map((match) => match[1]);
	assert.deepEqual(items.map((text) => /\(new\)/.test(text)), [false, true], items.join('\n'));
	await allow(browser, at);
	await broker.advance(5 * day);
	const again = await signedIn(broker);
	assert.ok((await ask(broker, again, 'remembered', 'openid profile email')).away);
});

test('expiring_asks_again_after_its_lifetime (stages/consent: expiring)', async () => {
	const broker = await Broker.start({ objects: apps });
	let browser = await signedIn(broker);
	await allow(browser, await ask(broker, browser, 'expiring'));
	await broker.advance(day);
	browser = await signedIn(broker);
	assert.ok((await ask(broker, browser, 'expiring')).away);
	await broker.advance(day + 60);
	browser = await signedIn(broker);
	assert.doesNotMatch((await browser.get('/')).text, /The expiring one<br>/);
	assert.ok(asks(await ask(broker, browser, 'expiring')));
});

test('a_consent_that_was_given_for_good_ends_when_the_application_becomes_expiring', async () => {
	const broker = await Broker.start({ objects: apps });
	let browser = await signedIn(broker);
	await allow(browser, await ask(broker, browser, 'remembered'));
	await broker.advance(3 * day);
	await broker.configure({ objects: apps.replace('consent = "remembered"', 'consent = "expiring"') });
	await broker.stop();
	await broker.serve();
	await broker.advance(3 * day);
	browser = await signedIn(broker);
	assert.ok(asks(await ask(broker, browser, 'remembered')));
});

test('the_first_page_lists_what_was_allowed_and_takes_it_back_with_all_that_it_opened', async () => {
	const broker = await Broker.start({ objects: apps });
	const got = await obtainTokens(broker, { client_id: 'remembered', redirect_uri: uri, scope: 'openid profile email offline_access' });
	const home = (await got.browser.get('/')).text;
	const shown = /The remembered one<br>(.*?)<\/div>/s.exec(home)[1];
	assert.match(shown, /allowed \d{4}-/);
	assert.equal(shown.split(' · ').length, 3, shown);
	assert.match(shown, /without interaction/);
	const page = await got.browser.get('/');
	const csrf = /action="\/consent\/withdraw"><input type="hidden" name="csrf" value="([^"]+)"><input type="hidden" name="application" value="remembered"/.exec(page.text)[1];
	const done = await got.browser.post('/consent/withdraw', { csrf, application: 'remembered' }, { headers: { origin: broker.url } });
	assert.equal(done.status, 303);
	const userinfo = await got.browser.get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } });
	assert.equal(userinfo.status, 401);
	assert.equal((await tokenRequest(broker, 'remembered', { grant_type: 'refresh_token', refresh_token: got.refresh_token })).json.error, 'invalid_grant');
	assert.ok(asks(await ask(broker, got.browser, 'remembered')));
});
