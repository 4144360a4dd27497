// S13: a request in progress is a sealed value of one browser that lives fifteen minutes and proves nothing by itself.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, formOf } from '../harness/browser.mjs';

const authorize = '/application/o/authorize/';
const continued = (sealed) => `${authorize}?request=${encodeURIComponent(sealed)}`;
// Comes to the sign-in page for an application; answers the page and the sealed request in it.
async function arrived(broker, parameters = {}, browser = new Browser(broker)) {
	const { page } = await browser.open(authorizeUrl(broker, parameters));
	return { browser, page, sealed: formOf(page.text).fields.request };
}
const isOurRefusal = (answer) => { assert.equal(answer.status, 400); assert.equal(answer.headers.location, undefined); assert.match(answer.text, /took too long|not right/); };

test('S13_another_browser_a_changed_byte_and_the_wrong_kind_of_seal_are_refused', async () => {
	const broker = await Broker.start();
	const { browser, sealed, page } = await arrived(broker);
	const stranger = new Browser(broker);
	await stranger.get('/signin');
	for (const path of [continued(sealed), `/consent?request=${encodeURIComponent(sealed)}`]) {
		isOurRefusal(await stranger.get(path));
		isOurRefusal(await new Browser(broker).get(path));
	}
	const strangers = await stranger.get('/signin');
	const planted = await stranger.post('/signin', { ...formOf(strangers.text).fields, request: sealed, username: 'alice', password: 'wonderland' }, { headers: { origin: broker.url } });
	isOurRefusal(planted);
	for (let at = 0; at < sealed.length; at += Math.ceil(sealed.length / 40)) {
		const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
		isOurRefusal(await browser.get(continued(changed)));
	}
	for (const wrong of [sealed.slice(4), sealed.slice(0, -4), `${sealed}AAAA`, sealed + sealed, browser.cookies.get('tidelock-browser'), formOf(page.text).fields.csrf, 'x', 'A'.repeat(6144)]) {
		isOurRefusal(await browser.get(continued(wrong)));
	}
	const twice = await browser.get(`${continued(sealed)}&request=x`);
	assert.equal(twice.status, 400);
	assert.equal((await browser.get(continued(sealed))).status, 302, 'the right one still works');
});

test('S13_a_request_lives_fifteen_minutes_also_on_our_pages', async () => {
	const broker = await Broker.start();
	const { browser, page } = await arrived(broker);
	await broker.advance(899);
	const { page: again } = await browser.submit(page, { username: 'alice', password: 'wrong' }, 'signin');
	assert.match(again.text, /wrong/);
	await broker.advance(2);
	const late = await browser.submit(again, { username: 'alice', password: 'wonderland' }, 'signin');
	isOurRefusal(late.page);
	assert.equal((await browser.get('/')).status, 302, 'nobody was signed in');
});

test('S13_what_does_not_fit_into_six_kilobytes_is_400', async () => {
	const broker = await Broker.start();
	const big = { state: '"'.repeat(2000), nonce: '\\'.repeat(1000), login_hint: 'h'.repeat(320) };
	const browser = new Browser(broker);
	const got = await browser.get(authorizeUrl(broker, big));
	assert.equal(got.status, 414, 'such a line is longer than lines may be');
	const posted = await browser.post(authorize, new URL(authorizeUrl(broker, big)).search.slice(1), { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
	assert.equal(posted.status, 400);
	const fits = await arrived(broker, { state: 's'.repeat(2000), nonce: 'n'.repeat(1000) });
	const { away } = await fits.browser.signIn(fits.page);
	assert.equal(away.searchParams.get('state').length, 2000);
	assert.match(away.searchParams.get('code'), /^tlc_/);
});

test('S13_a_request_seen_before_signs_nobody_in_after_sign_out', async () => {
	const broker = await Broker.start();
	const { browser, page, sealed } = await arrived(broker);
	const { response } = await browser.signIn(page);
	assert.ok(response);
	const second = await arrived(broker, { prompt: 'login' }, browser);
	await browser.submit(await browser.get('/signout'), {}, 'signout');
	isOurRefusal(await browser.get(continued(sealed)));
	const after = await browser.follow(await browser.get(continued(second.sealed)));
	assert.match(after.page.text, /id="signin"/);
});

test('S13_a_forced_sign_in_is_satisfied_by_a_later_one_only', async () => {
	const broker = await Broker.start();
	const { browser, page } = await arrived(broker);
	await browser.signIn(page);
	const cookies = new Map(browser.cookies);
	await broker.advance(2);
	const forced = await arrived(broker, { prompt: 'login' }, browser);
	// Going on without the form, with the session of before, asks again.
	const skipped = await browser.follow(await browser.get(continued(forced.sealed)));
	assert.match(skipped.page.text, /id="signin"/);
	assert.equal(skipped.away, undefined);
	// A sealed POST does not backdate it either.
	const posted = await browser.post(authorize, new URL(authorizeUrl(broker, { prompt: 'login' })).search.slice(1), { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
	const early = posted.headers.location;
	await broker.advance(5);
	const fresh = await arrived(broker, { prompt: 'login' }, browser);
	await browser.signIn(fresh.page);
	await broker.advance(2);
	assert.match((await browser.open(early)).page.text, /id="signin"/, 'a sign-in between post and get is not the one asked for');
	assert.notDeepEqual(browser.cookies, cookies);
});

test('S13_consent_is_void_when_session_or_person_changed_meanwhile (stages/consent: token mismatch)', async () => {
	const broker = await Broker.start();
	const { browser, page } = await arrived(broker, { client_id: 'careful' });
	const asked = (await browser.signIn(page)).page;
	const fields = formOf(asked.text, 'consent').fields;
	const other = await arrived(broker, { prompt: 'login' }, browser);
	await browser.signIn(other.page, 'bob', 'builder-bob');
	const answer = await browser.post('/consent', { ...fields, answer: 'allow' }, { headers: { origin: broker.url } });
	assert.equal(answer.status, 403);
	assert.ok(!(await broker.events()).some((event) => event.kind === 'consent_given'));
	// A consent given on one request's page does not answer another request that wants to ask.
	const first = (await browser.open(authorizeUrl(broker, { client_id: 'careful', state: 'one' }))).page;
	const second = (await browser.open(authorizeUrl(broker, { client_id: 'careful', state: 'two' }))).page;
	const done = await browser.submit(first, { answer: 'allow' }, 'consent');
	assert.equal(done.away.searchParams.get('state'), 'one');
	const untouched = await browser.follow(await browser.get(continued(formOf(second.text, 'consent').fields.request)));
	assert.match(untouched.page.text, /id="consent"/);
});

test('S13_strangers_write_nothing', async () => {
	const broker = await Broker.start();
	await new Browser(broker).open(authorizeUrl(broker));
	const before = (await broker.debug({ counters: true })).commits;
	for (let i = 0; i < 20; i++) {
		const browser = new Browser(broker);
		const { page } = await browser.open(authorizeUrl(broker, { state: `s${i}` }));
		assert.equal(page.status, 200);
		await browser.post(authorize, new URL(authorizeUrl(broker)).search.slice(1), { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
		await browser.get('/application/o/authorize/?client_id=nobody');
		await browser.get(`/signin?request=${'A'.repeat(100)}`);
	}
	assert.equal((await broker.debug({ counters: true })).commits, before);
});
