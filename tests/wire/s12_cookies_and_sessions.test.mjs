// S12: what the browser holds, when it changes, and what is worth nothing (security-cases 3: fixation, forging, mixing up).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, formOf, obtainCode, obtainTokens } from '../harness/browser.mjs';

const isSignedIn = async (browser) => (await browser.get('/')).status === 200;
const copyOf = (browser) => {
	const copy = new Browser(browser.broker);
	copy.cookies = new Map(browser.cookies);
	return copy;
};
async function signedIn(broker, username, password) {
	const browser = new Browser(broker);
	const page = await browser.signIn({ ...(await browser.get('/signin')) }, username, password);
	assert.equal(page.page?.status, 200, page.page?.text);
	return browser;
}

test('S12_both_cookies_are_new_at_sign_in_and_what_was_before_is_dead (security_cases_3)', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	await browser.get('/signin');
	const planted = copyOf(browser);
	await browser.signIn(await browser.get('/signin'));
	const first = copyOf(browser);
	assert.ok(await isSignedIn(first));
	assert.notEqual(first.cookies.get('tidelock-browser'), planted.cookies.get('tidelock-browser'));
	assert.ok(!(await isSignedIn(planted)), 'the browser of before the sign-in is nobody');
	// Again in the same browser: the session of before ends.
	await broker.advance(2);
	await browser.signIn((await browser.open(authorizeUrl(broker, { prompt: 'login' }))).page);
	assert.notEqual(browser.cookies.get('tidelock'), first.cookies.get('tidelock'));
	assert.notEqual(browser.cookies.get('tidelock-browser'), first.cookies.get('tidelock-browser'));
	assert.ok(!(await isSignedIn(first)));
	assert.ok(await isSignedIn(browser));
});

test('S12_a_planted_session_cookie_is_not_adopted (security_cases_3)', async () => {
	const broker = await Broker.start();
	const mallory = await signedIn(broker, 'bob', 'builder-bob');
	const victim = copyOf(mallory);
	const page = await victim.open(authorizeUrl(broker, { prompt: 'login' }));
	await victim.signIn(page.page);
	assert.match((await victim.get('/')).text, /Alice/);
	assert.ok(!(await isSignedIn(mallory)), 'the planted session ended with the sign-in');
	assert.notEqual(victim.cookies.get('tidelock'), mallory.cookies.get('tidelock'));
});

