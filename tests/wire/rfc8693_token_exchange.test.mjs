// RFC 8693, S1, S8, S29: a token for one application becomes one for another that trusts it (authentik's test_token_exchange).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, claimsOf, headerOf, obtainTokens, secretOf, tokenRequest } from '../harness/browser.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const TYPE = { access: 'urn:ietf:params:oauth:token-type:access_token', jwt: 'urn:ietf:params:oauth:token-type:jwt', id: 'urn:ietf:params:oauth:token-type:id_token',
	refresh: 'urn:ietf:params:oauth:token-type:refresh_token', authentik: 'goauthentik.io/oauth/token-type/authentik_token' };
const app = (name, more) => `application "${name}" { client_id = "${name}", client_secret = "${name}-secret", consent = "implicit", redirect_uris = { "https://web.example.org/callback" }, ${more} }\n`;
const scopes = 'scopes = { "openid", "profile", "email", "groups", "offline_access" }';
const grants = `grant_types = { "authorization_code", "refresh_token", "client_credentials", "${EXCHANGE}" }`;
const objects = 'policy "not_bob" { script = "not_bob.lua" }\npolicy "browser" { script = "browser.lua" }\n'
	+ app('front', `${scopes}, ${grants}`) + app('back', `federated = { "front" }, ${scopes}, policies = { "not_bob" }`)
	+ app('deep', `federated = { "back2" }, ${scopes}`) + app('back2', `federated = { "front", "back2" }, ${scopes}, ${grants}`)
	+ app('short', `federated = { "front" }, scopes = { "openid", "profile" }, access_token_lifetime = "1m", access_token = "opaque"`)
	+ app('alone', scopes) + app('asking', `federated = { "front" }, ${scopes}`).replace('consent = "implicit"', 'consent = "always"')
	+ app('guarded', `${scopes}, ${grants}, policies = { "browser" }`) + app('behind', `federated = { "guarded" }, ${scopes}`)
	+ app('loop0', `federated = { "loop1" }, ${scopes}, ${grants}`) + app('loop1', `federated = { "loop0" }, ${scopes}, ${grants}`);
const files = {
	'not_bob.lua': 'if user.username == "bob" then return false, "Bob is not let in." end\nreturn true',
	'browser.lua': 'return context.oauth_grant_type == "authorization_code", "only in a browser"',
};
for (const name of ['front', 'back', 'deep', 'back2', 'short', 'alone', 'asking', 'guarded', 'behind', 'loop0', 'loop1']) secretOf[name] = `${name}-secret`;
const broker = await Broker.start({ objects, files });

