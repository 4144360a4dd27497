// What comes back from an upstream with a browser is believed only in the browser, for the source and within the time that it was sent
// for, and once. (OpenID Connect Core 3.1.2.5, RFC 6749 10.12, RFC 9207, S13, S14; security-cases 3, 14)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { authorizeUrl } from '../harness/browser.mjs';
import { callback, declared, isSignedIn, later, login, Person, teller, upstreamAt, userNames } from '../harness/upstream.mjs';
import { Oidc } from '../upstream/oidc.mjs';

const op = await upstreamAt((origin) => new Oidc({ web: origin }));
const other = await upstreamAt((origin) => new Oidc({ web: origin }, { iss: false }));
const secret = 'secret-of-the-client';
const source = (name, title, issuer, more) => declared(name, { kind: 'oidc', name: title, issuer, client_id: name, client_secret: secret, enrolment: true, ...more });
const broker = await Broker.start({
	objects: source('op', 'Harbour', op.issuer) + source('other', 'Quay', other.issuer) + declared('front', { kind: 'oidc', name: 'Front', issuer: op.issuer, client_id: 'front', enrolment: true }),
});
op.register({ client_id: 'op', client_secret: secret, redirect_uris: [callback(broker, 'op')] });
op.register({ client_id: 'front', redirect_uris: [callback(broker, 'front')] });
other.register({ client_id: 'other', client_secret: secret, redirect_uris: [callback(broker, 'other')] });
const known = await userNames(broker);
const told = await teller(broker);

