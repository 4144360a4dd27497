// The upstream is down, slow, elsewhere or out of its mind: the person reads what to do, the owner why, nobody is half made, and those
// who sign in with a password notice nothing. (Issue: bad input and faults)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { callback, declared, isSignedIn, later, Person, teller, upstreamAt, userNames } from '../harness/upstream.mjs';
import { Oidc } from '../upstream/oidc.mjs';
import { OAuth2 } from '../upstream/oauth2.mjs';

const op = await upstreamAt((origin) => new Oidc({ web: origin }));
const stuck = await upstreamAt((origin) => new Oidc({ web: origin }));
const plain = await upstreamAt((origin) => new OAuth2({ web: origin }));
const client = { client_id: 'broker', client_secret: 'broker-secret' };
const source = (name, double, more) => declared(name, { kind: 'oidc', name: 'Lighthouse', issuer: double.issuer, enrolment: true, ...client, ...more });
const strangers = Array.from({ length: 14 }, (_, i) => `stranger-${i}`); // sources that nothing is known of yet
const broker = await Broker.start({
	objects: strangers.map((name) => source(name, op)).join('') + source('op', op) + source('stuck', stuck) + declared('plain', { kind: 'oauth2', name: 'Plain place', enrolment: true, ...client, authorization_url: plain.link('web', '/oauth/authorize'), token_url: plain.link('web', '/oauth/token'),
		profile_url: plain.link('web', '/profile'), subject_attribute: 'data.user.id', username_attribute: 'data.user.handle', name_attribute: 'data.user.display', scopes: ['profile'] }),
});
for (const [double, ...names] of [[op, 'op', ...strangers], [stuck, 'stuck'], [plain, 'plain']]) double.register({ ...client, redirect_uris: names.map((name) => callback(broker, name)) });
const known = await userNames(broker);
const told = await teller(broker);

// Those that wait for an upstream that does not answer wait beside everything else.
const begun = performance.now();
stuck.spoil('/token$', 'silent', { times: 1 });
stuck.spoil('/token$', 'slow', { times: 1 });
const waiting = [new Person(broker), new Person(broker)].map((person) => person.signInAt('stuck', 'ada'));

async function fails(name, account, why, statuses = [502]) {
	const person = new Person(broker);
	const { page, here } = await person.signInAt(name, account);
	assert.ok(here && statuses.includes(page.status), `${page.status} ${page.text}`);
	assert.match(page.text, /Lighthouse|Plain place/);
	assert.match(page.text, /Try again|Sign in another way|Begin again/);
	assert.equal(isSignedIn(person), false);
	await told(why);
}
const nobodyIsHalfMade = async () => assert.deepEqual(await userNames(broker), known);

const nonsense = [
	['down', /could not be asked|cannot be had|could not be fetched/], ['html', /no JSON|no discovery|not a key set|is no/], ['huge', /too_large/], ['wrong_json', /no JSON|no discovery|not a key set|is no/],
	[['answer', { status: 503, body: 'We will be back' }], /503/], [['answer', { status: 500 }], /500/], [['redirect', { to: 'http://127.0.0.1:9/' }], /302/],
];

test('an_upstream_that_answers_nonsense_at_any_of_its_places', async () => {
	for (const path of ['/token$', '/userinfo$', '/jwks$', 'openid-configuration$']) {
		for (const [fault, why] of nonsense) {
			const [name, more] = [fault].flat();
			op.spoil(path, name, more);
			// Addresses and keys that were once learnt would be good still.
			try { await fails(/jwks|configuration/.test(path) ? strangers.shift() : 'op', 'ada', why); } finally { op.heal(); }
		}
	}
	await nobodyIsHalfMade();
});

test('what_was_learnt_before_carries_on_while_the_rest_is_down', async () => {
	await later(broker, 60, op, stuck, plain);
	const person = new Person(broker);
	await person.signInAt('op', 'ada');
	assert.ok(isSignedIn(person));
	await later(broker, 2 * 3600, op, stuck, plain);
	op.spoil('openid-configuration$', 'down');
	op.spoil('/jwks$', 'down');
	const again = new Person(broker);
	const at = await again.signInAt('op', 'ada');
	assert.ok(isSignedIn(again), at.page?.text);
	op.heal();
	known.push('ada');
	known.sort();
});

test('clocks_may_differ_by_four_minutes_and_not_by_six', async () => {
	for (const [seconds, good] of [[240, true], [-240, true], [360, false]]) {
		op.moved += seconds;
		if (good) {
			const person = new Person(broker);
			const at = await person.signInAt('op', 'ada');
			assert.ok(isSignedIn(person), at.page?.text);
		} else await fails('op', 'ada', /clock|future/);
		op.moved -= seconds;
	}
	for (const [ago, good] of [[240, true], [360, false]]) {
		op.alterToken = ({ kind, claims }) => { if (kind === 'id_token') { claims.exp = op.now() - ago; claims.iat = claims.exp - 600; } };
		if (good) {
			const person = new Person(broker);
			await person.signInAt('op', 'ada');
			assert.ok(isSignedIn(person));
		} else await fails('op', 'ada', /expired/);
		op.heal();
	}
});

test('tokens_and_profiles_of_the_wrong_shape', async () => {
	const bad = [
		['/oauth/token$', () => ({ access_token: 5 }), /no access_token/], ['/oauth/token$', () => ({ token_type: 'Bearer' }), /no access_token/], ['/oauth/token$', () => [1], /no JSON object/],
		['/oauth/token$', () => ({ access_token: 'a b\nc', token_type: 'Bearer' }), /characters/], ['/oauth/token$', () => ({ access_token: 'x', token_type: 'mac' }), /kind/],
		['/oauth/token$', () => ({ error: 'invalid_grant', error_description: 'no' }), /invalid_grant/], ['/profile$', () => ({ data: { user: {} } }), /who it is/], ['/profile$', () => ({ data: { user: { id: { a: 1 } } } }), /who it is/],
		['/profile$', () => ({ data: { user: { id: '' } } }), /who it is/], ['/profile$', () => ({ data: { user: { id: 'x'.repeat(300) } } }), /who it is/], ['/profile$', () => ({ data: { user: { id: 1.5 } } }), /who it is/],
	];
	for (const [path, change, why] of bad) {
		plain.alter(path, change);
		await fails('plain', 'olive', why, [502, 403]);
		plain.heal();
	}
	await fails('plain', 'nemo', /who it is/, [502, 403]);
	await nobodyIsHalfMade();
	const person = new Person(broker);
	const at = await person.signInAt('plain', 'olive');
	assert.ok(isSignedIn(person), at.page?.text);
	known.push('olive');
	known.sort();
});

test('those_who_wait_for_a_silent_upstream_are_told_in_time_and_delay_nobody', async () => {
	const local = new Browser(broker);
	await local.signIn(await local.get('/signin'));
	for (const { page } of await Promise.all(waiting)) {
		assert.equal(page.status, 502, page.text);
		assert.match(page.text, /Lighthouse cannot be reached/);
	}
	assert.ok(performance.now() - begun < 60000);
	await told(/timeout/);
});
