// An upstream says that a session there has ended: /source/oauth/backchannel-logout/<source>/ (OpenID Connect Back-Channel Logout 1.0), with
// the modules of the Foundation's client plan that must be refused; and what a right one ends.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, obtainTokens, tokenRequest } from '../harness/browser.mjs';
import { callback, declared, later, login, Person, upstreamAt } from '../harness/upstream.mjs';
import { Oidc } from '../upstream/oidc.mjs';
import { hmacKey, newKey } from '../upstream/keys.mjs';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const op = await upstreamAt((origin) => new Oidc({ web: origin }));
const broker = await Broker.start({ objects: declared('op', { kind: 'oidc', name: 'OP', issuer: op.issuer, client_id: 'broker', client_secret: 'broker-secret', enrolment: true }) +
	declared('two', { kind: 'oidc', name: 'Two', issuer: op.issuer, client_id: 'two', client_secret: 'broker-secret', enrolment: true }) });
const client = op.register({ client_id: 'broker', client_secret: 'broker-secret', redirect_uris: [callback(broker, 'op')] });
op.register({ client_id: 'two', client_secret: 'broker-secret', redirect_uris: [callback(broker, 'two')] });

const send = (form, source = 'op') => new Browser(broker).post(`/source/oauth/backchannel-logout/${source}/`, typeof form === 'string' ? { logout_token: form } : form);
const isHere = async (person) => (await person.get('/')).status === 200;
async function person(account = 'ada') {
	const one = new Person(broker);
	await one.signInAt('op', account);
	assert.ok(await isHere(one));
	return one;
}
// The session at the upstream of whoever signed in there last.
const lastSession = () => [...op.sessions.values()].at(-1);
const about = (session = lastSession()) => ({ client, session });

const ada = await person();
const its = about();
const refusals = {
	'oidcc-client-test-backchannel-logout-alg-none': () => op.logoutToken(its, {}, { key: null }),
	'oidcc-client-test-backchannel-logout-wrong-alg': () => op.logoutToken(its, {}, { key: hmacKey('broker-secret') }),
	'oidcc-client-test-backchannel-logout-invalid-signature': () => op.logoutToken(its, {}, { key: newKey({ kid: op.keys[0].kid }) }),
	'oidcc-client-test-backchannel-logout-wrong-aud': () => op.logoutToken(its, { aud: 'somebody-else' }),
	'oidcc-client-test-backchannel-logout-no-aud': () => op.logoutToken(its, { aud: undefined }),
	'oidcc-client-test-backchannel-logout-wrong-iss': () => op.logoutToken(its, { iss: 'https://evil.example' }),
	'oidcc-client-test-backchannel-logout-no-event': () => op.logoutToken(its, { events: undefined }),
	'oidcc-client-test-backchannel-logout-wrong-event': () => op.logoutToken(its, { events: { 'http://schemas.openid.net/event/other': {} } }),
	'oidcc-client-test-backchannel-logout-wrong-event (no object)': () => op.logoutToken(its, { events: { [EVENT]: 'yes' } }),
	'oidcc-client-test-backchannel-logout-with-nonce': () => op.logoutToken(its, { nonce: 'n' }),
	'neither sub nor sid': () => op.logoutToken(its, { sub: undefined, sid: undefined }),
	'no jti': () => op.logoutToken(its, { jti: undefined }),
	'no iat': () => op.logoutToken(its, { iat: undefined }),
	'long ago': () => op.logoutToken(its, { iat: op.now() - 4000, exp: op.now() - 3600 }),
	'an ID token in its place': () => op.idToken({ client, session: its.session, asked: { nonce: 'n' } }),
	'an access token in its place': () => op.logoutToken(its, {}, { header: { typ: 'at+jwt' } }),
	'no token': () => 'x.y.z',
};

for (const [module, make] of Object.entries(refusals)) {
	test(module, async () => {
		const { status, json, headers } = await send(make());
		assert.deepEqual([status, json?.error], [400, 'invalid_request']);
		assert.match(headers['cache-control'], /no-store/);
		assert.ok(await isHere(ada), 'the session goes on');
	});
}

test('oidcc-client-test-backchannel-logout: by session, by person, once, and only what came from there', async () => {
	const second = await person(), grace = await person('grace'), local = new Browser(broker);
	await local.signIn(await local.get('/signin'));
	const token = op.logoutToken({ client, session: its.session }, { sub: undefined });
	assert.equal((await send(token, 'two')).status, 400, 'it is another source\'s');
	const answer = await send(token);
	assert.deepEqual([answer.status, answer.headers['cache-control']?.includes('no-store')], [200, true], answer.text);
	assert.deepEqual([await isHere(ada), await isHere(second), await isHere(grace)], [false, true, true], 'that session alone');
	assert.equal((await send(token)).status, 400, 'a token counts once');
	const third = await person();
	assert.equal((await send(op.logoutToken(about(), { sid: undefined }))).status, 200);
	assert.deepEqual([await isHere(second), await isHere(third), await isHere(grace), (await local.get('/')).status], [false, false, true, 200], 'all of that person');
	assert.equal((await send(op.logoutToken(about(), { sub: '248289761002', sid: 'unknown' }))).status, 200, 'of nobody: nothing to do');
	assert.ok(await isHere(grace));
});

test('what_the_session_gave_to_applications_ends_with_it (S5)', async () => {
	const browser = await person();
	const session = lastSession();
	const { access_token } = await obtainTokens(broker, { scope: 'openid profile' }, { browser });
	const { refresh_token } = await obtainTokens(broker, { client_id: 'other', scope: 'openid offline_access' }, { browser });
	const info = () => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${access_token}` } });
	assert.equal((await info()).status, 200);
	assert.equal((await send(op.logoutToken({ client, session }))).status, 200);
	assert.equal((await info()).status, 401);
	assert.equal((await tokenRequest(broker, 'other', { grant_type: 'refresh_token', refresh_token })).status, 200, 'what outlives a session was asked to');
});

test('a_logout_whose_keys_are_new_is_understood_and_a_form_that_is_none_is_not', async () => {
	const browser = await person();
	await later(broker, 31, op);
	op.rotate();
	assert.equal((await send(op.logoutToken(about()))).status, 200);
	assert.equal(await isHere(browser), false);
	assert.equal((await send({})).status, 400);
	assert.equal((await send('x'.repeat(20000))).status, 400);
	assert.equal((await send('x', 'nobody')).status, 404);
	assert.equal((await new Browser(broker).get('/source/oauth/backchannel-logout/op/')).status, 405);
	assert.equal((await new Browser(broker).get(login('op'))).status, 302);
});
