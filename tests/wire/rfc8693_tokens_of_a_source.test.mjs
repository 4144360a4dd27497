// RFC 8693 with an ID token of a source (Akkess's model, facts: directory C1): an application that signs its people in elsewhere gets a
// token for the user here who is affiliated, and nothing is easier on this way than in the browser (security-cases 11).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, claimsOf, secretOf, tokenRequest } from '../harness/browser.mjs';
import { declared, upstreamAt } from '../harness/upstream.mjs';
import { newKey } from '../upstream/keys.mjs';
import { Oidc } from '../upstream/oidc.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const upstream = await upstreamAt((web) => new Oidc({ web }));
const settings = { kind: 'oidc', issuer: upstream.issuer, client_id: 'akkess-app', trusted_usernames: true, groups: true, attributes: { name: 'once' } };
for (const name of ['akkess', 'untold', 'strict', 'asking']) secretOf[name] = `${name}-secret-0123456789`;
const application = (name, more) => `application "${name}" { client_secret = "${secretOf[name]}", grant_types = { "authorization_code", "${EXCHANGE}" },
	redirect_uris = { "https://${name}.example.org/" }, scopes = { "openid", "profile", "email", "groups" }, consent = "implicit", ${more} }\n`;
const broker = await Broker.start({
	files: { 'members.lua': 'for _, group in ipairs(user.groups) do if group.name == "engines" then return true end end return false, "engines only"' },
	objects: `${declared('corp', settings)}
user "ada" { name = "Placeholder", identities = { { source = "corp", subject = "248289761001" } } }
user "gone" { identities = { { source = "corp", subject = "gone" } }, active = false }
policy "members" { script = "members.lua" }
${application('akkess', 'sources = { "corp" }')}${application('untold', '')}${application('strict', 'sources = { "corp" }, policies = { "members" }')}
${application('asking', 'sources = { "corp" }').replace('"implicit"', '"remembered"')}`,
});
await broker.command('user', 'add', 'grace', '--name', 'Somebody');
await broker.command('user', 'link', 'grace', '--source', 'corp', '--username', 'grace');

const idToken = (claims = {}, how) => upstream.sign('id_token', { iss: upstream.issuer, aud: 'akkess-app', sub: '248289761001', iat: upstream.now(),
	exp: upstream.now() + 300, name: 'Ada Lovelace', nonce: 'the-app-own', ...claims }, how);
const exchange = (token, client = 'akkess', more = {}) => tokenRequest(broker, client, { grant_type: EXCHANGE, subject_token: token,
	subject_token_type: 'urn:ietf:params:oauth:token-type:id_token', ...more });
const userinfo = (token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });

test('an_ID_token_of_a_source_is_exchanged_for_the_affiliated_user_s_token', async () => {
	const got = await exchange(idToken(), 'akkess', { scope: 'openid profile' });
	assert.equal(got.status, 200, got.text);
	assert.equal(got.json.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
	assert.equal(got.json.refresh_token, undefined);
	assert.ok(got.json.expires_in <= 300, 'no longer than what it was made of');
	const claims = claimsOf(got.json.access_token);
	assert.ok(Math.abs(claims.auth_time - upstream.now()) < 60);
	const who = await userinfo(got.json.access_token);
	assert.equal(who.json.preferred_username, 'ada');
	assert.equal(who.json.name, 'Placeholder', 'what the file says is the file\'s');
	// Scopes are those that are asked for.
	assert.equal((await exchange(idToken())).json.scope, '');
});

test('C5_9_a_name_is_claimed_by_the_first_subject_and_pinned', async () => {
	const grace = { sub: '248289761002', preferred_username: 'grace', name: 'Grace Hopper' };
	const got = await exchange(idToken(grace), 'akkess', { scope: 'openid profile' });
	assert.equal(got.status, 200, got.text);
	assert.equal((await userinfo(got.json.access_token)).json.name, 'Grace Hopper');
	assert.equal((await exchange(idToken({ ...grace, sub: 'another' }))).json.error, 'invalid_grant');
	const [refused] = await broker.events('--kind', 'source_refused');
	assert.match(refused.reason, /^corp: name_pinned/);
});

test('nobody_is_enrolled_linked_or_let_in_who_would_not_be_by_the_browser', async () => {
	const before = (await broker.json('user', 'list')).length;
	assert.equal((await exchange(idToken({ sub: 'stranger', preferred_username: 'stranger' }))).json.error, 'invalid_grant');
	assert.equal((await exchange(idToken({ sub: 'gone' }))).json.error, 'invalid_grant');
	assert.equal((await broker.json('user', 'list')).length, before);
	assert.equal((await exchange(idToken(), 'strict', { scope: 'openid' })).json.error, 'invalid_grant', 'the policy is asked');
	assert.equal((await exchange(idToken({ groups: ['engines'] }), 'strict', { scope: 'openid groups' })).status, 200, 'with the groups of now');
	assert.equal((await exchange(idToken(), 'strict', { scope: 'openid' })).status, 200, 'no word about groups changes nothing');
	assert.equal((await exchange(idToken({ groups: [] }), 'strict', { scope: 'openid' })).json.error, 'invalid_grant');
	assert.match((await exchange(idToken(), 'asking', { scope: 'openid email' })).json.error_description, /not agreed/);
	for (const more of [{ audience: 'other' }, { resource: 'https://api.example.org' }]) {
		assert.equal((await exchange(idToken(), 'akkess', more)).json.error, 'invalid_target');
	}
});

test('C5_6_what_is_not_the_source_s_for_us_and_of_now_is_refused_each_for_a_reason', async () => {
	const now = upstream.now();
	const rsa = upstream.keys[0];
	const wrong = [
		[idToken({ iss: 'https://evil.example' }), /iss/], [idToken({ aud: 'another-client' }), /no client of a source/],
		[idToken({ aud: ['akkess-app', 'another'] }), /azp/], [idToken({ exp: now - 400, iat: now - 700 }), /expired|exp/],
		[idToken({ nbf: now + 600 }), /nbf|not yet/i], [idToken({}, { key: newKey({ kid: rsa.kid }) }), /signature|key/],
		[idToken({}, { key: newKey() }), /key/], [idToken({ sub: undefined }), /sub/],
		[`${Buffer.from('{"alg":"none"}').toString('base64url')}.${idToken().split('.')[1]}.`, /alg|signed|signature/],
		['rubbish', /no signed token/],
	];
	for (const [token, why] of wrong) {
		const answer = await exchange(token);
		assert.equal(answer.status, 400, String(why));
		assert.equal(answer.json.error, 'invalid_request');
	}
	const told = (await broker.events('--kind', 'source_token_refused')).map(({ reason }) => reason);
	for (const [, why] of wrong) assert.ok(told.some((reason) => why.test(reason)), `${why} in ${told.join('\n')}`);
	assert.equal((await exchange(idToken({ aud: ['akkess-app'] }))).status, 200, 'aud may be a list with us in it');
	assert.equal((await exchange(idToken(), 'untold')).status, 400, 'a source that the application does not name');
	// Our own tokens are none of the source's.
	const { access_token } = (await exchange(idToken(), 'akkess', { scope: 'openid' })).json;
	assert.equal((await exchange(access_token)).status, 400);
	assert.equal((await userinfo(idToken())).status, 401);
});
