// What an upstream, a neighbour in time or a way round could do to those who come through a source: nothing. (S25, S26, S28; security-cases
// 4, 8, 9, 14; Akkess's PUT that replaces the set, facts: directory C2)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, formOf, redirectUri } from '../harness/browser.mjs';
import { Person, callback, declared, isSignedIn, login, teller, upstreamAt, userNames } from '../harness/upstream.mjs';
import { GitHub } from '../upstream/github.mjs';
import { Oidc, PEOPLE } from '../upstream/oidc.mjs';

const strange = `<script>alert(1)</script>"'><img src=x>`;
const unseen = ['alice\u200b', 'al\u00adice', 'alice\u00a0', '\u202eecila', 'alice\ufe0f', '\u3164alice', ' alice ', '..', '-'];
const op = await upstreamAt((web) => new Oidc({ web }, { people: [...PEOPLE, { account: 'strange', sub: 'x-1', name: strange, email: 'strange@upstream.example', email_verified: true, groups: [] },
	...unseen.map((preferred_username, index) => ({ account: `unseen-${index}`, sub: `u-${index}`, name: 'Alice', email: `u${index}@upstream.example`, email_verified: true, groups: [], more: { preferred_username } }))] }));
const source = (name, more) => declared(name, { kind: 'oidc', name: `The ${name} one`, issuer: op.issuer, client_id: name, client_secret: 'quiet', enrolment: true, ...more });
const hub = await upstreamAt((web) => new GitHub({ web, api: web }, { enterprise: true }));
const broker = await Broker.start({ settings: 'allow_test_sources = true',
	objects: source('plain') + source('trusted', { reauthenticate: 'trust', visibility: 'hidden' }) + source('grouped', { groups: true, scopes: ['groups'] }) + declared('hub', { kind: 'github', issuer: hub.link('web'), client_id: 'hub', client_secret: 'quiet', groups: true, enrolment: true }) + declared('anybody', { kind: 'basic', name: 'Anybody' })
		+ 'subject_pool "people" { sources = { "plain", "trusted" } }\n' });
for (const name of ['plain', 'trusted', 'grouped']) op.register({ client_id: name, client_secret: 'quiet', redirect_uris: [callback(broker, name)] });
hub.register({ client_id: 'hub', client_secret: 'quiet', redirect_uris: [callback(broker, 'hub')] });
const told = await teller(broker);
const groupsOf = async (username) => (await broker.json('user', 'show', username)).groups;

test('C2_of_sets_that_are_put_at_once_one_stands_whole', async () => {
	const key = (await broker.json('token', 'create', '--user', 'root', '--intent', 'api', '--scope', 'everything')).key;
	const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
	const target = '/authentication/v1/applications/web/identity-providers';
	const put = (...keys) => new Browser(broker).request('PUT', target, { headers, body: JSON.stringify(keys.map((one) => ({ adapter: 'OIDC', key: one, name: one, visibility: 'PUBLIC',
		adapterConfigOidc: { issuer: 'https://idp.example.org', audience: 'corp', usernameMapping: { attribute: 'sub' } } }))) });
	const own = async () => (await new Browser(broker).get(target, { headers })).json.map((one) => one.key).filter((one) => one.length === 1).sort().join('');
	for (let round = 0; round < 5; round++) {
		assert.equal((await put('x')).status, 204);
		const sets = ['xy', 'xz', 'xw', ''];
		const statuses = (await Promise.all(sets.map((set) => put(...set)))).map(({ status }) => status);
		const kept = sets.filter((_, index) => statuses[index] === 204);
		assert.ok(statuses.every((status) => [204, 409].includes(status)) && kept.length > 0, statuses.join());
		assert.ok(kept.map((set) => [...set].sort().join('')).includes(await own()), `${await own()} is none of ${kept}`);
	}
});

