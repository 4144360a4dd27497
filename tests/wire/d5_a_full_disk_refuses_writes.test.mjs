// A full disk: writes are refused with 503, reads go on, nothing acknowledged is lost, and an event tells of it afterwards.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, authorizeUrl, obtainCode, obtainTokens, redirectUri, tokenRequest } from '../harness/browser.mjs';

test('a_full_disk_refuses_writes_with_503_and_serves_reads', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid profile offline_access' });
	const pending = await obtainCode(broker, {}, { browser: got.browser });
	const redeem = () => tokenRequest(broker, 'web', { grant_type: 'authorization_code', code: pending.code, redirect_uri: redirectUri.web, code_verifier: pending.verifier });
	await broker.debug({ fault: 'disk_full', n: 1, forever: true });
	const refused = await redeem();
	assert.equal(refused.status, 503, refused.text);
	assert.equal(refused.json.error, 'temporarily_unavailable');
	assert.ok(Number(refused.headers['retry-after']) > 0);
	const page = await got.browser.get(authorizeUrl(broker));
	assert.equal(page.status, 503);
	assert.match(page.headers['content-type'], /^text\/html/);
	const info = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } });
	assert.equal(info.status, 200);
	assert.equal((await new Browser(broker).get('/application/o/web/jwks/')).status, 200);
	await broker.debug({ fault: 'disk_full', n: 0 });
	const later = await eventually(async () => { const answer = await redeem(); return answer.status === 200 && answer; });
	assert.equal(later.status, 200, 'the code was not consumed by the refused request');
	await broker.advance(2);
	await eventually(async () => (await new Browser(broker).get('/healthz')).status === 200 && (await broker.events()).some((event) => event.kind === 'disk_full'), 5);
});
