// The broker as a relying party: every module of the OpenID Foundation's client plans that must end in a refusal, under its own name,
// with an upstream that answers exactly that wrong; and beside each group the module that must end well. A refusal is a page that says so,
// an event that says why, nobody signed in and nobody made.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { Broker } from '../harness/broker.mjs';
import { callback, declared, isSignedIn, later, Person, teller, upstreamAt, userNames } from '../harness/upstream.mjs';
import { Oidc } from '../upstream/oidc.mjs';
import { hmacKey, newKey } from '../upstream/keys.mjs';

const op = await upstreamAt((origin) => new Oidc({ web: origin }, { title: 'OP' }));
const settings = { kind: 'oidc', name: 'The other place', issuer: op.issuer, enrolment: true };
const broker = await Broker.start({
	objects: declared('op', { ...settings, client_id: 'code', client_secret: 'code-secret' }) + declared('front', { ...settings, client_id: 'front' }) +
		declared('mistyped', { ...settings, client_id: 'code', client_secret: 'code-secret', issuer: `${op.issuer}/realm` }),
});
const code = op.register({ client_id: 'code', client_secret: 'code-secret', thick: true, redirect_uris: [callback(broker, 'op'), callback(broker, 'mistyped')] });
op.register({ client_id: 'front', redirect_uris: [callback(broker, 'front')] });
const strangerRsa = newKey({ kid: op.keys[0].kid }), es = newKey({ alg: 'ES256', kid: 'es' }), strangerEs = newKey({ alg: 'ES256', kid: 'es' });
const publicPem = createPublicKey(op.keys[0].privateKey).export({ type: 'spki', format: 'pem' });

const before = await userNames(broker);
const told = await teller(broker);

async function refused(why, { source = 'op', account = 'ada', status = 502 } = {}) {
	const person = new Person(broker);
	const { page, here } = await person.signInAt(source, account);
	assert.deepEqual([here, page.status], [true, status], page.text);
	assert.match(page.text, /The other place/);
	assert.equal(isSignedIn(person), false);
	await told(why);
}
async function accepted({ source = 'op', account = 'grace' } = {}) {
	const person = new Person(broker);
	const at = await person.signInAt(source, account);
	assert.ok(isSignedIn(person), at.page?.text);
	return person;
}

const idToken = (change) => () => { op.alterToken = (token) => { if (token.kind === 'id_token') change(token, token.claims); }; };
const twoKeys = () => { op.keys = [...op.keys.slice(0, 1), newKey()]; return later(broker, 3700, op); };

