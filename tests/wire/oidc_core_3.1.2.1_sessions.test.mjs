// D11: prompt, max_age and id_token_hint, in the words of the conformance suite's modules.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, claimsOf, obtainTokens } from '../harness/browser.mjs';

const isPage = (at, id) => assert.match(at.page?.text ?? `away to ${at.away}`, new RegExp(`id="${id}"`));
const error = (at) => at.away?.searchParams.get('error');
const again = (broker, browser, parameters) => browser.open(authorizeUrl(broker, { nonce: 'n', ...parameters }));

test('oidcc-prompt-none-not-logged-in', async () => {
	const broker = await Broker.start();
	assert.equal(error(await again(broker, new Browser(broker), { prompt: 'none' })), 'login_required');
});

test('oidcc-prompt-none-logged-in_answers_silently_with_the_same_auth_time', async () => {
	const broker = await Broker.start();
	const first = await obtainTokens(broker);
	await broker.advance(100);
	const second = await obtainTokens(broker, { prompt: 'none' }, { browser: first.browser });
	for (const name of ['sub', 'auth_time', 'sid']) assert.equal(claimsOf(second.id_token)[name], claimsOf(first.id_token)[name]);
});

test('oidcc-prompt-login_asks_again_and_moves_auth_time', async () => {
	const broker = await Broker.start();
	const first = await obtainTokens(broker);
	await broker.advance(2);
	isPage(await again(broker, first.browser, { prompt: 'login' }), 'signin');
	const second = await obtainTokens(broker, { prompt: 'login' }, { browser: first.browser });
	assert.ok(claimsOf(second.id_token).auth_time > claimsOf(first.id_token).auth_time);
});

test('oidcc-max-age-1_asks_again_and_max-age-10000_does_not', async () => {
	const broker = await Broker.start();
	const first = await obtainTokens(broker);
	await broker.advance(2);
	isPage(await again(broker, first.browser, { max_age: '1' }), 'signin');
	assert.equal(error(await again(broker, first.browser, { max_age: '1', prompt: 'none' })), 'login_required');
	const second = await obtainTokens(broker, { max_age: '10000' }, { browser: first.browser });
	assert.equal(claimsOf(second.id_token).auth_time, claimsOf(first.id_token).auth_time);
	isPage(await again(broker, first.browser, { max_age: '0' }), 'signin');
	const third = await obtainTokens(broker, { max_age: '0' }, { browser: first.browser });
	assert.ok(claimsOf(third.id_token).auth_time > claimsOf(first.id_token).auth_time);
});

test('oidcc-id-token-hint_of_the_same_user_is_silent_and_of_another_login_required', async () => {
	const broker = await Broker.start();
	const alice = await obtainTokens(broker);
	const bob = await obtainTokens(broker, {}, { username: 'bob', password: 'builder-bob' });
	await broker.advance(700);
	const silent = await obtainTokens(broker, { prompt: 'none', id_token_hint: alice.id_token }, { browser: alice.browser });
	assert.equal(claimsOf(silent.id_token).sub, claimsOf(alice.id_token).sub);
	assert.equal(error(await again(broker, alice.browser, { prompt: 'none', id_token_hint: bob.id_token })), 'login_required');
	assert.ok((await again(broker, alice.browser, { id_token_hint: bob.id_token })).page);
	assert.equal(error(await again(broker, alice.browser, { id_token_hint: alice.access_token })), 'invalid_request');
	const foreign = await again(broker, alice.browser, { client_id: 'other', id_token_hint: alice.id_token });
	assert.equal(error(foreign), 'invalid_request');
});

test('oidcc-id-token-hint_may_be_as_long_as_the_ID_tokens_that_we_make', async () => {
	const groups = Array.from({ length: 150 }, (_, n) => `"a-group-with-a-long-name-${n}"`);
	const broker = await Broker.start({ objects: `${groups.map((name) => `group ${name} {}`).join('\n')}\nuser "crowd" { password = "crowd-of-groups", groups = { ${groups.join(', ')} } }` });
	const { id_token, browser } = await obtainTokens(broker, { scope: 'openid groups' }, { username: 'crowd', password: 'crowd-of-groups' });
	assert.ok(id_token.length > 5000);
	assert.equal(error(await again(broker, browser, { prompt: 'none', id_token_hint: id_token })), null);
});

test('prompt_consent_and_select_account_show_their_pages_and_none_says_what_is_missing (test_authorize_user_selection)', async () => {
	const broker = await Broker.start();
	const { browser } = await obtainTokens(broker);
	isPage(await again(broker, browser, { prompt: 'consent' }), 'consent');
	assert.equal(error(await again(broker, browser, { client_id: 'careful', prompt: 'none' })), 'consent_required');
	const choice = await again(broker, browser, { prompt: 'select_account' });
	assert.ok(choice.page);
	assert.match(choice.page.text, /Alice/);
});

test('a_refused_consent_is_access_denied_with_state', async () => {
	const broker = await Broker.start();
	const { browser } = await obtainTokens(broker);
	let at = await again(broker, browser, { client_id: 'careful', state: 'kept' });
	isPage(at, 'consent');
	at = await browser.submit(at.page, { answer: 'deny' }, 'consent');
	assert.equal(error(at), 'access_denied');
	assert.equal(at.away.searchParams.get('state'), 'kept');
});

test('oidcc-login-hint_fills_the_field', async () => {
	const broker = await Broker.start();
	const at = await again(broker, new Browser(broker), { login_hint: 'bo"<b>' });
	isPage(at, 'signin');
	assert.match(at.page.text, /value="bo&quot;&lt;b&gt;"/);
});

test('S13_a_request_in_progress_belongs_to_its_browser_and_expires', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const first = await browser.get(authorizeUrl(broker));
	const sealed = new URL(first.headers.location, broker.url).searchParams.get('request');
	const continued = `/application/o/authorize/?request=${encodeURIComponent(sealed)}`;
	const stranger = await new Browser(broker).get(continued);
	assert.equal(stranger.status, 400);
	assert.equal((await browser.get(continued)).status, 302);
	assert.equal((await browser.get(continued.slice(0, -2))).status, 400);
	await broker.advance(901);
	assert.equal((await browser.get(continued)).status, 400);
});
