// RFC 7523, OpenID Connect Core 9, S2, S10, security-cases 6 and 13: clients that sign instead of sending a secret. authentik's
// test_token_jwt_alg_confusion.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, obtainCode, redirectUri, secretOf } from '../harness/browser.mjs';
import { assertionClaims, assertionForm, encode, keyPair, signed, JWT_BEARER } from '../harness/assertions.mjs';

const algs = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
const pairs = Object.fromEntries(algs.map((alg) => [alg, keyPair(alg)]));
const bare = keyPair('RS256', undefined, {}), foreign = keyPair('RS256');
const key = pairs.ES256;
const secret = 'a secret of thirty-two characters';
const odd = { good: keyPair('ES256', 'good'), 'for encryption': keyPair('ES256', 'enc', { use: 'enc' }), 'to encrypt with': keyPair('RS256', 'ops', { key_ops: ['encrypt'] }), 'of an encryption algorithm': keyPair('RS256', 'oaep', { alg: 'RSA-OAEP' }),
	'of another algorithm': keyPair('RS256', 'ps', { alg: 'PS256' }), 'of another curve': keyPair('ES384', 'curve', { alg: 'ES256' }) };
const jwks = (...list) => JSON.stringify({ keys: list.map((one) => one.jwk) });
const rest = `redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "offline_access" }, consent = "implicit"`;
const objects = `
application "signer" { client_id = "signer", token_endpoint_auth_method = "private_key_jwt", jwks = file "keys.json", ${rest} }
application "tabled" { client_id = "tabled", token_endpoint_auth_method = "private_key_jwt", jwks = { keys = { { kty = "EC", crv = "P-256", x = "${key.jwk.x}", y = "${key.jwk.y}" } } }, ${rest} }
application "bare" { client_id = "bare", token_endpoint_auth_method = "private_key_jwt", jwks = [[${jwks(bare)}]], ${rest} }
application "shared" { client_id = "shared", token_endpoint_auth_method = "client_secret_jwt", client_secret = "${secret}", ${rest} }
application "odd" { client_id = "odd", token_endpoint_auth_method = "private_key_jwt", jwks = [[${jwks(...Object.values(odd))}]], ${rest} }
application "both" { client_id = "both", client_secret = "${secret}", jwks = [[${jwks(key)}]], ${rest} }
`;
const broker = await Broker.start({ objects, files: { 'keys.json': jwks(...Object.values(pairs)) } });
const endpoint = `${broker.url}/application/o/token/`;
const claims = (more, client = 'signer') => assertionClaims(client, broker.issuer(client), more);

// Asks introspection, which says by its status whether the client was believed; each time from another address, since guessing
// from one slows down (S30).
let asked = 0;
const ask = (form, where = 'introspect', headers) => new Browser(broker).post(`/application/o/${where}/`, { token: 'x', ...form }, { headers, from: `127.1.${++asked >> 8}.${asked & 255}` });
const accepted = async (assertion, what, more = {}) => {
	const answer = await ask({ ...assertionForm(assertion), ...more });
	assert.equal(answer.status, 200, `${what}: ${answer.text}`);
};
const refused = async (assertion, what, more = {}) => {
	const answer = await ask({ ...assertionForm(assertion), ...more });
	assert.deepEqual([answer.status, answer.json.error], [401, 'invalid_client'], `${what}: ${answer.text}`);
	assert.match(answer.headers['www-authenticate'], /^Basic /);
};

test('every_algorithm_of_the_list_and_keys_as_table_text_and_file', async () => {
	for (const alg of algs) await accepted(signed(pairs[alg], claims()), alg);
	for (const typ of ['JWT', 'jwt', 'client-authentication+jwt']) await accepted(signed(key, claims(), { typ }), typ);
	await accepted(signed({ ...key, kid: undefined }, claims({}, 'tabled')), 'a key without kid, a token without one');
	await accepted(signed(bare, claims({}, 'bare')), 'a key that names no algorithm');
	await accepted(signed({ ...bare, alg: 'PS384' }, claims({}, 'bare')), 'and serves each of its kind');
	await accepted(signed({ secret }, claims({}, 'shared')), 'client_secret_jwt');
});

