// What fails on purpose in debug builds: memory, writes, space. Each costs one answer, never the broker and never what was
// acknowledged.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, authorizeUrl, obtainCode, obtainTokens, redirectUri, tokenRequest } from '../harness/browser.mjs';

const refresh = (broker, refresh_token) => tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token });
const userinfo = (broker, token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
const offline = { scope: 'openid offline_access' };

test('a_full_disk_lets_people_leave_and_owners_lock_out', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker);
	const kept = await obtainTokens(broker, offline, { username: 'bob', password: 'builder-bob' });
	await broker.debug({ fault: 'disk_full', n: 1, forever: true });
	assert.equal((await refresh(broker, kept.refresh_token)).status, 503);
	const out = await got.browser.submit(await got.browser.get('/signout'), {}, 'signout');
	assert.equal(out.page.status, 200, out.page.text);
	assert.equal((await userinfo(broker, got.access_token)).status, 401, 'signing out ended it');
	const disabled = await broker.command('user', 'disable', 'bob');
	assert.equal(disabled.status, 0, disabled.err);
	assert.equal((await userinfo(broker, kept.access_token)).status, 401);
	const refused = await broker.command('user', 'add', 'carol');
	assert.equal(refused.status, 1);
	assert.doesNotMatch(refused.err, /mistake of the program/);
	const page = await new Browser(broker).open(authorizeUrl(broker));
	assert.equal(page.page.status, 200, 'a page that writes nothing');
	const browser = new Browser(broker);
	const failed = await browser.signIn(await browser.get('/signin'));
	assert.equal(failed.page.status, 503);
	assert.match(failed.page.text, /Not available right now/);
	await broker.debug({ fault: 'disk_full', n: 0 });
	assert.equal((await eventually(() => obtainTokens(broker, offline), 10)).answer.status, 200);
});

test('a_write_that_fails_costs_one_answer', async () => {
	const broker = await Broker.start();
	const { browser } = await obtainTokens(broker);
	let { refresh_token } = await obtainTokens(broker, offline, { browser });
	for (let n = 1; n <= 12; n++) {
		await broker.debug({ fault: 'disk_write', n });
		const answers = [await refresh(broker, refresh_token), await refresh(broker, refresh_token)];
		await broker.debug({ fault: 'disk_write', n: 0 });
		for (const answer of answers) assert.ok([200, 503].includes(answer.status), `${n}: ${answer.status} ${answer.text}`);
		const now = answers.findLast((answer) => answer.status === 200) ?? (await eventually(async () => { const answer = await refresh(broker, refresh_token); return answer.status === 200 && answer; }));
		refresh_token = now.json.refresh_token;
	}
	await broker.killHard();
	await broker.serve();
	assert.equal((await refresh(broker, refresh_token)).status, 200, 'what was answered is there');
});

test('memory_that_runs_out_costs_one_answer', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, offline);
	// The answer to this may be the first that lacks memory.
	const arm = (n) => broker.overControl('POST', '/debug', JSON.stringify({ fault: 'alloc', n })).then((answer) => answer.status === 200, () => false);
	const ask = [
		() => userinfo(broker, got.access_token), () => got.browser.get('/'), () => new Browser(broker).get(authorizeUrl(broker)),
		async () => { const code = await obtainCode(broker, {}, { browser: got.browser }); return tokenRequest(broker, 'web', { grant_type: 'authorization_code', code: code.code, redirect_uri: redirectUri.web, code_verifier: code.verifier }); },
	];
	for (const one of ask) {
		for (let n = 1; n < 3000; n += 1 + Math.floor(n / 5)) {
			await arm(n);
			await one().catch(() => null); // the answer may be lost with its connection
			await eventually(() => arm(0));
		}
		const after = await one();
		assert.ok([200, 302].includes(after.status), `${after.status} ${after.text}`);
	}
	assert.doesNotMatch(broker.log, /was ended by signal/);
	assert.equal((await refresh(broker, got.refresh_token)).status, 200);
});
