// A person makes keys for programs on the portal page, in a real browser without script, on a desk and on a phone in the dark; a
// program signs in with what the page showed; the person takes it back.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { tokenRequest, secretOf } from '../harness/browser.mjs';
import { launch, screenshot } from '../harness/chromium.mjs';

const objects = `application "mail" { name = "Mail", client_id = "mail", client_secret = "mail-secret", redirect_uris = {}, scopes = { "openid", "profile" },
  grant_types = { "password" } }
application "forge" { name = "Forge", client_secret = "secret-of-forge", redirect_uris = { "https://forge.example.org/cb" }, github = {} }
application "gh" { preset = "gh" }`;
secretOf.mail = 'mail-secret';

const browser = await launch();
const broker = await Broker.start({ tls: true, objects });
const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
const page = await context.newPage();
const problems = [];
page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
const noSidewaysScrolling = async () => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'nothing to scroll sideways');
const phone = async () => {
	await page.setViewportSize({ width: 320, height: 640 });
	await page.emulateMedia({ colorScheme: 'dark' });
};
const desk = async () => {
	await page.setViewportSize({ width: 1280, height: 800 });
	await page.emulateMedia({ colorScheme: 'light' });
};

test('an_app_password_from_the_page_to_the_program_and_away_again', async () => {
	await page.goto(`${broker.url}/signin`);
	await page.fill('#username', 'alice');
	await page.fill('#password', 'wonderland');
	await page.click('#submit');
	await page.waitForSelector('#app-password-form');
	await page.fill('#app-password-name', 'Mail on the phone');
	await page.selectOption('#app-password-expires', '90');
	await page.click('#app-password-form button');
	const key = await page.textContent('#app-password');
	assert.match(key, /^tlp_[\w-]{43}$/);
	await screenshot(page, 'app_password_made');
	const signIn = () => tokenRequest(broker, 'mail', { grant_type: 'password', username: 'alice', password: key, scope: 'openid profile' });
	assert.equal((await signIn()).status, 200);

	await phone();
	await page.goto(`${broker.url}/`);
	assert.equal(await page.locator('#app-password').count(), 0);
	assert.match(await page.textContent('#app-password-list'), /Mail on the phone.*last used \d{4}/s);
	await noSidewaysScrolling();
	await screenshot(page, 'app_passwords_phone');
	await page.getByRole('button', { name: 'Revoke the app password Mail on the phone' }).click();
	assert.match(await page.textContent('#done'), /revoked/);
	assert.equal((await signIn()).json.error, 'invalid_grant');
	assert.deepEqual(problems, []);
});

test('a_github_token_and_what_an_application_holds', async () => {
	await desk();
	await page.goto(`${broker.url}/settings/tokens`);
	await page.fill('#personal-token-name', 'gh on the laptop');
	for (const scope of ['read-org', 'repo']) await page.check(`#scope-${scope}`);
	await page.click('#personal-token-form button');
	const key = await page.textContent('#personal-token');
	assert.match(key, /^ghp_\w{36}$/);
	await screenshot(page, 'github_token_made');
	const asked = async (token) => (await context.request.get(`${broker.url}/api/v3/user/orgs`, { headers: { authorization: `token ${token}` } })).status();
	assert.equal(await asked(key), 200);

	await page.goto(`${broker.url}/login/oauth/authorize?client_id=forge&scope=read:org,user:email,repo&state=s`);
	await screenshot(page, 'github_consent');
	const [answered] = await Promise.all([page.waitForRequest(/^https:\/\/forge\.example\.org/), page.click('#allow')]);
	const got = await context.request.post(`${broker.url}/login/oauth/access_token`, { headers: { accept: 'application/json' },
		form: { client_id: 'forge', client_secret: 'secret-of-forge', code: new URL(answered.url()).searchParams.get('code') } });
	const { access_token } = await got.json();

	await phone();
	await page.goto(`${broker.url}/`);
	await noSidewaysScrolling();
	await screenshot(page, 'github_tokens_phone');
	await page.getByRole('link', { name: 'Review what Forge has' }).click();
	await noSidewaysScrolling();
	await screenshot(page, 'github_connection_phone');
	await desk();
	await screenshot(page, 'github_connection');
	await page.goto(`${broker.url}/alice`);
	assert.equal(await page.textContent('#heading'), 'Alice Liddell');
	assert.ok(await page.evaluate(() => document.querySelector('.picture').naturalWidth > 0), 'the picture is there');
	await screenshot(page, 'github_profile');
	await page.goBack();
	assert.equal(await asked(access_token), 200);
	await page.click('#withdraw button');
	assert.match(await page.textContent('#done'), /must ask you again/);
	assert.equal(await asked(access_token), 401);
	await page.getByRole('button', { name: 'Revoke the GitHub token gh on the laptop' }).click();
	assert.match(await page.textContent('#done'), /revoked/);
	assert.equal(await asked(key), 401);
	assert.deepEqual(problems.filter((each) => !/ERR_NAME_NOT_RESOLVED/.test(each)), []);
});
