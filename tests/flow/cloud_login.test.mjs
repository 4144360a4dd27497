// A cloud that takes ID tokens, end to end, set up as etc/examples/otc says: Chromium signs alice in to it and refuses bob; each check of the
// cloud has a token that fails it.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, program, root } from '../harness/broker.mjs';
import { Browser, formOf } from '../harness/browser.mjs';
import { launch, screenshot } from '../harness/chromium.mjs';
import { Cloud } from '../cloud/cloud.mjs';

const example = (name) => readFile(path.join(root, 'etc/examples/otc', name), 'utf8');

// The rule step is the program's own, in the cloud's dialect.
const convert = (dir) => async (claims) => {
	await writeFile(path.join(dir, 'claims.json'), JSON.stringify(claims));
	return new Promise((resolve, reject) => execFile(program, ['try', 'rules', path.join(root, 'etc/examples/otc/rules.json'), '--claims', path.join(dir, 'claims.json'), '--json'],
		(error, out) => { try { resolve(JSON.parse(out)); } catch { reject(error ?? new Error(out)); } }));
};

async function start(mode = 'form_post') {
	const cloud = await new Cloud({ known: ['ecs-admin'] }).open();
	after(() => cloud.close());
	const text = (await example('cloud.lua')).replace('/authui/oidc/post', mode === 'fragment' ? '/authui/oidc/redirect' : '/authui/oidc/post')
		.replace('group "github-users" {}\n', '').replace('env("CLOUD", "https://auth.otc.t-systems.com")', `"${cloud.origin}"`);
	const broker = await Broker.start({ objects: 'include "otc/cloud.lua"', files: { 'otc/cloud.lua': text, 'otc/rules.json': await example('rules.json'), 'otc/rules.cases.json': await example('rules.cases.json') } });
	cloud.convert = convert(broker.dir);
	await broker.command('group', 'add-user', 'github-users', 'alice');
	const shown = JSON.parse((await broker.command('app', 'show', 'otc', '--json')).out);
	cloud.configure({ idp_url: broker.issuer('otc'), client_id: 'otc', authorization_endpoint: `${broker.url}/application/o/authorize/`, scope: 'openid email profile', response_mode: mode, signing_key: typeof shown.jwks === 'string' ? shown.jwks : JSON.stringify(shown.jwks ?? shown) });
	return { cloud, broker };
}

async function visit(browser, cloud, name, password) {
	const context = await browser.newContext();
	const page = await context.newPage();
	await page.goto(cloud.loginLink);
	await page.fill('#username', name);
	await page.fill('#password', password);
	await page.click('#submit');
	return page;
}

for (const mode of ['form_post', 'fragment']) {
	test(`alice_becomes_the_clouds_user_in_its_group_and_bob_is_told_before_the_cloud_refuses (${mode})`, async () => {
		const browser = await launch();
		const { cloud, broker } = await start(mode);
		const page = await visit(browser, cloud, 'alice', 'wonderland');
		await page.waitForSelector('#outcome');
		assert.equal(await page.textContent('#text'), 'fidp-alice@example.org in ecs-admin');
		assert.ok(cloud.sizes.at(-1) < 2300, `${cloud.sizes.at(-1)} characters`);
		const refused = await visit(browser, cloud, 'bob', 'builder-bob');
		await refused.waitForSelector('h1');
		if (mode === 'form_post') await screenshot(refused, 'cloud-refuses');
		assert.match(await refused.textContent('body'), /does not fulfil the conditions/);
		assert.equal(new URL(refused.url()).origin, broker.url);
		const [event] = await broker.events('--kind', 'conversion_refused');
		assert.match(event.reason, /otc: no_rule_matched/);
	});
}