test('assertions_are_accepted_at_every_endpoint_with_and_without_client_id', async () => {
	for (const [client, by] of [['signer', key], ['shared', { secret }]]) {
		const got = await obtainCode(broker, { client_id: client, redirect_uri: redirectUri.web, scope: 'openid offline_access' });
		const own = () => assertionForm(signed(by, claims({}, client)));
		const post = (where, form) => new Browser(broker).post(`/application/o/${where}/`, { ...own(), ...form });
		const tokens = await post('token', { grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier });
		assert.equal(tokens.status, 200, tokens.text);
		const next = await post('token', { grant_type: 'refresh_token', refresh_token: tokens.json.refresh_token, client_id: client });
		assert.equal(next.status, 200, next.text);
		assert.equal((await post('introspect', { token: next.json.access_token })).json.username, 'alice');
		assert.equal((await post('revoke', { token: next.json.refresh_token })).status, 200);
		assert.equal((await post('introspect', { token: next.json.access_token })).json.active, false);
	}
});

test('S10_each_assertion_is_good_once_wherever_it_comes_again_and_after_a_power_cut', async () => {
	const once = signed(key, claims());
	await accepted(once, 'first');
	await refused(once, 'second');
	for (const where of ['token', 'revoke']) assert.equal((await ask({ ...assertionForm(once), grant_type: 'refresh_token', refresh_token: 'tlr_x' }, where)).status, 401, where);
	const jti = 'the same name';
	await accepted(signed(key, claims({ jti })), 'a new name');
	await refused(signed(pairs.RS256, claims({ jti, exp: claims().exp + 5 })), 'the name again in another assertion');
	await accepted(signed({ secret }, claims({ jti }, 'shared')), 'names are each client\'s own');
	const twenty = signed(key, claims());
	const many = await Promise.all(Array.from({ length: 20 }, () => ask(assertionForm(twenty))));
	assert.equal(many.filter((answer) => answer.status === 200).length, 1, 'of twenty at once one is taken');
	await broker.killHard();
	await broker.serve();
	await refused(once, 'after a power cut');
	await accepted(signed(key, claims()), 'another');
});

test('S10_times_an_hour_ahead_at_most_with_a_minute_of_skew', async () => {
	const now = Math.floor(Date.now() / 1000);
	const good = { 'just ended': { exp: now - 40 }, 'an hour': { exp: now + 3600 }, 'a fast clock': { iat: now + 40, nbf: now + 40 }, 'no iat': { iat: undefined }, 'an old iat': { iat: 1, exp: now + 60 }, 'a fraction': { exp: now + 60.5 } };
	const bad = { 'long ended': { exp: now - 90 }, 'no exp': { exp: undefined }, 'more than an hour': { exp: now + 3700 }, 'not yet': { nbf: now + 90 }, 'made tomorrow': { iat: now + 86400 },
		'exp as text': { exp: `${now + 60}` }, 'exp as null': { exp: null }, 'endless': { exp: 1e300 }, 'negative': { exp: -1 }, 'nbf as text': { nbf: '1' }, 'iat as a list': { iat: [1] } };
	for (const [what, more] of Object.entries(good)) await accepted(signed(key, claims(more)), what);
	for (const [what, more] of Object.entries(bad)) await refused(signed(key, claims(more)), what);
});

test('S10_every_value_of_aud_is_our_issuer_or_our_token_endpoint', async () => {
	const issuer = broker.issuer('signer');
	for (const aud of [issuer, endpoint, [issuer], [issuer, endpoint]]) await accepted(signed(key, claims({ aud })), JSON.stringify(aud));
	for (const aud of [undefined, null, '', [], {}, 1, 'https://other.example.org/', [issuer, 'https://other.example.org/'], [issuer, 1], [[issuer]], { 1: issuer }, issuer.slice(0, -1), `${issuer}x`, endpoint.slice(0, -1), endpoint.toUpperCase(),
		broker.issuer('shared'), `${broker.url}/application/o/introspect/`, broker.url, 'signer']) await refused(signed(key, claims({ aud })), JSON.stringify(aud));
});

