// S30, security-cases 10 and 17: how often a person may guess a user code, and how many codes strangers may ask for.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Broker } from '../harness/broker.mjs';
import { Browser, formOf } from '../harness/browser.mjs';
import { answer, enter, objects, poll, signedIn, start } from '../harness/device.mjs';

const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const guess = () => Array.from({ length: 8 }, () => LETTERS[Math.floor(Math.random() * LETTERS.length)]).join('');

// Sends codes from `address` with a page that was fetched once.
async function guesser(broker, browser, from) {
	const fields = formOf((await browser.open('/device')).page.text, 'device').fields;
	return (code = guess()) => browser.post('/device', { ...fields, code }, { headers: { origin: broker.url }, from });
}
async function untilThrottled(send, most = 30) {
	for (let n = 1; n <= most; n++) if ((await send()).status === 429) return n;
	return assert.fail(`${most} guesses were all looked at`);
}

test('S30_wrong_codes_slow_an_account_down_in_whatever_browser_and_the_right_one_waits_too (security_cases_10, 17)', async () => {
	const broker = await Broker.start({ objects });
	const { user_code } = (await start(broker, 'tv')).json;
	const send = await guesser(broker, await signedIn(broker));
	const tries = await untilThrottled(send);
	assert.ok(tries > 3 && tries < 15, `${tries} tries`);
	// Two seconds at most since the wait began; the longer ones come with more guesses.
	for (let n = 0; n < 6; n++) { await broker.advance(40); await send(); }
	const elsewhere = await guesser(broker, await signedIn(broker), '127.0.0.9');
	const right = await elsewhere(user_code);
	assert.equal(right.status, 429);
	assert.ok(Number(right.headers['retry-after']) > 0);
	assert.match(right.text, /Wait \d+ seconds/);
	const events = await broker.events('--kind', 'device_failed');
	assert.ok(events.length >= 1 && events.every((event) => event.user === 'alice'));
	await broker.killHard();
	await broker.serve();
	assert.equal((await (await guesser(broker, await signedIn(broker)))(user_code)).status, 429, 'after a restart too');
	const bob = await guesser(broker, await signedIn(broker, 'bob', 'builder-bob'), '127.0.0.8');
	assert.equal((await bob(user_code)).status, 303, 'nobody else is held up');
	await broker.advance(700); // the clock of the tests went back with the restart
	assert.equal((await (await guesser(broker, await signedIn(broker)))(user_code)).status, 410, 'looked at again: it has expired');
});

test('S30_guesses_at_once_all_count', async () => {
	const broker = await Broker.start({ objects });
	const send = await guesser(broker, await signedIn(broker));
	const answers = await Promise.all(Array.from({ length: 40 }, () => send()));
	assert.ok(answers.filter((one) => one.status !== 429).length < 12);
});

test('S30_one_address_with_many_accounts_is_slowed_down', async () => {
	const broker = await Broker.start({ objects: `${objects}${Array.from({ length: 8 }, (_, n) => `user "u${n}" { password = "password-${n}" }`).join('\n')}` });
	let looked = 0;
	for (let n = 0; n < 8; n++) {
		const send = await guesser(broker, await signedIn(broker, `u${n}`, `password-${n}`));
		for (let k = 0; k < 4; k++) if ((await send()).status === 422) looked++;
	}
	assert.ok(looked >= 18 && looked < 28, `${looked} guesses were looked at`);
});

test('right_codes_are_no_guesses', async () => {
	const broker = await Broker.start({ objects });
	const send = await guesser(broker, await signedIn(broker));
	for (let n = 0; n < 12; n++) assert.equal((await send((await start(broker, 'tv')).json.user_code)).status, 303);
	for (let n = 0; n < 5; n++) await send();
	assert.equal((await send((await start(broker, 'tv')).json.user_code)).status, 429);
});

test('test_device_backchannel_an_anonymous_address_asks_twenty_times_an_hour', async () => {
	const broker = await Broker.start({ objects });
	const answers = [];
	for (let n = 0; n < 20; n++) answers.push((await start(broker, 'agent')).json);
	const refused = await start(broker, 'agent');
	assert.deepEqual([refused.status, refused.json.error], [429, 'slow_down']);
	assert.ok(Number(refused.headers['retry-after']) > 3000 && Number(refused.headers['retry-after']) <= 3600, refused.headers['retry-after']);
	assert.equal((await start(broker, 'agent', {}, { from: '127.0.0.2' })).status, 200, 'others may');
	assert.equal((await start(broker, 'tv')).status, 200, 'so may who proves to be a client');
	await broker.killHard();
	await broker.serve();
	assert.equal((await start(broker, 'agent')).status, 429, 'after a restart too');
	// What a person approved was no flood.
	const browser = await signedIn(broker);
	await answer(browser, await enter(browser, answers[0].user_code), 'allow');
	assert.equal((await start(broker, 'agent')).status, 200);
	assert.equal((await start(broker, 'agent')).status, 429);
	await broker.advance(3601);
	assert.equal((await start(broker, 'agent')).status, 200);
});

test('security_cases_12_an_approval_survives_a_kill', async () => {
	const broker = await Broker.start({ objects });
	const { device_code, user_code } = (await start(broker, 'tv', { scope: 'openid offline_access' })).json;
	const browser = await signedIn(broker);
	await answer(browser, await enter(browser, user_code), 'allow');
	await broker.killHard();
	await broker.serve();
	const got = await poll(broker, 'tv', device_code);
	assert.equal(got.status, 200, got.text);
	await broker.killHard();
	await broker.serve();
	assert.equal((await poll(broker, 'tv', device_code)).json.error, 'invalid_grant', 'and so does its use');
	const userinfo = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.json.access_token}` } });
	assert.equal(userinfo.status, 200);
});

test('waiting_costs_no_write', async () => {
	const broker = await Broker.start({ objects });
	const { device_code } = (await start(broker, 'tv')).json;
	await poll(broker, 'tv', device_code);
	const log = async () => { const { size, mtimeNs } = await stat(path.join(broker.dir, 'data', 'tidelock.db-wal'), { bigint: true }); return [size, mtimeNs]; };
	const before = await log();
	for (let n = 0; n < 10; n++) await poll(broker, 'tv', device_code);
	assert.deepEqual(await log(), before);
	await start(broker, 'tv');
	assert.notDeepEqual(await log(), before, 'a write would have been seen');
});