// module: [what the upstream does wrong, what the owner reads]
const modules = {
	'oidcc-client-test-invalid-iss': [idToken((token, claims) => { claims.iss += '/other'; }), /another issuer's \(iss\)/],
	'oidcc-client-test-missing-iss': [idToken((token, claims) => { delete claims.iss; }), /no iss/],
	'oidcc-client-test-invalid-aud': [idToken((token, claims) => { claims.aud = 'somebody-else'; }), /another client \(aud\)/],
	'oidcc-client-test-invalid-aud (several, no azp)': [idToken((token, claims) => { claims.aud = ['code', 'somebody-else']; }), /azp/],
	'oidcc-client-test-invalid-azp': [idToken((token, claims) => { claims.azp = 'somebody-else'; }), /azp/],
	'oidcc-client-test-missing-aud': [idToken((token, claims) => { delete claims.aud; }), /no aud/],
	'oidcc-client-test-missing-sub': [idToken((token, claims) => { delete claims.sub; }), /no sub/],
	'oidcc-client-test-missing-iat': [idToken((token, claims) => { delete claims.iat; }), /no iat/],
	'oidcc-client-test-missing-exp': [idToken((token, claims) => { delete claims.exp; }), /no exp/],
	'oidcc-client-test-expired': [idToken((token, claims) => { claims.exp = op.now() - 360; }), /expired/],
	'oidcc-client-test-invalid-sig-rs256': [idToken((token) => { token.broken = true; }), /signature is wrong/],
	'oidcc-client-test-invalid-sig-rs256 (another key under the same name)': [idToken((token) => { token.key = strangerRsa; }), /signature is wrong/],
	'oidcc-client-test-invalid-sig-hs256': [idToken((token) => { token.key = hmacKey('code-secret'); }), /HS256|alg|key/],
	'oidcc-client-test-invalid-sig-hs256 (the public key as the secret)': [idToken((token) => { token.key = hmacKey(publicPem, op.keys[0].kid); }), /HS256|alg|key/],
	'oidcc-client-test-idtoken-sig-none': [idToken((token) => { token.key = undefined; }), /no signed token|alg|none/],
	'oidcc-client-test-nonce-invalid': [idToken((token, claims) => { claims.nonce = 'another'; }), /nonce/],
	'oidcc-client-test-nonce-invalid (absent)': [idToken((token, claims) => { delete claims.nonce; }), /nonce/],
	'oidcc-client-test-invalid-at-hash': [idToken((token, claims) => { claims.at_hash = 'AAAAAAAAAAAAAAAAAAAAAA'; }), /at_hash/],
	'oidcc-client-test-userinfo-invalid-sub': [() => op.alter('/userinfo$', (json) => ({ ...json, sub: '248289761002' })), /another sub/],
	'oidcc-client-test-userinfo-missing-sub': [() => op.alter('/userinfo$', ({ sub, ...rest }) => rest), /no sub/],
	'another kind of token in its place (typ)': [idToken((token) => { token.header.typ = 'logout+jwt'; }), /kind of token/],
	'no ID token at all': [() => op.alter('/token$', ({ id_token, ...rest }) => rest), /no id_token/],
};

for (const [module, [wrong, why]] of Object.entries(modules)) {
	test(module, async () => {
		try {
			await wrong();
			await refused(why);
		} finally { op.heal(); }
	});
}

test('oidcc-client-test-invalid-sig-es256, and a right one', async () => {
	const kept = op.keys;
	op.keys = [es];
	await later(broker, 3700, op); // the key set is old by then
	op.alterToken = (token) => { if (token.kind === 'id_token') token.key = strangerEs; };
	await refused(/signature is wrong/);
	op.heal();
	op.keys = kept;
	await later(broker, 3700, op);
});

test('oidcc-client-test-kid-absent-multiple-jwks', async () => {
	const kept = op.keys;
	await twoKeys();
	idToken((token) => { token.header.kid = undefined; })();
	await refused(/which of the source's keys/);
	op.heal();
	op.keys = kept;
	await later(broker, 3700, op);
});

test('oidcc-client-test-discovery-issuer-mismatch', async () => {
	op.route('web', 'GET', '/realm/\\.well-known/openid-configuration', () => ({ json: op.discovery(op.paths()) }));
	const { page, here } = await new Person(broker).signInAt('mistyped');
	assert.deepEqual([here, page.status], [true, 502]);
	await told(/names another issuer/);
});

test('rfc9207_the_answer_of_another_issuer_is_refused', async () => {
	const send = op.sendBack;
	for (const [iss, why] of [['https://evil.example', /iss/], [undefined, /iss/]]) {
		op.sendBack = (wanted, parameters) => Object.getPrototypeOf(Oidc.prototype).sendBack.call(op, wanted, iss ? { ...parameters, iss } : parameters);
		await refused(why);
	}
	op.sendBack = send;
});

test('the_front_channel_is_believed_no_sooner (OpenID Connect Core 3.2.2.11)', async () => {
	for (const [change, why] of [[(token, claims) => { claims.nonce = 'another'; }, /nonce/], [(token) => { token.broken = true; }, /signature/], [(token, claims) => { claims.aud = 'code'; }, /aud/]]) {
		op.alterToken = (token) => change(token, token.claims);
		await refused(why, { source: 'front' });
		op.heal();
	}
	assert.deepEqual(await userNames(broker), before, 'nobody was made by any of all that');
	await accepted({ source: 'front', account: 'ada' });
});

test('oidcc-client-test-userinfo-signed: right, and another\'s, for somebody else, unsigned, of another person (Core 5.3.2)', async () => {
	code.signed_userinfo = true;
	const userinfo = (change) => { op.alterToken = (token) => { if (token.kind === 'userinfo') change(token, token.claims); }; };
	for (const [change, why] of [[(token) => { token.broken = true; }, /signature/], [(token, claims) => { claims.aud = 'somebody-else'; }, /aud/], [(token, claims) => { claims.iss = 'https://evil.example'; }, /iss/],
		[(token) => { token.key = undefined; }, /signed/], [(token) => { token.key = hmacKey('code-secret'); }, /signed token|alg/], [(token, claims) => { claims.sub = '248289761003'; }, /another sub/]]) {
		userinfo(change);
		try { await refused(why); } finally { op.heal(); }
	}
	await accepted();
	code.signed_userinfo = false;
});

test('a_key_set_may_hold_strange_keys_and_the_right_one_is_found', async () => {
	const [key] = op.keys;
	const strange = [{ kty: 'oct', k: 'AAAA', kid: key.kid }, { kty: 'OKP', crv: 'Ed448', x: 'AA', kid: 'x' }, { ...newKey().jwk, use: 'enc', kid: key.kid }, { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'short' }, null, 'text'];
	op.alter('/jwks$', () => ({ keys: [...strange, key.jwk] }));
	await later(broker, 3700, op);
	try { await accepted(); } finally { op.heal(); }
});

test('oidcc-client-test, -kid-absent-single-jwks, -signing-key-rotation, -signing-key-rotation-just-before-signing', async () => {
	await accepted();
	idToken((token) => { token.header.kid = undefined; })();
	await accepted();
	op.heal();
	await later(broker, 31, op);
	op.rotate();
	await accepted();
	await later(broker, 31, op);
	op.rotate({ forget: true });
	await accepted();
	assert.ok(code.thick);
});