test('security_cases_13_iss_sub_and_client_id_are_one_and_jti_is_there', async () => {
	for (const more of [{ iss: 'web' }, { sub: 'web' }, { iss: undefined }, { sub: undefined }, { iss: ['signer'] }, { sub: '' }, { iss: 'signer ' }, { jti: undefined }, { jti: '' }, { jti: 1 }, { jti: 'x'.repeat(501) }]) await refused(signed(key, claims(more)), JSON.stringify(more));
	for (const more of [{ iss: 'tabled' }, { sub: 'tabled' }, { sub: undefined }]) await refused(signed(key, claims(more)), `${JSON.stringify(more)} beside the client_id`, { client_id: 'signer' });
	await refused(signed(key, claims()), 'another client_id', { client_id: 'tabled' });
	await refused(signed(key, claims({}, 'web')), 'for a client with a secret');
	await refused(signed(key, claims({}, 'nobody')), 'an unknown client');
	await refused(signed(key, claims({}, 'native')), 'a public client');
	await refused(signed(key, claims({}, 'both')), 'a client that has keys but registered no such method');
});

test('test_token_jwt_alg_confusion', async () => {
	const body = encode(claims());
	const raw = (header, signature = '') => `${encode(header)}.${encode(claims())}.${signature}`;
	for (const alg of ['none', 'None', 'nOnE', 'NONE', '']) for (const signature of ['', 'AA', 'x'.repeat(86)]) await refused(raw({ alg, kid: key.kid }, signature), `alg ${alg}`);
	const pem = pairs.RS256.publicKey.export({ format: 'pem', type: 'spki' });
	const publicForms = { PEM: pem, 'PEM without the last line feed': pem.trim(), DER: pairs.RS256.publicKey.export({ format: 'der', type: 'spki' }), JWK: JSON.stringify(pairs.RS256.jwk), 'JWK without alg': JSON.stringify({ ...pairs.RS256.jwk, alg: undefined }), n: pairs.RS256.jwk.n, 'n as bytes': Buffer.from(pairs.RS256.jwk.n, 'base64url') };
	for (const [what, secret_] of Object.entries(publicForms)) {
		for (const kid of [undefined, 'RS256']) await refused(signed({ secret: secret_, kid }, claims()), `HS256 with the public ${what}`);
		const input = `${encode({ alg: 'RS256', kid: 'RS256' })}.${body}`;
		await refused(`${input}.${createHmac('sha256', secret_).update(input).digest('base64url')}`, `an HMAC that says RS256, with ${what}`);
	}
	await refused(signed(key, claims(), { kid: 'ES384' }), 'kid swapped');
	await refused(signed(pairs.RS256, claims(), { kid: 'PS256' }), 'kid of a key for another algorithm');
	await refused(signed({ ...pairs.RS256, alg: 'PS256' }, claims()), 'a key that names RS256, used for PS256');
	await refused(signed(foreign, claims()), 'another key under a known kid');
	await refused(signed({ ...foreign, kid: undefined }, claims({}, 'bare')), 'another key without kid');
	await refused(signed(key, claims({}, 'shared'), { typ: 'JWT' }), 'a signature where a secret is registered');
	for (const wrong of ['wrong secret of 32 characters at least', secret.slice(0, -1), '', jwks(key)]) await refused(signed({ secret: wrong }, claims({}, 'shared')), 'a wrong secret');
	await refused(signed({ secret }, claims()), 'a secret where a key is registered');
	for (const alg of ['HS384', 'HS512', 'hs256', 'none']) await refused(signed({ secret }, claims({}, 'shared'), { alg }), `${alg} with the secret`);
});

