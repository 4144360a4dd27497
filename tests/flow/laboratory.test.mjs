// The laboratory in a real browser: an application signs in, and each thing that passed is shown.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { launch, screenshot } from '../harness/chromium.mjs';

const files = { 'departments.lua': 'return { department = user.attributes.department, badge = { "b-" .. user.username } }' };
const objects = `scope_mapping "departments" { scope = "departments", script = "departments.lua" }
user "dora" { name = "Dora", password = "exploring", attributes = { department = "maps" } }
application "atlas" { name = "Atlas", client_id = "atlas", client_secret = "atlas-secret", redirect_uris = { "https://atlas.example.org/cb" },
	scopes = { "openid", "email", "departments" }, consent = "implicit" }`;

test('the_laboratory_signs_in_as_an_application_and_shows_what_each_script_made', async () => {
	const browser = await launch();
	const broker = await Broker.start({ tls: true, settings: 'lab = true', objects, files });
	const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
	const problems = [];
	page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
	await page.goto(`${broker.url}/lab/`);
	assert.match(await page.textContent('main'), /wonderland/);
	await page.click('#run-atlas');
	await page.fill('#username', 'dora');
	await page.fill('#password', 'exploring');
	await page.click('#submit');
	await page.waitForSelector('#provenance');
	await screenshot(page, 'laboratory');
	const claims = JSON.parse(await page.textContent('#id-token'));
	assert.equal(claims.department, 'maps');
	assert.deepEqual(claims.badge, ['b-dora']);
	assert.equal(claims.aud, 'atlas');
	assert.match(await page.textContent('#id-token-check'), /right/);
	assert.match(await page.textContent('#userinfo'), /200[^]*"department": "maps"/);
	assert.match(await page.textContent('#provenance'), /badge[^]*departments[^]*departments\.lua/);
	assert.doesNotMatch(await page.content(), /atlas-secret/);

	await page.click('#sign-out');
	await page.waitForURL(`${broker.url}/lab/`);
	assert.ok(!(await page.context().cookies()).some(({ name }) => name === '__Host-tidelock'), 'signed out');
	await page.click('#run-atlas');
	await page.fill('#username', 'dora');
	await page.fill('#password', 'exploring');
	await page.click('#submit');
	await page.waitForSelector('#provenance');
	await page.click('text=Back to the laboratory');
	await page.click('#run-native');
	await page.waitForSelector('#allow');
	await page.click('#deny');
	await page.waitForSelector('#problem');
	assert.match(await page.textContent('#problem'), /access_denied/);
	assert.deepEqual(problems, []);
});

test('there_is_no_laboratory_outside_a_lab_configuration', async () => {
	const broker = await Broker.start();
	for (const target of ['/lab/', '/lab/run?application=web', '/lab/callback?state=x']) {
		const answer = await fetch(broker.url + target);
		assert.equal(answer.status, 404, target);
	}
});
