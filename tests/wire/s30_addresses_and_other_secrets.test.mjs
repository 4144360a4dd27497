// S30: wrong secrets slow down, per account and per address, across restarts, without telling who exists and without locking
// the owner out.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, configuration } from '../harness/broker.mjs';
import { Browser, basic, formOf, obtainCode, tokenRequest } from '../harness/browser.mjs';

async function attempt(broker, { username, password, from = '127.0.1.1', browser = new Browser(broker) }) {
	const { fields } = formOf((await browser.get('/signin', { from })).text, 'signin');
	const begun = performance.now();
	const answer = await browser.post('/signin', { ...fields, username, password }, { from, headers: { origin: broker.url } });
	return { ...answer, ms: performance.now() - begun, browser };
}
const guess = (broker, username, from, more) => attempt(broker, { username, password: 'a wrong guess', from, ...more });

test('S30_guesses_at_one_account_slow_down_from_wherever_they_come_and_never_for_good (security_cases_10)', async () => {
	const broker = await Broker.start();
	const waits = [];
	for (let i = 0; i < 11; i++) {
		const answer = await guess(broker, 'alice', `127.0.1.${i + 1}`);
		assert.ok([403, 429].includes(answer.status), `${answer.status}`);
		if (answer.status === 429) {
			const seconds = Number(answer.headers['retry-after']);
			assert.ok(seconds >= 1 && seconds <= 300);
			assert.match(answer.text, new RegExp(`Wait ${seconds} seconds`));
			waits.push(seconds);
			await broker.advance(seconds);
		}
	}
	assert.ok(waits.length >= 3, `waited ${waits}`);
	assert.ok(waits.at(-1) > waits[0], `waited ${waits}`);
	// The right password, while the wait lasts, is a guess like another.
	await broker.advance(300);
	assert.equal((await guess(broker, 'alice', '127.0.1.99')).status, 403);
	const early = await attempt(broker, { username: 'alice', password: 'wonderland', from: '127.0.1.98' });
	assert.equal(early.status, 429);
	await broker.advance(300);
	assert.equal((await attempt(broker, { username: 'alice', password: 'wonderland', from: '127.0.1.98' })).status, 303);
	assert.equal((await guess(broker, 'bob', '127.0.1.99')).status, 403, 'another account is not slowed down');
});

test('S30_who_signed_in_from_here_before_gets_in_while_strangers_guess (security_cases_10: nobody is locked out by a stranger)', async () => {
	const broker = await Broker.start();
	const owner = (await attempt(broker, { username: 'alice', password: 'wonderland', from: '127.0.2.7' })).browser;
	owner.cookies.delete('tidelock');
	for (let wait = 0, i = 0; wait < 8; i++) {
		const answer = await guess(broker, 'alice', `127.0.1.${i + 1}`);
		wait = answer.status === 429 ? Number(answer.headers['retry-after']) : wait;
		if (wait < 8) await broker.advance(wait);
	}
	assert.equal((await attempt(broker, { username: 'alice', password: 'wonderland', from: '127.0.1.200' })).status, 429, 'the account is slowed down for strangers');
	const roaming = await attempt(broker, { username: 'alice', password: 'wonderland', from: '127.0.3.9', browser: owner });
	assert.equal(roaming.status, 303, 'the known browser, elsewhere');
	const fresh = await attempt(broker, { username: 'alice', password: 'wonderland', from: '127.0.2.7' });
	assert.equal(fresh.status, 303, 'a new browser at the known address');
});

test('S30_guesses_from_one_address_at_many_accounts_slow_down', async () => {
	const broker = await Broker.start();
	const got = (await Promise.all(Array.from({ length: 30 }, (_, i) => guess(broker, `nobody-${i}`, '127.0.1.1')))).map((answer) => answer.status);
	const looked = got.filter((status) => status === 403).length;
	assert.ok(looked >= 15 && looked <= 22, got.join());
	assert.ok(got.includes(429), got.join());
	assert.equal((await guess(broker, 'nobody-x', '127.0.1.2')).status, 403, 'another address is free');
	// One good account does not buy free guesses.
	await broker.advance(300);
	assert.equal((await attempt(broker, { username: 'bob', password: 'builder-bob', from: '127.0.1.1' })).status, 303);
	const after = [];
	for (let i = 0; i < 3; i++) after.push((await guess(broker, `somebody-${i}`, '127.0.1.1')).status);
	assert.ok(after.includes(429), after.join());
});

test('S30_unknown_disabled_and_known_people_cost_the_same_time (security_cases_7)', async () => {
	const broker = await Broker.start({ config: (b) => configuration({ port: b.port, dir: b.dir }).replace(/^password = .*$/m, '') });
	assert.equal((await broker.command('user', 'disable', 'bob')).status, 0);
	const times = { alice: [], bob: [], nobody: [] };
	const names = Object.keys(times);
	let address = 0;
	for (let round = 0; round < 9; round++) {
		for (const name of names) {
			const answer = await guess(broker, name, `127.1.1.${++address}`);
			times[name].push(answer.ms);
			await broker.advance(301);
		}
		names.push(names.shift());
	}
	// A busy machine makes answers late, never early; what it does to one round it does to all three.
	assert.ok(Math.min(...Object.values(times).flat()) >= 240, `below the floor: ${JSON.stringify(times)}`);
	const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
	for (const name of ['bob', 'nobody']) {
		const apart = middle(times[name].map((ms, round) => ms / times.alice[round]));
		assert.ok(apart > 0.75 && apart < 1.33, `${name} takes ${apart} times as long as alice: ${JSON.stringify(times)}`);
	}
});

test('S30_a_secret_of_an_application_is_no_cheaper_to_guess (security_cases_10)', async () => {
	const broker = await Broker.start();
	const form = { grant_type: 'refresh_token', refresh_token: 'tlr_x' };
	const statuses = [];
	for (let i = 0; i < 25; i++) statuses.push((await tokenRequest(broker, 'web', form, basic('web', `wrong-${i}`))).status);
	assert.ok(statuses.slice(0, 15).every((status) => status === 401), statuses.join());
	assert.equal(statuses.at(-1), 429, statuses.join());
	assert.equal((await tokenRequest(broker, 'other', form)).status, 400, 'another application goes on');
	await broker.advance(61);
	assert.equal((await tokenRequest(broker, 'web', form)).json.error, 'invalid_grant', 'the right secret is let in again');
	const parallel = await Promise.all(Array.from({ length: 60 }, (_, i) => tokenRequest(broker, 'careful', form, basic('careful', `wrong-${i}`))));
	const looked = parallel.filter((answer) => answer.status === 401).length;
	assert.ok(looked <= 30, `${looked} of 60 parallel guesses were looked at`);
	await broker.stop();
	await broker.serve();
	const again = [];
	for (let i = 0; i < 3; i++) again.push((await tokenRequest(broker, 'careful', form, basic('careful', 'wrong'))).status);
	assert.ok(again.includes(429), again.join());
});

test('S30_the_change_of_a_password_counts_its_guesses_too', async () => {
	const broker = await Broker.start();
	const { browser } = await obtainCode(broker);
	const { fields } = formOf((await browser.get('/')).text, 'password-form');
	const statuses = [];
	for (let i = 0; i < 12; i++) statuses.push((await browser.post('/password', { ...fields, current: `wrong-${i}`, new: 'a new password', repeat: 'a new password' }, { headers: { origin: broker.url } })).status);
	assert.ok(statuses.includes(429), statuses.join());
});