test('S12_a_second_person_in_the_same_browser_inherits_nothing (security_cases_3)', async () => {
	const broker = await Broker.start();
	const { browser, access_token } = await obtainTokens(broker, { client_id: 'careful', scope: 'openid email' });
	let at = await browser.open(authorizeUrl(broker, { client_id: 'careful', scope: 'openid email', prompt: 'login' }));
	at = await browser.signIn(at.page, 'bob', 'builder-bob');
	assert.match(at.page.text, /id="consent"/, 'bob is asked himself');
	assert.match(at.page.text, /Bob/);
	assert.equal((await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${access_token}` } })).status, 401);
});

test('S12_expired_forged_doubled_and_ended_cookies_are_nobody', async () => {
	const broker = await Broker.start();
	const browser = await signedIn(broker, 'alice', 'wonderland');
	const secret = browser.cookies.get('tidelock');
	assert.match(secret, /^tls_[\w-]{43}$/);
	const withCookie = async (cookie) => (await new Browser(broker).get('/', { headers: { cookie } })).status;
	assert.equal(await withCookie(`tidelock=${secret}`), 200);
	for (const forged of [`tidelock=${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`, `tidelock=${secret}x`, `tidelock=tls_${'A'.repeat(43)}`, 'tidelock=', `tidelock=${'x'.repeat(5000)}`,
		`tidelock="${secret}"`, `tidelock=${secret}; tidelock=${secret}`, `tidelock=${browser.cookies.get('tidelock-browser')}`, `Tidelock=${secret}`, "tidelock=' or 1=1 --", 'tidelock=\xff\xfe', `tidelock-browser=${secret}`]) {
		assert.equal(await withCookie(Buffer.from(forged, 'latin1').toString('latin1')), 302, forged);
	}
	// Idle for twelve hours, seven days at most, and gone with its end.
	await broker.advance(12 * 3600 - 100);
	assert.equal(await withCookie(`tidelock=${secret}`), 200);
	await broker.advance(12 * 3600 - 100);
	assert.equal(await withCookie(`tidelock=${secret}`), 200, 'use keeps it alive');
	await broker.advance(12 * 3600 + 1);
	assert.equal(await withCookie(`tidelock=${secret}`), 302);
	const other = await signedIn(broker, 'alice', 'wonderland');
	const kept = copyOf(other);
	await other.submit(await other.get('/signout'), {});
	assert.equal((await kept.get('/')).status, 302, 'signing out ends the session, not only the cookie');
	const long = await signedIn(broker, 'alice', 'wonderland');
	for (let day = 0; day < 15; day++) {
		await broker.advance(11.5 * 3600);
		await long.get('/');
	}
	assert.equal((await long.get('/')).status, 302, 'seven days are the end');
});

test('S12_attributes_and_names_of_cookies', async () => {
	const plain = await Broker.start();
	const secure = await Broker.start({ tls: true });
	for (const [broker, prefix, more] of [[plain, 'tidelock', ''], [secure, '__Host-tidelock', '; Secure']]) {
		const browser = new Browser(broker);
		const page = await browser.get('/signin');
		const [first] = page.headers['set-cookie'];
		assert.match(first, new RegExp(`^${prefix}-browser=tlb_[\\w-]{43}; Path=/; HttpOnly; SameSite=Lax${more}; Max-Age=\\d+$`));
		const { fields } = formOf(page.text, 'signin');
		const answer = await browser.post('/signin', { ...fields, username: 'alice', password: 'wonderland' }, { headers: { origin: broker.url } });
		assert.equal(answer.headers['set-cookie'].length, 3);
		const state = answer.headers['set-cookie'].find((one) => one.startsWith(`${prefix}-state=`));
		assert.match(state, new RegExp(`^${prefix}-state=[\\w-]{43}; Path=/; SameSite=${more ? 'None; Secure' : 'Lax'}$`));
		assert.match(answer.headers['set-cookie'].find((one) => one.startsWith(`${prefix}=`)), new RegExp(`^${prefix}=tls_[\\w-]{43}; Path=/; HttpOnly; SameSite=Lax${more}$`));
		const jar = JSON.stringify([...browser.cookies]);
		for (const path of ['/', '/static/tidelock.css', '/application/o/web/jwks/', '/healthz']) assert.equal((await browser.get(path)).headers['set-cookie'], undefined, path);
		assert.equal(JSON.stringify([...browser.cookies]), jar);
	}
	// The plain name is worth nothing where the prefixed one is ours: a sibling host could set it.
	const browser = await (async () => { const b = new Browser(secure); await b.signIn(await b.get('/signin')); return b; })();
	const stolen = new Browser(secure);
	stolen.cookies.set('tidelock', browser.cookies.get('__Host-tidelock'));
	assert.equal((await stolen.get('/')).status, 302);
});

test('S12_cookies_are_read_on_page_paths_only', async () => {
	const broker = await Broker.start();
	const { browser } = await obtainCode(broker);
	assert.equal((await browser.get('/application/o/userinfo/')).status, 401);
	assert.equal((await browser.post('/application/o/token/', { grant_type: 'authorization_code', code: 'tlc_x' })).status, 401);
});

test('S4_S12_the_session_dies_with_password_user_and_the_button_of_another_session', async () => {
	const broker = await Broker.start();
	const [one, two] = [await signedIn(broker, 'alice', 'wonderland'), await signedIn(broker, 'alice', 'wonderland')];
	const home = await one.get('/');
	const csrf = /action="\/sessions\/end"><input type="hidden" name="csrf" value="([^"]+)"/.exec(home.text)[1];
	const ended = await one.post('/sessions/end', { csrf, session: 'others' }, { headers: { origin: broker.url } });
	assert.equal(ended.status, 303);
	assert.ok(await isSignedIn(one));
	assert.ok(!(await isSignedIn(two)));
	const three = await signedIn(broker, 'bob', 'builder-bob');
	const bobs = formOf((await three.get('/')).text, 'password-form').fields;
	const changed = await three.post('/password', { ...bobs, current: 'builder-bob', new: 'a better one', repeat: 'a better one' }, { headers: { origin: broker.url } });
	assert.equal(changed.status, 303, changed.text);
	assert.ok(await isSignedIn(three), 'who changed it stays, in a new session');
	assert.equal((await broker.command('user', 'disable', 'bob')).status, 0);
	assert.ok(!(await isSignedIn(three)));
	assert.equal((await broker.command('user', 'enable', 'bob')).status, 0);
	assert.ok(!(await isSignedIn(three)), 'enabling wakes no old session');
	await signedIn(broker, 'bob', 'a better one');
});
