// oidcc-config: the discovery document and the key set, and who may read them from a browser.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, obtainTokens } from '../harness/browser.mjs';

test('oidcc-discovery-endpoint-verification', async () => {
	const broker = await Broker.start({ tls: true });
	const browser = new Browser(broker);
	const answer = await browser.get('/application/o/web/.well-known/openid-configuration');
	assert.equal(answer.status, 200);
	assert.match(answer.headers['content-type'], /^application\/json/);
	const doc = answer.json;
	assert.equal(doc.issuer, broker.issuer('web'));
	for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']) assert.ok(doc[name].startsWith(`${broker.url}/application/o/`), name);
	assert.deepEqual(doc.response_types_supported, ['code']);
	assert.deepEqual(doc.grant_types_supported, ['authorization_code', 'refresh_token']);
	assert.deepEqual(doc.subject_types_supported, ['public']);
	assert.ok(doc.id_token_signing_alg_values_supported.includes('RS256'));
	assert.deepEqual(doc.code_challenge_methods_supported, ['S256']);
	assert.equal(doc.request_parameter_supported, false);
	assert.equal(doc.request_uri_parameter_supported, false);
	assert.equal(doc.claims_parameter_supported, true);
	assert.equal(doc.authorization_response_iss_parameter_supported, true);
	assert.deepEqual(doc.scopes_supported, ['openid', 'profile', 'email', 'groups', 'offline_access']);
	for (const name of ['sub', 'name', 'email', 'groups', 'auth_time', 'acr']) assert.ok(doc.claims_supported.includes(name), name);
	assert.equal(new Set(doc.claims_supported).size, doc.claims_supported.length);
	for (const absent of ['registration_endpoint', 'device_authorization_endpoint']) assert.equal(doc[absent], undefined, absent);
	const jwks = await browser.get(new URL(doc.jwks_uri).pathname);
	assert.ok(jwks.json.keys.some((key) => key.kty === 'RSA' && key.alg === 'RS256'));
	assert.ok(jwks.json.keys.some((key) => key.kty === 'EC' && key.alg === 'ES256'));
	for (const key of jwks.json.keys) {
		assert.ok(key.kid && key.use === 'sig');
		for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(key[secret], undefined);
	}
});

test('the_issuer_leads_to_its_document_and_unknown_applications_do_not', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const root = await browser.get('/application/o/web/');
	assert.equal(root.status, 302);
	assert.equal((await browser.follow(root)).page.json.issuer, broker.issuer('web'));
	for (const path of ['/application/o/nobody/', '/application/o/nobody/jwks/', '/application/o/nobody/.well-known/openid-configuration', '/application/o/web/jwks', '/application/o/web/nothing', '/nothing']) {
		assert.equal((await browser.get(path)).status, 404, path);
	}
});

test('cors_by_the_applications_origins_and_never_with_credentials', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const from = (origin, more = {}) => ({ headers: { origin, ...more } });
	const allowed = (answer) => { assert.equal(answer.headers['access-control-allow-credentials'], undefined); return answer.headers['access-control-allow-origin']; };
	const discovery = '/application/o/web/.well-known/openid-configuration';
	assert.equal(allowed(await browser.get(discovery, from('https://web.example.org'))), 'https://web.example.org');
	assert.equal(allowed(await browser.get(discovery, from('https://evil.example'))), undefined);
	assert.equal(allowed(await browser.get(discovery, from('null'))), undefined);
	assert.equal((await browser.get(discovery, from('https://evil.example'))).headers.vary, 'Origin');
	assert.equal(allowed(await browser.get('/application/o/web/jwks/', from('https://evil.example'))), '*');
	const got = await obtainTokens(broker);
	const info = (origin) => browser.get('/application/o/userinfo/', from(origin, { authorization: `Bearer ${got.access_token}` }));
	assert.equal(allowed(await info('https://web.example.org')), 'https://web.example.org');
	assert.equal(allowed(await info('https://other.example.org')), undefined);
	const token = (origin) => browser.post('/application/o/token/', { grant_type: 'refresh_token', refresh_token: 'tlr_x' }, from(origin, basic('web')));
	assert.equal(allowed(await token('https://web.example.org')), 'https://web.example.org');
	assert.equal(allowed(await token('https://evil.example')), undefined);
	const preflight = await browser.request('OPTIONS', '/application/o/token/', from('https://web.example.org', { 'access-control-request-method': 'POST' }));
	assert.equal(preflight.status, 204);
	assert.match(preflight.headers['access-control-allow-methods'], /POST/);
	const grantedFields = async (fields) => (await browser.request('OPTIONS', '/application/o/token/', from('https://web.example.org',
		{ 'access-control-request-method': 'POST', 'access-control-request-headers': fields }))).headers['access-control-allow-headers'];
	assert.equal(await grantedFields('content-type,traceparent,x-requested-with'), 'content-type,traceparent,x-requested-with');
	for (const strange of ['', 'a: b', '"', 'x'.repeat(1001)]) assert.equal(await grantedFields(strange), 'Authorization, Content-Type');
	assert.equal(allowed(await browser.get('/signin', from('https://web.example.org'))), undefined);
});
