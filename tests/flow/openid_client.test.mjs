// A certified OpenID Connect client library signs a person in: code + PKCE, refresh, userinfo, over TLS with the private CA.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import * as oidc from 'openid-client';
import { Broker } from '../harness/broker.mjs';
import { Browser, claimsOf, headerOf, redirectUri } from '../harness/browser.mjs';

const groupsMapping = `
local names = {}
for _, group in ipairs(user.groups) do names[#names + 1] = group.name end
return names
`;

// openid-client speaks fetch; this one trusts the broker's own CA and nothing else.
function privateFetch(caFile) {
	const agent = new https.Agent({ ca: readFileSync(caFile) });
	return (target, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
		const sent = Object.fromEntries(new Headers(headers));
		const text = body === undefined || body === null ? undefined : body.toString();
		if (text !== undefined) sent['content-length'] = Buffer.byteLength(text);
		const request = https.request(target, { method, headers: sent, agent }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('end', () => resolve(new Response(Buffer.concat(chunks), { status: response.statusCode, headers: new Headers(Object.entries(response.headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))) })));
		});
		request.on('error', reject);
		request.end(text);
	});
}

async function discover(broker, client_id, authentication) {
	const fetching = privateFetch(broker.caFile);
	return oidc.discovery(new URL(broker.issuer(client_id)), client_id, undefined, authentication, { [oidc.customFetch]: fetching });
}

async function throughThePages(broker, url, username, password) {
	const browser = new Browser(broker);
	let at = await browser.open(url.href);
	at = await browser.signIn(at.page, username, password);
	if (at.page) at = await browser.submit(at.page, { answer: 'allow' }, 'consent');
	return { url: at.away, browser };
}

const objects = 'scope_mapping "groups" { scope = "groups", description = "Your groups", script = "groups.lua" }';

test('openid_client_signs_a_person_in_with_code_and_pkce_and_gets_claims_made_by_a_script', async () => {
	const broker = await Broker.start({ tls: true, objects, files: { 'groups.lua': groupsMapping } });
	const config = await discover(broker, 'web', oidc.ClientSecretBasic('web-secret'));
	const verifier = oidc.randomPKCECodeVerifier();
	const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
	const url = oidc.buildAuthorizationUrl(config, {
		redirect_uri: redirectUri.web, scope: 'openid profile email groups offline_access', state, nonce,
		code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
	});
	const back = await throughThePages(broker, url, 'alice', 'wonderland');
	const tokens = await oidc.authorizationCodeGrant(config, back.url, {
		pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
	});
	const claims = tokens.claims();
	assert.equal(claims.iss, broker.issuer('web'));
	assert.equal(claims.aud, 'web');
	assert.deepEqual(claims.groups, ['staff']);
	assert.equal(claims.preferred_username, 'alice');
	assert.equal(claims.email, 'alice@example.org');
	assert.equal(claims.email_verified, true);
	assert.deepEqual(claims.amr, ['pwd']);
	assert.equal(tokens.token_type, 'bearer');

	const info = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
	assert.equal(info.sub, claims.sub);
	assert.deepEqual(info.groups, ['staff']);

	const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
	assert.equal(renewed.claims().sub, claims.sub);
	assert.equal(renewed.claims().auth_time, claims.auth_time);
	assert.notEqual(renewed.refresh_token, tokens.refresh_token);
	await oidc.fetchUserInfo(config, renewed.access_token, claims.sub);
});

test('openid_client_signs_in_as_a_public_client_without_a_secret', async () => {
	const broker = await Broker.start({ tls: true });
	const config = await discover(broker, 'native', oidc.None());
	const verifier = oidc.randomPKCECodeVerifier();
	const url = oidc.buildAuthorizationUrl(config, {
		redirect_uri: redirectUri.native, scope: 'openid profile', state: 's', nonce: 'n',
		code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
	});
	const back = await throughThePages(broker, url, 'bob', 'builder-bob');
	const tokens = await oidc.authorizationCodeGrant(config, back.url, { pkceCodeVerifier: verifier, expectedState: 's', expectedNonce: 'n' });
	assert.equal(tokens.claims().preferred_username, 'bob');
});

test('openid_client_accepts_client_secret_post', async () => {
	const broker = await Broker.start({ tls: true });
	const config = await discover(broker, 'web', oidc.ClientSecretPost('web-secret'));
	const verifier = oidc.randomPKCECodeVerifier();
	const url = oidc.buildAuthorizationUrl(config, {
		redirect_uri: redirectUri.web, scope: 'openid', state: 's', nonce: 'n',
		code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
	});
	const back = await throughThePages(broker, url, 'alice', 'wonderland');
	const tokens = await oidc.authorizationCodeGrant(config, back.url, { pkceCodeVerifier: verifier, expectedState: 's', expectedNonce: 'n' });
	assert.ok(tokens.claims().sub);
});

for (const alg of ['ES256', 'RS256']) {
	test(`openid_client_verifies_${alg}_signatures_of_an_application_that_asks_for_them`, async () => {
		const objects_ = `application "signed" { name = "Signed", client_type = "confidential", client_id = "signed", client_secret = "signed-secret",
			redirect_uris = { "https://signed.example.org/cb" }, scopes = { "openid" }, consent = "implicit", signing_alg = "${alg}" }`;
		const broker = await Broker.start({ tls: true, objects: objects_ });
		const config = await discover(broker, 'signed', oidc.ClientSecretBasic('signed-secret'));
		oidc.enableNonRepudiationChecks(config);
		const verifier = oidc.randomPKCECodeVerifier();
		const url = oidc.buildAuthorizationUrl(config, {
			redirect_uri: 'https://signed.example.org/cb', scope: 'openid', state: 's', nonce: 'n',
			code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
		});
		const back = await throughThePages(broker, url, 'alice', 'wonderland');
		const tokens = await oidc.authorizationCodeGrant(config, back.url, { pkceCodeVerifier: verifier, expectedState: 's', expectedNonce: 'n' });
		assert.equal(headerOf(tokens.id_token).alg, alg);
		assert.ok(claimsOf(tokens.access_token).jti);
	});
}

test('openid_client_sends_the_person_to_sign_out_and_back', async () => {
	const broker = await Broker.start({ tls: true, objects: `application "leaving" { client_id = "leaving", client_secret = "leaving-secret", consent = "implicit", redirect_uris = { "${redirectUri.web}" },
		scopes = { "openid" }, post_logout_redirect_uris = { "https://web.example.org/goodbye" } }` });
	const config = await discover(broker, 'leaving', oidc.ClientSecretPost('leaving-secret'));
	const verifier = oidc.randomPKCECodeVerifier();
	const asked = oidc.buildAuthorizationUrl(config, { redirect_uri: redirectUri.web, scope: 'openid', code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' });
	const { url, browser } = await throughThePages(broker, asked, 'alice', 'wonderland');
	const tokens = await oidc.authorizationCodeGrant(config, url, { pkceCodeVerifier: verifier });
	const state = oidc.randomState();
	const end = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: 'https://web.example.org/goodbye', state });
	const { away } = await browser.open(end.href);
	assert.equal(away?.href, `https://web.example.org/goodbye?state=${state}`);
	await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub));
	// Without an ID token (openid-client names the client then), the person is asked first.
	const again = await throughThePages(broker, asked, 'alice', 'wonderland');
	const page = await again.browser.open(oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: 'https://web.example.org/goodbye' }).href);
	assert.equal((await again.browser.submit(page.page, {}, 'signout')).away?.href, 'https://web.example.org/goodbye');
});
