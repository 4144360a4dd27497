// Form Post Response Mode in a real browser: the page posts itself; without script by its button; nothing in it runs but its own script.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { launch, screenshot } from '../harness/chromium.mjs';
import { Client } from '../harness/conformance.mjs';

const home = 'https://cloud.rp.example.org';
const cloud = `application "cloud" { name = "Cloud <console>", client_type = "public", redirect_uris = { "${home}/cb" }, response_types = { "id_token" },
	scopes = { "openid", "profile", "email", "groups" }, id_token_claims = { "groups" } }`;
const hostile = `"><img src=x onerror=alert(1)><script>document.title='owned'</script>' & äö`;

// An application that shows what was posted to it.
async function visitor(browser, options) {
	const context = await browser.newContext(options);
	const posts = [];
	await context.route(`${home}/**`, (route) => {
		posts.push({ method: route.request().method(), body: new URLSearchParams(route.request().postData() ?? ''), headers: route.request().headers() });
		return route.fulfill({ contentType: 'text/html', body: '<title>application</title><h1 id="arrived">Arrived</h1>' });
	});
	const page = await context.newPage();
	const complaints = [];
	page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) complaints.push(message.text()); });
	return { page, posts, complaints };
}

const signIn = async (page) => {
	await page.fill('#username', 'alice');
	await page.fill('#password', 'wonderland');
	await page.click('#submit');
	await page.waitForSelector('#allow');
};

test('the_form_posts_itself_to_the_client_and_hostile_texts_arrive_as_text', async () => {
	const browser = await launch();
	const broker = await Broker.start({ objects: cloud });
	const { page, posts, complaints } = await visitor(browser, { colorScheme: 'light' });
	const client = new Client(broker, { client: 'cloud', responseType: 'id_token', responseMode: 'form_post' });
	await page.goto(client.request({ scope: 'openid email', state: hostile }));
	await signIn(page);
	await screenshot(page, 'consent-of-a-cloud');
	await page.click('#allow');
	await page.waitForSelector('#arrived');
	assert.equal(posts.length, 1);
	assert.equal(posts[0].method, 'POST');
	assert.equal(posts[0].headers['content-type'], 'application/x-www-form-urlencoded');
	assert.equal(posts[0].body.get('state'), hostile);
	assert.equal((await client.checked(posts[0].body.get('id_token'))).groups.join(), 'staff');
	assert.equal(posts[0].headers.referer, undefined);
	// Errors take the same way.
	await page.goto(client.request({ nonce: undefined, state: hostile }));
	await page.waitForSelector('#arrived');
	assert.equal(posts[1].body.get('error'), 'invalid_request');
	assert.equal(posts[1].body.get('state'), hostile);
	assert.deepEqual(complaints, []);
	// What was allowed is on the first page.
	await page.goto(`${broker.url}/`);
	await screenshot(page, 'home-with-a-consent');
});

test('without_script_the_form_goes_by_its_button', async () => {
	const browser = await launch();
	const broker = await Broker.start({ objects: cloud });
	const { page, posts } = await visitor(browser, { javaScriptEnabled: false, viewport: { width: 390, height: 800 } });
	const client = new Client(broker, { client: 'cloud', responseType: 'id_token', responseMode: 'form_post' });
	await page.goto(client.request({ scope: 'openid', state: hostile }));
	await signIn(page);
	await page.click('#allow');
	await page.waitForSelector('#form-post');
	await screenshot(page, 'form-post-without-script');
	assert.equal(posts.length, 0);
	assert.equal(await page.title(), 'One moment · Tidelock');
	await page.click('#continue');
	await page.waitForSelector('#arrived');
	assert.equal(posts[0].body.get('state'), hostile);
	await client.checked(posts[0].body.get('id_token'));
});
