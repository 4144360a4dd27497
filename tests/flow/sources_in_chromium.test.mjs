// A person signs in with an account from elsewhere, in a real browser: at each kind of provider under its real name, at node-oidc-provider
// and at a second Tidelock; the first time, again with other groups, and on the way to an application.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, freePort } from '../harness/broker.mjs';
import { authorizeUrl, redirectUri } from '../harness/browser.mjs';
import { launch, screenshot, standInFor } from '../harness/chromium.mjs';
import { oidcProvider } from '../harness/third_parties.mjs';
import { declared, upstreams } from '../harness/upstream.mjs';
import { Entra } from '../upstream/entra.mjs';
import { CONTOSO } from '../upstream/entra_directory.mjs';
import { GitHub } from '../upstream/github.mjs';
import { GitLab } from '../upstream/gitlab.mjs';
import { Google } from '../upstream/google.mjs';
import { Keycloak, Oidc, Okta } from '../upstream/oidc.mjs';
import { OAuth2 } from '../upstream/oauth2.mjs';

const client = { client_id: 'tidelock', client_secret: 'secret-of-tidelock' };
const doubles = {
	entra: new Entra(), google: new Google(), github: new GitHub(), gitlab: new GitLab(), keycloak: new Keycloak({ web: 'https://keycloak.lab.test' }),
	okta: new Okta({ web: 'https://lab.okta.test' }), plain: new OAuth2({ web: 'https://plain.lab.test' }), front: new Oidc({ web: 'https://front.lab.test' }),
};
doubles.plain.person('olive').data.teams = ['press'];
const world = await upstreams(...Object.values(doubles));
const browser = await launch({ rules: world.rules });

const port = await freePort();
const back = (name) => `https://localhost:${port}/source/oauth/callback/${name}/`;
for (const [name, double] of Object.entries(doubles)) double.register({ ...client, redirect_uris: [back(name)], granted: ['User.Read'] });
doubles.front.register({ client_id: 'tidelock', redirect_uris: [back('front')] });
const third = await oidcProvider([{ ...client, redirect_uris: [back('third')], scope: 'openid profile email groups', response_types: ['code'], grant_types: ['authorization_code'] }], { people: { thea: { groups: ['night', 'day'] } } });
// At rest it is not: the other broker keeps connections to it.
const second = await Broker.start({ atRest: false, objects: `application "first" { name = "The first broker", client_id = "tidelock", client_secret = "secret-of-tidelock", redirect_uris = { "${back('second')}" }, scopes = { "openid", "profile", "email", "groups" }, consent = "implicit" }
	user "selma" { name = "Selma Second", email = "selma@second.example", email_verified = true, password = "second-to-none", groups = { "staff" } }` });

const sources = {
	entra: { kind: 'entra', name: 'Microsoft', tenants: [CONTOSO], scopes: ['https://graph.microsoft.com/GroupMember.Read.All'] }, google: { kind: 'google', name: 'Google' }, github: { kind: 'github', name: 'GitHub', groups: true },
	gitlab: { kind: 'gitlab', name: 'GitLab', groups: true }, keycloak: { kind: 'keycloak', name: 'Keycloak', issuer: doubles.keycloak.issuer, scopes: ['groups'], groups: true },
	okta: { kind: 'okta', name: 'Okta', issuer: doubles.okta.issuer, groups: true },
	plain: { kind: 'oauth2', name: 'Plain place', authorization_url: 'https://plain.lab.test/oauth/authorize', token_url: 'https://plain.lab.test/oauth/token', profile_url: 'https://plain.lab.test/profile', subject_attribute: 'data.user.id', username_attribute: 'data.user.handle', name_attribute: 'data.user.display', groups: 'data.teams', scopes: ['profile'] },
	front: { kind: 'oidc', name: 'Front channel', issuer: doubles.front.issuer, groups: true, scopes: ['groups'], client_secret: undefined },
	third: { kind: 'oidc', name: 'node-oidc-provider', issuer: third.issuer, groups: true, scopes: ['groups'] },
	second: { kind: 'oidc', name: 'Second Tidelock', issuer: `${second.url}/application/o/first/`, groups: true, scopes: ['groups'] },
};
const broker = await Broker.start({ tls: true, port, files: world.files, settings: world.settings, objects: Object.entries(sources).map(([name, one]) => declared(name, { ...client, enrolment: true, ...one })).join('') });

const choose = (account) => (page) => page.click(`#as-${account}`);
const atThird = async (page) => {
	await page.fill('[name=login]', 'thea');
	await page.fill('[name=password]', 'any');
	await page.click('[type=submit]');
	await page.click('[type=submit]');
};
const atSecond = async (page) => {
	await page.fill('#username', 'selma');
	await page.fill('#password', 'second-to-none');
	await page.click('#submit');
};

