// S29: programs with tokens of a source: Entra's (seed 004's request, both token shapes) and a plain provider's, exchanged at the token
// endpoint for a token of the program's own account; and everything that must not be.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, claimsOf } from '../harness/browser.mjs';
import { declared, upstreamAt, upstreams } from '../harness/upstream.mjs';
import { Entra } from '../upstream/entra.mjs';
import { CONTOSO, FABRIKAM } from '../upstream/entra_directory.mjs';
import { newKey } from '../upstream/keys.mjs';
import { Oidc } from '../upstream/oidc.mjs';

const id = (n) => `c0000000-0000-0000-0000-00000000000${n}`;
const entra = new Entra();
for (const [n, more] of [[1, { api_version: 1 }], [2, { api_version: 2 }], [3, { api_version: 1 }]]) {
	entra.register({ client_id: id(n), client_secret: `secret-${n}`, redirect_uris: [], roles: n === 3 ? [] : ['Jobs.Run'], ...more });
}
const world = await upstreams(entra);
const plain = await upstreamAt((web) => new Oidc({ web }));
const application = (name, more) => `application "${name}" { client_secret = "${name}-secret-0123456789", grant_types = { "client_credentials" },
	scopes = { "openid", "profile", "groups" }, ${more} }\n`;
const machineOf = (audiences, more) => ({ kind: 'oidc', issuer: plain.issuer, client_id: 'unused', groups: true, machine: { audiences, ...more } });
const broker = await Broker.start({
	files: { ...world.files, 'jobs.lua': 'return { attributes = { team = info.team }, groups = info.roles }',
		'seen.lua': 'return context.oauth_jwt ~= nil and context.oauth_jwt.appid ~= nil' },
	settings: world.settings,
	objects: `${declared('entra', { kind: 'entra', client_id: id(1), client_secret: 'secret-1', tenants: [CONTOSO], mappings: ['jobs'],
		machine: { audiences: [`api://${id(1)}`, id(2)], clients: [id(1), id(2)] } })}
${declared('entra-roles', { kind: 'entra', client_id: id(3), tenants: [CONTOSO], machine: { audiences: [`api://${id(3)}`, `api://${id(1)}`], roles: ['Jobs.Run'] } })}
${declared('silent', { kind: 'entra', client_id: id(1), tenants: [CONTOSO] })}
${declared('plain', machineOf(['https://broker.example.org'], { clients: ['robot'] }))}
source_mapping "jobs" { script = "jobs.lua" }
policy "seen" { script = "seen.lua" }
${application('jobs', 'sources = { "entra" }')}${application('roles', 'sources = { "entra-roles" }')}${application('off', 'sources = { "silent" }')}
${application('plain-jobs', 'sources = { "plain" }')}${application('judged', 'sources = { "entra" }, policies = { "seen" }')}${application('all', '')}`,
});

const browser = new Browser(broker);
// Seed 004's request, with its last slash.
async function fromEntra(n, scope = `api://${id(n)}/.default`, tenant = CONTOSO) {
	const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: id(n), client_secret: `secret-${n}`, scope }).toString();
	const answer = await world.ask(`https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token/`, { method: 'POST', body,
		headers: { 'content-type': 'application/x-www-form-urlencoded' } });
	assert.equal(answer.status, 200, answer.text);
	return answer.json.access_token;
}
const redeem = (token, client = 'jobs', more = {}) => browser.post('/application/o/token/', new URLSearchParams({ grant_type: 'client_credentials', client_id: client,
	client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: token, ...more }).toString(),
{ headers: { 'content-type': 'application/x-www-form-urlencoded' } });
const userinfo = (token) => browser.get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
const robot = (claims = {}, how) => plain.sign('access_token', { iss: plain.issuer, aud: 'https://broker.example.org', sub: 'robot-1', azp: 'robot',
	iat: plain.now(), exp: plain.now() + 300, ...claims }, how);

test('S29_seed_004_s_token_of_version_1_and_2_becomes_a_token_of_the_program_s_account', async () => {
	const accounts = new Set();
	for (const n of [1, 2]) {
		const token = await fromEntra(n);
		assert.equal(claimsOf(token).ver, `${n}.0`);
		const got = await redeem(token, 'jobs', { scope: 'openid profile groups' });
		assert.equal(got.status, 200, got.text);
		assert.equal(got.json.refresh_token, undefined);
		const who = (await userinfo(got.json.access_token)).json;
		assert.deepEqual(who.groups, ['Jobs.Run'], 'the mapping runs and its groups are kept');
		const user = await broker.json('user', 'show', who.preferred_username);
		assert.deepEqual([user.type, user.active], ['service_account', true]);
		assert.ok(user.username.length <= 150);
		accounts.add(who.preferred_username);
		const again = await redeem(token, 'jobs', { scope: 'openid profile' });
		assert.equal((await userinfo(again.json.access_token)).json.preferred_username, who.preferred_username, 'the same account');
	}
	assert.equal(accounts.size, 2);
	assert.equal((await redeem(await fromEntra(1), 'judged')).status, 200, 'policies see the token (context.oauth_jwt)');
	assert.equal((await redeem(await fromEntra(2), 'judged')).json.error, 'invalid_grant');
});

test('S29_it_is_off_unless_source_and_application_say_so', async () => {
	const token = await fromEntra(1);
	for (const client of ['off', 'all', 'plain-jobs']) assert.notEqual((await redeem(token, client)).status, 200, client);
});

