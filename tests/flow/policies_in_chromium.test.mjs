// A policy as people meet it in a real browser: refused with a reason, back to the application by hand or by waiting, or in with another
// account; and what a policy takes away stands on no consent page.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { authorizeUrl, pkce, redirectUri } from '../harness/browser.mjs';
import { launch, screenshot, standInFor } from '../harness/chromium.mjs';

const broker = await Broker.start({
	tls: true,
	objects: `policy "staff" { script = "staff.lua" }
policy "admin_scope" { script = "admin_scope.lua" }
scope_mapping "admin" { scope = "admin", description = "Administer everything", script = "admin.lua" }
application "guarded" { name = "Guarded application", client_secret = "guarded-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile", "email", "admin" }, consent = "always",
  policies = { "staff", "admin_scope" } }`,
	files: {
		'staff.lua': 'if is_member(user, "staff") then return true end\nak_message("This is for staff only.")\nreturn false, "Ask the help desk to be let in: <desk@example.org>."',
		'admin_scope.lua': 'local left = {}\nfor _, scope in ipairs(context.oauth_scopes) do if scope ~= "admin" then left[#left + 1] = scope end end\nreturn { scopes = left }',
		'admin.lua': 'return { admin = true }',
	},
});

async function arrive(options = {}) {
	const browser = await launch();
	const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
	await standInFor(context, 'https://web.example.org');
	const page = await context.newPage();
	await page.goto(authorizeUrl(broker, { client_id: 'guarded', redirect_uri: redirectUri.web, scope: 'openid email admin', code_challenge: pkce().challenge, code_challenge_method: 'S256' }));
	await signIn(page, 'bob', 'builder-bob');
	await page.waitForSelector('#refused');
	return page;
}
async function signIn(page, username, password) {
	await page.fill('#username', username);
	await page.fill('#password', password);
	await page.click('#submit');
}
const answered = (page) => Object.fromEntries(new URL(page.url()).searchParams);

test('who_is_refused_reads_why_and_goes_back_to_the_application', async () => {
	const page = await arrive();
	await screenshot(page, 'refused');
	assert.equal(await page.textContent('#reason'), 'This is for staff only.\nAsk the help desk to be let in: <desk@example.org>.');
	await page.click('#back');
	await page.waitForSelector('#arrived');
	assert.equal(answered(page).error, 'access_denied');
	assert.match(answered(page).error_description, /This is for staff only/);
});

test('who_only_waits_is_taken_back_and_another_account_gets_in_without_the_stripped_scope', async () => {
	const waiting = await arrive({ viewport: { width: 360, height: 640 }, colorScheme: 'dark' });
	await screenshot(waiting, 'refused-phone');
	const page = await arrive();
	await page.click('#other');
	await signIn(page, 'alice', 'wonderland');
	await page.waitForSelector('#allow');
	await screenshot(page, 'consent-stripped');
	assert.doesNotMatch(await page.textContent('main'), /Administer everything/);
	await page.click('#allow');
	await page.waitForSelector('#arrived');
	assert.match(answered(page).code, /^tlc_/);
	await waiting.waitForSelector('#arrived', { timeout: 15000 });
	assert.equal(answered(waiting).error, 'access_denied');
});
