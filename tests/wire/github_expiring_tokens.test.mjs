// github.expiring: access tokens of eight hours (ghu_) and what gets the next (ghr_), as GitHub has them. One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, tokenRequest } from '../harness/browser.mjs';
import { GRANT, answer } from '../harness/device.mjs';
import { authorize, basic, checksum, clients, connect, exchange, json, objects } from '../harness/github.mjs';
import { ask } from '../harness/github_rest.mjs';

const broker = await Broker.start({ objects: `${objects}
policy "staff" { script = "staff.lua" }
application "brief" {
  name = "Brief", client_secret = "secret-of-brief", redirect_uris = { "https://brief.example.org/cb" }, consent = "implicit",
  policies = { "staff" }, github = { expiring = true, device_flow = true },
}
application "short" {
  client_secret = "secret-of-short", redirect_uris = { "https://short.example.org/cb" }, consent = "implicit", scopes = { "openid", "offline_access" },
  github = { expiring = true },
}
`, files: { 'staff.lua': 'return not is_member(user, "guests"), "Not for guests."' } });
clients.brief = { client_id: 'brief', client_secret: 'secret-of-brief', redirect_uri: 'https://brief.example.org/cb' };
clients.short = { client_id: 'short', client_secret: 'secret-of-short', redirect_uri: 'https://short.example.org/cb' };
const alice = new Browser(broker);
await alice.signIn(await alice.get('/signin'));

const secret = (client) => ({ client_id: client, client_secret: clients[client].client_secret });
async function pair(client = 'brief', parameters = { scope: 'user:email read:org' }, browser = alice) {
	const { code } = await authorize(broker, client, parameters, { browser });
	const { json: got } = await exchange(broker, { ...secret(client), code });
	assert.match(got.access_token ?? '', /^ghu_/, JSON.stringify(got));
	return got;
}
const refresh = async (refresh_token, more = {}) => (await exchange(broker, { ...secret('brief'), grant_type: 'refresh_token', refresh_token, ...more })).json;
const good = async (token) => (await ask(broker, '/user', { token })).status === 200;

