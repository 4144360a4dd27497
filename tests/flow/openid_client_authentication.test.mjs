// A certified client library proves itself by every method that there is, at the token, introspection and revocation endpoints.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { Broker } from '../harness/broker.mjs';
import { obtainCode, redirectUri } from '../harness/browser.mjs';

const algorithms = {
	ES256: { name: 'ECDSA', namedCurve: 'P-256' }, ES384: { name: 'ECDSA', namedCurve: 'P-384' },
	RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, PS256: { name: 'RSA-PSS', hash: 'SHA-256' }, RS512: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' },
};
const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
const pairs = {};
for (const [alg, algorithm] of Object.entries(algorithms)) pairs[alg] = await webcrypto.subtle.generateKey({ ...(algorithm.hash && rsa), ...algorithm }, true, ['sign', 'verify']);
const publicKeys = await Promise.all(Object.entries(pairs).map(async ([alg, { publicKey }]) => ({ ...(await webcrypto.subtle.exportKey('jwk', publicKey)), kid: alg, alg, use: 'sig', key_ops: undefined, ext: undefined })));
const secret = 'a client secret of more than thirty-two characters, with + and %';
const app = (name, more) => `application "${name}" { client_id = "${name}", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile", "offline_access" }, consent = "implicit", ${more} }\n`;
const objects = app('keys', 'token_endpoint_auth_method = "private_key_jwt", jwks = file "keys.json"') + app('keys-opaque', 'token_endpoint_auth_method = "private_key_jwt", jwks = file "keys.json", access_token = "opaque"')
	+ ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'].map((method) => app(method, `token_endpoint_auth_method = "${method}", client_secret = "${secret}"`)).join('') + app('nobody-special', 'client_type = "public"');

const broker = await Broker.start({ objects, files: { 'keys.json': JSON.stringify({ keys: publicKeys }) } });

const methods = {
	client_secret_basic: ['client_secret_basic', oidc.ClientSecretBasic(secret)], client_secret_post: ['client_secret_post', oidc.ClientSecretPost(secret)],
	client_secret_jwt: ['client_secret_jwt', oidc.ClientSecretJwt(secret)], none: ['nobody-special', oidc.None()],
	...Object.fromEntries(Object.entries(pairs).map(([alg, { privateKey: key }]) => [`private_key_jwt ${alg}`, [alg === 'ES384' ? 'keys-opaque' : 'keys', oidc.PrivateKeyJwt({ key, kid: alg })]])),
};

for (const [name, [client, authentication]] of Object.entries(methods)) {
	test(`openid_client_by_${name.replace(' ', '_')}`, async () => {
		const config = await oidc.discovery(new URL(broker.issuer(client)), client, undefined, authentication, { execute: [oidc.allowInsecureRequests] });
		const metadata = config.serverMetadata();
		assert.ok(metadata.token_endpoint_auth_methods_supported.includes(name.split(' ')[0]));
		if (name.includes(' ')) assert.ok(metadata.token_endpoint_auth_signing_alg_values_supported.includes(name.split(' ')[1]));
		const verifier = oidc.randomPKCECodeVerifier();
		const got = await obtainCode(broker, { client_id: client, redirect_uri: redirectUri.web, scope: 'openid profile offline_access', state: 's', nonce: 'n', code_challenge: await oidc.calculatePKCECodeChallenge(verifier) });
		const tokens = await oidc.authorizationCodeGrant(config, got.away, { pkceCodeVerifier: verifier, expectedState: 's', expectedNonce: 'n', idTokenExpected: true });
		const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
		await oidc.fetchUserInfo(config, renewed.access_token, tokens.claims().sub);
		if (name === 'none') {
			await assert.rejects(oidc.tokenIntrospection(config, renewed.access_token), { status: 401 });
		} else {
			for (const token of [renewed.access_token, renewed.refresh_token]) {
				const seen = await oidc.tokenIntrospection(config, token);
				assert.deepEqual([seen.active, seen.username, seen.client_id, seen.sub], [true, 'alice', client, tokens.claims().sub]);
			}
		}
		await oidc.tokenRevocation(config, renewed.access_token, { token_type_hint: 'access_token' });
		await assert.rejects(oidc.fetchUserInfo(config, renewed.access_token, tokens.claims().sub), { status: 401 });
		await oidc.tokenRevocation(config, renewed.refresh_token);
		await assert.rejects(oidc.refreshTokenGrant(config, renewed.refresh_token), { error: 'invalid_grant' });
		await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub), { status: 401 });
	});
}

test('openid_client_hears_what_was_wrong_with_its_credentials', async () => {
	for (const [client, authentication] of [['client_secret_basic', oidc.ClientSecretBasic('not it')], ['client_secret_basic', oidc.ClientSecretPost(secret)], ['client_secret_jwt', oidc.ClientSecretJwt('another secret of more than thirty-two characters')], ['keys', oidc.PrivateKeyJwt({ key: pairs.ES256.privateKey, kid: 'RS256' })], ['keys', oidc.None()]]) {
		const config = await oidc.discovery(new URL(broker.issuer(client)), client, undefined, authentication, { execute: [oidc.allowInsecureRequests] });
		// What a 401 with a challenge says stands in the answer, which the library hands over.
		const error = await oidc.refreshTokenGrant(config, 'tlr_x').then(() => assert.fail('accepted'), (raised) => raised);
		assert.equal(error.status ?? error.cause?.status ?? error.response?.status, 401, String(error));
	}
});
