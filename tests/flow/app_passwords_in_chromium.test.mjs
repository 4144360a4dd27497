// A person makes an app password on the portal page, in a real browser without script, on a desk and on a phone in the dark; a
// program signs in with what the page showed; the person revokes it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { tokenRequest, secretOf } from '../harness/browser.mjs';
import { launch, screenshot } from '../harness/chromium.mjs';

const objects = `application "mail" { name = "Mail", client_id = "mail", client_secret = "mail-secret", redirect_uris = {}, scopes = { "openid", "profile" },
  grant_types = { "password" } }`;
secretOf.mail = 'mail-secret';

test('an_app_password_from_the_page_to_the_program_and_away_again', async () => {
	const browser = await launch();
	const broker = await Broker.start({ tls: true, objects });
	const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
	const page = await context.newPage();
	const problems = [];
	page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
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

	await page.setViewportSize({ width: 360, height: 740 });
	await page.emulateMedia({ colorScheme: 'dark' });
	await page.goto(`${broker.url}/`);
	assert.equal(await page.locator('#app-password').count(), 0);
	assert.match(await page.textContent('#app-password-list'), /Mail on the phone.*last used \d{4}/s);
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'nothing to scroll sideways');
	await screenshot(page, 'app_passwords_phone');
	await page.getByRole('button', { name: 'Revoke the app password Mail on the phone' }).click();
	assert.match(await page.textContent('#done'), /revoked/);
	assert.equal((await signIn()).json.error, 'invalid_grant');
	assert.deepEqual(problems, []);
});
