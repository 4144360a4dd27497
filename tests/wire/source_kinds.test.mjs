// What each kind of provider does in its own way, under its real name: Google's two issuers and workspaces, GitHub's addresses, pages and
// organisations, GitLab's groups, Okta's silence about the hundred-and-first group, Keycloak. (Facts of these providers' documentation)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { callback, declared, isSignedIn, Person, teller, upstreams, userNames } from '../harness/upstream.mjs';
import { GitHub } from '../upstream/github.mjs';
import { GitLab } from '../upstream/gitlab.mjs';
import { Google } from '../upstream/google.mjs';
import { Keycloak, Okta } from '../upstream/oidc.mjs';

const client = { client_id: 'broker', client_secret: 's+ecret: of/the=client' };
const doubles = { google: new Google(), github: new GitHub(), gitlab: new GitLab(), okta: new Okta({ web: 'https://lab.okta.test' }), keycloak: new Keycloak({ web: 'https://keycloak.test' }), ghe: new GitHub({ web: 'https://ghe.upstream.test', api: 'https://ghe.upstream.test' }, { enterprise: true }) };
doubles.google.people.set('wilma', { ...doubles.google.person('wanda'), account: 'wilma', sub: '7', email: 'wilma@workspace.example' });
const { google, github, gitlab, okta, keycloak, ghe } = doubles;
const world = await upstreams(...Object.values(doubles));
const source = (name, kind, more) => declared(name, { kind, name: `The ${name}`, ...client, enrolment: true, ...more });
const broker = await Broker.start({
	files: world.files, settings: world.settings,
	objects: source('google', 'google') + source('workspace', 'google', { tenants: ['workspace.example'] }) + source('github', 'github', { groups: true }) + source('github_email', 'github', { matching: 'email_link' }) + source('gitlab', 'gitlab', { groups: true }) +
		source('okta', 'okta', { issuer: okta.issuer, groups: true }) + source('keycloak', 'keycloak', { issuer: keycloak.issuer, groups: true, scopes: ['groups'] }) + source('ghe', 'github', { issuer: 'https://ghe.upstream.test', groups: true }),
});
for (const [double, ...names] of [[google, 'google', 'workspace'], [github, 'github', 'github_email'], [gitlab, 'gitlab'], [okta, 'okta'], [keycloak, 'keycloak'], [ghe, 'ghe']]) double.register({ ...client, redirect_uris: names.map((name) => callback(broker, name)) });
const told = await teller(broker);

async function signsIn(name, account) {
	const person = new Person(broker, world);
	const at = await person.signInAt(name, account);
	assert.ok(isSignedIn(person), `${at.page?.text} ${JSON.stringify((await broker.events()).at(-1))}`);
	return broker.json('user', 'show', /<dd id="username">([^<]*)</.exec((await person.open('/')).page.text)[1]);
}
async function refused(name, account, why) {
	const before = await userNames(broker), person = new Person(broker, world);
	const { page } = await person.signInAt(name, account);
	assert.ok([403, 502, 503].includes(page.status), page.text);
	assert.equal(isSignedIn(person), false);
	await told(why);
	assert.deepEqual(await userNames(broker), before);
}

test('google_has_two_spellings_of_its_issuer_and_workspaces', async () => {
	const wanda = await signsIn('google', 'wanda');
	assert.deepEqual([wanda.email, wanda.email_verified], ['wanda@workspace.example', true]);
	google.legacy = true;
	assert.equal((await signsIn('google', 'wanda')).pk, wanda.pk, 'the old issuer, and email_verified as a text');
	google.legacy = false;
	assert.equal((await signsIn('google', 'una')).email_verified, false);
	google.alterToken = ({ claims }) => { claims.iss = 'https://accounts.google.com.evil.example'; };
	await refused('google', 'wanda', /\(iss\)/);
	google.heal();
	await signsIn('google', 'connie');
});

test('a_google_workspace_is_checked_in_the_token', async () => {
	google.mayChoose = () => true; // the parameter hd is a hint that anybody can take away
	await refused('workspace', 'connie', /\(hd\)/);
	assert.equal(google.asked.find(({ path }) => path === '/o/oauth2/v2/auth').query.hd, undefined);
	assert.equal(google.asked.findLast(({ path }) => path === '/o/oauth2/v2/auth').query.hd, 'workspace.example');
	await refused('workspace', 'otto', /\(hd\)/);
	google.alterToken = ({ claims }) => { claims.hd = 'workspace.example.evil.example'; };
	await refused('workspace', 'wanda', /\(hd\)/);
	google.heal();
	google.alter('/v1/userinfo', (json) => ({ ...json, hd: 'workspace.example' }));
	await refused('workspace', 'otto', /\(hd\)/);
	google.heal();
	await signsIn('workspace', 'wilma');
	delete google.mayChoose;
});

