// Devices without a browser and the people who answer for them: oidc-agent, openid-client and curl as devices, Chromium as the
// phone beside them, over TLS with the private CA.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import * as oidc from 'openid-client';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, claimsOf } from '../harness/browser.mjs';
import { launch, screenshot } from '../harness/chromium.mjs';
import { GRANT, answer, enter, objects, signedIn, start } from '../harness/device.mjs';

const chromium = await launch(); // ends before the broker does, which wants no connection left
const broker = await Broker.start({ tls: true, objects });

async function phone(options = {}) {
	const context = await chromium.newContext({ ignoreHTTPSErrors: true, ...options });
	after(() => context.close());
	const page = await context.newPage();
	const problems = [];
	page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
	return { page, problems };
}
async function signIn(page, username = 'alice', password = 'wonderland') {
	await page.fill('#username', username);
	await page.fill('#password', password);
	await page.click('#submit');
}
const userinfo = (token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });

// A program in a folder of its own; resolves with what it said when it ends.
function run(program, args, env, input = '') {
	const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
	const said = { out: '', err: '' };
	child.stdout.on('data', (chunk) => { said.out += chunk; });
	child.stderr.on('data', (chunk) => { said.err += chunk; });
	child.stdin.on('error', () => {});
	child.stdin.end(input);
	const ended = new Promise((resolve) => child.once('exit', (status) => resolve({ status, ...said })));
	return { child, said, ended };
}

test('oidc_agent_gets_its_tokens_while_a_person_answers_in_chromium', async () => {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-agent-'));
	after(() => rmSync(dir, { recursive: true, force: true }));
	const env = { PATH: process.env.PATH, HOME: dir, OIDC_CONFIG_DIR: dir, TMPDIR: dir, OIDC_SOCK: path.join(dir, 'socket'), OIDC_ENCRYPTION_PW: 'pw' };
	const agent = run('oidc-agent', ['--console', '--no-autoload', '--no-webserver', '--no-scheme', `--socket-path=${env.OIDC_SOCK}`], env);
	after(() => agent.child.kill());
	await eventually(async () => (await run('oidc-add', ['--loaded'], env).ended).status === 0, 10);
	const gen = run('oidc-gen', ['lab', '--manual', `--issuer=${broker.issuer('agent')}`, '--client-id=agent', '--client-secret=', '--flow=device',
		'--scope=openid profile offline_access', `--cert-path=${broker.caFile}`, '--pw-env', '--confirm-default', '--no-url-call'], env, '\n\n\n');
	const code = await eventually(() => /enter the code: (\S+)/.exec(gen.said.out + gen.said.err)?.[1], 15).catch((error) => assert.fail(`${error}\n${gen.said.out}${gen.said.err}`));
	const { page } = await phone();
	await page.goto(`${broker.url}/device`);
	await signIn(page);
	await page.fill('#code', code.toLowerCase());
	await page.click('#submit');
	await page.click('#allow');
	await page.waitForSelector('#done');
	const { status, out, err } = await gen.ended;
	assert.equal(status, 0, out + err);
	const token = await run('oidc-token', ['lab'], env).ended;
	assert.equal(token.status, 0, token.err);
	assert.equal((await userinfo(token.out.trim())).json.preferred_username, 'alice');
	// A second one by the refresh token.
	const fresh = await run('oidc-token', ['--force-new', 'lab'], env).ended;
	assert.equal(fresh.status, 0, fresh.err);
	assert.notEqual(fresh.out, token.out);
	assert.equal((await userinfo(fresh.out.trim())).status, 200);
});

