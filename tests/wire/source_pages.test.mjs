// Ways to sign in beside the password: what the page offers, what an application demands, a sign-in that has to be fresh (S28), and
// accounts that a person connects with the password of here.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { authorizeUrl, formOf, redirectUri } from '../harness/browser.mjs';
import { Person, callback, declared, upstreamAt } from '../harness/upstream.mjs';
import { Oidc, PEOPLE } from '../upstream/oidc.mjs';

const names = ['open', 'second', 'shy', 'secret', 'trusting', 'pooled'];
const doubles = {};
for (const name of names) doubles[name] = await upstreamAt((web) => new Oidc({ web }, { iss: name !== 'shy', people: PEOPLE }));
const source = (name, more = {}) => declared(name, { kind: 'oidc', name: `The ${name} one`, issuer: doubles[name].issuer, client_id: 'tidelock', client_secret: 'quiet', ...more });
const application = (name, more) => `application "${name}" { name = "${name[0].toUpperCase() + name.slice(1)}", client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile" }, consent = "implicit", ${more} }\n`;
const broker = await Broker.start({
	settings: 'allow_test_sources = true',
	objects: source('open') + source('second') + source('shy', { visibility: 'application' }) + source('secret', { visibility: 'hidden' }) + source('trusting', { reauthenticate: 'trust', visibility: 'hidden' }) + source('pooled', { visibility: 'hidden' })
		+ 'subject_pool "people" { sources = { "open", "second", "shy", "secret", "trusting" } }\n'
		+ declared('anybody', { kind: 'basic', name: 'Anybody', visibility: 'application' })
		+ application('one', 'sources = { "shy" }') + application('two', 'sources = { "open", "secret" }') + application('three', 'sources = { "anybody" }')
		+ application('feeder', 'grant_types = { "authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange" }') + application('strict', 'sources = { "open" }, federated = { "feeder" }')
		+ application('tv', 'sources = { "open" }, grant_types = { "authorization_code", "urn:ietf:params:oauth:grant-type:device_code" }'),
});
for (const name of names) doubles[name].register({ client_id: 'tidelock', client_secret: 'quiet', redirect_uris: [callback(broker, name)] });
const ask = (client_id, more = {}) => authorizeUrl(broker, { client_id, redirect_uri: redirectUri.web, ...more });
const ways = (page) => [...page.text.matchAll(/id="source-([^"]+)"/g)].map((match) => match[1]);
const take = (person, page, name) => person.open(new RegExp(`href="([^"]+)" id="source-${name}"`).exec(page.text)[1].replaceAll('&amp;', '&'));
const asked = (name) => doubles[name].asked.findLast(({ path }) => path === '/authorize').query;
const who = async (person) => /id="username">([^<]*)/.exec((await person.get('/')).text)?.[1];

test('the_page_offers_what_is_public_and_goes_back_to_the_application', async () => {
	const person = new Person(broker);
	const { page } = await person.open(ask('web', { login_hint: 'ada@upstream.example', state: 'kept' }));
	assert.deepEqual(ways(page), ['open', 'second']);
	assert.match(page.text, /id="signin"/);
	assert.match(page.text, /Continue with The open one/);
	const there = await take(person, page, 'open');
	assert.equal(asked('open').login_hint, 'ada@upstream.example');
	assert.equal(asked('open').prompt, undefined);
	const { away } = await person.choose(there, 'ada');
	assert.equal(away.origin + away.pathname, redirectUri.web);
	assert.equal(away.searchParams.get('state'), 'kept');
	assert.match(away.searchParams.get('code'), /^tlc_/);
	// The upstream knows the person still; so do we.
	const again = await person.open(ask('web'));
	assert.match(again.away.searchParams.get('code'), /^tlc_/);
});

test('a_sign_in_page_of_nobody_leads_home', async () => {
	const person = new Person(broker);
	const { page } = await person.choose(await take(person, await person.get('/signin'), 'second'), 'grace');
	assert.match(page.text, /Hello Grace Hopper/);
	assert.match(page.text, /The second one: /);
	assert.doesNotMatch(page.text, /account-list[\s\S]*Disconnect[\s\S]*app-passwords/, 'the only way in stays');
	assert.match(page.text, /Only who has a password here can connect/);
});

test('an_application_that_demands_one_source_leads_straight_there, and nobody_else_comes_in', async () => {
	const person = new Person(broker);
	await person.signIn(await person.get('/signin'));
	const silent = await person.open(ask('one', { prompt: 'none' }));
	assert.equal(silent.away.searchParams.get('error'), 'login_required', 'a password is not what it takes');
	const there = await person.open(ask('one'));
	assert.match(there.page.text, /id="choose"/);
	const refused = await person.choose(there);
	assert.equal(refused.page.status, 403);
	assert.match(refused.page.text, /stopped the sign-in|says: /);
	const { away } = await person.choose(await person.open(ask('one')), 'ada');
	assert.match(away.searchParams.get('code'), /^tlc_/);
	assert.match((await person.open(ask('one', { prompt: 'none' }))).away.searchParams.get('code'), /^tlc_/);
});

