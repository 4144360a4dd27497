// The suite's Config plan and what else clients read before they begin: discovery, RFC 8414 metadata, key sets, WebFinger, CORS.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as jose from 'jose';
import { Broker } from '../harness/broker.mjs';
import { Browser, obtainTokens, secretOf } from '../harness/browser.mjs';
import { Client, conformanceFiles, conformanceObjects } from '../harness/conformance.mjs';

const types = ['code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token'];
const shared = (text) => text.replaceAll('consent = "implicit"', 'consent = "implicit", issuer_mode = "global"');
const start = (objects, more = {}) => Broker.start({ tls: true, objects, files: conformanceFiles, ...more });
const document = async (broker, path) => {
	const answer = await new Browser(broker).get(path);
	assert.equal(answer.status, 200, path);
	assert.match(answer.headers['content-type'], /^application\/json/);
	return answer.json;
};

// What OIDCCDiscoveryEndpointVerification asks of a document that was found under `issuer`.
async function verify(broker, issuer) {
	const doc = await document(broker, new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`).pathname);
	assert.equal(doc.issuer, issuer);
	for (const name of Object.keys(doc).filter((each) => /_(endpoint|uri|iframe)$/.test(each))) {
		assert.ok(doc[name].startsWith(`${broker.url}/`), `${name} ${doc[name]}`);
	}
	for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']) assert.ok(doc[name], name);
	for (const [name, value] of Object.entries(doc)) if (/_supported$/.test(name) && typeof value !== 'boolean') {
		assert.ok(Array.isArray(value) && value.length > 0 && new Set(value).size === value.length, name);
	}
	for (const name of ['id_token_signing_alg_values_supported', 'token_endpoint_auth_signing_alg_values_supported']) assert.ok(doc[name].includes('RS256'), name);
	assert.ok(!doc.id_token_signing_alg_values_supported.includes('none'));
	assert.ok(doc.scopes_supported.includes('openid'));
	for (const scope of doc.scopes_supported) assert.match(scope, /^[\x21\x23-\x5b\x5d-\x7e]+$/);
	for (const [name, value] of [['request_parameter_supported', false], ['request_uri_parameter_supported', false], ['claims_parameter_supported', true]]) assert.equal(doc[name], value);
	const { keys } = await document(broker, new URL(doc.jwks_uri).pathname);
	const kids = keys.map((key) => key.kid);
	assert.equal(new Set(kids).size, kids.length);
	for (const key of keys) {
		await jose.importJWK(key, key.alg);
		assert.equal(key.use, 'sig');
		for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) assert.equal(key[secret], undefined);
	}
	return doc;
}

test('oidcc-discovery-endpoint-verification_of_an_application_with_and_without_a_slash', async () => {
	const broker = await start(`${conformanceObjects(types)}application "bare" { client_secret = "bare-secret", redirect_uris = { "https://bare.example.org/cb" }, issuer_slash = false }
application "cloud" { client_type = "public", redirect_uris = { "https://cloud.example.org/cb" }, response_types = { "id_token" }, grant_types = { "authorization_code" } }
application "curve" { client_secret = "curve-secret", redirect_uris = { "https://curve.example.org/cb" }, signing_alg = "ES384" }`);
	const doc = await verify(broker, broker.issuer('one'));
	assert.deepEqual(doc.response_types_supported, types);
	assert.deepEqual(doc.response_modes_supported, ['query', 'fragment', 'form_post']);
	assert.deepEqual([...doc.grant_types_supported].sort(), ['authorization_code', 'implicit', 'refresh_token']);
	for (const name of ['address', 'phone_number', 'phone_number_verified', 'name', 'email']) assert.ok(doc.claims_supported.includes(name), name);
	const bare = await verify(broker, broker.issuer('bare').replace(/\/$/, ''));
	assert.deepEqual(bare.response_types_supported, ['code']);
	assert.deepEqual([...bare.grant_types_supported].sort(), ['authorization_code', 'refresh_token']);
	assert.deepEqual((await verify(broker, broker.issuer('cloud'))).grant_types_supported, ['implicit']);
	assert.deepEqual((await verify(broker, broker.issuer('curve'))).id_token_signing_alg_values_supported, ['ES384', 'RS256']);
});

test('oidcc-discovery-endpoint-verification_of_the_global_issuer_and_a_sign_in_under_it', async () => {
	const objects = shared(conformanceObjects(types)).replace('redirect_uris = { "https://two', 'signing_alg = "ES256", pkce_methods = { "S256", "plain" }, redirect_uris = { "https://two');
	const broker = await start(objects);
	const issuer = `${broker.url}/`;
	const doc = await verify(broker, issuer);
	assert.equal(doc.jwks_uri, `${broker.url}/application/o/jwks/`);
	assert.deepEqual(doc.id_token_signing_alg_values_supported, ['RS256', 'ES256']);
	assert.deepEqual(doc.code_challenge_methods_supported, ['S256', 'plain']);
	assert.deepEqual(await document(broker, '/.well-known/oauth-authorization-server'), doc);
	// At the application's own address stands the same issuer, as authentik has it.
	assert.equal((await document(broker, '/application/o/one/.well-known/openid-configuration')).issuer, issuer);
	const client = new Client(broker, { responseType: 'code id_token', issuer });
	await client.succeed();
	// Without the final slash, too.
	await broker.configure({ objects: objects.replaceAll('issuer_mode = "global"', 'issuer_mode = "global", issuer_slash = false') });
	broker.signal('SIGHUP');
	const bare = new Client(broker, { issuer: broker.url });
	for (let tries = 0; tries < 50 && (await document(broker, '/.well-known/openid-configuration')).issuer !== broker.url; tries++) await new Promise((r) => setTimeout(r, 100));
	await verify(broker, broker.url);
	await bare.succeed();
});

test('the_global_issuer_is_absent_where_nobody_uses_it_and_ends_one_way', async () => {
	const broker = await start(conformanceObjects(['code']));
	const browser = new Browser(broker);
	for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) assert.equal((await browser.get(path)).status, 404, path);
	await broker.configure({ objects: shared(conformanceObjects(['code'])).replace('issuer_mode = "global"', 'issuer_mode = "global", issuer_slash = false') });
	const checked = await broker.command('check');
	assert.equal(checked.status, 1);
	assert.match(checked.err + checked.out, /issuer_slash differs/);
});

test('rfc8414_3_metadata_with_and_without_the_last_slash_and_no_superfluous_ones', async () => {
	const broker = await start(conformanceObjects(['code']));
	const browser = new Browser(broker);
	const doc = await document(broker, '/application/o/one/.well-known/openid-configuration');
	for (const end of ['', '/']) assert.deepEqual(await document(broker, `/.well-known/oauth-authorization-server/application/o/one${end}`), doc);
	for (const path of ['/application/o/one/.well-known/openid-configuration/', '/application/o/one//.well-known/openid-configuration', '/.well-known/openid-configuration/', '/application/o/one/jwks',
		'/application/o/one//jwks/', '/application/o/one', '/application/o//', '/application/o/token', '/application/o/token//', '/application/o/authorize', '/application/o/userinfo',
		'/.well-known/oauth-authorization-server/', '/.well-known/oauth-authorization-server/application/o/one//', '/.well-known/oauth-authorization-server/application/o/nobody/', '/.well-known/webfinger/']) {
		assert.equal((await browser.get(path)).status, 404, path);
	}
	const root = await browser.get('/application/o/one/');
	assert.equal(root.status, 302);
	assert.equal(new URL(root.headers.location).pathname, '/application/o/one/.well-known/openid-configuration');
});

test('rfc7033_webfinger_names_the_issuer_and_nobody', async () => {
	const rel = 'http://openid.net/specs/connect/1.0/issuer';
	const broker = await start(shared(conformanceObjects(['code'])));
	const browser = new Browser(broker);
	const find = (resource, more = '') => browser.get(`/.well-known/webfinger?resource=${encodeURIComponent(resource)}${more}`, { headers: { origin: 'https://anyone.example' } });
	const answers = [];
	for (const resource of ['acct:alice@localhost', 'acct:nobody@localhost', 'mailto:alice@localhost', `${broker.url}/`, `${broker.url}/alice`]) {
		const answer = await find(resource);
		assert.equal(answer.status, 200, resource);
		assert.match(answer.headers['content-type'], /^application\/jrd\+json/);
		assert.equal(answer.headers['access-control-allow-origin'], '*');
		assert.equal(answer.json.subject, resource);
		answers.push(answer.json.links);
	}
	for (const links of answers) assert.deepEqual(links, [{ rel, href: `${broker.url}/` }]);
	assert.deepEqual((await find('acct:a@localhost', `&rel=${encodeURIComponent('http://webfinger.net/rel/avatar')}`)).json.links, []);
	assert.equal((await find('acct:a@localhost', `&rel=x&rel=${encodeURIComponent(rel)}`)).json.links.length, 1);
	assert.deepEqual((await find(broker.issuer('web'))).json.links, [{ rel, href: broker.issuer('web') }]);
	for (const [resource, status] of [['acct:alice@elsewhere.example', 404], ['https://elsewhere.example/', 404], ['alice', 400], ['acct:alice', 400], ['acct:alice@', 400], ['acct:@localhost', 400], ['', 400]]) {
		assert.equal((await find(resource)).status, status, resource);
	}
	assert.equal((await browser.get('/.well-known/webfinger')).status, 400);
	const none = await start(conformanceObjects(['code']));
	assert.equal((await new Browser(none).get('/.well-known/webfinger?resource=acct:alice@localhost')).status, 404);
});

test('S14_test_cors_strict_regex_and_named_origins_and_never_credentials', async () => {
	secretOf.rx = 'rx-secret';
	const broker = await start(`application "rx" { client_id = "rx", client_secret = "rx-secret", redirect_uris = { { regex = "https://app\\\\.example\\\\.org/cb/[a-z]+" }, "https://port.example.org:443/cb", "org.example.app:/cb" }, scopes = { "openid" }, consent = "implicit" }
application "named" { client_secret = "named-secret", redirect_uris = { "https://named.example.org/cb" }, origins = { "https://spa.example.org" } }
application "closed" { client_secret = "closed-secret", redirect_uris = { "https://closed.example.org/cb" }, origins = {} }`);
	const browser = new Browser(broker);
	const granted = async (path, origin, options = {}) => {
		const answer = await browser.request(options.method ?? 'GET', path, { ...options, headers: { origin, ...options.headers } });
		assert.equal(answer.headers['access-control-allow-credentials'], undefined);
		assert.equal(answer.headers.vary, 'Origin');
		return answer.headers['access-control-allow-origin'] === origin;
	};
	const discovery = (name) => `/application/o/${name}/.well-known/openid-configuration`;
	for (const [name, origin, wanted] of [['rx', 'https://app.example.org', true], ['rx', 'https://appxexample.org', false], ['rx', 'https://app.example.org.evil.example', false],
		['rx', 'https://port.example.org', true], ['rx', 'http://port.example.org', false], ['rx', 'https://port.example.org:8443', false], ['rx', 'null', false], ['rx', 'org.example.app:', false],
		['named', 'https://spa.example.org', true], ['named', 'https://named.example.org', false], ['closed', 'https://closed.example.org', false]]) {
		assert.equal(await granted(discovery(name), origin), wanted, `${name} ${origin}`);
	}
	const got = await obtainTokens(broker, { client_id: 'rx', redirect_uri: 'https://app.example.org/cb/x', scope: 'openid' });
	const bearer = { authorization: `Bearer ${got.access_token}` };
	assert.ok(await granted('/application/o/userinfo/', 'https://app.example.org', { headers: bearer }));
	assert.ok(!(await granted('/application/o/userinfo/', 'https://web.example.org', { headers: bearer })));
	// A token that cannot be read has no application: nobody is granted anything.
	assert.ok(!(await granted('/application/o/userinfo/', 'https://app.example.org', { headers: { authorization: 'Bearer x' } })));
	for (const path of ['/application/o/token/', '/application/o/userinfo/', discovery('rx')]) {
		assert.ok(await granted(path, 'https://anyone.example', { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } }), path);
	}
	// Pages are nobody's to read.
	const authorize = await browser.get('/application/o/authorize/', { headers: { origin: 'https://app.example.org' } });
	assert.equal(authorize.headers['access-control-allow-origin'], undefined);
});

test('server-rotate-keys', async () => {
	const broker = await start(conformanceObjects(['code']));
	const client = new Client(broker);
	const kids = async () => (await document(broker, '/application/o/one/jwks/')).keys.filter((key) => key.alg === 'RS256').map((key) => key.kid);
	const kidOf = ({ tokens }) => jose.decodeProtectedHeader(tokens.id_token).kid;
	const before = await client.succeed();
	const published = await kids();
	assert.ok(published.includes(kidOf(before)));
	const rotated = await broker.command('key', 'rotate', 'RS256');
	assert.equal(rotated.status, 0, rotated.err);
	// Whatever signs now was published before or is now; the old one is still there, for tokens that are on their way.
	client.keys = undefined;
	const after = await client.succeed({ prompt: 'none' });
	assert.notEqual(kidOf(after), kidOf(before));
	const now = await kids();
	assert.ok(now.includes(kidOf(before)) && now.includes(kidOf(after)));
	await client.checked(after.tokens.id_token);
	// The successor's successor is published before it signs; what is retired is gone, and what it signed is not believed any more.
	const waiting = now.filter((kid) => ![kidOf(before), kidOf(after)].includes(kid));
	assert.equal(waiting.length, 1);
	const retired = await broker.command('key', 'retire', kidOf(before));
	assert.equal(retired.status, 0, retired.err);
	assert.ok(!(await kids()).includes(kidOf(before)));
	assert.equal((await client.browser.get('/application/o/userinfo/', { headers: { authorization: `Bearer ${before.tokens.access_token}` } })).status, 401);
	assert.equal(await client.error({ prompt: 'none', id_token_hint: before.tokens.id_token }), 'invalid_request');
});
