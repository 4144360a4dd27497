// What an upstream publishes is remembered over a restart: while its discovery and keys cannot be had, people it vouches for still come in.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Person, callback, declared, upstreamAt } from '../harness/upstream.mjs';
import { Oidc } from '../upstream/oidc.mjs';

const up = await upstreamAt((web) => new Oidc({ web }));
const other = await upstreamAt((web) => new Oidc({ web }));
const source = (name, at) => declared(name, { kind: 'oidc', issuer: at.issuer, client_id: 'tidelock', client_secret: 'quiet' });
const broker = await Broker.start({ objects: source('up', up) + source('other', other) });
for (const [name, at] of Object.entries({ up, other })) at.register({ client_id: 'tidelock', client_secret: 'quiet', redirect_uris: [callback(broker, name)] });
const signIn = async (name, account) => { const person = new Person(broker); const { page } = await person.signInAt(name, account); return page; };
const restart = async () => { await broker.stop(); await broker.serve(); };

test('discovery_and_keys_are_good_without_the_network_after_a_restart', async () => {
	assert.match((await signIn('up', 'ada')).text, /Hello Ada/);
	await restart();
	for (const path of ['/.well-known/', '/jwks']) up.spoil(path, 'down');
	assert.match((await signIn('up', 'grace')).text, /Hello Grace/);
	// Never seen, never remembered; and what was remembered does not vouch for keys that it does not hold.
	other.spoil('/.well-known/', 'down');
	assert.match((await signIn('other', 'grace')).text, /cannot be reached/);
	up.rotate({ forget: true });
	assert.match((await signIn('up', 'mallory')).text, /cannot be believed/);
	up.heal();
	await broker.advance(31);
	assert.match((await signIn('up', 'ada')).text, /Hello Ada/);
});

test('what_comes_instead_is_not_remembered', async () => {
	await restart();
	for (const path of ['/.well-known/', '/jwks']) up.spoil(path, 'html');
	assert.match((await signIn('up', 'ada')).text, /Hello Ada/);
	await restart();
	assert.match((await signIn('up', 'ada')).text, /Hello Ada/);
	up.heal();
});
