// S7: a line of refresh tokens, its rotation, its short grace, and what ends it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, claimsOf, obtainTokens, tokenRequest } from '../harness/browser.mjs';

const refresh = (broker, refresh_token, more = {}, client = 'web') => tokenRequest(broker, client, { grant_type: 'refresh_token', refresh_token, ...more });
const userinfo = (broker, token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
const offline = { scope: 'openid profile email offline_access' };

test('oidcc-refresh-token_a_refresh_gives_new_tokens_of_the_same_login', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, offline);
	assert.match(got.refresh_token, /^tlr_/);
	await broker.advance(5);
	const answer = await refresh(broker, got.refresh_token);
	assert.equal(answer.status, 200, answer.text);
	assert.notEqual(answer.json.refresh_token, got.refresh_token);
	const [first, second] = [claimsOf(got.id_token), claimsOf(answer.json.id_token)];
	for (const name of ['iss', 'sub', 'aud', 'auth_time', 'sid']) assert.equal(second[name], first[name], name);
	assert.equal(second.nonce, undefined);
	assert.ok(second.iat > first.iat);
	assert.equal(answer.json.scope, 'openid profile email offline_access');
	assert.equal((await userinfo(broker, answer.json.access_token)).status, 200);
	const foreign = await refresh(broker, answer.json.refresh_token, {}, 'other');
	assert.deepEqual([foreign.status, foreign.json.error], [400, 'invalid_grant']);
	assert.equal((await refresh(broker, answer.json.refresh_token)).status, 200);
});

test('S7_the_previous_token_gets_the_same_successor_within_thirty_seconds_and_ends_the_line_later (test_token: threshold)', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, offline);
	const first = (await refresh(broker, got.refresh_token)).json;
	const again = (await refresh(broker, got.refresh_token)).json;
	assert.equal(again.refresh_token, first.refresh_token);
	await broker.advance(31);
	const reused = await refresh(broker, got.refresh_token);
	assert.equal(reused.json.error, 'invalid_grant');
	assert.equal((await refresh(broker, first.refresh_token)).json.error, 'invalid_grant');
	assert.equal((await userinfo(broker, first.access_token)).status, 401);
	assert.ok(JSON.stringify(await broker.events()).includes('refresh_reused'));
});

test('rfc6749_6_the_scope_may_narrow_and_may_not_grow', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid profile offline_access' });
	const grown = await refresh(broker, got.refresh_token, { scope: 'openid email' });
	assert.equal(grown.json.error, 'invalid_scope');
	const less = await refresh(broker, got.refresh_token, { scope: 'openid' });
	assert.equal(less.json.scope, 'openid');
	assert.equal(claimsOf(less.json.id_token).name, undefined);
	assert.equal((await userinfo(broker, less.json.access_token)).json.name, undefined);
	const full = await refresh(broker, less.json.refresh_token);
	assert.equal(full.json.scope, 'openid profile offline_access');
});

test('fifty_parallel_refreshes_end_with_one_line (security_cases_12)', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, offline);
	const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(broker, got.refresh_token)));
	const successors = new Set(answers.filter((answer) => answer.status === 200).map((answer) => answer.json.refresh_token));
	assert.equal(successors.size, 1);
	assert.equal((await refresh(broker, [...successors][0])).status, 200);
});

test('S5_a_refresh_token_outlives_its_session_and_ends_with_its_user', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, offline);
	const page = (await got.browser.get('/signout'));
	await got.browser.submit(page, {});
	const answer = await refresh(broker, got.refresh_token);
	assert.equal(answer.status, 200, answer.text);
	assert.equal((await broker.command('user', 'disable', 'alice')).status, 0);
	assert.equal((await refresh(broker, answer.json.refresh_token)).json.error, 'invalid_grant');
	assert.equal((await userinfo(broker, answer.json.access_token)).status, 401);
});