// source: [what the person does there, who they are here, groups, what changes there, groups then]
const stories = {
	entra: [choose('adele'), { name: 'Adele Vance', email: 'adele@contoso.example' }, ['Choir', 'Fire Wardens', 'Gardening', 'Payroll', 'Reading Circle'], () => { doubles.entra.person('adele').groups = ['Payroll', 'Sailing']; }, ['Payroll', 'Sailing']],
	google: [choose('wanda'), { name: 'Wanda Workspace', email: 'wanda@workspace.example' }, [], () => { doubles.google.person('wanda').name = 'Wanda Wider'; }, []],
	github: [choose('octavia'), { username: 'octavia', name: 'Octavia Cat', email: 'octavia@octo.example' }, ['octo', 'octo/justice-league'], () => { doubles.github.person('octavia').teams = []; }, ['octo']],
	gitlab: [choose('gitta'), { username: 'gitta', name: 'Gitta Lab', email: 'gitta@lab.example' }, ['tools', 'tools/deep', 'tools/deep/er'], () => { Object.assign(doubles.gitlab.person('gitta'), { direct: ['tools'], inherited: [] }); }, ['tools']],
	keycloak: [choose('ada'), { username: 'ada', name: 'Ada Lovelace', email: 'ada@upstream.example' }, ['/analysts', '/engines'], () => { doubles.keycloak.person('ada').groups = ['engines']; }, ['/engines']],
	okta: [choose('grace'), { name: 'Grace Hopper', email: 'grace@upstream.example' }, ['compilers'], () => { doubles.okta.person('grace').groups = []; }, []],
	plain: [choose('olive'), { username: 'olive', name: 'Olive Oauth' }, ['press'], () => { doubles.plain.person('olive').data.teams = ['press', 'radio']; }, ['press', 'radio']],
	front: [choose('mallory'), { username: 'mallory', name: 'Mallory' }, [], () => { doubles.front.person('mallory').groups = ['watch']; }, ['watch']],
	third: [atThird, { username: 'thea', name: 'thea of elsewhere', email: 'thea@third.example' }, ['day', 'night'], () => { third.people.thea.groups = ['day']; }, ['day']],
	second: [atSecond, { username: 'selma', name: 'Selma Second', email: 'selma@second.example' }, ['staff (second)'], () => second.configure({ objects: second.options.objects.replace('groups = { "staff" }', 'groups = {}') }).then(() => second.overControl('POST', '/reload')), []],
};

// act: what the person does at the upstream; nothing where a session there speaks for them.
async function arrives(page, name, act, { shot } = {}) {
	await page.goto(`${broker.url}/signin`);
	if (shot) await screenshot(page, 'signin-with-sources');
	await page.click(`a[href*="/source/oauth/login/${name}/"]`);
	await act?.(page);
	await page.waitForSelector('#greeting', { timeout: 15000 }).catch(async (error) => { throw new Error(`${name}: ${page.url()} ${await page.textContent('body')} ${error.message}`); });
	if (shot) await screenshot(page, 'home-after-a-source');
}
const people = async () => (await broker.json('user', 'list')).filter(({ declared }) => !declared);

test('people_sign_in_from_everywhere_for_the_first_time_and_again', async (t) => {
	for (const [name, [act, expected, groups, change, then]] of Object.entries(stories)) {
		await t.test(name, async () => {
			const context = await browser.newContext({ ignoreHTTPSErrors: true });
			const page = await context.newPage();
			const problems = [];
			page.on('console', (message) => { if (message.type() === 'error' && message.location().url.startsWith(broker.url)) problems.push(message.text()); });
			const before = await people();
			const mine = async () => (await people()).filter(({ pk }) => !before.some((one) => one.pk === pk));
			await arrives(page, name, act, { shot: name === 'entra' });
			const [made, ...more] = await mine();
			assert.ok(made && more.length === 0, 'one person is made');
			for (const [field, value] of Object.entries(expected)) assert.equal(made[field], value, field);
			assert.deepEqual(made.groups.toSorted(), groups);
			await change();
			await context.clearCookies({ domain: 'localhost' });
			await arrives(page, name);
			const again = await mine();
			assert.deepEqual(again.map(({ pk }) => pk), [made.pk], 'and is the same the second time');
			assert.deepEqual(again[0].groups.toSorted(), then);
			assert.deepEqual(problems, []);
			await context.close();
		});
	}
});

test('a_source_leads_on_to_the_application_and_a_refusal_is_a_page', async () => {
	const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 360, height: 720 }, colorScheme: 'dark' });
	await standInFor(context, 'https://web.example.org');
	const page = await context.newPage();
	await page.goto(authorizeUrl(broker, { client_id: 'web' }));
	await screenshot(page, 'signin-with-sources-phone');
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
	await page.click('a[href*="/source/oauth/login/entra/"]');
	await page.click('#deny');
	await page.waitForSelector('h1');
	assert.match(await page.textContent('main'), /Microsoft/);
	await screenshot(page, 'source-refused-phone');
	await page.click('main a');
	await page.click('a[href*="/source/oauth/login/front/"]');
	await page.click('#as-grace');
	await page.waitForSelector('#arrived');
	const arrived = new URL(page.url());
	assert.deepEqual([arrived.origin + arrived.pathname, arrived.searchParams.get('state')], [redirectUri.web, 'st-1']);
	assert.match(arrived.searchParams.get('code'), /^tlc_/);
	await context.close();
});
