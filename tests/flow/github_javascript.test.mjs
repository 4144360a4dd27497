// npm's passport-github2 and passport-github, the strategies of many Node.js applications, and GitHub's own @octokit/*, at a github_host
// on port 443 with a private CA.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import PassportGitHub2 from 'passport-github2';
import PassportGitHub from 'passport-github';
import { createOAuthAppAuth } from '@octokit/auth-oauth-app';
import { createOAuthDeviceAuth } from '@octokit/auth-oauth-device';
import { checkToken, deleteAuthorization, exchangeWebFlowCode, getWebFlowAuthorizationUrl, refreshToken, resetToken } from '@octokit/oauth-methods';
import { graphql } from '@octokit/graphql';
import { Octokit } from '@octokit/rest';
import { Browser } from '../harness/browser.mjs';
import { approve, clients, objects } from '../harness/github.mjs';
import { api, enterNetwork, startAtHost, web } from '../harness/network.mjs';

const names = Array.from({ length: 33 }, (_, index) => `team-${index}`);
const old = { client_id: 'of-before-2020', client_secret: 'a-secret-of-before-2020', redirect_uri: 'https://notes.example.org/auth/github/callback' };
const more = `${names.map((name) => `group "${name}" {}`).join('\n')}
user "carol" { name = "Carol", email = "carol@example.org", email_verified = true, password = "carols-password", groups = { "${names.join('", "')}" } }
application "brief" { client_secret = "secret-of-brief", redirect_uris = { "https://brief.example.org/cb" }, consent = "implicit", github = { expiring = true } }
application "notes" { preset = "passport", client_id = "${old.client_id}", client_secret = "${old.client_secret}", redirect_uris = { "${old.redirect_uri}" }, consent = "implicit" }\n`;

// What passport's middleware does with a strategy, as a promise.
const run = (one, query = {}) => new Promise((resolve) => {
	const each = Object.create(one);
	each.redirect = (url) => resolve({ redirect: url });
	each.success = (user) => resolve({ user });
	each.fail = (info) => resolve({ fail: info });
	each.error = (error) => resolve({ error });
	each.authenticate({ query, session: {}, headers: {} }, {});
});
const done = (accessToken, refreshToken, profile, answer) => answer(null, { accessToken, profile });
const strategy = (Strategy, client, options = {}) => new Strategy({
	clientID: client.client_id, clientSecret: client.client_secret, callbackURL: client.redirect_uri, scope: ['read:user', 'user:email'],
	authorizationURL: `${web}/login/oauth/authorize`, tokenURL: `${web}/login/oauth/access_token`,
	userProfileURL: `${web}/api/v3/user`, userEmailURL: `${web}/api/v3/user/emails`, ...options,
}, done);

// Failures are asked for here: its own log says nothing new.
const silence = () => {};
const octokitOf = (options) => new Octokit({ log: { debug: silence, info: silence, warn: silence, error: silence }, ...options });