const redirect_uri = 'https://web.example.org/callback';
const login = (client_id = 'front', parameters = {}, person = {}) => obtainTokens(broker, { client_id, redirect_uri, scope: 'openid profile email', ...parameters }, person);
const exchange = (client, subject_token, form = {}, headers) => tokenRequest(broker, client, { grant_type: EXCHANGE, ...(subject_token ? { subject_token } : {}), subject_token_type: TYPE.access, scope: 'openid profile email groups', ...form }, headers);
const fails = (answer, error, status = 400) => assert.deepEqual([answer.status, answer.json?.error], [status, error], answer.text);
const userinfo = (token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
const alice = await login();

test('test_token_exchange_success_for_another_application', async () => {
	const answer = await exchange('front', alice.access_token, { audience: 'back' });
	assert.equal(answer.status, 200, answer.text);
	assert.deepEqual(Object.keys(answer.json).sort(), ['access_token', 'expires_in', 'issued_token_type', 'scope', 'token_type']);
	assert.deepEqual([answer.json.issued_token_type, answer.json.token_type, answer.json.scope], [TYPE.access, 'Bearer', 'openid profile email']);
	const [claims, before] = [claimsOf(answer.json.access_token), claimsOf(alice.access_token)];
	assert.deepEqual([claims.aud, claims.client_id, claims.iss, claims.sub, claims.act, claims.sid], ['back', 'back', broker.issuer('back'), before.sub, { sub: 'front', client_id: 'front' }, before.sid]);
	assert.ok(claims.exp <= before.exp);
	assert.equal((await userinfo(answer.json.access_token)).json.preferred_username, 'alice');
	for (const type of [TYPE.jwt]) assert.equal((await exchange('front', alice.access_token, { subject_token_type: type, audience: 'back' })).status, 200);
	const typed = await exchange('front', alice.access_token, { audience: 'back', requested_token_type: TYPE.jwt });
	assert.equal(typed.json.issued_token_type, TYPE.jwt);
});

test('test_token_exchange_off_by_default_and_for_clients_that_authenticate', async () => {
	const web = await obtainTokens(broker);
	fails(await exchange('web', web.access_token), 'unauthorized_client');
	fails(await exchange('front', alice.access_token, {}, basic('front', 'wrong')), 'invalid_client', 401);
	fails(await tokenRequest(broker, 'nobody', { grant_type: EXCHANGE, subject_token: alice.access_token, subject_token_type: TYPE.access }), 'invalid_client', 401);
	fails(await new Browser(broker).post('/application/o/token/', { grant_type: EXCHANGE, client_id: 'front', subject_token: alice.access_token, subject_token_type: TYPE.access }), 'invalid_client', 401);
	await broker.configure({ objects: objects + `application "spa" { client_type = "public", client_id = "spa", redirect_uris = { "https://web.example.org/x" }, ${grants.replace('"client_credentials", ', '')} }` });
	assert.match((await broker.overControl('POST', '/reload')).text, /token exchange needs a confidential client/);
	await broker.configure({ objects });
});

test('test_token_exchange_missing_and_unsupported_token_types', async () => {
	fails(await exchange('front', undefined), 'invalid_request');
	fails(await exchange('front', alice.access_token, { subject_token_type: '' }), 'invalid_request');
	for (const type of [TYPE.id, TYPE.refresh, TYPE.authentik, 'urn:ietf:params:oauth:token-type:saml2', 'access_token']) fails(await exchange('front', alice.access_token, { subject_token_type: type }), 'invalid_request');
	for (const type of [TYPE.id, TYPE.refresh, 'x']) fails(await exchange('front', alice.access_token, { requested_token_type: type }), 'invalid_request');
	fails(await exchange('front', alice.access_token, { actor_token: alice.access_token }), 'invalid_request');
	fails(await exchange('front', alice.access_token, { actor_token_type: TYPE.access }), 'invalid_request');
	fails(await exchange('front', alice.access_token, { actor_token: alice.access_token, actor_token_type: TYPE.authentik }), 'invalid_request');
	fails(await exchange('front', alice.access_token, { audience: 'short', requested_token_type: TYPE.jwt }), 'invalid_request');
});

test('test_token_exchange_subject_tokens_of_another_kind_security_cases_11', async () => {
	const all = await login('front', { scope: 'openid profile offline_access' });
	const key = (await broker.json('token', 'create', '--user', 'alice', '--intent', 'app_password')).key;
	for (const text of [all.id_token, all.refresh_token, all.code, key, 'garbage', all.access_token.slice(0, -4) + 'AAAA', all.access_token.replace(/\.[^.]*$/, '.')]) {
		for (const type of [TYPE.access, TYPE.jwt]) fails(await exchange('front', text, { subject_token_type: type, audience: 'back' }), 'invalid_request');
	}
	const foreign = await obtainTokens(broker);
	fails(await exchange('front', foreign.access_token, { audience: 'back' }), 'invalid_request');
});

test('test_token_exchange_audience', async () => {
	const self = await exchange('front', alice.access_token, { audience: 'front', scope: 'openid' });
	assert.deepEqual([self.status, self.json.scope, claimsOf(self.json.access_token).aud], [200, 'openid', 'front'], 'self: fewer scopes');
	assert.equal(claimsOf((await exchange('front', alice.access_token)).json.access_token).aud, 'front', 'none named');
	for (const audience of ['unknown', 'alone', 'web', 'deep', broker.issuer('back')]) fails(await exchange('front', alice.access_token, { audience }), 'invalid_target');
	const body = new URLSearchParams([['grant_type', EXCHANGE], ['subject_token', alice.access_token], ['subject_token_type', TYPE.access], ['audience', 'back'], ['audience', 'front']]).toString();
	fails(await new Browser(broker).request('POST', '/application/o/token/', { body, headers: { ...basic('front'), 'content-type': 'application/x-www-form-urlencoded' } }), 'invalid_request');
	fails(await exchange('front', alice.access_token, { resource: 'https://api.example.org/' }), 'invalid_target');
	fails(await exchange('front', alice.access_token, { audience: 'back', resource: 'back' }), 'invalid_target');
});

test('test_token_exchange_scopes_are_the_targets_within_the_subjects_S20', async () => {
	const scope = async (target, asked) => (await exchange('front', alice.access_token, { audience: target, scope: asked })).json.scope;
	assert.equal(await scope('short', 'openid profile email groups'), 'openid profile');
	assert.equal(await scope('back', 'groups offline_access made-up profile'), 'profile');
	assert.equal(await scope('back', ''), '');
	fails(await exchange('front', alice.access_token, { scope: 'a"b' }), 'invalid_scope');
	const sealed = await exchange('front', alice.access_token, { audience: 'short' });
	assert.match(sealed.json.access_token, /^tla_/);
	assert.ok(sealed.json.expires_in <= 60);
});

test('test_token_exchange_denied_every_policy_of_the_browser_path_applies_GHSA-7qjx-gp9h-65qj', async () => {
	const bob = await login('front', {}, { username: 'bob', password: 'builder-bob' });
	const denied = await exchange('front', bob.access_token, { audience: 'back' });
	fails(denied, 'invalid_target');
	assert.match(denied.json.error_description, /Bob is not let in/);
	assert.equal((await exchange('front', bob.access_token)).status, 200);
	fails(await exchange('front', alice.access_token, { audience: 'asking' }), 'invalid_target');
	// The policy of the application that the token comes from.
	const guarded = await login('guarded');
	const refused = await exchange('guarded', guarded.access_token, { audience: 'behind' });
	assert.equal(refused.status, 400);
	assert.match(refused.json.error_description, /only in a browser/);
	// Who acts is let in, or does not act.
	fails(await exchange('front', alice.access_token, { audience: 'back', actor_token: bob.access_token, actor_token_type: TYPE.access }), 'invalid_target');
});

test('test_token_exchange_actor_tokens_and_the_chain_of_those_who_act', async () => {
	const bob = await login('front', {}, { username: 'bob', password: 'builder-bob' });
	const acted = await exchange('front', alice.access_token, { audience: 'back2', actor_token: bob.access_token, actor_token_type: TYPE.jwt });
	assert.equal(acted.status, 200, acted.text);
	assert.deepEqual(claimsOf(acted.json.access_token).act, { sub: claimsOf(bob.access_token).sub, client_id: 'front' });
	// back2 passes it on: the latest stands outside (RFC 8693 4.1).
	const further = await exchange('back2', acted.json.access_token, { audience: 'deep' });
	assert.equal(further.status, 200, further.text);
	const claims = claimsOf(further.json.access_token);
	assert.deepEqual(claims.act, { sub: 'back2', client_id: 'back2', act: { sub: claimsOf(bob.access_token).sub, client_id: 'front' } });
	assert.equal(claims.sub, claimsOf(alice.access_token).sub);
	fails(await exchange('front', alice.access_token, { audience: 'back2', actor_token: 'garbage', actor_token_type: TYPE.access }), 'invalid_request');
	const machine = await tokenRequest(broker, 'front', { grant_type: 'client_credentials' });
	const byMachine = await exchange('front', alice.access_token, { audience: 'back2', actor_token: machine.json.access_token, actor_token_type: TYPE.access });
	assert.deepEqual(claimsOf(byMachine.json.access_token).act, { sub: claimsOf(machine.json.access_token).sub, client_id: 'front' });
	await broker.command('user', 'disable', 'bob');
	fails(await exchange('front', bob.access_token), 'invalid_request');
	fails(await exchange('front', alice.access_token, { audience: 'back2', actor_token: bob.access_token, actor_token_type: TYPE.access }), 'invalid_request');
	await broker.command('user', 'enable', 'bob');
	// The chain ends somewhere.
	let token = (await login('loop0')).access_token, answer;
	for (let n = 0; n < 8; n++) {
		answer = await exchange(`loop${n % 2}`, token, { audience: `loop${(n + 1) % 2}` });
		if (answer.status !== 200) break;
		token = answer.json.access_token;
	}
	fails(answer, 'invalid_request');
	assert.match(answer.json.error_description, /Too many/);
});

test('test_token_exchange_programs_tokens', async () => {
	const own = await tokenRequest(broker, 'front', { grant_type: 'client_credentials', scope: 'openid profile' });
	const answer = await exchange('front', own.json.access_token, { audience: 'back' });
	assert.equal(answer.status, 200, answer.text);
	assert.equal((await userinfo(answer.json.access_token)).json.preferred_username, 'ak-front-client_credentials');
	const asking = await exchange('front', own.json.access_token, { audience: 'asking' });
	assert.equal(asking.status, 200, 'a program is asked nothing');
});

test('an_exchanged_token_outlives_nothing_that_it_came_from_security_cases_12', async () => {
	const mine = await login();
	const first = await exchange('front', mine.access_token, { audience: 'back2' });
	const second = await exchange('back2', first.json.access_token, { audience: 'deep' });
	assert.equal((await userinfo(second.json.access_token)).status, 200);
	// The one in the middle is revoked: what came of it ends, what it came from stays.
	await new Browser(broker).post('/application/o/revoke/', { token: first.json.access_token }, { headers: basic('back2') });
	assert.deepEqual([(await userinfo(mine.access_token)).status, (await userinfo(first.json.access_token)).status, (await userinfo(second.json.access_token)).status], [200, 401, 401]);
	fails(await exchange('back2', first.json.access_token, { audience: 'deep' }), 'invalid_request');
	const third = await exchange('front', mine.access_token, { audience: 'back' });
	const fourth = await exchange('back2', (await exchange('front', mine.access_token, { audience: 'back2' })).json.access_token, { audience: 'deep' });
	await mine.browser.submit(await mine.browser.get('/signout'), {});
	for (const token of [third, fourth]) assert.equal((await userinfo(token.json.access_token)).status, 401, 'the session ended');
	fails(await exchange('front', mine.access_token, { audience: 'back' }), 'invalid_request');

	const other = await login();
	await broker.advance(590);
	const late = await exchange('front', other.access_token, { audience: 'back' });
	assert.ok(late.json.expires_in <= 10);
	await broker.advance(11);
	assert.equal((await userinfo(late.json.access_token)).status, 401);
	fails(await exchange('front', other.access_token, { audience: 'back' }), 'invalid_request');
	const kinds = (await broker.events('--kind', 'token_issued')).filter((event) => event.application === 'back');
	assert.ok(kinds.length > 0);
});

test('discovery_names_the_grant_where_it_is_listed', async () => {
	const document = async (name) => (await new Browser(broker).get(`/application/o/${name}/.well-known/openid-configuration`)).json;
	assert.deepEqual((await document('front')).grant_types_supported.toSorted(), ['authorization_code', 'client_credentials', 'refresh_token', EXCHANGE].toSorted());
	assert.ok(!(await document('web')).grant_types_supported.includes(EXCHANGE));
	assert.equal(headerOf(alice.access_token).typ, 'at+jwt');
});
