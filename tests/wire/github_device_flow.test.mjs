// GitHub's device flow, as gh and its like use it. One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { GRANT, answer, objects as oidcObjects, poll as oidcPoll, signedIn, start as oidcStart } from '../harness/device.mjs';
import { clients, exchange, json, objects } from '../harness/github.mjs';

const broker = await Broker.start({ objects: `${objects}\n${oidcObjects}
policy "staff" { script = "staff.lua" }
application "guarded" { client_id = "guarded", client_secret = "guarded-secret", policies = { "staff" }, github = { device_flow = true } }
`, files: { 'staff.lua': 'return is_member(user, "staff"), "Staff only."' } });

const start = (client = 'tool', more = {}, headers = json) => new Browser(broker).post('/login/device/code', { client_id: clients[client]?.client_id ?? client, scope: 'repo,read:org', ...more }, { headers });
const poll = async (device_code, client = 'tool') => (await exchange(broker, { client_id: clients[client]?.client_id ?? client, device_code, grant_type: GRANT })).json;
const enter = async (browser, code) => (await browser.submit((await browser.open('/login/device')).page, { code }, 'device')).page;
const alice = await signedIn(broker);

test('the_answer_to_a_device', async () => {
	const response = await start();
	assert.equal(response.status, 200, response.text);
	const { device_code, user_code, ...rest } = response.json;
	assert.match(device_code, /^tld_[\w-]{43}$/);
	assert.match(user_code, /^[A-Z]{4}-[A-Z]{4}$/);
	assert.deepEqual(rest, { verification_uri: `${broker.url}/login/device`, expires_in: 600, interval: 5 });
	// gh reads a form.
	const form = new URLSearchParams((await start('tool', {}, {})).text);
	assert.equal(form.get('verification_uri'), `${broker.url}/login/device`);
	const body = JSON.stringify({ client_id: 'tool', scope: 'read:user' });
	assert.match((await new Browser(broker).post('/login/device/code', body, { headers: { ...json, 'content-type': 'application/json' } })).json.user_code, /-/);
});

test('who_is_unknown_and_who_may_not', async () => {
	assert.deepEqual([(await start('nobody')).status, (await start('tv')).status], [404, 404]);
	const off = await start('asking');
	assert.deepEqual([off.status, off.json.error], [400, 'device_flow_disabled']);
	assert.equal((await poll('tld_' + 'a'.repeat(43), 'asking')).error, 'device_flow_disabled');
});

test('a_person_types_the_code_agrees_and_the_device_gets_its_token', async () => {
	const { device_code, user_code } = (await start()).json;
	assert.equal((await poll(device_code)).error, 'authorization_pending');
	const page = await enter(alice, user_code.toLowerCase().replace('-', ''));
	assert.match(page.text, /Connect a device to Tool/);
	assert.match(page.text, /Read your organisations and teams/);
	assert.match(page.text, /repo \(has no effect on this server\)/);
	assert.match(page.text, /127\.0\.0\.1/);
	await answer(alice, page, 'allow');
	const got = await poll(device_code);
	assert.match(got.access_token, /^gho_\w{36}$/);
	assert.deepEqual([got.scope, got.token_type], ['repo,read:org', 'bearer']);
	assert.equal((await poll(device_code)).error, 'incorrect_device_code');
});

test('who_is_not_signed_in_signs_in_first_and_comes_back', async () => {
	const { user_code } = (await start()).json;
	const browser = new Browser(broker);
	const { page } = await browser.signIn((await browser.open(`/login/device?code=${user_code}`)).page);
	assert.ok(page.url.startsWith(`${broker.url}/login/device`), page.url);
	assert.match(page.text, new RegExp(user_code));
});

test('refusing_is_access_denied_and_the_code_is_dead', async () => {
	const { device_code, user_code } = (await start()).json;
	await answer(alice, await enter(alice, user_code), 'deny');
	assert.equal((await poll(device_code)).error, 'access_denied');
	assert.equal((await enter(alice, user_code)).status, 410);
});

test('a_code_expires', async () => {
	const { device_code } = (await start()).json;
	await broker.advance(601);
	assert.equal((await poll(device_code)).error, 'expired_token');
	assert.equal((await poll('tld_' + 'a'.repeat(43))).error, 'incorrect_device_code');
	assert.equal((await poll('')).error, 'incorrect_device_code');
});

test('slow_down_is_for_those_who_come_too_early_and_says_how_long', async () => {
	const { device_code } = (await start()).json;
	for (let polls = 0; polls < 3; polls++) {
		assert.equal((await poll(device_code)).error, 'authorization_pending', 'whoever keeps to the interval');
		await broker.advance(5);
	}
	await poll(device_code);
	const early = await exchange(broker, { client_id: 'tool', device_code, grant_type: GRANT });
	assert.deepEqual([early.status, early.json.error, early.json.interval], [200, 'slow_down', 10]);
});

test('S16_codes_of_one_side_are_unknown_to_the_other', async () => {
	const github = (await start()).json;
	assert.equal((await oidcPoll(broker, 'agent', github.device_code)).json.error, 'invalid_grant');
	assert.equal((await alice.submit((await alice.open('/device')).page, { code: github.user_code }, 'device')).page.status, 422);
	const oidc = (await oidcStart(broker, 'agent')).json;
	assert.equal((await poll(oidc.device_code)).error, 'incorrect_device_code');
	assert.equal((await enter(alice, oidc.user_code)).status, 422);
	// Nor is a found code carried over in the address.
	const page = await enter(alice, github.user_code);
	const carried = page.url.replace('/login/device', '/device');
	assert.equal((await alice.get(carried)).status, 410);
});

test('a_policy_that_refuses_tells_the_person_and_the_device', async () => {
	const { device_code, user_code } = (await start('guarded')).json;
	const bob = await signedIn(broker, 'bob', 'builder-bob');
	assert.match((await enter(bob, user_code)).text, /Staff only\./);
	assert.equal((await poll(device_code, 'guarded')).error, 'access_denied');
});
