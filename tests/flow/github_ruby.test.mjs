// Debian's ruby-omniauth-github and ruby-octokit, at a github_host on port 443 with a private CA.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { Browser } from '../harness/browser.mjs';
import { conversation } from '../harness/conversation.mjs';
import { clients, objects } from '../harness/github.mjs';
import { enterNetwork, public_url, startAtHost, web } from '../harness/network.mjs';

const { client_id, client_secret } = clients.forge;
const site = 'https://forge.example.org';
const names = Array.from({ length: 33 }, (_, index) => `team-${index}`);
const people = `${names.map((name) => `group "${name}" {}`).join('\n')}
user "carol" { name = "Carol", email = "carol@example.org", email_verified = true, password = "carols-password", groups = { "${names.join('", "')}" } }\n`;

if (enterNetwork()) {
	const broker = await startAtHost({ objects: objects + people });
	// Debian's own Ruby: another one in the PATH has not its packages.
	const ask = conversation('/usr/bin/ruby', [path.join(import.meta.dirname, 'github_client.rb')],
		{ SSL_CERT_FILE: broker.caFile, WEB: web, SITE: site, CLIENT_ID: client_id, CLIENT_SECRET: client_secret });
	const browser = new Browser(broker);

	// From the application over the host to public_url, and back to the callback: below the registered address, as GitLab's is.
	async function authorized(address) {
		assert.ok(address.startsWith(`${web}/login/oauth/authorize?`), address);
		const { location } = (await browser.get(address)).headers;
		assert.ok(location.startsWith(`${public_url}/`), location);
		let at = await browser.open(location);
		if (at.page) at = await browser.signIn(at.page, 'carol', 'carols-password');
		assert.ok(at.away?.href.startsWith(`${site}/users/auth`), at.page?.text);
		return { path: at.away.href.slice(site.length), code: at.away.searchParams.get('code') };
	}
	async function begun() {
		const { location, cookie } = await ask(['visit', '/users/auth/github']);
		return { cookie, ...(await authorized(location)) };
	}

	test('omniauth_github_signs_in_and_sees_a_wrong_code', async () => {
		const { path: callback, cookie } = await begun();
		assert.match(callback, /^\/users\/auth\/github\/callback\?/);
		const { status, body } = await ask(['visit', callback, cookie]);
		assert.equal(status, 200, body);
		const auth = JSON.parse(body);
		assert.match(auth.uid, /^\d+$/);
		assert.deepEqual([auth.info.nickname, auth.info.name, auth.info.email, auth.scope], ['carol', 'Carol', 'carol@example.org', 'user:email,read:org']);
		assert.deepEqual(auth.emails, [{ email: 'carol@example.org', primary: true, verified: true, visibility: null }]);
		assert.equal(auth.info.urls.GitHub, `${web}/carol`);
		const next = await begun();
		const used = await ask(['visit', next.path.replace(/code=\w+/, 'code=0123456789abcdef0123'), next.cookie]);
		assert.match(used.location, /\/users\/auth\/failure\?message=invalid_credentials/);
	});

	test('octokit_rb_exchanges_reads_all_pages_checks_and_ends_a_token', async () => {
		const { code } = await authorized((await ask(['authorize', 'user:email,read:org'])).url);
		assert.equal((await ask(['exchange', code, 'wrong'])).error, 'incorrect_client_credentials');
		const { access_token, scope } = await ask(['exchange', code, client_secret]);
		assert.equal(scope, 'user:email,read:org');
		const known = await ask(['known', access_token]);
		assert.deepEqual([known.login, known.scopes, known.organizations], ['carol', ['read:org', 'user:email'], ['sso']]);
		assert.deepEqual(known.teams.toSorted(), names.toSorted(), 'every page');
		assert.deepEqual([known.member, known.stranger, known.in_team, known.organization, known.state], [true, false, true, true, 'active']);
		assert.ok(known.limit > 0);
		assert.deepEqual(await ask(['held', access_token]), { login: 'carol' });
		assert.deepEqual(await ask(['ended', access_token]), { ended: true });
		assert.equal((await ask(['known', access_token])).error, 'Octokit::Unauthorized');
		assert.equal((await ask(['held', access_token])).error, 'Octokit::NotFound');
	});
}
