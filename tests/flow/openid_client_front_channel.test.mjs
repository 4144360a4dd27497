// A certified client library takes answers from the front channel: hybrid and implicit, by fragment and by form_post.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as oidc from 'openid-client';
import { Broker } from '../harness/broker.mjs';
import { Browser, formOf } from '../harness/browser.mjs';

const home = 'https://rp.example.org/cb';
const app = (name, alg) => `application "${name}" { client_secret = "${name}-secret", redirect_uris = { "${home}" }, consent = "implicit", signing_alg = "${alg}",
	scopes = { "openid", "profile", "email" }, response_types = { "code", "id_token", "code id_token" } }\n`;
const objects = app('rsa', 'RS256') + app('p384', 'ES384') + app('p521', 'ES512');

const broker = await Broker.start({ objects });

async function start(client, shape) {
	const config = await oidc.discovery(new URL(broker.issuer(client)), client, { id_token_signed_response_alg: { rsa: 'RS256', p384: 'ES384', p521: 'ES512' }[client] },
		oidc.ClientSecretBasic(`${client}-secret`), { execute: [oidc.allowInsecureRequests, shape] });
	return { config, client: { redirect_uri: home, scope: 'openid profile email', state: oidc.randomState(), nonce: oidc.randomNonce() } };
}

// What the client's server is given: the URL with its fragment, or the request that the form makes.
async function answerTo(url, who = ['alice', 'wonderland']) {
	const browser = new Browser(broker);
	const at = await browser.signIn((await browser.open(url.href)).page, ...who);
	if (at.away) return at.away;
	const form = formOf(at.page.text, 'form-post');
	return new Request(form.action, { method: 'POST', body: new URLSearchParams(form.fields), headers: { 'content-type': 'application/x-www-form-urlencoded' } });
}

for (const client of ['rsa', 'p384', 'p521']) {
	for (const response_mode of ['fragment', 'form_post']) {
		test(`openid_client_takes_code_id_token_by_${response_mode}_signed_for_${client}_and_checks_c_hash_by_its_algorithm`, async () => {
			const { config: hybrid, client: asked } = await start(client, oidc.useCodeIdTokenResponseType);
			const verifier = oidc.randomPKCECodeVerifier();
			const url = oidc.buildAuthorizationUrl(hybrid, { ...asked, response_mode, code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' });
			assert.equal(url.searchParams.get('response_type'), 'code id_token');
			const tokens = await oidc.authorizationCodeGrant(hybrid, await answerTo(url), { pkceCodeVerifier: verifier, expectedNonce: asked.nonce, expectedState: asked.state });
			assert.equal(tokens.claims().preferred_username, 'alice');
			assert.equal((await oidc.fetchUserInfo(hybrid, tokens.access_token, tokens.claims().sub)).email, 'alice@example.org');
		});
	}
}

test('openid_client_takes_an_id_token_alone_with_its_claims_inside', async () => {
	for (const response_mode of ['fragment', 'form_post']) {
		const { config, client: asked } = await start('rsa', oidc.useIdTokenResponseType);
		const url = oidc.buildAuthorizationUrl(config, { ...asked, response_mode });
		assert.equal(url.searchParams.get('response_type'), 'id_token');
		const claims = await oidc.implicitAuthentication(config, await answerTo(url), asked.nonce, { expectedState: asked.state });
		assert.equal(claims.email, 'alice@example.org');
		assert.equal(claims.name, 'Alice Liddell');
	}
});

test('openid_client_tells_an_error_that_came_by_form_post', async () => {
	const { config, client: asked } = await start('rsa', oidc.useIdTokenResponseType);
	const url = oidc.buildAuthorizationUrl(config, { ...asked, response_mode: 'form_post', prompt: 'none' });
	const form = formOf((await new Browser(broker).open(url.href)).page.text, 'form-post');
	const request = new Request(form.action, { method: 'POST', body: new URLSearchParams(form.fields), headers: { 'content-type': 'application/x-www-form-urlencoded' } });
	await assert.rejects(oidc.implicitAuthentication(config, request, asked.nonce, { expectedState: asked.state }), (error) => error.error === 'login_required');
});