test('openid_client_polls_until_the_person_has_answered', async () => {
	const agent = new https.Agent({ ca: readFileSync(broker.caFile) });
	const fetching = (target, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
		const text = body?.toString();
		const sent = { ...Object.fromEntries(new Headers(headers)), ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }) };
		const request = https.request(target, { method, headers: sent, agent }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('end', () => resolve(new Response(Buffer.concat(chunks), { status: response.statusCode, headers: { 'content-type': response.headers['content-type'] } })));
		});
		request.on('error', reject);
		request.end(text);
	});
	const config = await oidc.discovery(new URL(broker.issuer('tv')), 'tv', undefined, oidc.ClientSecretPost('tv-secret'), { [oidc.customFetch]: fetching });
	const asked = await oidc.initiateDeviceAuthorization(config, { scope: 'openid email offline_access' });
	assert.equal(asked.verification_uri, `${broker.url}/device`);
	const polling = oidc.pollDeviceAuthorizationGrant(config, { ...asked, interval: 1 });
	const browser = await signedIn(broker);
	await answer(browser, await enter(browser, asked.user_code), 'allow');
	const tokens = await polling;
	assert.equal(tokens.claims().email, 'alice@example.org');
	const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
	assert.equal((await userinfo(refreshed.access_token)).json.email, 'alice@example.org');
	const refused = await oidc.initiateDeviceAuthorization(config, {});
	await answer(browser, await enter(browser, refused.user_code), 'deny');
	await assert.rejects(oidc.pollDeviceAuthorizationGrant(config, { ...refused, interval: 1 }), (error) => error.error === 'access_denied');
});

test('curl_walks_through_the_device_flow', async () => {
	const curl = (target, ...form) => new Promise((resolve) => {
		execFile('curl', ['-sS', '--cacert', broker.caFile, ...form.flatMap((one) => ['-d', one]), `${broker.url}/application/o/${target}/`], (error, out, err) => resolve(error ? assert.fail(err) : JSON.parse(out)));
	});
	const asked = await curl('device', 'client_id=agent', 'scope=openid');
	const poll = () => curl('token', 'client_id=agent', `grant_type=${GRANT}`, `device_code=${asked.device_code}`); // not encoded: it need not be
	assert.equal((await poll()).error, 'authorization_pending');
	const browser = await signedIn(broker);
	await answer(browser, await enter(browser, asked.user_code), 'allow');
	assert.equal(claimsOf((await poll()).id_token).aud, 'agent');
});

test('a_person_follows_the_link_on_a_phone_in_the_dark', async () => {
	const { page, problems } = await phone({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' });
	const { verification_uri_complete, user_code } = (await start(broker, 'tv', { scope: 'openid profile email offline_access' })).json;
	await page.goto(verification_uri_complete);
	await screenshot(page, 'device-signin-320-dark');
	await signIn(page);
	await screenshot(page, 'device-320-dark');
	assert.equal(await page.inputValue('#code'), user_code);
	await page.click('#submit');
	await page.waitForSelector('#answer');
	await screenshot(page, 'device-confirm-320-dark');
	const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
	assert.equal(wide, false, 'nothing stands beside the screen');
	assert.equal(await page.textContent('p#code'), user_code);
	await page.click('#allow');
	await page.waitForSelector('#done');
	await screenshot(page, 'device-done-320-dark');
	assert.deepEqual(problems, []);
});

test('a_person_with_a_keyboard_alone_and_no_script', async () => {
	const { page } = await phone({ javaScriptEnabled: false });
	const { user_code } = (await start(broker, 'tv')).json;
	await page.goto(`${broker.url}/device`);
	await page.keyboard.type('alice');
	await page.keyboard.press('Tab');
	await page.keyboard.type('wonderland');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#code');
	await page.keyboard.type('BBBB-BBBB');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#problem');
	await screenshot(page, 'device-wrong-code');
	assert.match(await page.textContent('#problem'), /no such code/);
	await page.focus('#code');
	await page.keyboard.press('Control+A');
	await page.keyboard.type(user_code.replace('-', '').toLowerCase());
	await page.keyboard.press('Enter');
	await page.waitForSelector('#answer');
	await screenshot(page, 'device-confirm');
	// Enter alone agrees to nothing: the button has to be reached.
	await page.keyboard.press('Enter');
	assert.ok(await page.$('#answer'));
	for (let n = 0; n < 8 && (await page.evaluate('document.activeElement.id')) !== 'allow'; n++) await page.keyboard.press('Tab');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#done');
	await screenshot(page, 'device-done');
});
