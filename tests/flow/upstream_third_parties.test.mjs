// Upstreams that nobody of the tests wrote, without a browser's weight: node-oidc-provider and a second Tidelock sign people in, rotate
// their keys, and say when their sessions have ended.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, eventually, freePort } from '../harness/broker.mjs';
import { Browser, formOf } from '../harness/browser.mjs';
import { oidcProvider, throughItsPages } from '../harness/third_parties.mjs';
import { callback, declared, isSignedIn, login, Person } from '../harness/upstream.mjs';

const port = await freePort();
const here = { url: `http://127.0.0.1:${port}` };
const client = { client_id: 'tidelock', client_secret: 'secret:of+tidelock' };
const told = (name) => `${here.url}/source/oauth/backchannel-logout/${name}/`;
const third = await oidcProvider([{ ...client, redirect_uris: [callback(here, 'third')], scope: 'openid profile email', response_types: ['code'], grant_types: ['authorization_code'], backchannel_logout_uri: told('third'), backchannel_logout_session_required: true },
	{ client_id: 'public', token_endpoint_auth_method: 'none', redirect_uris: [callback(here, 'public')], response_types: ['code'], grant_types: ['authorization_code'] },
	{ ...client, client_id: 'elliptic', id_token_signed_response_alg: 'ES256', redirect_uris: [callback(here, 'elliptic')], response_types: ['code'], grant_types: ['authorization_code'] },
	{ ...client, client_id: 'signed', userinfo_signed_response_alg: 'RS256', redirect_uris: [callback(here, 'signed')], response_types: ['code'], grant_types: ['authorization_code'] }]);
const application = `application "first" { client_id = "tidelock", client_secret = "secret:of+tidelock", redirect_uris = { "${callback(here, 'second')}" }, scopes = { "openid", "profile" }, consent = "implicit", logout_uri = "${told('second')}", logout_method = "backchannel" }
user "selma" { name = "Selma Second", password = "second-to-none" }`;
// At rest it is not: the other broker keeps connections to it.
const second = await Broker.start({ atRest: false, settings: 'outgoing = { allow = { "127.0.0.1" } }', objects: application });
const of = (name, issuer, more) => declared(name, { kind: 'oidc', issuer, ...client, enrolment: true, ...more });
const broker = await Broker.start({ port, objects: of('third', third.issuer) + of('public', third.issuer, { client_id: 'public', client_secret: undefined }) + of('elliptic', third.issuer, { client_id: 'elliptic' }) + of('signed', third.issuer, { client_id: 'signed' }) +
	of('second', `${second.url}/application/o/first/`) });

async function atThird(name, who) {
	const person = new Person(broker);
	const at = await throughItsPages(person, await person.open(login(name)), who);
	assert.ok(isSignedIn(person), at.page?.text);
	return person;
}
const isHere = async (person) => (await person.get('/')).status === 200;

test('node_oidc_provider_signs_people_in_however_it_is_told_to_sign', async () => {
	await atThird('third', 'tom');
	await atThird('public', 'pia');
	await atThird('elliptic', 'elli');
	await atThird('signed', 'sid');
	const users = await broker.json('user', 'list');
	for (const name of ['tom', 'pia', 'elli', 'sid']) {
		const user = users.find(({ username }) => username === name);
		assert.deepEqual([user?.name, user?.email, user?.email_verified], [`${name} of elsewhere`, `${name}@third.example`, true], name);
	}
});

test('node_oidc_provider_says_that_its_session_has_ended', async () => {
	const person = await atThird('third', 'tom'), other = await atThird('third', 'tina');
	const page = await person.get(`${third.issuer}/session/end`);
	const { fields, action } = formOf(page.text);
	await person.post(action, { ...fields, logout: 'yes' });
	await eventually(async () => !(await isHere(person)));
	assert.ok(await isHere(other));
	assert.deepEqual(await broker.events('--kind', 'upstream_logout_refused'), []);
});

test('a_second_tidelock_signs_people_in_and_says_that_its_session_has_ended', async () => {
	const person = new Person(broker);
	const at = await person.open(login('second'));
	await person.submit(at.page, { username: 'selma', password: 'second-to-none' }, 'signin');
	assert.ok(await isHere(person));
	const there = new Browser(second);
	there.cookies = person.jars.get(new URL(second.url).host);
	await there.submit((await there.get('/signout')), {}, 'signout');
	await eventually(async () => !(await isHere(person)));
	assert.deepEqual(await broker.events('--kind', 'upstream_logout_refused'), []);
});