test('security_cases_6_what_the_header_says_of_keys_is_never_looked_at', async () => {
	const evil = keyPair('RS256', 'evil');
	for (const header of [{ jwk: evil.jwk }, { jku: 'https://evil.example.org/jwks' }, { x5u: 'https://evil.example.org/cert' }, { x5c: ['MIIB'] }]) {
		await refused(signed(evil, claims(), header), JSON.stringify(header).slice(0, 30));
		await refused(signed({ ...evil, kid: undefined }, claims(), header), 'without kid');
		await accepted(signed(key, claims(), header), 'beside a signature by a key of ours it does no harm');
	}
	for (const kid of ['../../../../dev/null', "' or '1'='1", '', ' ', 'ES256\u0000', 'x'.repeat(3000), 1, null, ['ES256'], {}]) await refused(signed({ ...key, kid: undefined }, claims(), { kid }), JSON.stringify(kid).slice(0, 40));
	for (const header of [{ crit: ['exp'] }, { crit: [] }, { b64: false, crit: ['b64'] }, { zip: 'DEF' }, { enc: 'A128GCM' }, { alg: ['ES256'] }, { alg: null }]) await refused(signed(key, claims(), header), JSON.stringify(header));
	for (const typ of ['at+jwt', 'logout+jwt', 'dpop+jwt', 'JWE', 'id_token', '', 1, ['JWT']]) await refused(signed(key, claims(), { typ }), `typ ${typ}`);
});

test('security_cases_6_keys_of_another_use_or_algorithm_prove_nothing', async () => {
	const fit = odd.good;
	await accepted(signed(fit, claims({}, 'odd')), 'the one that is for signing');
	for (const [what, pair] of Object.entries(odd)) if (pair !== fit) {
		await refused(signed(pair, claims({}, 'odd')), what);
		await refused(signed({ ...pair, kid: undefined }, claims({}, 'odd')), `${what}, without kid`);
	}
});

