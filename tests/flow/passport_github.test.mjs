// npm passport-github2, the strategy of many Node.js applications, pointed at the broker by its four addresses.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import PassportGitHub from 'passport-github2';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { clients, objects } from '../harness/github.mjs';

const { Strategy } = PassportGitHub;
const broker = await Broker.start({ objects });

const strategy = (more = {}) => new Strategy({
	clientID: clients.forge.client_id, clientSecret: clients.forge.client_secret, callbackURL: clients.forge.redirect_uri, scope: ['read:user', 'user:email'],
	authorizationURL: `${broker.url}/login/oauth/authorize`, tokenURL: `${broker.url}/login/oauth/access_token`,
	userProfileURL: `${broker.url}/api/v3/user`, userEmailURL: `${broker.url}/api/v3/user/emails`, ...more,
}, (accessToken, refreshToken, profile, done) => done(null, { accessToken, refreshToken, profile }));

// What passport's middleware does with a strategy, as a promise.
const run = (one, query = {}) => new Promise((resolve) => {
	const each = Object.create(one);
	each.redirect = (url) => resolve({ redirect: url });
	each.success = (user) => resolve({ user });
	each.fail = (info) => resolve({ fail: info });
	each.error = (error) => resolve({ error });
	each.authenticate({ query, session: {}, headers: {} }, {});
});

async function signIn(one, username = 'alice', password = 'wonderland') {
	const browser = new Browser(broker);
	const at = await browser.signIn((await browser.open((await run(one)).redirect)).page, username, password);
	assert.ok(at.away?.href.startsWith(clients.forge.redirect_uri), at.page?.text);
	return Object.fromEntries(at.away.searchParams);
}

test('passport_github2_signs_in_and_reads_profile_and_addresses', async () => {
	const one = strategy();
	const { user, error } = await run(one, await signIn(one));
	assert.equal(error, undefined);
	assert.match(user.accessToken, /^gho_/);
	assert.equal(user.profile.username, 'alice');
	assert.equal(user.profile.displayName, 'Alice Liddell');
	assert.match(user.profile.id, /^\d+$/);
	assert.equal(user.profile.emails[0].value, 'alice@example.org');
});

test('passport_github2_sees_a_wrong_secret_a_used_code_and_a_refusal', async () => {
	const wrong = strategy({ clientSecret: 'wrong' });
	const query = await signIn(wrong);
	assert.ok((await run(wrong, query)).error, 'the strategy reports a failed exchange');
	const one = strategy();
	assert.ok((await run(one, query)).user, 'the code is still good for the right secret');
	assert.ok((await run(one, query)).error);
	assert.ok((await run(one, { error: 'access_denied', error_description: 'The user has denied your application access.' })).fail);
});