test('of_several_that_are_demanded_all_are_offered, without_a_password', async () => {
	const person = new Person(broker);
	const { page } = await person.open(ask('two'));
	assert.deepEqual(ways(page), ['open', 'secret']);
	assert.doesNotMatch(page.text, /id="signin"/);
	const sealed = new URL(/href="(\/source[^"]+)" id="source-open"/.exec(page.text)[1], broker.url).searchParams.get('request');
	const closed = await person.get(`/source/oauth/login/second/?request=${encodeURIComponent(sealed)}`);
	assert.equal(closed.status, 403);
	const { away } = await person.choose(await take(person, page, 'secret'), 'grace');
	assert.match(away.searchParams.get('code'), /^tlc_/);
});

test('S28_a_forced_sign_in_is_asked_of_the_upstream_and_must_be_proven', async () => {
	const person = new Person(broker);
	await person.choose(await take(person, (await person.open(ask('web'))).page, 'open'), 'ada');
	const { page } = await person.open(ask('web', { prompt: 'login' }));
	const there = await take(person, page, 'open');
	assert.deepEqual([asked('open').prompt, asked('open').max_age], ['login', '0']);
	const { away } = await person.choose(there, 'ada');
	assert.match(away.searchParams.get('code'), /^tlc_/);
	const aged = await person.open(ask('web', { max_age: '600' }));
	assert.match(aged.away.searchParams.get('code'), /^tlc_/, 'our own login is young enough');
	const { page: choice } = await person.open(ask('web', { prompt: 'select_account' }));
	const other = await person.submit(choice, { choice: 'other' }, 'account');
	await take(person, other.page, 'open');
	assert.deepEqual([asked('open').prompt, asked('open').max_age], ['select_account', undefined]);
});

test('S28_without_the_proof_the_password_is_asked, or_the_client_is_told', async () => {
	for (const auth_time of [undefined, Math.floor(Date.now() / 1000) - 600, 'now']) {
		const person = new Person(broker);
		const { page } = await person.open(ask('web', { prompt: 'login' }));
		doubles.open.alterToken = ({ claims }) => { claims.auth_time = auth_time; };
		const back = await person.choose(await take(person, page, 'open'), 'ada');
		doubles.open.heal();
		assert.match(back.page.text, /The open one could not prove/, String(auth_time));
		assert.deepEqual(ways(back.page), ['second']);
		const { away } = await person.signIn(back.page);
		assert.match(away.searchParams.get('code'), /^tlc_/);
	}
	const person = new Person(broker);
	doubles.shy.alterToken = ({ claims }) => { delete claims.auth_time; };
	const { away } = await person.choose(await person.open(ask('one', { max_age: '0' })), 'ada');
	doubles.shy.heal();
	assert.equal(away.searchParams.get('error'), 'login_required');
	assert.ok((await broker.events('--kind', 'sign_in_failed')).some((event) => /did not prove a sign-in as recent/.test(event.reason)));
});

test('S28_a_source_that_the_owner_trusts_needs_no_proof', async () => {
	const person = new Person(broker);
	const { page } = await person.open(ask('web', { prompt: 'login' }));
	const sealed = formOf(page.text, 'signin').fields.request;
	doubles.trusting.alterToken = ({ claims }) => { delete claims.auth_time; };
	const { away } = await person.choose(await person.open(`/source/oauth/login/trusting/?request=${encodeURIComponent(sealed)}`), 'ada');
	doubles.trusting.heal();
	assert.match(away.searchParams.get('code'), /^tlc_/);
});

test('security_cases_4_an_account_is_connected_with_the_password_of_here_and_then_signs_in', async () => {
	const person = new Person(broker);
	const home = (await person.signIn(await person.get('/signin'))).page;
	const wrong = await person.submit(home, { source: 'pooled', password: 'no' }, 'connect-form');
	assert.equal(wrong.page.status, 403);
	assert.match(wrong.page.text, /Nothing was connected/);
	const there = await person.submit(home, { source: 'pooled', password: 'wonderland' }, 'connect-form');
	const { page } = await person.choose(there, 'mallory');
	assert.match(page.text, /The account is connected/);
	assert.match(page.text, /The pooled one: /);
	assert.equal(await who(person), 'alice');
	const other = new Person(broker);
	await other.signInAt('pooled', 'mallory');
	assert.equal(await who(other), 'alice');
	// Nobody else's any more.
	const bob = new Person(broker);
	const bobs = (await bob.signIn(await bob.get('/signin'), 'bob', 'builder-bob')).page;
	const taken = await bob.choose(await bob.submit(bobs, { source: 'pooled', password: 'builder-bob' }, 'connect-form'), 'mallory');
	assert.equal(taken.page.status, 403);
	assert.match(taken.page.text, /Connecting The pooled one did not work/);
	assert.equal(await who(bob), 'bob');
	// Taken away, it opens nothing of hers.
	const fields = formOf((await person.get('/')).text.replace(/[\s\S]*id="account-list"/, '')).fields;
	const gone = await person.follow(await person.post('/accounts/disconnect', fields, { headers: { origin: broker.url } }));
	assert.match(gone.page.text, /no longer connected/);
	const stranger = new Person(broker);
	await stranger.signInAt('pooled', 'mallory');
	assert.notEqual(await who(stranger), 'alice');
	const kinds = (await broker.events('--user', 'alice')).map((event) => event.kind);
	assert.ok(kinds.includes('account_connected') && kinds.includes('account_disconnected'));
});