test('S28_a_sign_in_of_yesterday_is_none_of_the_last_minute_for_nobody', async () => {
	const ada = new Person(broker);
	await ada.signInAt('plain', 'ada');
	await ada.signInAt('trusted', 'ada');
	for (const session of op.sessions.values()) session.auth_time -= 8 * 3600;
	const silently = new Person(broker);
	silently.jars = ada.jars;
	assert.ok((await silently.open(login('plain'))).here, 'the upstream asks nothing');
	assert.ok(isSignedIn(silently));
	const ask = (more) => authorizeUrl(broker, { client_id: 'web', redirect_uri: redirectUri.web, ...more });
	assert.match((await silently.open(ask({}))).away.searchParams.get('code'), /^tlc_/);
	const { page } = await silently.open(ask({ max_age: '600' }));
	assert.match(page?.text ?? 'a code', /id="signin"/, 'who signed in hours ago is asked');
	assert.equal((await silently.open(ask({ max_age: '600', prompt: 'none' }))).away.searchParams.get('error'), 'login_required');
	assert.match((await silently.open(ask({ max_age: String(9 * 3600) }))).away.searchParams.get('code'), /^tlc_/);
	assert.ok((await silently.open(login('trusted'))).here);
	assert.match((await silently.open(ask({ max_age: '600' }))).away.searchParams.get('code'), /^tlc_/, 'the owner trusts this one');
});

test('more_groups_than_anybody_has_are_refused_at_once_and_make_none', async () => {
	const before = await userNames(broker);
	op.person('grace').groups = Array.from({ length: 40000 }, (_, index) => `g${index}`);
	const grace = new Person(broker);
	const { page } = await grace.signInAt('grouped', 'grace');
	assert.equal(page.status, 403, page.text);
	await told(/groups_unread \(the source tells of more than 5000 groups\)/);
	assert.deepEqual(await userNames(broker), before);
	op.person('grace').groups = [{ id: 'named', name: 'n'.repeat(200000) }];
	await grace.signInAt('grouped', 'grace');
	assert.deepEqual(await groupsOf('grace'), ['named'], 'a name that is none is left away');
});

test('pages_that_bring_ever_more_come_to_an_end (security_cases_8)', async () => {
	let pages = 0;
	const endless = (bytes, items) => ({ query }) => ({
		json: Array.from({ length: items }, (_, index) => ({ login: `o${++pages}-${index}`, padding: 'x'.repeat(bytes) })),
		headers: { link: `<${hub.link('web')}/api/v3/user/orgs?per_page=100&page=${Number(query.page ?? 1) + 1}>; rel="next"` },
	});
	for (const [handler, most, why] of [[endless(900000, 1), 12, /pages hold more than can be taken/], [endless(1, 10000), 4, /pages hold more than can be taken/]]) {
		pages = 0;
		hub.routes.unshift({ part: 'web', method: 'GET', pattern: /^\/api\/v3\/user\/orgs$/, handler });
		const asked = hub.count('/user/orgs');
		const { page } = await new Person(broker).signInAt('hub', 'octavia');
		assert.equal(page.status, 403, page.text);
		await told(why);
		assert.ok(hub.count('/user/orgs') - asked <= most, `${hub.count('/user/orgs') - asked} pages`);
	}
});

test('S25_what_came_through_an_account_goes_when_it_is_disconnected', async () => {
	op.person('ada').groups = ['engines'];
	const ada = new Person(broker);
	await broker.command('user', 'link', 'alice', '--source', 'grouped', '--subject', op.person('ada').sub);
	await ada.signInAt('grouped', 'ada');
	assert.ok((await groupsOf('alice')).includes('engines'));
	const { status } = await broker.command('user', 'link', 'alice', '--source', 'grouped', '--subject', op.person('ada').sub, '--remove');
	assert.deepEqual([status, (await groupsOf('alice')).includes('engines')], [0, false]);
	await broker.command('user', 'link', 'alice', '--source', 'grouped', '--subject', op.person('ada').sub);
	await new Person(broker).signInAt('grouped', 'ada');
	assert.ok((await groupsOf('alice')).includes('engines'));
});