test('each_check_of_the_cloud_refuses_the_token_that_fails_it', async () => {
	const cloud = await new Cloud({ known: ['ecs-admin'], convert: () => ({ user: 'x', groups: ['ecs-admin'] }) }).open();
	after(() => cloud.close());
	const [ours, other] = [0, 1].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 }));
	const jwk = { ...ours.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' };
	cloud.configure({ idp_url: 'https://sso.example.org/application/o/otc/', client_id: 'otc', authorization_endpoint: 'https://sso.example.org/a', scope: 'openid', response_mode: 'form_post', signing_key: JSON.stringify({ keys: [jwk] }) });
	const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
	const now = Math.floor(Date.now() / 1000);
	const token = (claims = {}, header = {}, key = ours.privateKey) => {
		const input = `${encode({ alg: 'RS256', kid: 'one', ...header })}.${encode({ iss: cloud.idp.idp_url, aud: 'otc', sub: 's', iat: now, exp: now + 60, nonce: 'n', ...claims })}`;
		const signature = header.alg === 'none' ? '' : header.alg === 'HS256' ? createHmac('sha256', ours.publicKey.export({ type: 'spki', format: 'pem' })).update(input).digest('base64url') : sign('sha256', Buffer.from(input), key).toString('base64url');
		return `${input}.${signature}`;
	};
	assert.equal((await cloud.claimsOf(token(), { nonce: 'n' })).sub, 's');
	for (const [reason, text, nonce = 'n'] of [
		['signature', token({}, {}, other.privateKey)], ['unknown_key', token({}, { kid: 'two' })], ['algorithm', token({}, { alg: 'none' })], ['algorithm', token({}, { alg: 'HS256' })],
		['issuer', token({ iss: 'https://sso.example.org/application/o/otc' })], ['issuer', token({ iss: 'http://sso.example.org/application/o/otc/' })],
		['audience', token({ aud: 'other' })], ['authorized_party', token({ aud: ['otc', 'other'] })], ['expired', token({ exp: now - 1 })], ['issued_at', token({ iat: now + 3600 })],
		['nonce', token({ nonce: 'm' })], ['nonce', token({ nonce: undefined })], ['nonce', token(), null], ['subject', token({ sub: undefined })],
	]) await assert.rejects(cloud.claimsOf(text, { nonce }), (error) => error.reason === reason || assert.fail(`${reason}: ${error.message}`));
	// State is bound to the browser and used once.
	const begun = await fetch(cloud.loginLink, { redirect: 'manual' });
	const asked = new URL(begun.headers.get('location')).searchParams;
	const cookie = begun.headers.get('set-cookie').split(';')[0];
	const post = (fields, headers) => fetch(`${cloud.origin}/authui/oidc/post`, { method: 'POST', headers, body: new URLSearchParams(fields) }).then((answer) => answer.headers.get('x-refused') ?? answer.status);
	const good = { state: asked.get('state'), id_token: token({ nonce: asked.get('nonce') }) };
	assert.equal(await post(good, {}), 'no_session');
	assert.equal(await post({ ...good, state: 'other' }, { cookie }), 'state');
	assert.equal(await post({ id_token: good.id_token }, { cookie }), 'state');
	assert.equal(await post(good, { cookie }), 200);
	assert.equal(await post(good, { cookie }), 'no_session');
});

test('a_program_gets_the_clouds_token_for_an_id_token_both_ways', async () => {
	const { cloud, broker } = await start();
	const person = new Browser(broker);
	const query = new URLSearchParams({ client_id: 'otc', response_type: 'id_token', response_mode: 'form_post', scope: 'openid', nonce: 'n', redirect_uri: cloud.redirectUri });
	let at = await person.open(`${broker.url}/application/o/authorize/?${query}`);
	at = await person.signIn(at.page, 'alice', 'wonderland');
	const { id_token: idToken } = formOf(at.page.text, 'form-post').fields;
	const call = (where, headers, body) => fetch(`${cloud.origin}${where}`, { method: 'POST', headers, body });
	const one = await call('/v3/OS-FEDERATION/identity_providers/tidelock/protocols/oidc/auth', { authorization: `Bearer ${idToken}` });
	assert.equal(one.status, 201);
	assert.ok(one.headers.get('x-subject-token'));
	assert.deepEqual((await one.json()).token.user['OS-FEDERATION'].groups, [{ id: 'id-of-ecs-admin', name: 'ecs-admin' }]);
	const ask = (id) => call('/v3.0/OS-AUTH/id-token/tokens', { 'x-idp-id': 'tidelock' }, JSON.stringify({ auth: { id_token: { id } } }));
	assert.equal((await (await ask(idToken)).json()).token.user.name, 'fidp-alice@example.org');
	const bad = await ask(`${idToken.slice(0, -8)}AAAAAAAA`);
	assert.deepEqual([bad.status, (await bad.json()).error_code], [400, 'IAM.0011']);
});
