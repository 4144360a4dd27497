// security-cases 6 and 11 for what we issue ourselves: forgeries of our own tokens at every place that reads one, and every kind of
// secret at every place of another kind (S1, S8).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, claimsOf, formOf, headerOf, obtainCode, obtainTokens, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';
import { JWT_BEARER, assertionClaims, encode, keyPair, signed } from '../harness/assertions.mjs';
import { GRANT, start as startDevice } from '../harness/device.mjs';
import { endSession, isSignedOut } from '../harness/logout.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange', ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
const signer = keyPair('ES256', 'signer');
const app = (name, more = '') => {
	secretOf[name] = `${name}-secret`;
	return `application "${name}" { client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile", "offline_access" }, consent = "implicit",
	grant_types = { "authorization_code", "refresh_token", "client_credentials", "password", "${GRANT}", "${EXCHANGE}" }, post_logout_redirect_uris = { "https://web.example.org/bye" }, ${more} }\n`;
};
const broker = await Broker.start({ objects: app('rsa') + app('ecdsa', 'signing_alg = "ES256"') + app('old', 'access_token_typ = "JWT"') + app('opaque', 'access_token = "opaque"')
	+ app('trusting', 'federated = { "rsa", "ecdsa", "old", "opaque" }')
	+ `application "signer" { client_id = "signer", token_endpoint_auth_method = "private_key_jwt", jwks = [[${JSON.stringify({ keys: [signer.jwk] })}]] }` });
const login = (client_id, more = {}, options = {}) => obtainTokens(broker, { client_id, redirect_uri: redirectUri.web, scope: 'openid profile', ...more }, options);

// Guessing from one address slows down (S30), so each question comes from another.
let asked = 0;
const from = () => `127.3.${++asked >> 8}.${asked & 255}`;
const post = (path, form, headers = {}) => new Browser(broker).post(`/application/o/${path}/`, form, { headers, from: from() });
const token = (client, form) => post('token', form, basic(client));

