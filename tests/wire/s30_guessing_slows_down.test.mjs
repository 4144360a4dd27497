// S30: wrong passwords slow down per account, whatever the address; the counters survive a restart; the owner's own browser is
// not held up by strangers; an unknown name costs what a known one costs.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';

async function attempt(broker, username, password, browser = new Browser(broker)) {
	const began = performance.now();
	const answer = await browser.signIn(await browser.get('/signin'), username, password);
	const { status, text } = answer.page ?? answer;
	return { status, text, ms: performance.now() - began, browser };
}
const throttled = (answer) => answer.status === 429;

// Wrong passwords until the broker says to wait.
async function guessUntilThrottled(broker, username) {
	for (let n = 1; n <= 20; n++) {
		const answer = await attempt(broker, username, `wrong ${n}`);
		if (throttled(answer)) return n;
		assert.equal(answer.status, 403, answer.text);
	}
	return assert.fail('twenty guesses were all looked at');
}

test('S30_guesses_slow_down_and_the_right_password_has_to_wait_too', async () => {
	const broker = await Broker.start();
	const tries = await guessUntilThrottled(broker, 'alice');
	assert.ok(tries > 3 && tries < 15, `${tries} tries`);
	await broker.advance(301);
	const answer = await attempt(broker, 'alice', 'wonderland');
	assert.equal(answer.status, 200, answer.text);
	const events = await broker.events('--kind', 'sign_in_failed');
	assert.ok(events.some((event) => event.user === 'alice' && event.reason === 'too many attempts'));
	assert.ok(events.every((event) => event.request_id));
});

test('S30_the_counters_survive_a_kill (security_cases_10)', async () => {
	const broker = await Broker.start();
	await guessUntilThrottled(broker, 'alice');
	for (let n = 0; n < 4; n++) { // longer waits than a restart takes
		await broker.advance(40);
		await attempt(broker, 'alice', 'wrong');
	}
	await broker.killHard();
	await broker.serve();
	assert.ok(throttled(await attempt(broker, 'alice', 'wonderland')));
});

test('S30_a_browser_the_owner_signed_in_with_is_not_held_up', async () => {
	const broker = await Broker.start();
	const { browser } = await attempt(broker, 'alice', 'wonderland');
	assert.equal((await browser.get('/')).status, 200);
	const known = new Map([...browser.cookies].filter(([name]) => name.endsWith('-browser')));
	for (let n = 0; n < 12; n++) await attempt(broker, 'alice', `wrong ${n}`);
	const owner = new Browser(broker);
	owner.cookies = new Map(known);
	const answer = await attempt(broker, 'alice', 'wonderland', owner);
	assert.equal(answer.status, 200, answer.text);
});

test('S30_fifty_guesses_at_once_are_counted_before_they_are_looked_at (security_cases_10)', async () => {
	const broker = await Broker.start();
	const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => attempt(broker, 'bob', `wrong ${n}`)));
	const seen = answers.filter((answer) => answer.status === 403).length;
	assert.ok(seen <= 6, `${seen} of 20 were looked at`);
});

test('S30_an_unknown_name_is_answered_like_a_known_one', async () => {
	const broker = await Broker.start();
	const known = await attempt(broker, 'alice', 'wrong');
	const unknown = await attempt(broker, 'nobody-of-this-name', 'wrong');
	assert.equal(unknown.status, known.status);
	const bare = (answer) => answer.text.replace(/[A-Za-z0-9_-]{16,}/g, '').replaceAll('alice', '').replaceAll('nobody-of-this-name', '');
	assert.equal(bare(unknown), bare(known));
	assert.ok(known.ms >= 240 && unknown.ms >= 240, `${known.ms} ms, ${unknown.ms} ms`);
	const events = await broker.events();
	assert.ok(!JSON.stringify(events).includes('nobody-of-this-name'), 'what was typed as a name is not kept');
});

test('S30_people_behind_one_address_who_sign_in_together_are_not_taken_for_guesses', async () => {
	const broker = await Broker.start();
	const signIn = async () => {
		const browser = new Browser(broker);
		const at = await browser.signIn((await browser.open('/signin')).page);
		return at.page?.status;
	};
	const answers = await Promise.all(Array.from({ length: 40 }, signIn));
	assert.deepEqual([...new Set(answers)], [200]);
});