test('github_tells_addresses_organisations_and_teams_over_pages', async () => {
	const octavia = await signsIn('github', 'octavia');
	assert.deepEqual([octavia.username, octavia.email, octavia.email_verified, octavia.groups.toSorted()], ['octavia', 'octavia@octo.example', true, ['octo', 'octo/justice-league']]);
	const busy = await signsIn('github', 'busy');
	assert.equal(busy.groups.length, 131, 'all pages; what single sign-on hides is left out');
	const nameless = await signsIn('github', 'nameless');
	assert.deepEqual([nameless.email_verified, nameless.username], [false, 'nameless']);
	github.person('octavia').account = 'octavia-renamed';
	github.people.set('octavia-renamed', github.person('octavia'));
	assert.equal((await signsIn('github', 'octavia-renamed')).pk, octavia.pk, 'the number counts, not the login');
	await refused('github_email', 'nameless', /email_unverified|vouch/);
	const enterprise = await signsIn('ghe', 'octavia').catch(async () => undefined);
	assert.equal(enterprise, undefined, 'another server, another octavia: her name is taken here');
	ghe.person('octavia').account = 'olga';
	ghe.people.set('olga', ghe.person('octavia'));
	assert.deepEqual([(await signsIn('ghe', 'olga')).email_verified, ghe.count('^/api/v3/user')], [false, 8], 'a server cannot verify addresses');
	assert.ok(github.asked.every(({ headers, path }) => headers['user-agent'] || path.startsWith('/login/oauth/authorize') || path.startsWith('/session')), 'GitHub answers nobody without a name');
});

test('github_says_its_errors_with_status_200', async () => {
	github.spoil('/login/oauth/access_token', 'answer', { status: 200, body: { error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' } });
	await refused('github', 'busy', /bad_verification_code/);
	github.heal();
	github.alter('^/user$', ({ id, ...rest }) => rest);
	await refused('github', 'busy', /who it is/);
	github.heal();
	github.spoil('^/user/teams', 'answer', { status: 500 });
	await refused('github', 'busy', /groups/);
	github.heal();
	github.spoil('^/user/orgs', 'answer', { status: 200, headers: { link: '<https://evil.example/user/orgs?page=2>; rel="next"' }, body: [] });
	await refused('github', 'busy', /groups/);
	github.heal();
	assert.ok(!world.seen.some((place) => /evil/.test(place)));
});

test('gitlab_okta_and_keycloak', async () => {
	const gitta = await signsIn('gitlab', 'gitta');
	assert.deepEqual([gitta.email_verified, gitta.groups.toSorted()], [true, ['tools', 'tools/deep', 'tools/deep/er']]);
	assert.equal((await signsIn('gitlab', 'merle')).email_verified, false);
	gitlab.person('gitta').state = 'blocked';
	gitlab.mayChoose = () => true;
	await refused('gitlab', 'gitta', /access_denied/);
	okta.person('ada').groups = Array.from({ length: 99 }, (_, i) => `okta-${i}`);
	assert.equal((await signsIn('okta', 'ada')).groups.length, 99);
	okta.person('ada').groups = Array.from({ length: 250 }, (_, i) => `okta-${i}`);
	await refused('okta', 'ada', /groups/);
	const ada = await signsIn('keycloak', 'ada');
	assert.deepEqual([ada.username, ada.groups.toSorted()], ['ada', ['/analysts', '/engines']]);
	keycloak.alterToken = (token) => { if (token.kind === 'id_token') { token.claims.aud = ['broker', 'account']; token.claims.azp = 'broker'; } };
	assert.equal((await signsIn('keycloak', 'ada')).pk, ada.pk, 'several audiences, made for us');
	keycloak.alterToken = (token) => { if (token.kind === 'id_token') { token.claims.aud = ['broker', 'account']; token.claims.azp = 'account-console'; } };
	await refused('keycloak', 'ada', /azp/);
	keycloak.heal();
});

test('tenants_are_said_where_there_are_some (S26)', async () => {
	const check = async (more) => {
		await broker.configure({ objects: declared('x', { ...client, ...more }) });
		const { out, err } = await broker.command('check');
		return out + err;
	};
	assert.match(await check({ kind: 'gitlab', tenants: ['x.example'] }), /tidelock\.lua:\d+: .*tenants is of Entra and Google only/);
	assert.match(await check({ kind: 'google', tenants: [] }), /tenants is empty/);
	assert.match(await check({ kind: 'entra' }), /tenants is missing/);
	for (const word of ['common', 'organizations']) assert.match(await check({ kind: 'entra', tenants: [word] }), /is no tenant's id/);
	assert.match(await check({ kind: 'google', tenants: ['Workspace.Example'] }), /is valid/);
});
