// The modules of oidcc-rp-initiated-logout-certification-test-plan, each under its own name.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as jose from 'jose';
import { Broker } from '../harness/broker.mjs';
import { claimsOf } from '../harness/browser.mjs';
import { asked, confirm, endSession, goodbye, isSignedOut, leaving, longState, saidGoodbye, signedIn } from '../harness/logout.mjs';

const broker = await Broker.start(leaving());
const open = (browser, parameters) => browser.open(endSession(parameters, 'leaving'));

// An error page or a confirmation page; never a redirect, before or after the person agreed.
async function isNotSentAway(browser, at) {
	assert.ok(at.page, `sent to ${at.away}`);
	assert.ok(at.page.status === 400 || asked(at), at.page.text);
	assert.ok(!(await isSignedOut(broker, browser)), 'nothing happened yet');
	if (at.page.status === 400) at = await browser.open(/href="([^"]+)" id="way-out"/.exec(at.page.text)[1]);
	at = await confirm(browser, at);
	assert.ok(saidGoodbye(at), String(at.away));
	assert.ok(await isSignedOut(broker, browser));
}

test('oidcc-rp-initiated-logout-discovery-endpoint-verification', async () => {
	const { json } = await (await signedIn(broker)).browser.get('/application/o/leaving/.well-known/openid-configuration');
	assert.equal(json.end_session_endpoint, `${broker.url}/application/o/leaving/end-session/`);
});

test('oidcc-rp-initiated-logout', async () => {
	const { browser, id_token } = await signedIn(broker);
	const state = longState();
	const { away } = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: goodbye, state });
	assert.equal(away?.href, `${goodbye}?state=${state}`);
	assert.ok(await isSignedOut(broker, browser));
});

test('oidcc-rp-initiated-logout-no-state', async () => {
	const { browser, id_token } = await signedIn(broker);
	const { away } = await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: goodbye });
	assert.equal(away?.href, goodbye);
	assert.ok(await isSignedOut(broker, browser));
});

test('oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', async () => {
	const { browser, id_token } = await signedIn(broker);
	await isNotSentAway(browser, await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: 'https://web.example.org/elsewhere', state: longState() }));
});

test('oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', async () => {
	const { browser, id_token } = await signedIn(broker);
	await isNotSentAway(browser, await open(browser, { id_token_hint: id_token, post_logout_redirect_uri: `${goodbye}?foo=bar`, state: longState() }));
});

test('oidcc-rp-initiated-logout-modified-id-token-hint', async () => {
	const { browser, id_token } = await signedIn(broker);
	const none = new jose.UnsecuredJWT(claimsOf(id_token)).encode();
	await isNotSentAway(browser, await open(browser, { id_token_hint: none, post_logout_redirect_uri: goodbye, state: longState() }));
});

test('oidcc-rp-initiated-logout-bad-id-token-hint', async () => {
	const { browser, id_token } = await signedIn(broker);
	const { privateKey } = await jose.generateKeyPair('RS256');
	const foreign = await new jose.SignJWT(claimsOf(id_token)).setProtectedHeader({ alg: 'RS256', kid: jose.decodeProtectedHeader(id_token).kid, typ: 'JWT' }).sign(privateKey);
	await isNotSentAway(browser, await open(browser, { id_token_hint: foreign, post_logout_redirect_uri: goodbye, state: longState() }));
});

test('oidcc-rp-initiated-logout-no-id-token-hint', async () => {
	const { browser } = await signedIn(broker);
	await isNotSentAway(browser, await open(browser, { post_logout_redirect_uri: goodbye, state: longState() }));
});

for (const [name, parameters] of [['no-params', () => ({})], ['no-post-logout-redirect-uri', (id_token) => ({ id_token_hint: id_token, state: longState() })], ['only-state', () => ({ state: longState() })]]) {
	test(`oidcc-rp-initiated-logout-${name}`, async () => {
		const { browser, id_token } = await signedIn(broker);
		let at = await open(browser, parameters(id_token));
		if (asked(at)) at = await confirm(browser, at);
		assert.ok(saidGoodbye(at), String(at.away));
		assert.ok(await isSignedOut(broker, browser));
	});
}
