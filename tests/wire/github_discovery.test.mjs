// GitHub's side as an issuer of its own (RFC 8414).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { objects } from '../harness/github.mjs';

const broker = await Broker.start({ objects });

test('rfc8414_3_the_document_stands_at_both_addresses_and_every_endpoint_answers', async () => {
	const browser = new Browser(broker);
	const issuer = `${broker.url}/login/oauth`;
	const { json, headers, text } = await browser.get('/.well-known/oauth-authorization-server/login/oauth');
	assert.match(headers['content-type'], /^application\/json/);
	assert.equal((await browser.get('/login/oauth/.well-known/openid-configuration')).text, text);
	assert.equal(json.issuer, issuer);
	assert.equal(json.authorization_endpoint, `${issuer}/authorize`);
	assert.deepEqual(json.code_challenge_methods_supported, ['S256']);
	assert.deepEqual(json.response_types_supported, ['code']);
	assert.equal(json.jwks_uri, undefined);
	assert.equal(json.registration_endpoint, undefined);
	assert.equal(json.authorization_response_iss_parameter_supported, false);
	for (const scope of ['user', 'user:email', 'read:org', 'repo']) assert.ok(json.scopes_supported.includes(scope), scope);
	assert.ok(!json.scopes_supported.some((scope) => /^admin:|site_admin/.test(scope)));
	for (const endpoint of ['token_endpoint', 'device_authorization_endpoint']) {
		const answer = await browser.post(json[endpoint], { client_id: 'nobody' }, { headers: { accept: 'application/json' } });
		assert.deepEqual([answer.status, answer.json.error], [404, 'Not Found'], endpoint);
	}
});

test('app_show_tells_what_to_type_into_a_client', async () => {
	const { urls } = await broker.json('app', 'show', 'forge');
	assert.deepEqual([urls.github, urls.github_authorization, urls.github_access_token, urls.github_api],
		[broker.url, `${broker.url}/login/oauth/authorize`, `${broker.url}/login/oauth/access_token`, `${broker.url}/api/v3`]);
	assert.equal((await broker.json('app', 'show', 'web')).urls.github, undefined);
});
