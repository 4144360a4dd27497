// A certified client library gets tokens for programs: client_credentials, the person's app password, and token exchange.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as oidc from 'openid-client';
import { Broker } from '../harness/broker.mjs';
import { claimsOf, obtainTokens, secretOf } from '../harness/browser.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const objects = `
user "robot" { name = "Robot", type = "service_account" }
application "gateway" { client_id = "gateway", client_secret = "gateway-secret", consent = "implicit", signing_alg = "ES256",
  redirect_uris = { "https://gateway.example.org/callback" }, scopes = { "openid", "profile", "email" },
  grant_types = { "authorization_code", "client_credentials", "password", "${EXCHANGE}" } }
application "orders" { client_id = "orders", client_secret = "orders-secret", scopes = { "openid", "profile" }, federated = { "gateway" } }
`;
secretOf.gateway = 'gateway-secret';

// The library speaks fetch; plain http is for loopback only, here and there.
const discover = (broker, client_id, authentication) => oidc.discovery(new URL(broker.issuer(client_id)), client_id, undefined, authentication, { execute: [oidc.allowInsecureRequests] });

test('openid_client_gets_tokens_for_programs_in_every_way', async () => {
	const broker = await Broker.start({ objects });
	const config = await discover(broker, 'gateway', oidc.ClientSecretBasic('gateway-secret'));
	const own = await oidc.clientCredentialsGrant(config, { scope: 'openid profile' });
	assert.equal(own.token_type, 'bearer');
	assert.equal(own.claims().preferred_username, 'ak-gateway-client_credentials');
	await oidc.fetchUserInfo(config, own.access_token, own.claims().sub);
	assert.equal((await oidc.tokenIntrospection(config, own.access_token)).username, 'ak-gateway-client_credentials');

	const { key } = await broker.json('token', 'create', '--user', 'robot', '--intent', 'app_password');
	const robot = await oidc.clientCredentialsGrant(config, { scope: 'openid profile', username: 'robot', password: key });
	assert.equal(robot.claims().preferred_username, 'robot');
	const alias = await oidc.genericGrantRequest(config, 'password', { username: 'robot', password: key, scope: 'openid' });
	assert.equal(claimsOf(alias.access_token).sub, robot.claims().sub);

	// What a library makes of a client whose only secret is the pair.
	const pair = await discover(broker, 'gateway', oidc.ClientSecretPost(Buffer.from(`robot:${key}`).toString('base64')));
	assert.equal((await oidc.clientCredentialsGrant(pair, { scope: 'openid profile' })).claims().preferred_username, 'robot');
	await oidc.tokenRevocation(config, own.access_token);
	assert.equal((await oidc.tokenIntrospection(config, own.access_token)).active, false);
});

test('openid_client_exchanges_a_persons_token_for_one_of_the_service_behind', async () => {
	const broker = await Broker.start({ objects });
	const alice = await obtainTokens(broker, { client_id: 'gateway', redirect_uri: 'https://gateway.example.org/callback', scope: 'openid profile email' });
	const gateway = await discover(broker, 'gateway', oidc.ClientSecretBasic('gateway-secret'));
	const exchanged = await oidc.genericGrantRequest(gateway, EXCHANGE, { subject_token: alice.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: 'orders', scope: 'openid profile email' });
	assert.equal(exchanged.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
	const orders = await discover(broker, 'orders', oidc.ClientSecretPost('orders-secret'));
	const seen = await oidc.tokenIntrospection(orders, exchanged.access_token);
	assert.deepEqual([seen.active, seen.username, seen.scope, seen.act], [true, 'alice', 'openid profile', { sub: 'gateway', client_id: 'gateway' }]);
	assert.deepEqual((await oidc.tokenIntrospection(gateway, exchanged.access_token)).active, false, 'it is for the one behind');
	await assert.rejects(oidc.genericGrantRequest(gateway, EXCHANGE, { subject_token: alice.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: 'web' }), { error: 'invalid_target' });
});