test('malformed_assertions_wrong_signatures_and_zero_numbers', async () => {
	const good = signed(key, claims()), [header, body, signature] = good.split('.');
	const zero = Buffer.alloc(64).toString('base64url');
	for (const text of ['', 'x', '.', '..', '...', `${header}.${body}`, `${header}.${body}.`, `${header}..${signature}`, `.${body}.${signature}`, `${good}.`, `${good}.${signature}.${signature}`, `${good}=`, ` ${good}`, `${header}.${body}.${zero}`,
		`${header}.${body}.${signature.slice(0, -2)}`, `${header}.${encode('[]')}.${signature}`, `${header}.${encode('"x"')}.${signature}`, `${encode('[]')}.${body}.${signature}`, `${encode('{"alg":"ES256","alg":"ES256"}')}.${body}.${signature}`, good.replaceAll('-', '+').replaceAll('_', '/') + '+',
		signed(key, encode('not an object')), signed(key, '[]'), signed(key, 'null'), signed(key, `{"iss":"signer","iss":"web","sub":"signer","aud":"${endpoint}","jti":"x","exp":99999999999}`)]) await refused(text, text.slice(-40), { client_id: 'signer' });
	await accepted(good, 'none of it used it up');
	for (const form of [{ client_assertion: signed(key, claims()) }, { client_assertion_type: JWT_BEARER }, { ...assertionForm(signed(key, claims())), client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' }]) {
		const answer = await ask(form);
		assert.deepEqual([answer.status, answer.json.error], [401, 'invalid_client'], JSON.stringify(form).slice(0, 60));
	}
});

test('security_cases_13_one_method_and_the_registered_one', async () => {
	const fresh = (client = 'signer', by = key) => assertionForm(signed(by, claims({}, client)));
	const table = { 'assertion and secret': [{ ...fresh('shared', { secret }), client_secret: secret }], 'assertion and Basic': [fresh('shared', { secret }), basic('shared', secret)], 'assertion and a bearer': [fresh(), { authorization: 'Bearer x' }],
		'the secret of a client that signs': [{ client_id: 'shared', client_secret: secret }], 'the same by Basic': [{}, basic('shared', secret)], 'an empty secret for keys': [{ client_id: 'signer', client_secret: '' }], 'the client_id alone': [{ client_id: 'signer' }] };
	for (const [what, [form, headers]] of Object.entries(table)) {
		const answer = await ask(form, 'introspect', headers);
		assert.deepEqual([answer.status, answer.json.error], [401, 'invalid_client'], what);
	}
	await accepted(signed({ secret }, claims({}, 'shared')), 'the secret was right all the time');
	assert.equal((await ask({ client_id: 'both', client_secret: secret })).status, 200);
	assert.equal((await ask({ ...fresh(), client_assertion: [fresh().client_assertion, fresh().client_assertion] }, 'introspect')).status, 401);
	const twice = new URLSearchParams([...Object.entries({ token: 'x', ...fresh() }), ['client_assertion', fresh().client_assertion]]).toString();
	assert.equal((await new Browser(broker).post('/application/o/introspect/', twice, { headers: { 'content-type': 'application/x-www-form-urlencoded' } })).status, 400);
});

test('S2_the_readable_secret_is_sealed_and_only_clients_that_sign_with_it_have_one', async () => {
	const file = () => Promise.all(['tidelock.db', 'tidelock.db-wal'].map((name) => readFile(path.join(broker.dir, 'data', name)).catch(() => Buffer.alloc(0)))).then(Buffer.concat);
	assert.ok((await file()).includes('shared'));
	assert.ok(!(await file()).includes(secret), 'neither clear');
	assert.ok(!(await file()).includes(Buffer.from(secret).toString('base64url').slice(0, 40)), 'nor encoded');
	const made = await broker.json('app', 'add', 'by-command', '--token-endpoint-auth-method', 'client_secret_jwt', '--redirect-uri', redirectUri.web);
	const client = made.client_id, issuer = broker.issuer('by-command');
	const by = (secret_) => signed({ secret: secret_ }, assertionClaims(client, issuer));
	await accepted(by(made.client_secret), 'made by command');
	const second = await broker.json('app', 'secret', 'by-command');
	await accepted(by(made.client_secret), 'two secrets: the old one');
	await accepted(by(second.client_secret), 'and the new one');
	await broker.json('app', 'secret', 'by-command', '--retire');
	await refused(by(made.client_secret), 'the retired one');
	await broker.json('app', 'set', 'by-command', '--token-endpoint-auth-method', 'client_secret_basic');
	await refused(by(second.client_secret), 'another method');
	assert.equal((await ask({}, 'introspect', basic(client, second.client_secret))).status, 200);
	const back = await broker.command('app', 'set', 'by-command', '--token-endpoint-auth-method', 'client_secret_jwt');
	assert.match(back.out, /cannot be read.*app secret by-command/);
	await refused(by(second.client_secret), 'the copy is gone');
	const third = await broker.json('app', 'secret', 'by-command');
	await accepted(by(third.client_secret), 'a new one');
	const keyed = await broker.json('app', 'add', 'keyed-by-command', '--token-endpoint-auth-method', 'private_key_jwt', '--jwks', jwks(key), '--redirect-uri', redirectUri.web);
	assert.equal(keyed.client_secret, undefined);
	await accepted(signed(key, assertionClaims(keyed.client_id, broker.issuer('keyed-by-command'))), 'keys by command');
});

test('S30_wrong_assertions_count_as_guesses_at_every_endpoint', async () => {
	const from = '127.0.0.9';
	const guess = (where) => new Browser(broker).post(`/application/o/${where}/`, { token: 'x', grant_type: 'refresh_token', refresh_token: 'tlr_x', ...assertionForm(signed({ secret: randomUUID() }, claims({}, 'shared'))) }, { from });
	const seen = [];
	for (let i = 0; i < 30; i++) seen.push((await guess(['token', 'introspect', 'revoke'][i % 3])).status);
	assert.deepEqual([...new Set(seen.slice(0, 20))], [401]);
	assert.equal(seen.at(-1), 429);
	const right = () => ({ token: 'x', ...assertionForm(signed({ secret }, claims({}, 'shared'))) });
	assert.equal((await new Browser(broker).post('/application/o/introspect/', right(), { from })).status, 429, 'that address waits');
	assert.equal((await new Browser(broker).post('/application/o/introspect/', right())).status, 200, 'no one else does');
});
