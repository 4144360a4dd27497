// private_key_jwt with a jwks_uri: keys are fetched once, kept, fetched again when a token names a new one, and never so often
// that somebody could use us to knock at the client's door. What fails there is nobody else's trouble.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { Broker } from '../harness/broker.mjs';
import { Browser, redirectUri } from '../harness/browser.mjs';
import { assertionClaims, assertionForm, keyPair, signed } from '../harness/assertions.mjs';

// What the client publishes: `answer` decides per path.
const asked = [];
let answer = () => ({ status: 404 });
const held = [];
const server = http.createServer((request, response) => {
	asked.push(request.url);
	const { status = 200, body = '', headers = {}, hold } = answer(request.url, request);
	const send = () => { response.writeHead(status, { 'content-type': 'application/json', ...headers }); response.end(typeof body === 'string' ? body : JSON.stringify(body)); };
	if (hold) held.push(send); else send();
}).listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => { server.closeAllConnections(); server.close(); });
const base = `http://127.0.0.1:${server.address().port}`;

const app = (name, path = `/${name}`) => `application "${name}" { client_id = "${name}", token_endpoint_auth_method = "private_key_jwt", jwks_uri = "${base}${path}", redirect_uris = { "${redirectUri.web}" } }\n`;
const names = ['steady', 'rotating', 'knocked', 'crowd', 'slow', 'broken', 'recovers', 'redirected', 'large', 'private', 'closed'];
const broker = await Broker.start({ settings: 'outgoing = { allow = { "127.0.0.1" } }', objects: names.map((name) => app(name)).join('') });
let place = 0, offset = 0;
const later = async (seconds) => { await broker.advance(seconds); offset += seconds; };
const assertion = (client, key, headers) => signed(key, assertionClaims(client, broker.issuer(client), {}, Date.now() / 1000 + offset), headers);
const ask = (client, key, headers) => new Browser(broker).post('/application/o/introspect/', { token: 'x', ...assertionForm(assertion(client, key, headers)) }, { from: `127.3.${++place >> 8}.${place & 255}` });
const believed = async (...given) => { const got = await ask(...given); assert.equal(got.status, 200, got.text); };
const refused = async (why, ...given) => { const got = await ask(...given); assert.deepEqual([got.status, got.json.error], [401, 'invalid_client'], got.text); assert.match(got.json.error_description, why); };
const count = (name) => asked.filter((path) => path === `/${name}`).length;
const first = keyPair('ES256', 'first'), second = keyPair('RS256', 'second'), stranger = keyPair('ES256', 'first');
const publish = (...keys) => ({ body: { keys: keys.map((key) => key.jwk) } });

test('keys_are_fetched_once_and_kept_for_five_minutes', async () => {
	answer = () => publish(first);
	for (let i = 0; i < 5; i++) await believed('steady', first);
	await refused(/no key of the client/, 'steady', stranger);
	await believed('steady', { ...first, kid: undefined });
	assert.equal(count('steady'), 1, 'a wrong signature under a known name asks nobody');
	await later(301);
	await believed('steady', first);
	assert.equal(count('steady'), 2);
});

test('a_new_key_is_found_at_once_and_strangers_cannot_make_us_ask_again_and_again', async () => {
	answer = () => publish(first);
	await believed('rotating', first);
	await later(31);
	answer = () => publish(first, second);
	await believed('rotating', second);
	assert.equal(count('rotating'), 2);
	for (let i = 0; i < 30; i++) await refused(/no key/, 'rotating', keyPair('ES256', `unknown-${i}`));
	assert.equal(count('rotating'), 2, 'within half a minute nobody asks again');
	await later(31);
	await Promise.all(Array.from({ length: 10 }, (_, i) => refused(/no key/, 'rotating', keyPair('ES256', `other-${i}`))));
	assert.equal(count('rotating'), 3, 'and then once');
	answer = () => publish(second);
	await later(301);
	await refused(/no key/, 'rotating', first);
	await believed('rotating', second);
});

test('one_flight_at_a_time_and_a_slow_answer_delays_nobody_else', async () => {
	answer = (path) => ({ ...publish(first), hold: path === '/crowd' });
	const crowd = Array.from({ length: 20 }, () => ask('crowd', first));
	while (!held.length) await new Promise((resolve) => setTimeout(resolve, 5));
	await believed('knocked', first);
	assert.equal(count('crowd'), 1);
	held.splice(0).forEach((send) => send());
	assert.deepEqual([...new Set((await Promise.all(crowd)).map((got) => got.status))], [200]);
	assert.equal(count('crowd'), 1);
});

test('a_client_that_leaves_takes_nobodys_answer_along', async () => {
	answer = () => ({ ...publish(first), hold: true });
	const controller = new AbortController();
	const gone = fetch(`${broker.url}/application/o/introspect/`, { method: 'POST', signal: controller.signal, body: new URLSearchParams({ token: 'x', ...assertionForm(assertion('slow', first)) }) }).catch((error) => error.name);
	while (!held.length) await new Promise((resolve) => setTimeout(resolve, 5));
	controller.abort();
	assert.equal(await gone, 'AbortError');
	const second_ = ask('slow', first);
	await new Promise((resolve) => setTimeout(resolve, 50));
	held.splice(0).forEach((send) => send());
	assert.equal((await second_).status, 200);
	assert.equal(count('slow'), 1);
});

test('what_is_wrong_there_is_said_and_keys_of_before_stay_good_for_a_day', async () => {
	const bad = { '/broken': { status: 500 }, '/redirected': { status: 302, headers: { location: `${base}/steady` } }, '/large': { body: `{"keys":[${'0,'.repeat(40000)}0]}` }, '/closed': { body: '<html>' }, '/private': { body: { keys: [{ ...first.privateKey.export({ format: 'jwk' }), kid: 'first' }] } } };
	answer = (path) => bad[path] ?? publish(first);
	for (const client of ['broken', 'redirected', 'large', 'closed', 'private']) await refused(/keys of the client cannot be had\.$/, client, first);
	const reasons = JSON.stringify(await broker.events('--kind', 'client_failed'));
	for (const why of ['status 500', 'status 302', 'could not be fetched: too_large', 'is not a key set', 'private key']) assert.ok(reasons.includes(`jwks_uri `) && reasons.includes(why), `the owner finds why: ${why}`);
	await refused(/cannot be had/, 'broken', first);
	assert.equal(count('broken'), 1, 'a door that is shut is not knocked at by every request');
	await believed('recovers', first);
	await later(301);
	answer = () => ({ status: 503 });
	await believed('recovers', first);
	await refused(/cannot be had/, 'broken', first);
	answer = () => publish(first);
	await later(31);
	await believed('broken', first);
	answer = () => ({ status: 503 });
	await later(86401);
	await refused(/cannot be had/, 'recovers', first);
});

test('security_cases_8_private_addresses_are_asked_only_where_the_owner_allows_it', async () => {
	const guarded = await Broker.start({ objects: app('steady') + `application "numbers" { client_id = "numbers", token_endpoint_auth_method = "private_key_jwt", jwks_uri = "http://2130706433:${server.address().port}/numbers" }` });
	answer = () => publish(first);
	const before = asked.length;
	for (const client of ['steady', 'numbers']) {
		const got = await new Browser(guarded).post('/application/o/introspect/', { token: 'x', ...assertionForm(signed(first, assertionClaims(client, guarded.issuer(client)))) });
		assert.equal(got.status, 401);
		assert.match(got.json.error_description, /cannot be had/);
	}
	assert.equal(asked.length, before);
	assert.match(JSON.stringify(await guarded.events('--kind', 'client_failed')), /blocked/);
});