test('E6_a_token_for_Graph_is_recognised_and_answered_with_the_scope_to_ask_for', async () => {
	const answer = await redeem(await fromEntra(1, 'https://graph.microsoft.com/.default'));
	assert.equal(answer.json.error, 'invalid_grant');
	assert.match(answer.json.error_description, new RegExp(`Graph.*api://${id(1)}/\\.default`));
});

test('S29_clients_or_roles_say_which_programs', async () => {
	assert.equal((await redeem(await fromEntra(3, `api://${id(1)}/.default`))).json.error, 'invalid_grant', 'not one of machine.clients');
	assert.equal((await redeem(await fromEntra(3), 'roles')).json.error, 'invalid_grant', 'a token without roles [E6]');
	assert.equal((await redeem(await fromEntra(1, `api://${id(3)}/.default`), 'roles')).status, 200);
	entra.alterToken = (one) => { one.claims.tid = FABRIKAM; one.claims.iss = one.claims.iss.replace(CONTOSO, FABRIKAM); };
	assert.equal((await redeem(await fromEntra(1))).json.error, 'invalid_grant', 'another tenant');
	entra.alterToken = (one) => { one.claims.tid = FABRIKAM; };
	assert.equal((await redeem(await fromEntra(1))).json.error, 'invalid_grant', 'tid and iss differ');
	entra.heal();
});

test('S29_a_person_s_token_an_ID_token_and_everything_else_that_is_none_of_a_program', async () => {
	assert.equal((await redeem(robot(), 'plain-jobs')).status, 200);
	const before = (await broker.json('user', 'list')).length;
	const now = plain.now();
	for (const [claims, how] of [[{ scp: 'User.Read' }], [{ nonce: 'n' }], [{ at_hash: 'x' }], [{ idtyp: 'user' }], [{ sid: 's' }], [{ auth_time: now }], [{ azp: 'another' }], [{ azp: undefined }],
		[{ aud: 'someone-else' }], [{ aud: undefined }], [{ iss: 'https://evil.example' }], [{ sub: undefined }], [{ sub: '' }], [{ exp: undefined }],
		[{ exp: now - 10 }], [{ nbf: now + 600 }], [{ iat: now + 600 }], [{}, { key: newKey({ kid: plain.keys[0].kid }) }], [{}, { header: { typ: 'logout+jwt' } }]]) {
		const answer = await redeem(robot(claims, how), 'plain-jobs');
		assert.equal(answer.json.error, 'invalid_grant', JSON.stringify([claims, how?.header]));
		assert.doesNotMatch(answer.text, /robot-1|evil/);
	}
	assert.equal((await broker.json('user', 'list')).length, before, 'no account is made of a token that is not believed');
	const told = (await broker.events('--kind', 'source_token_refused')).map(({ reason }) => reason).join('\n');
	for (const why of [/scp/, /nonce/, /idtyp/, /machine\.clients/, /aud/, /iss/, /expired/, /nbf/, /signature/, /typ/]) assert.match(told, why);
	// What is no signed token at all proves no client either.
	for (const none of ['rubbish', robot({}, { header: { alg: 'none' } })]) assert.equal((await redeem(none, 'plain-jobs')).status, 401);
});

test('S29_an_account_is_its_subject_and_issuer_and_its_name_a_label', async () => {
	await broker.command('user', 'add', 'plain-alice');
	const got = await redeem(robot({ sub: 'alice' }), 'plain-jobs', { scope: 'openid profile' });
	const name = (await userinfo(got.json.access_token)).json.preferred_username;
	assert.match(name, /^plain-alice-[0-9a-f]{12}$/, 'the user who is called so is another');
	const long = await redeem(robot({ sub: 'ü'.repeat(120) }), 'plain-jobs', { scope: 'openid profile' });
	const cut = (await userinfo(long.json.access_token)).json.preferred_username;
	assert.ok(Buffer.byteLength(cut) <= 150 && cut.startsWith('plain-üü'), cut);
	// Nobody signs in as it, and who is switched off stays so.
	assert.equal((await broker.command('user', 'password', name, '--password-stdin', { input: 'long-enough-1' })).status, 1);
	await broker.command('user', 'disable', name);
	assert.equal((await userinfo(got.json.access_token)).status, 401);
	const off = await redeem(robot({ sub: 'alice' }), 'plain-jobs');
	assert.match(off.json.error_description, /switched off/);
	await broker.command('user', 'enable', name);
	assert.equal((await redeem(robot({ sub: 'alice' }), 'plain-jobs')).status, 200);
});

test('S29_what_comes_out_ends_with_what_it_was_made_of_and_groups_with_the_next_one', async () => {
	const short = await redeem(robot({ exp: plain.now() + 40, groups: ['night-shift'] }), 'plain-jobs', { scope: 'openid profile groups' });
	assert.ok(short.json.expires_in <= 40);
	assert.deepEqual((await userinfo(short.json.access_token)).json.groups, ['night-shift']);
	for (const none of [{ groups: [] }, {}]) {
		await redeem(robot({ groups: 'night-shift' }), 'plain-jobs');
		const later = await redeem(robot(none), 'plain-jobs', { scope: 'openid groups' });
		assert.deepEqual((await userinfo(later.json.access_token)).json.groups ?? [], [], JSON.stringify(none));
	}
	// Twenty at once, of somebody new: one account.
	const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(robot({ sub: 'crowd' }), 'plain-jobs', { scope: 'openid profile' })));
	const names = await Promise.all(answers.map(async (one) => (await userinfo(one.json.access_token)).json.preferred_username));
	assert.deepEqual([...new Set(names)], ['plain-crowd']);
});