// Where a text is taken for an access token of `client`: true when it was believed.
const readers = {
	'userinfo, header': async (text) => (await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${text}` }, from: from() })).status === 200,
	'userinfo, body': async (text) => (await post('userinfo', { access_token: text })).status === 200,
	introspection: async (text, client) => (await post('introspect', { token: text }, basic(client))).json.active !== false,
	exchange: async (text, client) => (await token(client, { grant_type: EXCHANGE, subject_token: text, subject_token_type: ACCESS })).status === 200,
	'a federated assertion': async (text) => (await post('token', { grant_type: 'client_credentials', client_id: 'trusting', client_assertion_type: JWT_BEARER, client_assertion: text })).status === 200,
};
// Where a text is taken for an ID token.
const hints = {
	authorize: async (text, client, browser) => {
		const { away } = await browser.open(authorizeUrl(broker, { client_id: client, redirect_uri: redirectUri.web, scope: 'openid', prompt: 'none', id_token_hint: text }));
		return away.searchParams.get('error') !== 'invalid_request';
	},
	'end-session': async (text, client, browser) => {
		const { page } = await browser.open(endSession({ id_token_hint: text, post_logout_redirect_uri: 'https://web.example.org/bye' }, client));
		return page?.status !== 400 || isSignedOut(broker, browser, 'web');
	},
};

// What other products have believed: { what = text }.
function forgeries(text, keys, secret) {
	const [head, payload, signature] = text.split('.');
	const header = headerOf(text), claims = claimsOf(text), jwk = keys.find((one) => one.kid === header.kid);
	const key = createPublicKey({ key: jwk, format: 'jwk' });
	const evil = keyPair(header.alg, header.kid);
	const with_ = (more, end = signature) => `${encode({ ...header, ...more })}.${payload}.${end}`;
	const out = { 'no signature': `${head}.${payload}.`, 'two parts': `${head}.${payload}`, 'five parts': `${text}.AA.AA`, 'a JWE': `${encode({ alg: 'dir', enc: 'A256GCM', kid: header.kid })}..AAAA.AAAA.AAAA`,
		'other claims': `${head}.${encode({ ...claims, sub: 'root', scope: 'openid everything' })}.${signature}`, 'a longer life': `${head}.${encode({ ...claims, exp: claims.exp + 9999 })}.${signature}`,
		'another key under our kid': signed(evil, claims, header), 'a shorter signature': `${head}.${payload}.${signature.slice(0, -4)}`, 'a longer signature': `${text}AAAA`, padding: `${text}=`,
		'zeros': `${head}.${payload}.${Buffer.alloc(Buffer.from(signature, 'base64url').length).toString('base64url')}`, 'the header twice': `${head}.${head}.${payload}.${signature}` };
	for (const alg of ['none', 'None', 'nOnE', 'NONE', '']) for (const end of ['', signature]) out[`alg ${alg} ${end.length}`] = with_({ alg }, end);
	for (const [what, value] of Object.entries({ PEM: key.export({ type: 'spki', format: 'pem' }), DER: key.export({ type: 'spki', format: 'der' }), JWK: JSON.stringify(jwk), 'n or x': jwk.n ?? jwk.x, 'the client secret': secret, kid: header.kid })) {
		for (const alg of ['HS256', header.alg]) out[`an HMAC by ${what} that says ${alg}`] = signed({ secret: value }, claims, { ...header, alg });
	}
	for (const more of [{ jwk: evil.jwk }, { jku: 'https://evil.example/jwks' }, { x5u: 'https://evil.example/x5u' }, { x5c: ['MIIB'] }]) {
		out[`${Object.keys(more)} of the forger`] = signed(evil, claims, { ...header, ...more });
		out[`${Object.keys(more)} of the forger and no kid`] = signed({ ...evil, kid: undefined }, claims, { ...header, ...more, kid: undefined });
	}
	for (const kid of ['../../../../dev/null', "' or '1'='1", '', null, 1, ['x'], ...keys.filter((one) => one.kid !== header.kid).map((one) => one.kid)]) out[`kid ${kid}`] = with_({ kid });
	for (const typ of ['JWT', 'at+jwt', 'logout+jwt', '', null].filter((one) => one !== header.typ)) out[`typ ${typ}`] = with_({ typ });
	for (const more of [{ crit: ['exp'] }, { b64: false }, { zip: 'DEF' }]) out[Object.keys(more)] = with_(more);
	return out;
}

test('security_cases_6_forged_access_tokens_are_refused_wherever_one_is_read', async () => {
	for (const client of ['rsa', 'ecdsa', 'old']) {
		const got = await login(client);
		const { keys } = (await got.browser.get(`/application/o/${client}/jwks/`)).json;
		for (const [place, reads] of Object.entries(readers)) assert.ok(await reads(got.access_token, client), `${place} takes the right one of ${client}`);
		for (const [what, text] of Object.entries(forgeries(got.access_token, keys, secretOf[client]))) {
			for (const [place, reads] of Object.entries(readers)) assert.ok(!(await reads(text, client)), `${what} at ${place} (${client})`);
			assert.equal((await post('revoke', { token: text }, basic(client))).text, '{}', `${what} at revocation`);
		}
		assert.ok(await readers['userinfo, header'](got.access_token), 'no forgery has revoked it');
	}
});

test('security_cases_6_forged_id_token_hints_are_no_hints', async () => {
	for (const client of ['rsa', 'ecdsa']) {
		const got = await login(client, {}, { browser: (await login('web', {})).browser });
		const { keys } = (await got.browser.get(`/application/o/${client}/jwks/`)).json;
		for (const [what, text] of Object.entries(forgeries(got.id_token, keys, secretOf[client]))) {
			for (const [place, reads] of Object.entries(hints)) assert.ok(!(await reads(text, client, got.browser)), `${what} at ${place} (${client})`);
		}
		assert.ok(await hints.authorize(got.id_token, client, got.browser));
	}
});

test('security_cases_11_every_kind_of_secret_is_refused_at_every_place_of_another_S1', async () => {
	const got = await login('rsa', { scope: 'openid profile offline_access' });
	const { browser } = got;
	const pending = await obtainCode(broker, { client_id: 'rsa', redirect_uri: redirectUri.web }, { browser });
	const opaque = await login('opaque', {}, { browser });
	const device = (await startDevice(broker, 'rsa')).json;
	const key = async (intent) => (await broker.json('token', 'create', '--user', 'alice', '--intent', intent)).key;
	const sealed = formOf((await new Browser(broker).open(authorizeUrl(broker))).page.text, 'signin').fields;
	const secrets = { 'access token': got.access_token, 'opaque access token': opaque.access_token, 'ID token': got.id_token, 'refresh token': got.refresh_token, code: pending.code, 'device code': device.device_code,
		'user code': device.user_code, 'app password': await key('app_password'), 'API key': await key('api'), 'personal token': await key('personal'), session: browser.cookies.get('tidelock'),
		'browser id': browser.cookies.get('tidelock-browser'), 'sealed request': sealed.request, 'form token': sealed.csrf, 'client secret': 'rsa-secret', 'client assertion': signed(signer, assertionClaims('signer', broker.issuer('signer'))) };
	const is = (answer) => answer.status === 200;
	const web = { redirect_uri: redirectUri.web, code_verifier: pending.verifier };
	// What is believed there: the kinds that belong, and true when a text was taken for one.
	const places = {
		userinfo: [['access token', 'opaque access token'], (text) => readers['userinfo, header'](text)],
		introspection: [['access token', 'refresh token'], (text) => readers.introspection(text, 'rsa')],
		exchange: [['access token'], (text) => readers.exchange(text, 'rsa')],
		'an actor token': [['access token'], async (text) => is(await token('rsa', { grant_type: EXCHANGE, subject_token: got.access_token, subject_token_type: ACCESS, actor_token: text, actor_token_type: ACCESS }))],
		'a federated assertion': [['access token', 'opaque access token'], (text) => readers['a federated assertion'](text)],
		'a code': [[], async (text) => text !== pending.code && is(await token('rsa', { grant_type: 'authorization_code', code: text, ...web }))],
		'a refresh token': [[], async (text) => text !== got.refresh_token && is(await token('rsa', { grant_type: 'refresh_token', refresh_token: text }))],
		'a device code': [['device code'], async (text) => ['authorization_pending', 'slow_down'].includes((await token('rsa', { grant_type: GRANT, device_code: text })).json.error)],
		'an app password': [['app password'], async (text) => is(await token('rsa', { grant_type: 'password', username: 'alice', password: text }))],
		'a client secret': [['client secret'], async (text) => (await post('introspect', { token: 'x' }, basic('rsa', text))).status === 200],
		'a client assertion': [['client assertion'], async (text) => (await post('introspect', { token: 'x', client_id: 'signer', client_assertion_type: JWT_BEARER, client_assertion: text })).status === 200],
		'a session': [['session'], async (text) => is(await new Browser(broker).get('/', { headers: { cookie: `tidelock=${text}` } }))],
		'a sealed request': [[], async (text) => (await browser.get(`/application/o/authorize/?request=${encodeURIComponent(text)}`)).status !== 400],
		'a sealed sign-out': [[], async (text) => (await browser.get(`/application/o/rsa/end-session/?request=${encodeURIComponent(text)}`)).status !== 400],
		'a user code': [[], async (text) => text !== device.user_code && (await browser.post('/device', { ...formOf((await browser.open('/device')).page.text, 'device').fields, code: text.slice(0, 200) }, { headers: { origin: broker.url } })).status === 303],
		'a hint': [['ID token'], (text) => hints.authorize(text, 'rsa', browser)],
	};
	for (const [place, [good, believes]] of Object.entries(places)) {
		for (const [kind, text] of Object.entries(secrets)) assert.equal(await believes(text), good.includes(kind), `${kind} as ${place}`);
	}
	// Nothing was spent on the way.
	assert.equal((await tokenRequest(broker, 'rsa', { grant_type: 'authorization_code', code: pending.code, ...web })).status, 200);
	assert.equal((await tokenRequest(broker, 'rsa', { grant_type: 'refresh_token', refresh_token: got.refresh_token })).status, 200);
});
