// Tokens of an upstream that are kept for scripts: off unless the owner says so, sealed at rest, refreshed when they have ended, and
// given only to scripts that may have them.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker } from '../harness/broker.mjs';
import { authorizeUrl, redirectUri } from '../harness/browser.mjs';
import { Person, callback, declared, upstreamAt } from '../harness/upstream.mjs';
import { Oidc } from '../upstream/oidc.mjs';

const up = await upstreamAt((web) => new Oidc({ web }));
const broker = await Broker.start({
	files: { 'token.lua': 'return { upstream = source_token("up") or "none" }', 'other.lua': 'return { other = source_token("plain") or "none" }' },
	objects: declared('up', { kind: 'oidc', issuer: up.issuer, client_id: 'tidelock', client_secret: 'quiet', scopes: ['offline_access'], keep_tokens: true, visibility: 'hidden' })
		+ declared('plain', { kind: 'oidc', issuer: up.issuer, client_id: 'plain', client_secret: 'quiet', matching: 'username_link', enrolment: false, visibility: 'hidden' })
		+ `scope_mapping "upstream" { scope = "upstream", script = "token.lua", may = { source_tokens = { "up" } } }
		scope_mapping "forbidden" { scope = "forbidden", script = "token.lua" }
		scope_mapping "other" { scope = "other", script = "other.lua", may = { source_tokens = { "plain" } } }
		application "asks" { client_id = "asks", client_secret = "asks-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "upstream", "forbidden", "other" }, consent = "implicit", sources = { "up" } }`,
});
up.register({ client_id: 'tidelock', client_secret: 'quiet', redirect_uris: [callback(broker, 'up')] });
up.register({ client_id: 'plain', client_secret: 'quiet', redirect_uris: [callback(broker, 'plain')] });
const forward = async (seconds) => { await broker.advance(seconds); up.moved += seconds; };

async function token(person) {
	const { away } = await person.choose(await person.open(authorizeUrl(broker, { client_id: 'asks', redirect_uri: redirectUri.web, scope: 'openid upstream forbidden other' })), 'ada');
	const got = await person.post('/application/o/token/', { grant_type: 'authorization_code', code: away.searchParams.get('code'), redirect_uri: redirectUri.web, client_id: 'asks', client_secret: 'asks-secret' }, { cookies: false });
	assert.equal(got.status, 200, got.text);
	return got.json.access_token;
}
const claims = async (person) => { const access = await token(person); return (await person.get('/application/o/userinfo/', { cookies: false, headers: { authorization: `Bearer ${access}` } })).json; };
const refreshes = () => up.asked.filter(({ form }) => form.grant_type === 'refresh_token').length;
const ada = new Person(broker);

test('a_script_that_may_gets_the_token_of_its_person_and_no_other_script_does', async () => {
	const got = await claims(ada);
	assert.equal(up.holder({ headers: { authorization: `Bearer ${got.upstream}` } }).session.person.account, 'ada');
	assert.equal(got.other, 'none', 'a source that keeps none has none');
	assert.ok((await broker.events('--kind', 'script_failed')).some((event) => /forbidden .*source_tokens/.test(event.reason)));
	const bytes = Buffer.concat(await Promise.all(['tidelock.db', 'tidelock.db-wal'].map((name) => readFile(path.join(broker.dir, 'data', name)).catch(() => Buffer.alloc(0)))));
	for (const secret of [got.upstream, ...up.refreshes.keys()]) assert.equal(bytes.includes(secret), false, 'nothing of it lies open');
});

test('it_is_refreshed_when_it_has_ended_once_for_all_who_ask', async () => {
	const first = (await claims(ada)).upstream;
	await forward(3400);
	const access = await token(ada);
	await forward(150);
	const before = refreshes();
	const got = await Promise.all(Array.from({ length: 8 }, () => ada.get('/application/o/userinfo/', { cookies: false, headers: { authorization: `Bearer ${access}` } })));
	const tokens = new Set(got.map(({ json }) => json.upstream));
	assert.equal(tokens.size, 1);
	assert.notEqual([...tokens][0], first);
	assert.equal(refreshes() - before, 1);
});

for (const [name, claim] of [['oidcc-client-test-refresh-token-invalid-issuer', { iss: 'https://elsewhere.example' }], ['oidcc-client-test-refresh-token-invalid-sub', { sub: 'somebody-else' }]]) {
	test(name, async () => {
		const person = new Person(broker);
		assert.notEqual((await claims(person)).upstream, 'none');
		await forward(3600);
		up.alterToken = (signed) => Object.assign(signed.claims, claim);
		assert.equal((await claims(person)).upstream, 'none');
		up.heal();
		assert.equal((await claims(person)).upstream, 'none', 'and it is gone for good');
		assert.ok((await broker.events('--kind', 'source_token_failed')).some((event) => event.reason.includes(claim.iss ? '(iss)' : '(sub)')));
	});
}

test('an_upstream_that_is_down_takes_nothing_away_and_one_that_refuses_does', async () => {
	const person = new Person(broker);
	assert.notEqual((await claims(person)).upstream, 'none');
	await forward(3600);
	up.spoil('/token', 'down');
	assert.equal((await claims(person)).upstream, 'none');
	up.heal();
	assert.notEqual((await claims(person)).upstream, 'none', 'it comes back with the upstream');
	await forward(3600);
	up.refreshes.clear();
	assert.equal((await claims(person)).upstream, 'none');
	const before = refreshes();
	assert.equal((await claims(person)).upstream, 'none');
	assert.equal(refreshes(), before, 'nobody asks again for what was refused');
});