if (enterNetwork()) {
	const broker = await startAtHost({ objects: objects + more });
	const browser = new Browser(broker);

	// Over the host to public_url and back: what the application is told.
	async function signIn(address) {
		let at = await browser.open((await browser.get(address)).headers.location);
		if (at.page) at = await browser.signIn(at.page, 'carol', 'carols-password');
		assert.ok(at.away, at.page?.text);
		return Object.fromEntries(at.away.searchParams);
	}

	test('passport_github2_signs_in_and_sees_a_wrong_secret_a_used_code_and_a_refusal', async () => {
		const one = strategy(PassportGitHub2.Strategy, clients.forge);
		const query = await signIn((await run(one)).redirect);
		assert.ok((await run(strategy(PassportGitHub2.Strategy, { ...clients.forge, client_secret: 'wrong' }), query)).error, 'the strategy reports a failed exchange');
		const { user, error } = await run(one, query);
		assert.equal(error, undefined, 'the code is still good for the right secret');
		assert.match(user.accessToken, /^gho_/);
		assert.deepEqual([user.profile.username, user.profile.displayName, user.profile.emails[0].value], ['carol', 'Carol', 'carol@example.org']);
		assert.match(user.profile.id, /^\d+$/);
		assert.ok((await run(one, query)).error);
		assert.ok((await run(one, { error: 'access_denied', error_description: 'The user has denied your application access.' })).fail);
	});

	test('passport_github_reads_addresses_with_its_token_in_the_query_where_the_preset_allows_it', async () => {
		const one = strategy(PassportGitHub.Strategy, old);
		const { user, error } = await run(one, await signIn((await run(one)).redirect));
		assert.equal(error, undefined);
		assert.deepEqual([user.profile.username, user.profile.emails], ['carol', [{ value: 'carol@example.org', primary: true, verified: true }]]);
		const strict = strategy(PassportGitHub.Strategy, clients.forge);
		const without = await run(strict, await signIn((await run(strict)).redirect));
		assert.deepEqual(without.user.profile.emails, [{ value: 'carol@example.org' }], 'the one of /user, the list is refused');
	});

	const app = () => createOAuthAppAuth({ clientType: 'oauth-app', clientId: clients.forge.client_id, clientSecret: clients.forge.client_secret,
		request: octokitOf({ baseUrl: `${web}/api/v3` }).request });
	async function connected(scopes) {
		const { url } = getWebFlowAuthorizationUrl({ clientType: 'oauth-app', clientId: clients.forge.client_id, scopes, request: octokitOf({ baseUrl: `${web}/api/v3` }).request });
		assert.ok(url.startsWith(`${web}/login/oauth/authorize?`), url);
		const { code } = await signIn(url);
		return app()({ type: 'oauth-user', code });
	}

	test('octokit_refreshes_a_token_that_expires_and_knows_when_by_the_date_of_the_answer', async () => {
		const { request } = octokitOf({ baseUrl: `${web}/api/v3` });
		const own = { clientType: 'github-app', clientId: 'brief', clientSecret: 'secret-of-brief', request };
		const { code } = await signIn(getWebFlowAuthorizationUrl({ ...own, redirectUrl: 'https://brief.example.org/cb' }).url);
		const { authentication: first } = await exchangeWebFlowCode({ ...own, code });
		assert.match(first.token + first.refreshToken, /^ghu_\w{36}ghr_\w{76}$/);
		const { authentication: second } = await refreshToken({ ...own, refreshToken: first.refreshToken });
		assert.ok(Math.abs(Date.parse(second.expiresAt) - Date.now() - 8 * 3600e3) < 60e3, second.expiresAt);
		await assert.rejects(checkToken({ ...own, token: first.token }), /Not Found/);
		assert.equal((await checkToken({ ...own, token: second.token })).data.user.login, 'carol');
		const { authentication: reset } = await resetToken({ ...own, token: second.token });
		assert.equal((await deleteAuthorization({ ...own, token: reset.token })).status, 204);
		await assert.rejects(refreshToken({ ...own, refreshToken: second.refreshToken }), /incorrect or expired\. \(bad_refresh_token/);
	});

	test('octokit_signs_in_and_reads_who_it_is_on_either_name', async () => {
		const { token, scopes } = await connected(['user:email', 'read:org']);
		assert.deepEqual(scopes, ['user:email,read:org'], 'it splits at spaces, GitHub has commas');
		for (const [baseUrl, other] of [[`${web}/api/v3`, `${web}/api`], [api, api]]) {
			const octokit = octokitOf({ auth: token, baseUrl });
			const { data: me, headers } = await octokit.rest.users.getAuthenticated();
			assert.deepEqual([me.login, me.url, headers['x-oauth-scopes']], ['carol', `${baseUrl}/users/carol`, 'read:org, user:email']);
			assert.deepEqual((await octokit.rest.users.listEmailsForAuthenticatedUser()).data.map((each) => each.email), ['carol@example.org']);
			const teams = await octokit.paginate(octokit.rest.teams.listForAuthenticatedUser, { per_page: 10 });
			assert.deepEqual(teams.map((team) => team.slug).toSorted(), names.toSorted(), 'every page');
			const org = (await octokit.rest.orgs.listForAuthenticatedUser()).data[0].login;
			assert.equal((await octokit.rest.orgs.checkMembershipForUser({ org, username: 'carol' })).status, 204);
			await assert.rejects(octokit.rest.orgs.checkMembershipForUser({ org, username: 'nobody' }), { status: 404 });
			assert.equal((await octokit.rest.teams.getMembershipForUserInOrg({ org, team_slug: 'team-7', username: 'carol' })).data.state, 'active');
			const { viewer } = await graphql('query ($n: Int!) { viewer { login organizations(first: $n) { nodes { login } } } }', { n: 5, baseUrl: other, headers: { authorization: `token ${token}` } });
			assert.deepEqual([viewer.login, viewer.organizations.nodes], ['carol', [{ login: org }]]);
		}
		await assert.rejects(app()({ type: 'oauth-user', code: '0123456789abcdef0123' }), /bad_verification_code/);
	});

	test('octokit_asks_about_tokens_resets_and_ends_them_as_the_application', async () => {
		const { token } = await connected(['user']);
		const octokit = octokitOf({ authStrategy: createOAuthAppAuth, auth: { clientType: 'oauth-app', clientId: clients.forge.client_id, clientSecret: clients.forge.client_secret }, baseUrl: `${web}/api/v3` });
		const client_id = clients.forge.client_id;
		const { data } = await octokit.rest.apps.checkToken({ client_id, access_token: token });
		assert.deepEqual([data.user.login, data.scopes, data.app.client_id], ['carol', ['user'], client_id]);
		const fresh = (await octokit.rest.apps.resetToken({ client_id, access_token: token })).data.token;
		await assert.rejects(octokit.rest.apps.checkToken({ client_id, access_token: token }), { status: 404 });
		await assert.rejects(octokitOf({ auth: token, baseUrl: `${web}/api/v3` }).rest.users.getAuthenticated(), { status: 401 });
		assert.equal((await octokit.rest.apps.deleteToken({ client_id, access_token: fresh })).status, 204);
		const last = (await connected(['user'])).token;
		assert.equal((await octokit.rest.apps.deleteAuthorization({ client_id, access_token: last })).status, 204);
		await assert.rejects(octokitOf({ auth: last, baseUrl: api }).rest.users.getAuthenticated(), { status: 401 });
	});

	test('octokit_connects_a_device_whose_person_types_the_code_at_the_host', async () => {
		const device = (answer) => createOAuthDeviceAuth({ clientType: 'oauth-app', clientId: clients.tool.client_id, scopes: ['read:user'],
			request: octokitOf({ baseUrl: `${web}/api/v3` }).request,
			onVerification: async ({ verification_uri, user_code }) => {
				assert.equal(verification_uri, `${web}/login/device`);
				await approve(broker, verification_uri, user_code, { browser, answer });
			} });
		const { token } = await device('allow')({ type: 'oauth' });
		assert.equal((await octokitOf({ auth: token, baseUrl: api }).rest.users.getAuthenticated()).data.login, 'carol');
		await assert.rejects(device('deny')({ type: 'oauth' }), /access_denied/);
	});
}