// The callback's URL as the upstream sent it, not yet opened.
async function answered(person, name = 'op', account = 'ada') {
	const page = await person.follow(await person.get(login(name)));
	assert.ok(/id="choose"/.test(page.page.text), page.page.text);
	const pending = /name="pending" value="([^"]*)"/.exec(page.page.text)[1];
	const sent = await person.post(new URL('/session/answer', page.page.url).href, account ? { pending, account } : { pending, deny: '1' });
	assert.equal(sent.status, 302, sent.text);
	return new URL(sent.headers.location);
}
async function fails(person, target, status, words, why) {
	const { page } = await person.open(target);
	assert.equal(page.status, status, page.text);
	assert.match(page.text, words);
	assert.match(page.text, /href="\/signin/, 'a way on');
	if (why) await told(why);
	return page;
}
const changed = (url, values) => {
	const copy = new URL(url);
	for (const [name, value] of Object.entries(values)) { if (value === undefined) copy.searchParams.delete(name); else copy.searchParams.set(name, value); }
	return copy.href;
};

test('an_answer_without_state_or_with_another_browsers_state_signs_nobody_in', async () => {
	const ada = new Person(broker), mallory = new Person(broker);
	const sent = await answered(ada);
	await fails(ada, changed(sent, { state: undefined }), 400, /Harbour/, /state/);
	await fails(ada, changed(sent, { state: `${sent.searchParams.get('state').slice(0, -2)}AA` }), 400, /Harbour/, /state/);
	await fails(mallory, sent.href, 400, /Harbour/, /state|browser/);
	await mallory.open(login('op'));
	await fails(mallory, sent.href, 400, /Harbour/, /state|browser/);
	assert.deepEqual([isSignedIn(mallory), op.count('/token')], [false, 0], 'nobody was asked about the code');
	await ada.open(sent.href);
	assert.ok(isSignedIn(ada), 'the right one still works');
	await fails(new Person(broker), `${callback(broker, 'op')}`, 400, /Harbour/);
});

test('an_answer_counts_once_and_for_a_quarter_of_an_hour', async () => {
	const ada = new Person(broker);
	const sent = await answered(ada);
	await ada.open(sent.href);
	assert.ok(isSignedIn(ada));
	const session = ada.cookies.get('tidelock');
	op.alter('/token$', (json) => json);
	const { page } = await ada.open(sent.href);
	assert.ok(page.status >= 400, page.text);
	assert.equal(ada.cookies.get('tidelock'), session, 'and changes nothing');
	const late = new Person(broker);
	const slow = await answered(late, 'op', 'grace');
	await later(broker, 15 * 60 + 5, op, other);
	await fails(late, slow.href, 400, /quarter of an hour|longer/, /expired|state/);
	assert.equal(isSignedIn(late), false);
});

test('parallel_answers_sign_in_once (security_cases_12)', async () => {
	const ada = new Person(broker);
	const sent = await answered(ada);
	op.codes.get(sent.searchParams.get('code')).lenient = true;
	const redeem = op.redeem;
	op.redeem = function reusable(form, client) { const grant = redeem.call(this, form, client); if (grant.used) grant.used = false; return grant; };
	const jars = Array.from({ length: 8 }, () => { const one = new Person(broker); one.cookies = new Map(ada.cookies); return one; });
	const got = await Promise.all(jars.map((one) => one.open(sent.href)));
	op.redeem = redeem;
	assert.equal(jars.filter(isSignedIn).length, 1, got.map(({ page }) => page?.status).join(' '));
});

test('the_answer_of_one_source_is_nothing_to_another (RFC 9207, security_cases_14: mix-up)', async () => {
	const ada = new Person(broker);
	const sent = await answered(ada, 'other');
	await fails(ada, sent.href.replace('/callback/other/', '/callback/op/'), 400, /Harbour/, /state|source/);
	await ada.open(login('other'));
	const mixed = new Person(broker);
	const at = await answered(mixed);
	const asked = op.count('/token');
	await fails(mixed, changed(at, { iss: other.issuer }), 502, /Harbour/, /iss/);
	await fails(mixed, changed(at, { iss: undefined }), 502, /Harbour/, /iss/);
	assert.equal(op.count('/token'), asked, 'the code was shown to nobody');
});

test('what_the_upstream_says_of_its_error_is_told_in_words', async () => {
	const ada = new Person(broker);
	const sent = await answered(ada, 'op', null);
	assert.equal(sent.searchParams.get('error'), 'access_denied');
	await fails(ada, sent.href, 403, /stopped|refused/, /access_denied/);
	for (const [status, error, description, shown] of [[502, 'server_error', 'AADSTS50105: The <b>tide</b> is "out"', /AADSTS50105: The &lt;b&gt;tide&lt;\/b&gt; is (&quot;|&#34;)out/], [502, 'temporarily_unavailable', undefined, /Harbour/], [403, 'consent_required', 'Ask your admin', /Ask your admin/], [403, '"><script>', undefined, /Harbour/]]) {
		const one = new Person(broker);
		const good = await answered(one);
		const page = await fails(one, changed(good, { code: undefined, error, error_description: description }), status, shown);
		assert.doesNotMatch(page.text, /<b>tide|<script>/);
		assert.equal(isSignedIn(one), false);
	}
	const twice = new Person(broker);
	const both = await answered(twice);
	await fails(twice, `${both.href}&state=${both.searchParams.get('state')}`, 502, /Harbour/, /more than once/);
});

test('form_post_arrives_without_cookies_and_goes_on_by_get (S13, S14)', async () => {
	const ada = new Person(broker);
	const at = await ada.open(login('front'));
	const asked = op.asked.at(-1).query;
	assert.deepEqual([asked.response_type, asked.response_mode, asked.nonce.length > 20], ['id_token', 'form_post', true]);
	const pending = /name="pending" value="([^"]*)"/.exec(at.page.text)[1];
	const sent = await ada.post(new URL('/session/answer', at.page.url).href, { pending, account: 'mallory' });
	assert.match(sent.text, /id="form-post"/);
	const fields = Object.fromEntries([...sent.text.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]));
	const posted = await ada.post(callback(broker, 'front'), fields, { cookies: false, headers: { origin: op.issuer, 'sec-fetch-site': 'cross-site' } });
	assert.equal(posted.status, 303);
	assert.equal(isSignedIn(ada), false, 'nothing has changed yet');
	const next = new URL(posted.headers.location, broker.url);
	assert.ok(next.pathname.startsWith('/source/oauth/callback/front/'));
	assert.ok(!next.href.includes(fields.id_token), 'no token in the address');
	assert.equal((await new Person(broker).open(next.href)).page.status, 400, 'not in another browser');
	await ada.open(next.href);
	assert.ok(isSignedIn(ada));
});

test('unknown_sources_do_not_exist_and_the_request_in_progress_is_finished', async () => {
	for (const path of ['/source/oauth/login/nobody/', '/source/oauth/callback/nobody/?code=x&state=y']) assert.equal((await new Person(broker).get(path)).status, 404);
	const ada = new Person(broker);
	const signin = await ada.open(authorizeUrl(broker, { login_hint: 'ada@upstream.example' }));
	const link = /href="([^"]*\/source\/oauth\/login\/op\/[^"]*)"/.exec(signin.page.text)?.[1].replaceAll('&amp;', '&');
	assert.ok(link, signin.page.text);
	const at = await ada.open(link);
	assert.equal(op.asked.at(-1).query.login_hint, 'ada@upstream.example');
	const { away } = await ada.choose(at, 'ada');
	assert.equal(away?.origin + away?.pathname, 'https://web.example.org/callback');
	assert.match(away.searchParams.get('code'), /^tlc_/);
	assert.deepEqual((await userNames(broker)).filter((name) => !known.includes(name)), ['ada', 'mallory'], 'and nobody else was made by all of this');
});

test('nothing_that_is_sent_to_a_callback_breaks_it (security_cases_18)', async () => {
	const person = new Person(broker);
	const sent = await answered(person, 'op', 'grace');
	const state = encodeURIComponent(sent.searchParams.get('state'));
	const queries = ['', '?', '?code', '?state=', '?code=x&state=%00', `?state=${state}`, `?state=${state}&code=%ff%fe`, `?state=${state}&code=${'a'.repeat(5000)}`, `?state=${state}&error=%0d%0aX:1`, `?state=${state}&error=`,
		`?state=${state}&id_token=a.b.c`, `?state[]=${state}`, '?answer=', '?answer=AAAA', `?answer=${state}`, `?answer=${state}&state=${state}`, '?%', `?state=${state}&code=x&iss=${encodeURIComponent('javascript:alert(1)')}`];
	for (const query of queries) {
		const { status, text } = await person.get(`/source/oauth/callback/op/${query}`);
		assert.ok([400, 403, 502].includes(status), `${status} for ${query}`);
		assert.doesNotMatch(text, /javascript:|id="username"/);
	}
	for (const [body, type] of [['', 'application/x-www-form-urlencoded'], ['{"state":1}', 'application/json'], ['state=1&state=2', 'application/x-www-form-urlencoded'], [`state=${'x'.repeat(70000)}`, 'application/x-www-form-urlencoded'], ['\0\x01', 'multipart/form-data'], ['code=x', undefined]]) {
		const { status, headers } = await person.post('/source/oauth/callback/op/', body, { cookies: false, headers: { origin: 'https://evil.example', ...(type ? { 'content-type': type } : {}) } });
		assert.ok([303, 400, 413, 415, 502].includes(status), `${status} for ${body.slice(0, 20)}`);
		if (status === 303) assert.ok(headers.location.startsWith(`${broker.url}/source/oauth/callback/op/?answer=`));
	}
	for (const method of ['PUT', 'DELETE']) assert.equal((await person.request(method, '/source/oauth/callback/op/')).status, 405);
	assert.equal(isSignedIn(person), false);
	await person.open(sent.href);
	assert.ok(isSignedIn(person), 'and the real answer still counts');
});
