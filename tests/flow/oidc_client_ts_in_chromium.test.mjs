// oidc-client-ts, a library many pages without a server use, in a real browser: it signs in by redirect and in a window of its own,
// renews in a hidden frame and with a refresh token, watches the session, and signs out.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';
import { launch } from '../harness/chromium.mjs';

const library = readFileSync(path.join(root, 'node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js'));
const chromium = await launch(); // before the broker: what is left of it closes first

// The application: pages and nothing else. `manager` is the library's, `told` what its events said.
const server = http.createServer((request, response) => {
	const page = new URL(request.url, application).pathname;
	if (page === '/library.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(library);
	response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html><title>page</title><script src="/library.js"></script><script>
const manager = new oidc.UserManager({ authority: '${broker.issuer('page')}', client_id: 'page', scope: 'openid email groups' + (localStorage.more ?? ''), loadUserInfo: true,
	redirect_uri: '${application}/in', silent_redirect_uri: '${application}/silent', popup_redirect_uri: '${application}/window', post_logout_redirect_uri: '${application}/out', popup_post_logout_redirect_uri: '${application}/out-window',
	userStore: new oidc.WebStorageStateStore({ store: localStorage }), monitorSession: location.pathname === '/watch', checkSessionIntervalInSeconds: 1 });
const told = [];
manager.events.addUserSignedOut(() => told.push('signed out'));
const settled = (promise) => promise.then((value) => { window.result = value ?? {}; }, (error) => { window.result = { failed: error.message }; });
({ '/in': () => settled(manager.signinCallback()), '/out': () => settled(manager.signoutCallback()), '/silent': () => manager.signinSilentCallback(),
	'/window': () => manager.signinPopupCallback(), '/out-window': () => manager.signoutPopupCallback() })[location.pathname]?.();
</script>`);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => { server.closeAllConnections(); server.close(); });
const application = `http://127.0.0.1:${server.address().port}`;

const broker = await Broker.start({ objects: `application "page" { client_type = "public", client_id = "page", consent = "implicit", scopes = { "openid", "email", "groups", "offline_access" },
	redirect_uris = { "${application}/in", "${application}/silent", "${application}/window" }, post_logout_redirect_uris = { "${application}/out", "${application}/out-window" } }` });

async function aPage() {
	const context = await chromium.newContext();
	context.setDefaultTimeout(8000);
	const page = await context.newPage();
	await page.goto(`${application}/`);
	return page;
}
async function types(page) {
	await page.waitForSelector('#password');
	await page.fill('#username', 'alice');
	await page.fill('#password', 'wonderland');
	await page.click('#submit');
}
async function result(page, at) {
	await page.waitForURL((url) => url.pathname === at);
	await page.waitForFunction('window.result !== undefined');
	const value = await page.evaluate('result');
	assert.equal(value.failed, undefined);
	return value;
}
async function signsIn(page, state) {
	page.evaluate((state) => { manager.signinRedirect({ state }); }, state);
	await types(page);
	return result(page, '/in');
}
// The window that the page opens, and how the page says that it went.
async function inAWindow(page, what) {
	const [opened] = await Promise.all([page.waitForEvent('popup'), page.evaluate((what) => { window.went = manager[what]({ popupAbortOnClose: true }).then((user) => user?.profile.email ?? 'done', (error) => error.message); }, what)]);
	return { opened, went: () => page.evaluate('went') };
}

test('a_page_signs_in_renews_in_a_frame_and_hears_of_the_end_of_the_session', async () => {
	const page = await aPage();
	const user = await signsIn(page, { kept: 'é' });
	assert.deepEqual([user.state, user.profile.email, user.profile.groups], [{ kept: 'é' }, 'alice@example.org', ['staff']]);

	await page.goto(`${application}/watch`);
	const renewed = await page.evaluate('manager.signinSilent().then((user) => [user.profile.sub, user.profile.sid])');
	assert.deepEqual(renewed, [user.profile.sub, user.profile.sid]);
	await page.evaluate('manager.revokeTokens(["access_token"])');
	await page.waitForTimeout(1200);
	assert.deepEqual(await page.evaluate('told'), []);

	const elsewhere = await page.context().newPage();
	await elsewhere.goto(`${broker.url}/signout`);
	await elsewhere.click('#signout button');
	await page.waitForFunction('told.length > 0');
	assert.deepEqual(await page.evaluate('told'), ['signed out']);
	assert.equal(await page.evaluate('manager.signinSilent().then(() => "in", (error) => error.error)'), 'login_required');
	await page.context().close();
});

test('a_page_signs_its_person_in_and_out_in_a_window_that_it_keeps_hold_of', async () => {
	const page = await aPage();
	const into = await inAWindow(page, 'signinPopup');
	await types(into.opened);
	assert.equal(await into.went(), 'alice@example.org');
	const out = await inAWindow(page, 'signoutPopup');
	assert.equal(await out.went(), 'done');
	await page.context().close();
});

test('a_page_renews_with_a_refresh_token_and_signs_out', async () => {
	const page = await aPage();
	await page.evaluate('localStorage.more = " offline_access"');
	await page.reload();
	const user = await signsIn(page);
	await page.goto(`${application}/`);
	const renewed = await page.evaluate('manager.signinSilent().then((user) => [user.refresh_token, user.profile.sub])');
	assert.notEqual(renewed[0], user.refresh_token);
	assert.equal(renewed[1], user.profile.sub);
	page.evaluate('void manager.signoutRedirect({ state: { back: 7 } })');
	assert.deepEqual((await result(page, '/out')).userState, { back: 7 });
	await page.goto(`${application}/`);
	assert.equal(await page.evaluate('manager.signinSilent().then(() => "in", (error) => error.error)'), 'login_required');
	await page.context().close();
});
