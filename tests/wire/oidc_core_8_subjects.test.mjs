// OpenID Connect Core 8: what an application knows a person by. authentik's sub modes, and pairwise subjects (8.1).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, claimsOf, obtainTokens, secretOf } from '../harness/browser.mjs';

const modes = ['hashed_user_id', 'user_id', 'user_uuid', 'user_username', 'user_email', 'user_upn'];
const app = (name, uri, more) => {
	secretOf[name] = `${name}-secret`;
	return `application "${name}" { client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${uri}" }, scopes = { "openid", "email" }, consent = "implicit", ${more} }\n`;
};
const people = `user "upn" { email = "upn@example.org", password = "upn-of-upn", attributes = { upn = "upn@corp.example" } }
user "bare" { password = "bare-of-bare" }
`;
const subjectOf = async (broker, client_id, redirect_uri, username = 'alice', password = 'wonderland', more = {}) => {
	const got = await obtainTokens(broker, { client_id, redirect_uri, scope: 'openid', ...more }, { username, password });
	const { sub } = claimsOf(got.id_token);
	const info = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } });
	assert.equal(info.json.sub, sub);
	assert.equal(claimsOf(got.access_token).sub, sub);
	return { sub, ...got };
};

test('each_sub_mode_names_the_person_as_it_says_and_falls_back_to_the_hash', async () => {
	const uri = 'https://modes.example.org/cb';
	const broker = await Broker.start({ objects: people + modes.map((mode) => app(mode.replaceAll('_', '-'), uri, `sub_mode = "${mode}"`)).join('') });
	const of = async (mode, ...who) => (await subjectOf(broker, mode.replaceAll('_', '-'), uri, ...who)).sub;
	const upn = ['upn', 'upn-of-upn'];
	const hashed = await of('hashed_user_id', ...upn);
	assert.match(hashed, /^[0-9a-f]{64}$/);
	assert.match(await of('user_id', ...upn), /^\d+$/);
	const uuid = await of('user_uuid', ...upn);
	assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
	assert.equal(await of('user_uuid', ...upn), uuid);
	assert.equal(await of('user_username', ...upn), 'upn');
	assert.equal(await of('user_email', ...upn), 'upn@example.org');
	assert.equal(await of('user_upn', ...upn), 'upn@corp.example');
	// Without e-mail or upn: the hash, which is the person's own.
	const bare = await of('hashed_user_id', 'bare', 'bare-of-bare');
	assert.notEqual(bare, hashed);
	assert.equal(await of('user_email', 'bare', 'bare-of-bare'), bare);
	assert.equal(await of('user_upn', 'bare', 'bare-of-bare'), bare);
});

const [one, two, far] = ['https://a.example.org/cb', 'https://a.example.org/other', 'https://b.example.net/cb'];
const pairwise = (more = '') => app('near', one, 'sub_mode = "pairwise"') + app('same', two, 'sub_mode = "pairwise"') + app('far', far, 'sub_mode = "pairwise"')
	+ app('joined', far, 'sub_mode = "pairwise", sector_identifier = "a.example.org"') + app('open', one, '') + more;

test('pairwise_subjects_differ_between_sectors_and_are_one_within', async () => {
	const broker = await Broker.start({ objects: pairwise() });
	const [near, same, other, joined, open] = [await subjectOf(broker, 'near', one), await subjectOf(broker, 'same', two), await subjectOf(broker, 'far', far),
		await subjectOf(broker, 'joined', far), await subjectOf(broker, 'open', one)];
	assert.match(near.sub, /^[0-9a-f]{64}$/);
	assert.equal(same.sub, near.sub);
	assert.equal(joined.sub, near.sub);
	assert.notEqual(other.sub, near.sub);
	assert.ok(![near.sub, other.sub].includes(open.sub));
	assert.notEqual((await subjectOf(broker, 'near', one, 'bob', 'builder-bob')).sub, near.sub);
	for (const [name, type] of [['near', 'pairwise'], ['open', 'public']]) {
		const document = (await new Browser(broker).get(`/application/o/${name}/.well-known/openid-configuration`)).json;
		assert.deepEqual(document.subject_types_supported, [type]);
	}
	// The hint and the claims parameter speak of the pairwise subject too.
	const again = (parameters) => near.browser.open(authorizeUrl(broker, { client_id: 'near', redirect_uri: one, scope: 'openid', prompt: 'none', ...parameters }));
	assert.ok((await again({ id_token_hint: near.id_token })).away.searchParams.get('code'));
	const claims = (value) => JSON.stringify({ id_token: { sub: { value } } });
	assert.ok((await again({ claims: claims(near.sub) })).away.searchParams.get('code'));
	assert.equal((await again({ claims: claims(open.sub) })).away.searchParams.get('error'), 'login_required');
	// It survives a restart.
	await broker.stop();
	await broker.serve();
	assert.equal((await subjectOf(broker, 'near', one)).sub, near.sub);
});

test('S11_a_configured_salt_makes_the_same_pairwise_subjects_as_elsewhere', async () => {
	const salted = { settings: 'subject_salt = "a salt that came from elsewhere"', objects: pairwise() };
	const broker = await Broker.start(salted);
	const { sub } = await subjectOf(broker, 'near', one);
	const uid = (await subjectOf(broker, 'open', one)).sub;
	assert.equal(sub, createHash('sha256').update(`a.example.org\n${uid}\na salt that came from elsewhere`).digest('hex'));
});

test('pairwise_without_one_host_needs_a_sector_identifier', async () => {
	const broker = await Broker.start();
	const add = (...uris) => broker.command('app', 'add', 'pair', '--sub-mode', 'pairwise', ...uris.flatMap((uri) => ['--redirect-uri', uri]));
	for (const uris of [[one, far], ['org.example.app:/cb'], []]) {
		const answer = await add(...uris);
		assert.equal(answer.status, 1, uris.join(' '));
		assert.match(answer.err, /sector_identifier/);
	}
	assert.equal((await add(one, two)).status, 0);
});