test('security_cases_4_connecting_belongs_to_the_session_that_asked', async () => {
	const person = new Person(broker);
	const home = (await person.signIn(await person.get('/signin'))).page;
	const fields = formOf(home.text, 'connect-form').fields;
	const continuing = await person.post('/accounts/connect', { ...fields, source: 'open', password: 'wonderland' }, { headers: { origin: broker.url } });
	const way = /^0; url=(.*)$/.exec(continuing.headers.refresh)[1];
	const upstream = (await person.get(way)).headers.location;
	// Signed out meanwhile, the answer connects nothing.
	const cookies = new Map(person.cookies);
	await person.submit(await person.get('/signout'), {}, 'signout');
	const late = await person.choose(await person.open(upstream), 'grace');
	assert.equal(late.page.status, 400);
	for (const [name, value] of cookies) if (name.endsWith('browser')) person.cookies.set(name, value);
	assert.equal((await person.get(way)).status, 400);
	const strange = new Person(broker);
	assert.equal((await strange.get(way)).status, 400);
	// Whoever has permissions is connected with nothing (S25).
	const root = new Person(broker);
	const roots = (await root.signIn(await root.get('/signin'), 'root', 'root-of-all')).page;
	assert.doesNotMatch(roots.text, /id="connect-form"/);
	assert.match(roots.text, /You have permissions here/);
});

test('a_device_of_an_application_that_demands_a_source_is_answered_by_who_came_from_there', async () => {
	const person = new Person(broker);
	const started = await person.post('/application/o/device/', { client_id: 'tv', client_secret: 'tv-secret', scope: 'openid' }, { cookies: false });
	await person.signIn(await person.get('/signin'));
	const { page } = await person.open(`/device?code=${started.json.user_code}`);
	const there = await person.submit(page, {}, 'device');
	assert.match(there.page.text, /id="choose"/, 'the password was not enough');
	const back = await person.choose(there, 'ada');
	const confirm = await person.submit(back.page, {}, 'device');
	assert.match(confirm.page.text, /id="device_answer"|Ada Lovelace/);
});

test('dex GHSA-7qjx: no_exchange_goes_round_the_source_that_an_application_demands', async () => {
	const person = new Person(broker);
	const token = async (away, client) => (await person.post('/application/o/token/', { grant_type: 'authorization_code', code: away.searchParams.get('code'), redirect_uri: redirectUri.web, client_id: client, client_secret: `${client}-secret` }, { cookies: false })).json.access_token;
	const exchange = async (subject_token) => person.post('/application/o/token/', { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: 'strict', client_id: 'feeder', client_secret: 'feeder-secret' }, { cookies: false });
	const { away } = await person.signIn((await person.open(ask('feeder'))).page);
	const refused = await exchange(await token(away, 'feeder'));
	assert.deepEqual([refused.status, refused.json.error], [400, 'invalid_target']);
	assert.match(refused.json.error_description, /certain sources/);
	await person.submit(await person.get('/signout'), {}, 'signout');
	const { page } = await person.open(ask('feeder'));
	const back = await person.choose(await take(person, page, 'open'), 'ada');
	assert.equal((await exchange(await token(back.away, 'feeder'))).status, 200);
});

test('made_up_codes_are_not_sent_on_without_end', async () => {
	const person = new Person(broker);
	let last;
	for (let i = 0; i < 22; i++) {
		const state = new URL((await person.get('/source/oauth/login/second/', { from: '127.0.0.9' })).headers.location).searchParams.get('state');
		last = await person.get(`/source/oauth/callback/second/?${new URLSearchParams({ code: `made-up-${i}`, state, iss: doubles.second.issuer })}`, { from: '127.0.0.9' });
	}
	assert.equal(last.status, 429, last.text);
	assert.match(last.text, /Too many sign-ins/);
	assert.match((await new Person(broker).signInAt('second', 'ada')).page.text, /Hello Ada/, 'elsewhere nobody waits');
});

test('C5_15_a_source_that_believes_everybody_says_so (IAM_BASIC_IDP)', async () => {
	const person = new Person(broker);
	const { page } = await person.open(ask('three'));
	assert.match(page.text, /id="warning">This is for testing/);
	const { away } = await person.submit(page, { username: 'tester' }, 'test-source');
	assert.match(away.searchParams.get('code'), /^tlc_/);
	assert.equal(await who(person), 'tester');
	const planted = await new Person(broker).post('/source/oauth/login/anybody/', { ...formOf(page.text, 'test-source').fields, username: 'tester' }, { headers: { origin: broker.url } });
	assert.equal(planted.status, 403);
	assert.equal((await person.post('/source/oauth/login/open/', {}, { headers: { origin: broker.url } })).status, 405);
});