test('security_cases_4_the_password_that_was_given_for_one_account_connects_no_other', async () => {
	const alice = new Person(broker);
	await alice.signIn(await alice.get('/signin'));
	const { fields } = formOf((await alice.get('/')).text, 'connect-form');
	const sent = await alice.post('/accounts/connect', { ...fields, source: 'plain', password: 'wonderland' }, { headers: { origin: broker.url } });
	const on = /^0; url=(.*)$/.exec(sent.headers.refresh)[1];
	const other = await alice.get(on.replace('/plain/', '/anybody/'));
	assert.equal(other.status, 400, other.text);
});

test('of_two_ways_in_that_are_taken_away_at_once_one_stays', async () => {
	op.person('mallory').more = { preferred_username: 'roamer' };
	const roamer = new Person(broker);
	await roamer.signInAt('plain', 'mallory');
	await broker.command('user', 'link', 'roamer', '--source', 'grouped', '--subject', op.person('mallory').sub);
	const list = (await roamer.get('/')).text.replace(/[\s\S]*id="account-list"/, '');
	const accounts = [...list.matchAll(/name="account" value="([^"]+)"/g)].map((match) => match[1]);
	assert.equal(accounts.length, 2);
	const { csrf } = formOf(list).fields;
	await Promise.all(accounts.map((account) => roamer.post('/accounts/disconnect', { csrf, account }, { headers: { origin: broker.url } })));
	const again = new Person(broker);
	for (const name of ['plain', 'grouped']) await again.signInAt(name, 'mallory');
	assert.match((await again.get('/')).text, /roamer/);
	assert.equal((await userNames(broker)).filter((name) => /roamer/.test(name)).length, 1);
	const kept = (await roamer.get('/')).text.replace(/[\s\S]*id="account-list"/, '');
	assert.equal([...kept.matchAll(/name="account"/g)].length, 0, 'the last one has no button');
});

test('nothing_that_an_upstream_says_becomes_a_page_or_a_header (security_cases_9)', async () => {
	const person = new Person(broker);
	await person.signInAt('plain', 'strange');
	assert.ok(isSignedIn(person));
	const home = await person.get('/');
	assert.ok(home.text.includes('&lt;script&gt;') && !home.text.includes('<script>alert'), home.text);
	const begun = new Person(broker);
	await begun.follow(await begun.get(login('plain')));
	const state = op.asked.findLast(({ path }) => path === '/authorize').query.state;
	const refused = await begun.get(`${callback(broker, 'plain')}?${new URLSearchParams({ state, iss: op.issuer, error: 'access_denied', error_description: strange })}`);
	assert.equal(refused.status, 403);
	assert.ok(refused.text.includes('&lt;script&gt;') && !refused.text.includes('<script>alert'), refused.text);
	for (const [index, place] of [`${op.issuer}/authorize?a=\r\nset-cookie: tidelock=evil`, 'javascript:alert(1)', '//evil.example/', 7].entries()) {
		op.alter('openid-configuration', (json) => ({ ...json, authorization_endpoint: place }));
		const fresh = await Broker.start({ objects: source('plain') });
		const answer = await new Person(fresh).get(login('plain'));
		assert.equal(answer.status, 502, `${index}: ${answer.status} ${answer.text}`);
		assert.match(answer.text, /The plain one/);
		op.heal();
		await fresh.stop?.();
	}
});

test('nobody_from_elsewhere_gets_a_name_that_looks_like_another_one_or_like_none', async () => {
	const before = await userNames(broker);
	for (const [index, name] of unseen.entries()) {
		const stranger = new Person(broker);
		const { page } = await stranger.signInAt('plain', `unseen-${index}`);
		assert.deepEqual([page.status, isSignedIn(stranger)], [403, false], JSON.stringify(name));
	}
	assert.deepEqual(await userNames(broker), before);
});

test('a_source_for_testing_has_no_callback', async () => {
	const person = new Person(broker);
	const { state } = formOf((await person.get(login('anybody'))).text).fields;
	const back = await person.get(`${callback(broker, 'anybody')}?${new URLSearchParams({ state, code: 'abc' })}`);
	assert.equal(back.status, 404, back.text);
	assert.equal((await person.post(callback(broker, 'anybody'), { state, code: 'abc' })).status, 404);
});
