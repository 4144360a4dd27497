// Entra ID as an upstream under its real names: who comes in from which tenant, every forgery refused, groups by Microsoft Graph with all
// their pages on Graph's own host, and nobody let in on half of them. (Seed 004; Microsoft's validation of tokens; security-cases 8, 14)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { callback, declared, isSignedIn, later, Person, teller, upstreams, userNames } from '../harness/upstream.mjs';
import { Entra } from '../upstream/entra.mjs';
import { CONTOSO, FABRIKAM } from '../upstream/entra_directory.mjs';

const entra = new Entra();
const abroad = new Entra({ login: 'https://login.microsoftonline.us', graph: 'https://graph.microsoft.us', sts: 'https://sts.windows.net' });
const world = await upstreams(entra, abroad);
const client = { client_id: '11111111-aaaa-4bbb-8ccc-000000000001', client_secret: 'entra-secret' };
const source = (name, more) => declared(name, { kind: 'entra', name: 'Microsoft', ...client, tenants: [CONTOSO], enrolment: true, ...more });
const GROUPS = 'https://graph.microsoft.com/GroupMember.Read.All';
const broker = await Broker.start({
	files: world.files, settings: world.settings,
	objects: source('single') + source('multi', { tenants: [CONTOSO, FABRIKAM] }) + source('common', { authorization_url: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize', token_url: 'https://login.microsoftonline.com/common/oauth2/v2.0/token', jwks_url: 'https://login.microsoftonline.com/common/discovery/v2.0/keys' }) +
		source('grouped', { scopes: [GROUPS] }) + source('abroad', { authorization_url: `https://login.microsoftonline.us/${CONTOSO}/oauth2/v2.0/authorize`, profile_url: 'https://graph.microsoft.us/v1.0/me' }) +
		'subject_pool "contoso" { sources = { "single", "multi", "common", "grouped" } }',
});
const names = ['single', 'multi', 'common', 'grouped'];
entra.register({ ...client, redirect_uris: names.map((name) => callback(broker, name)), multi: true, personal: true, group_claims: true });
abroad.register({ ...client, redirect_uris: [callback(broker, 'abroad')] });
const told = await teller(broker);

async function signsIn(name, account) {
	const person = new Person(broker, world);
	const at = await person.signInAt(name, account);
	assert.ok(isSignedIn(person), `${at.page?.text} ${JSON.stringify((await broker.events()).at(-1))}`);
	return /<dd id="username">([^<]*)</.exec((await person.open('/')).page.text)[1];
}
async function refused(name, account, why) {
	const person = new Person(broker, world);
	const { page } = await person.signInAt(name, account);
	assert.ok([403, 502, 503].includes(page.status), page.text);
	assert.match(page.text, /Microsoft/);
	assert.equal(isSignedIn(person), false);
	await told(why);
}
const shown = (username) => broker.json('user', 'show', username);

test('people_of_the_named_tenants_come_in_and_are_the_same_by_every_way', async () => {
	const adele = await signsIn('single', 'adele');
	for (const name of ['multi', 'common']) assert.equal(await signsIn(name, 'adele'), adele, name);
	const { name, email, email_verified } = await shown(adele);
	assert.deepEqual([name, email, email_verified], ['Adele Vance', 'adele@contoso.example', false], 'an address of Entra\'s is nobody\'s word for it');
	assert.match(await signsIn('multi', 'fay'), /^fay@/);
	assert.match(await signsIn('single', 'guest'), /gus/);
	assert.match(await signsIn('single', 'nomail'), /nomail/);
	assert.match(await signsIn('abroad', 'nestor'), /nestor/, 'a national cloud by its addresses');
	const before = await userNames(broker);
	await refused('common', 'fay', new RegExp(`the tenant ${FABRIKAM}`));
	await refused('common', 'connie', /tenant/);
	assert.deepEqual(await userNames(broker), before);
});

test('forged_tokens_are_refused_each_for_its_reason', async () => {
	const reasons = {
		tid_and_issuer_differ: /\(iss\)|tenant/, another_tenant: /tenant|signed|key/, tenant_is_no_guid: /tid/, no_tenant: /tid/, key_of_the_consumers: /key that it names may not have signed/, expired_6_minutes_ago: /expired/,
		valid_in_6_minutes: /iat|nbf/, unsigned: /not signed/, signature_broken: /signature/, another_audience: /aud/, another_nonce: /nonce/, version_lies: /\(iss\)/,
	};
	for (const [name, forge] of Object.entries(entra.forgeries)) {
		entra.alterToken = forge;
		try {
			if (reasons[name]) await refused('common', 'adele', reasons[name]);
			else await signsIn('common', 'adele');
		} finally { entra.heal(); }
	}
	entra.alterToken = entra.forgeries.another_tenant;
	await refused('single', 'adele', /tenant/);
	entra.heal();
	entra.alter('/v1.0/me$', (json) => ({ ...json, id: entra.person('nestor').oid }));
	await refused('single', 'adele', /another person/);
	entra.heal();
	entra.alterToken = ({ claims }) => { delete claims.oid; };
	await refused('single', 'adele', /oid|another person/);
	entra.heal();
});

test('keys_rotate_and_a_key_of_a_program_of_its_own_is_found', async () => {
	entra.rotate();
	await later(broker, 31, entra, abroad);
	await signsIn('single', 'adele');
	entra.rotate({ forget: true });
	await later(broker, 31, entra, abroad);
	await signsIn('common', 'adele');
});

test('all_pages_of_groups_are_read_and_followed_at_each_sign_in', async () => {
	entra.graph.largestPage = 100;
	const many = await signsIn('grouped', 'many');
	assert.deepEqual([(await shown(many)).groups.length, (await shown(many)).groups.includes('Directory Readers')], [450, false], 'groups and no roles, an empty page between them');
	entra.person('many').groups = ['Team 007', 'Sailing'];
	assert.equal(await signsIn('grouped', 'many'), many);
	assert.deepEqual((await shown(many)).groups.toSorted(), ['Sailing', 'Team 007']);
	entra.graph.largestPage = 999;
	assert.equal(await signsIn('single', 'many'), many);
	assert.equal((await shown(many)).groups.length, 2, 'a source that reads no groups changes none');
});

test('nobody_comes_in_on_half_of_the_groups_and_the_token_goes_to_graph_alone (security_cases_8)', async () => {
	const pages = '/v1.0/me/(memberOf|transitiveMemberOf)';
	const faults = {
		'on another host': () => entra.alter(pages, (json) => ({ ...json, '@odata.nextLink': 'https://evil.example/v1.0/me/memberOf?$skiptoken=x' })),
		'on another port': () => entra.alter(pages, (json) => ({ ...json, '@odata.nextLink': 'https://graph.microsoft.com:444/v1.0/me/memberOf' })),
		'by another scheme': () => entra.alter(pages, (json) => ({ ...json, '@odata.nextLink': 'http://graph.microsoft.com/v1.0/me/memberOf' })),
		'another user in the address': () => entra.alter(pages, (json) => ({ ...json, '@odata.nextLink': 'https://graph.microsoft.com@evil.example/v1.0/me/memberOf' })),
		'no list': () => entra.alter(pages, () => ({ value: 'none' })),
		circle: () => entra.alter(pages, (json, ask) => ({ ...json, '@odata.nextLink': entra.link('graph', `${ask.path}?round=1`) })),
		'without end': () => { let n = 0; entra.alter(pages, (json, ask) => ({ ...json, value: [], '@odata.nextLink': entra.link('graph', `${ask.path}?page=${++n}`) })); },
		forbidden: () => entra.spoil(pages, 'answer', { status: 403, body: { error: { code: 'Authorization_RequestDenied', message: 'no' } } }),
		throttled: () => { entra.graph.throttled = 0; entra.spoil(pages, 'answer', { status: 429, headers: { 'retry-after': '1' }, body: { error: { code: 'TooManyRequests' } } }); },
		html: () => entra.spoil(pages, 'html'), huge: () => entra.spoil(pages, 'huge'), down: () => entra.spoil(pages, 'down'),
	};
	await signsIn('grouped', 'adele');
	const before = (await shown(await signsIn('grouped', 'adele'))).groups.toSorted();
	for (const fault of Object.values(faults)) {
		fault();
		try { await refused('grouped', 'adele', /groups/); } finally { entra.heal(); }
	}
	assert.ok(!world.seen.some((place) => /evil|:444|^GET http:/.test(place)), world.seen.join(' '));
	assert.deepEqual((await shown('adele@contoso.onmicrosoft.com')).groups.toSorted(), before, 'what was known stays as it was');
});

test('words_of_entra_reach_the_person_and_its_numbers_the_page', async () => {
	const person = new Person(broker, world);
	const { page } = await person.signInAt('single', null);
	assert.equal(page.status, 403);
	assert.match(page.text, /AADSTS65004: User declined/);
});
