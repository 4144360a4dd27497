// RFC 8707, S8, S9, S21: for whom an access token is, and who may ask for it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, claimsOf, obtainCode, obtainTokens, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';

const files = 'https://files.example.org/', mail = 'https://mail.example.org/v1?x=1', calendar = 'urn:example:calendar';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const app = (name, more) => `application "${name}" { client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile", "offline_access" }, consent = "implicit", ${more} }\n`;
const objects = app('caller', `audiences = { "${files}", "${mail}" }`) + app('opaque', `audiences = { "${files}" }, access_token = "opaque"`)
	+ `application "calendar" { client_id = "${calendar}", client_secret = "calendar-secret", federated = { "caller" } }\n`
	+ app('passing', `audiences = { "${files}" }, grant_types = { "authorization_code", "refresh_token", "${EXCHANGE}" }`) + app('behind', 'federated = { "passing" }, grant_types = { "client_credentials", "refresh_token" }')
	+ 'application "closed" { client_id = "https://closed.example.org/", client_secret = "closed-secret" }\n';
for (const name of ['caller', 'opaque', 'passing', 'behind']) secretOf[name] = `${name}-secret`;
secretOf[calendar] = 'calendar-secret';
const broker = await Broker.start({ objects });

const list = (form, resources) => new URLSearchParams([...Object.entries(form), ...resources.map((one) => ['resource', one])]).toString();
const typed = (client) => ({ ...basic(client), 'content-type': 'application/x-www-form-urlencoded' });
const redeem = (got, resources, client = 'caller') => new Browser(broker).post('/application/o/token/', list({ grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier }, resources), { headers: typed(client) });
const refresh = (token, resources, client = 'caller') => new Browser(broker).post('/application/o/token/', list({ grant_type: 'refresh_token', refresh_token: token }, resources), { headers: typed(client) });
const signedIn = (await obtainTokens(broker)).browser;
// A code for these resources: the parameter may repeat, which a table of parameters cannot say.
async function code(resources, parameters = {}, client = 'caller') {
	const append = { get: (target) => signedIn.get(target), broker };
	const browser = Object.create(signedIn, { open: { value: async (target) => signedIn.follow(await append.get(`${target}${resources.map((one) => `&resource=${encodeURIComponent(one)}`).join('')}`)) } });
	const got = await obtainCode(broker, { client_id: client, redirect_uri: redirectUri.web, scope: 'openid offline_access', ...parameters }, { browser });
	assert.ok(got.code, got.away.href);
	return got;
}
const userinfo = async (token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
const introspect = (token, client) => new Browser(broker).post('/application/o/introspect/', { token }, { headers: basic(client) });
const audience = (answer) => { assert.equal(answer.status, 200, answer.text); return claimsOf(answer.json.access_token).aud; };
const refusedTarget = (answer, what) => assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_target'], `${what}: ${answer.text}`);

test('without_a_resource_the_audience_is_the_client_and_what_its_owner_adds', async () => {
	assert.deepEqual(audience(await redeem(await code([]), [])), ['caller', files, mail]);
	const plain = await obtainTokens(broker, {}, { browser: signedIn });
	assert.equal(claimsOf(plain.access_token).aud, 'web');
});

test('rfc8707_2.1_and_2.2_what_was_authorized_is_the_audience_and_may_be_narrowed', async () => {
	const both = await redeem(await code([files, mail]), []);
	assert.deepEqual(audience(both), [files, mail]);
	assert.equal(claimsOf(both.json.id_token).aud, 'caller', 'the ID token is the client\'s');
	assert.equal(audience(await redeem(await code([files]), [])), files);
	const narrowed = await redeem(await code([files, mail]), [mail]);
	assert.equal(audience(narrowed), mail);
	const again = await refresh(narrowed.json.refresh_token, [files]);
	assert.equal(audience(again), files, 'what was granted is more than what was taken');
	assert.deepEqual(audience(await refresh(again.json.refresh_token, [])), [files, mail]);
	assert.deepEqual(audience(await redeem(await code([files, files]), [files, files])), files, 'repeated is once');
	refusedTarget(await redeem(await code([files]), [mail]), 'more than was authorized');
	const got = await redeem(await code([files]), []);
	refusedTarget(await refresh(got.json.refresh_token, [mail]), 'at refresh too');
	assert.equal(audience(await refresh(got.json.refresh_token, [])), files, 'and the refresh token was not spent');
	assert.equal(audience(await redeem(await code(['', files]), [''])), files, 'an empty one is none (RFC 6749 3.1)');
	assert.equal(audience(await redeem(await code([]), [files])), files, 'named at the token endpoint only');
});

test('rfc8707_2_what_is_no_resource_or_not_the_applications_is_invalid_target', async () => {
	const bad = ['files', '/files', '//files.example.org/', 'https://files.example.org/#', `${files}#part`, 'https://unknown.example.org/', files.slice(0, -1), files.toUpperCase(), `${files} x`, `${files}\u0000`, 'caller', 'web', 'https://closed.example.org/', 'javascript:alert(1)', 'x'.repeat(2100)];
	for (const resource of bad) {
		if (resource.length <= 2000 && !resource.includes('\0')) {
			const sent = new URL((await signedIn.get(`${authorizeUrl(broker, { client_id: 'caller', redirect_uri: redirectUri.web })}&resource=${encodeURIComponent(resource)}`)).headers.location);
			assert.deepEqual([sent.origin + sent.pathname, sent.searchParams.get('error'), sent.searchParams.get('state')], [redirectUri.web, 'invalid_target', 'st-1'], resource);
		}
		const answer = await redeem(await code([]), [resource]);
		assert.ok(answer.status === 400 && ['invalid_target', 'invalid_request'].includes(answer.json.error), `${resource}: ${answer.text}`);
	}
	refusedTarget(await redeem(await code([files]), [files, 'https://unknown.example.org/']), 'one good and one bad');
	refusedTarget(await redeem(await code([], {}, 'opaque'), [mail], 'opaque'), 'another application\'s resource');
	refusedTarget(await redeem(await code([], {}, 'opaque'), [calendar], 'opaque'), 'a resource server that does not list it');
});

test('S8_a_token_for_a_foreign_resource_is_refused_at_userinfo', async () => {
	for (const client of ['caller', 'opaque']) {
		const foreign = await redeem(await code([files], {}, client), [], client);
		const answer = await userinfo(foreign.json.access_token);
		assert.equal(answer.status, 401, client);
		assert.match(answer.headers['www-authenticate'], /error="invalid_token"/);
		assert.equal((await userinfo((await redeem(await code([], {}, client), [], client)).json.access_token)).status, 200);
	}
});

test('S8_a_token_for_a_foreign_resource_is_no_subject_and_no_assertion_either', async () => {
	const [own, foreign] = [await redeem(await code([], {}, 'passing'), [], 'passing'), await redeem(await code([files], {}, 'passing'), [], 'passing')];
	const exchange = (subject_token, more) => tokenRequest(broker, 'passing', { grant_type: EXCHANGE, subject_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', ...more });
	const assertion = (client_assertion) => tokenRequest(broker, 'behind', { grant_type: 'client_credentials', client_assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }, basic('behind'));
	for (const more of [{}, { audience: 'behind' }]) {
		assert.equal((await exchange(own.json.access_token, more)).status, 200, 'its own');
		assert.equal((await exchange(foreign.json.access_token, more)).json.error, 'invalid_request', JSON.stringify(more));
	}
	assert.equal((await assertion(own.json.access_token)).status, 200);
	assert.equal((await assertion(foreign.json.access_token)).json.error, 'invalid_grant');
});

test('S9_the_resource_server_that_is_named_may_introspect_and_no_other', async () => {
	const answer = await redeem(await code([calendar]), []);
	assert.equal(audience(answer), calendar);
	const seen = (await introspect(answer.json.access_token, calendar)).json;
	assert.deepEqual([seen.active, seen.aud, seen.client_id, seen.username], [true, calendar, 'caller', 'alice']);
	assert.equal((await introspect(answer.json.access_token, 'caller')).json.active, true, 'and the client itself');
	for (const other of ['web', 'opaque']) assert.deepEqual((await introspect(answer.json.access_token, other)).json, { active: false });
});

test('S21_audiences_never_name_another_application', async () => {
	const refused = await broker.command('app', 'add', 'greedy', '--audience', 'web', '--redirect-uri', redirectUri.web);
	assert.equal(refused.status, 1);
	assert.match(refused.err, /--audience web is the client_id of the application "web"/);
	const made = await broker.json('app', 'add', 'early', '--audience', 'later', '--audience', files, '--redirect-uri', redirectUri.web, '--scope', 'openid', '--scope', 'offline_access', '--consent', 'implicit', '--client-id', 'early');
	secretOf.early = made.client_secret;
	const before_ = await redeem(await code([], {}, 'early'), [], 'early');
	assert.deepEqual(audience(before_), ['early', 'later', files]);
	await broker.json('app', 'add', 'later', '--client-id', 'later', '--redirect-uri', redirectUri.web);
	assert.deepEqual(audience(await redeem(await code([], {}, 'early'), [], 'early')), ['early', files], 'who takes the name takes it from the list');
});

test('opaque_tokens_carry_it_and_a_lost_audience_is_not_given_again', async () => {
	const got = await redeem(await code([files], {}, 'opaque'), [], 'opaque');
	assert.equal((await introspect(got.json.access_token, 'opaque')).json.aud, files);
	await broker.configure({ objects: objects.replace(`audiences = { "${files}" }, access_token`, 'access_token') });
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	refusedTarget(await refresh(got.json.refresh_token, [], 'opaque'), 'the owner took it away');
});
