// signing_key = "own": an application's tokens are signed with keys of its own, which rotate by themselves and are in its own key
// set only.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as jose from 'jose';
import { Broker } from '../harness/broker.mjs';
import { Browser, obtainTokens, secretOf } from '../harness/browser.mjs';

const objects = `application "vault" { client_secret = "vault-secret", redirect_uris = { "https://vault.example.org/callback" }, scopes = { "openid", "offline_access" },
	consent = "implicit", signing_alg = "ES256", signing_key = "own", access_token_typ = "at+jwt" }`;
secretOf.vault = 'vault-secret';
const keySet = async (broker, slug) => (await new Browser(broker).get(`/application/o/${slug}/jwks/`)).json;
const kidOf = (token) => jose.decodeProtectedHeader(token).kid;
const signIn = (broker) => obtainTokens(broker, { client_id: 'vault', redirect_uri: 'https://vault.example.org/callback', scope: 'openid offline_access' });

test('an_application_with_keys_of_its_own_signs_with_them_and_nobody_else_publishes_them', async () => {
	const broker = await Broker.start({ objects });
	const tokens = await signIn(broker);
	const own = await keySet(broker, 'vault'), shared = await keySet(broker, 'web');
	for (const token of [tokens.id_token, tokens.access_token]) {
		assert.ok(own.keys.some((key) => key.kid === kidOf(token)));
		assert.ok(!shared.keys.some((key) => key.kid === kidOf(token)));
		await jose.jwtVerify(token, jose.createLocalJWKSet(own), { algorithms: ['ES256'] });
	}
	assert.equal((await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${tokens.access_token}` } })).status, 200);
	assert.ok(!(await broker.json('app', 'show', 'web')).jwks.keys.some((key) => key.kid === kidOf(tokens.id_token)));
	assert.ok((await broker.json('app', 'show', 'vault')).jwks.keys.some((key) => key.kid === kidOf(tokens.id_token)));
});

test('its_keys_rotate_without_the_shared_ones_and_the_other_way_round', async () => {
	const broker = await Broker.start({ objects });
	const before = await signIn(broker);
	const active = async (application) => (await broker.json('key', 'list')).filter((key) => key.state === 'active' && (key.application ?? null) === application).map((key) => key.kid).sort();
	const shared = await active(null);
	const { rotated } = await broker.json('key', 'rotate', '--app', 'vault');
	assert.deepEqual(await active(null), shared);
	assert.deepEqual(rotated.map((one) => one.alg), ['ES256']);
	const after = await signIn(broker);
	assert.equal(kidOf(after.id_token), rotated[0].kid);
	assert.notEqual(kidOf(before.id_token), kidOf(after.id_token));
	const { keys } = await keySet(broker, 'vault');
	for (const kid of [kidOf(before.id_token), kidOf(after.id_token)]) assert.ok(keys.some((key) => key.kid === kid), 'the old one stays published');
	const mine = await active('vault');
	assert.equal((await broker.command('key', 'rotate', 'RS256')).status, 0);
	assert.deepEqual(await active('vault'), mine);
	assert.equal((await broker.command('key', 'rotate', '--app', 'web')).status, 1);
	assert.equal((await broker.command('key', 'rotate', '--app', 'nobody')).status, 1);
});
