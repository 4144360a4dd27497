// tidelock source check NAME asks the upstream itself and says what is wrong there: names, TLS, discovery, keys, the client, the clock.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { authority, peer } from '../harness/peers.mjs';
import { declared, upstreamAt } from '../harness/upstream.mjs';
import { OAuth2 } from '../upstream/oauth2.mjs';
import { Oidc } from '../upstream/oidc.mjs';

const up = await upstreamAt((web) => new Oidc({ web }));
const plain = await upstreamAt((web) => new OAuth2({ web }));
const untrusted = await peer((request, response) => response.end('{}'), authority().certificate(['127.0.0.1']));
const oidc = (name, issuer, more = {}) => declared(name, { kind: 'oidc', issuer, client_id: 'tidelock', client_secret: 'quiet', ...more });
const broker = await Broker.start({
	settings: 'allow_test_sources = true',
	objects: oidc('good', up.issuer) + oidc('stranger', up.issuer, { client_secret: 'wrong' }) + oidc('elsewhere', `${up.issuer}/tenant`) + oidc('closed', 'http://127.0.0.1:1')
		+ oidc('untrusted', `https://127.0.0.1:${untrusted.port}`) + oidc('nameless', 'https://nowhere.invalid')
		+ declared('plain', { kind: 'oauth2', authorization_url: plain.link('web', '/oauth/authorize'), token_url: plain.link('web', '/oauth/token'), profile_url: plain.link('web', '/profile'), client_id: 'tidelock', client_secret: 'quiet' })
		+ declared('test', { kind: 'basic' }),
});
for (const one of [up, plain]) one.register({ client_id: 'tidelock', client_secret: 'quiet', redirect_uris: [] });

async function found(name) {
	const { status, out, err } = await broker.command('source', 'check', name, '--json');
	assert.notEqual(out, '', err);
	return { status, of: Object.fromEntries(JSON.parse(out).map(({ what, state, text }) => [what, `${state}: ${text}`])) };
}

test('a_source_that_is_well_says_so', async () => {
	const { status, of } = await found('good');
	assert.equal(status, 0);
	assert.deepEqual(Object.keys(of).sort(), ['client', 'clock', 'discovery', 'keys']);
	for (const text of Object.values(of)) assert.match(text, /^ok: /);
	const words = await broker.command('source', 'check', 'plain');
	assert.equal(words.status, 0);
	assert.match(words.out, /^WHAT\s+STATE\s+TEXT\n/);
	assert.match(words.out, /client\s+ok\s+it knows the client/);
	assert.match((await found('test')).of.kind, /^warning: .*believes everybody/);
	const unknown = await broker.command('source', 'check', 'nobody');
	assert.deepEqual([unknown.status, unknown.out], [1, '']);
});

test('what_is_wrong_is_said_in_words', async () => {
	const cases = { stranger: ['client', /client_id or client_secret wrong/], elsewhere: ['discovery', /status 404/], closed: ['discovery', /nobody takes the connection/],
		untrusted: ['discovery', /certificate is not believed/], nameless: ['discovery', /name is not found/] };
	for (const [name, [what, words]] of Object.entries(cases)) {
		const { status, of } = await found(name);
		assert.equal(status, 1, name);
		assert.match(of[what], words, name);
		assert.match(of[what], /^problem: /);
	}
});

for (const [name, spoil, what, words] of [
	['html_where_the_document_should_be', () => up.spoil('/.well-known/', 'html'), 'discovery', /not JSON/],
	['another_issuer', () => up.alter('/.well-known/', (json) => ({ ...json, issuer: 'https://other.example' })), 'discovery', /names another issuer/],
	['no_keys', () => up.alter('/jwks', () => ({ keys: [] })), 'keys', /no key that can be used/],
	['keys_that_cannot_be_fetched', () => up.spoil('/jwks', 'down'), 'keys', /ends the connection/],
	['a_token_endpoint_that_is_broken', () => up.spoil('/token', 'answer', { status: 500 }), 'client', /server_error|status 500/],
]) test(name, async () => {
	spoil();
	const { of } = await found('good');
	up.heal();
	assert.match(of[what], words);
	assert.doesNotMatch(of[what], /^ok/);
});

test('clocks_that_differ_are_told', async () => {
	await broker.advance(120);
	assert.match((await found('good')).of.clock, /^warning: this machine's clock is 1[12]\d seconds ahead/);
	await broker.advance(300);
	const { status, of } = await found('good');
	assert.match(of.clock, /^problem: .*tokens are refused/);
	assert.equal(status, 1);
});