test('the_answer_has_githubs_fields_in_githubs_order_and_form', async () => {
	const got = await pair();
	assert.deepEqual(Object.keys(got), ['access_token', 'scope', 'token_type', 'expires_in', 'refresh_token', 'refresh_token_expires_in']);
	assert.deepEqual([got.scope, got.token_type, got.expires_in, got.refresh_token_expires_in], ['user:email,read:org', 'bearer', 28800, 15811200]);
	assert.match(got.access_token, /^ghu_[A-Za-z0-9]{36}$/);
	assert.match(got.refresh_token, /^ghr_[A-Za-z0-9]{76}$/);
	assert.equal(checksum(got.refresh_token.slice(4, 74)), got.refresh_token.slice(74));
	const { code } = await authorize(broker, 'brief', {}, { browser: alice });
	assert.match((await exchange(broker, { ...secret('brief'), code }, {})).text, /^access_token=ghu_\w{36}&scope=read%3Auser&token_type=bearer&expires_in=28800&refresh_token=ghr_\w{76}&refresh_token_expires_in=15811200$/);
	const seen = await ask(broker, '/user', { token: got.access_token });
	assert.match(seen.headers.get('github-authentication-token-expiration'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
	const checked = await new Browser(broker).post('/api/v3/applications/brief/token', JSON.stringify({ access_token: got.access_token }), { headers: { ...basic('brief', 'secret-of-brief'), 'content-type': 'application/json' } });
	assert.ok(Date.parse(checked.json.expires_at) > Date.now());
});

test('after_eight_hours_a_token_is_dead_and_the_refresh_token_gets_the_next_pair', async () => {
	const first = await pair();
	await broker.advance(28801);
	assert.equal(await good(first.access_token), false);
	const second = await refresh(first.refresh_token);
	assert.deepEqual(Object.keys(second), Object.keys(first));
	assert.deepEqual([second.scope, second.expires_in], ['user:email,read:org', 28800]);
	assert.equal(await good(second.access_token), true);
	const third = await refresh(second.refresh_token);
	assert.equal(await good(second.access_token), false, 'the pair of before is dead although its time is not up');
	assert.equal(await good(third.access_token), true);
	assert.equal(new Set([first, second, third].flatMap((each) => [each.access_token, each.refresh_token])).size, 6);
});

test('S7_a_lost_answer_is_given_again_and_two_at_once_get_the_same', async () => {
	const first = await pair();
	const [one, two] = await Promise.all([refresh(first.refresh_token), refresh(first.refresh_token)]);
	assert.deepEqual(one, two);
	await broker.advance(20);
	const again = await refresh(first.refresh_token);
	assert.deepEqual([again.access_token, again.refresh_token], [one.access_token, one.refresh_token]);
	assert.ok(again.expires_in <= 28780 && again.expires_in > 28700, String(again.expires_in));
	assert.equal(await good(one.access_token), true);
});

test('S7_an_old_refresh_token_ends_all_of_it', async () => {
	const first = await pair();
	const second = await refresh(first.refresh_token);
	await broker.advance(31);
	assert.equal((await refresh(first.refresh_token)).error, 'bad_refresh_token');
	assert.equal(await good(second.access_token), false);
	assert.equal((await refresh(second.refresh_token)).error, 'bad_refresh_token');
	assert.ok((await broker.events()).some((event) => event.kind === 'refresh_reused'));
});

test('only_its_own_application_and_only_with_its_secret', async () => {
	const { refresh_token } = await pair();
	const wrong = await exchange(broker, { ...secret('brief'), client_secret: 'wrong', grant_type: 'refresh_token', refresh_token });
	assert.deepEqual([wrong.status, wrong.json.error], [200, 'incorrect_client_credentials']);
	assert.equal((await refresh(refresh_token, secret('short'))).error, 'bad_refresh_token');
	assert.equal((await refresh(refresh_token, { client_id: clients.forge.client_id, client_secret: clients.forge.client_secret })).error, 'bad_refresh_token');
	for (const damaged of [undefined, 'x', refresh_token.slice(0, -1), refresh_token.slice(0, 40) + (refresh_token[40] === 'a' ? 'b' : 'a') + refresh_token.slice(41), 'ghr_' + '0'.repeat(76)]) {
		const said = await refresh(damaged);
		assert.deepEqual([said.error, said.error_description], ['bad_refresh_token', 'The refresh token passed is incorrect or expired.'], damaged);
	}
	assert.match((await refresh(refresh_token)).access_token, /^ghu_/, 'nothing of that used it up');
});

test('one_that_has_not_been_used_for_half_a_year_is_dead', async () => {
	const { refresh_token } = await pair();
	await broker.advance(183 * 86400 + 1);
	assert.equal((await refresh(refresh_token)).error, 'bad_refresh_token');
	await alice.signIn(await alice.get('/signin'));
});

test('policies_and_the_person_are_asked_again', async () => {
	for (const line of [['user', 'add', 'gwen', '--password-stdin', { input: 'password-of-gwen' }], ['group', 'add', 'guests']]) assert.equal((await broker.command(...line)).status, 0);
	const browser = new Browser(broker);
	await browser.signIn(await browser.get('/signin'), 'gwen', 'password-of-gwen');
	const first = await pair('brief', {}, browser);
	await broker.command('group', 'add-user', 'guests', 'gwen');
	assert.equal((await refresh(first.refresh_token)).error, 'bad_refresh_token');
	assert.equal(await good(first.access_token), false);
	await broker.command('group', 'remove-user', 'guests', 'gwen');
	const second = await refresh(first.refresh_token);
	assert.equal(await good(second.access_token), true, 'a refusal did not use it up');
	await broker.advance(1);
	await broker.command('user', 'disable', 'gwen');
	await broker.command('user', 'enable', 'gwen');
	assert.equal(await good(second.access_token), false);
	assert.equal((await refresh(second.refresh_token)).error, 'bad_refresh_token');
});

test('S16_refresh_tokens_of_one_side_are_nothing_at_the_other', async () => {
	const github = await pair('short');
	const oidc = await tokenRequest(broker, 'short', { grant_type: 'refresh_token', refresh_token: github.refresh_token }, basic('short', 'secret-of-short'));
	assert.equal(oidc.json.error, 'invalid_grant');
	const introspected = await new Browser(broker).post('/application/o/introspect/', { token: github.refresh_token }, { headers: basic('short', 'secret-of-short') });
	assert.deepEqual(introspected.json, { active: false });
	assert.equal((await refresh('tlr_00000000000000000000000000.0.' + 'x'.repeat(43))).error, 'bad_refresh_token');
	assert.match((await refresh(github.refresh_token, secret('short'))).access_token, /^ghu_/);
});

test('a_device_gets_a_pair_too_and_a_code_used_twice_ends_it', async () => {
	const started = (await new Browser(broker).post('/login/device/code', { client_id: 'brief', scope: 'read:user' }, { headers: json })).json;
	await answer(alice, (await alice.submit((await alice.open('/login/device')).page, { code: started.user_code }, 'device')).page, 'allow');
	const got = (await exchange(broker, { client_id: 'brief', device_code: started.device_code, grant_type: GRANT })).json;
	assert.match((await refresh(got.refresh_token)).access_token, /^ghu_/);
	const { code } = await authorize(broker, 'brief', {}, { browser: alice });
	const first = (await exchange(broker, { ...secret('brief'), code })).json;
	await exchange(broker, { ...secret('brief'), code });
	assert.equal((await refresh(first.refresh_token)).error, 'bad_refresh_token');
});

test('the_application_resets_and_ends_such_a_token_like_any_other', async () => {
	const got = await pair();
	const ending = (method, what, access_token) => new Browser(broker).request(method, `/api/v3/applications/brief/${what}`, { body: JSON.stringify({ access_token }), headers: { ...basic('brief', 'secret-of-brief'), 'content-type': 'application/json' } });
	const reset = await ending('PATCH', 'token', got.access_token);
	assert.match(reset.json.token, /^ghu_/);
	assert.deepEqual([await good(got.access_token), await good(reset.json.token)], [false, true]);
	const next = await refresh(got.refresh_token);
	assert.deepEqual([await good(reset.json.token), await good(next.access_token)], [false, true]);
	assert.equal((await ending('DELETE', 'token', next.access_token)).status, 204);
	assert.equal((await refresh(next.refresh_token)).error, 'bad_refresh_token');
});

test('where_tokens_do_not_expire_there_is_none', async () => {
	const got = await connect(broker, 'forge', {}, { browser: alice });
	assert.deepEqual([got.expires_in, got.refresh_token], [undefined, undefined]);
	assert.equal((await refresh(got.access_token, { client_id: clients.forge.client_id, client_secret: clients.forge.client_secret })).error, 'bad_refresh_token');
});
