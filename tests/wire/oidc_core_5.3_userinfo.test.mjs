// The userinfo endpoint (OpenID Connect Core 5.3, RFC 6750) and the classes of tokens that are not for it (S1, S4).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, claimsOf, obtainTokens, secretOf } from '../harness/browser.mjs';

const path = '/application/o/userinfo/';
const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });

test('oidcc-userinfo-get_post-header_and_post-body', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const got = await obtainTokens(broker, { scope: 'openid profile email groups' });
	const answers = [
		await browser.get(path, bearer(got.access_token)), await browser.get(path, { headers: { authorization: `bearer ${got.access_token}` } }),
		await browser.post(path, {}, bearer(got.access_token)), await browser.post(path, { access_token: got.access_token }),
	];
	for (const answer of answers) {
		assert.equal(answer.status, 200, answer.text);
		assert.equal(answer.json.sub, claimsOf(got.id_token).sub);
		assert.deepEqual(answer.json.groups, ['staff']);
		assert.equal(answer.json.email_verified, true);
		assert.match(answer.headers['cache-control'], /no-store/);
		for (const name of ['iss', 'exp', 'iat', 'jti']) assert.equal(answer.json[name], undefined);
	}
});

test('S1_every_other_kind_of_token_is_refused_and_the_challenge_says_why', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const got = await obtainTokens(broker, { scope: 'openid offline_access' });
	const [head, payload, signature] = got.access_token.split('.');
	const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
	for (const token of [got.id_token, got.refresh_token, got.code, 'x', '..', `${head}.${payload}.`, `${none}.${payload}.`, `${none}.${payload}.${signature}`, `${got.access_token}x`]) {
		const answer = await browser.get(path, bearer(token));
		assert.equal(answer.status, 401, token);
		assert.match(answer.headers['www-authenticate'], /^Bearer .*error="invalid_token"/);
	}
	const bare = await browser.get(path);
	assert.equal(bare.status, 401);
	assert.match(bare.headers['www-authenticate'], /^Bearer/);
	assert.doesNotMatch(bare.headers['www-authenticate'], /error=/);
	assert.equal((await browser.get(`${path}?access_token=${got.access_token}`)).status, 400);
	assert.equal((await browser.post(path, { access_token: got.access_token }, bearer(got.access_token))).status, 400);
	assert.equal((await browser.get(path, { headers: { authorization: `token ${got.access_token}` } })).status, 401);
	await broker.advance(601);
	assert.equal((await browser.get(path, bearer(got.access_token))).status, 401);
});

test('S4_a_token_dies_at_once_with_its_session_and_its_user', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker);
	await got.browser.submit(await got.browser.get('/signout'), {});
	assert.equal((await new Browser(broker).get(path, bearer(got.access_token))).status, 401);
	const second = await obtainTokens(broker, {}, { username: 'bob', password: 'builder-bob' });
	assert.equal((await broker.command('user', 'disable', 'bob')).status, 0);
	assert.equal((await new Browser(broker).get(path, bearer(second.access_token))).status, 401);
});

test('S20_the_claims_parameter_selects_among_configured_claims', async () => {
	const broker = await Broker.start();
	const claims = JSON.stringify({ userinfo: { name: { essential: true }, iss: null, password: null }, id_token: { email: null } });
	const got = await obtainTokens(broker, { scope: 'openid', claims });
	const info = (await new Browser(broker).get(path, bearer(got.access_token))).json;
	assert.equal(info.name, 'Alice Liddell');
	assert.equal(info.nickname, undefined);
	assert.equal(info.password, undefined);
	assert.equal(info.iss, undefined);
	assert.equal(claimsOf(got.id_token).email, 'alice@example.org');
	assert.equal(claimsOf(got.id_token).name, undefined);
	const other = JSON.stringify({ id_token: { sub: { value: 'somebody else' } } });
	await assert.rejects(obtainTokens(broker, { claims: other }), /token request|not sent/);
});

test('S20_claims_of_scopes_that_the_application_has_lost_are_not_given_any_more', async () => {
	const broker = await Broker.start();
	const redirect_uri = 'https://app.example.org/cb';
	const made = await broker.json('app', 'add', 'app', '--client-id', 'app', '--redirect-uri', redirect_uri, '--consent', 'implicit', '--scope', 'openid', '--scope', 'profile', '--scope', 'email');
	secretOf.app = made.client_secret;
	const claims = JSON.stringify({ userinfo: { email: null } });
	const got = await obtainTokens(broker, { client_id: 'app', redirect_uri, scope: 'openid profile', claims });
	const names = async () => Object.keys((await new Browser(broker).get(path, bearer(got.access_token))).json);
	const before = await names();
	assert.ok(before.includes('name') && before.includes('email'));
	assert.equal((await broker.command('app', 'set', 'app', '--scope', 'openid')).status, 0);
	assert.deepEqual(await names(), ['sub']);
});
