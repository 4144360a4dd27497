// `tidelock app` and `tidelock check`: every setting of an application can be given by command, is shown again, and what is
// dangerous about it is said.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';

test('every_setting_of_an_application_can_be_given_by_command_and_taken_back', async () => {
	const broker = await Broker.start();
	const made = await broker.command('app', 'add', 'wiki', '--json',
		'--redirect-uri', 'https://wiki.example.org/cb', '--redirect-regex', 'https://wiki\\.example\\.org/cb/[0-9]+',
		'--response-type', 'code', '--response-type', 'id_token', '--grant', 'authorization_code', '--grant', 'client_credentials',
		'--access-token', 'opaque', '--access-token-lifetime', '1h', '--issuer-slash', 'false', '--sub-mode', 'user_username',
		'--include-claims-in-id-token', 'no', '--audience', 'https://api.example.org', '--origin', 'https://wiki.example.org',
		'--logout-uri', 'https://wiki.example.org/logout', '--logout-method', 'frontchannel', '--signing-alg', 'ES256',
		'--post-logout-redirect-uri', 'https://wiki.example.org/bye', '--pkce', 'required', '--authentik-errors', 'true');
	assert.equal(made.status, 0, made.err);
	assert.match(made.err, /warning: a regular expression in redirect_uris/);
	assert.match(made.err, /warning: .*authentik/);
	const shown = await broker.json('app', 'show', 'wiki');
	assert.deepEqual(shown.redirect_uris, [{ regex: 'https://wiki\\.example\\.org/cb/[0-9]+' }, 'https://wiki.example.org/cb']);
	assert.deepEqual(shown.response_types, ['code', 'id_token']);
	assert.deepEqual(shown.audiences, ['https://api.example.org']);
	assert.equal(shown.access_token, 'opaque');
	assert.equal(shown.access_token_lifetime, 3600);
	assert.equal(shown.issuer_slash, false);
	assert.equal(shown.include_claims_in_id_token, false);
	assert.equal(shown.authentik_errors, true);
	assert.equal(shown.urls.issuer, `${broker.url}/application/o/wiki`);
	assert.equal(shown.urls.introspection_endpoint, `${broker.url}/application/o/introspect/`);
	assert.ok(shown.jwks.keys.length >= 2);

	const changed = await broker.command('app', 'set', 'wiki', '--audience', '', '--access-token-lifetime', '', '--issuer-slash', 'true', '--redirect-uri', 'https://wiki.example.org/cb');
	assert.equal(changed.status, 0, changed.err);
	const after = await broker.json('app', 'show', 'wiki');
	assert.deepEqual(after.audiences, []);
	assert.equal(after.access_token_lifetime, 600);
	assert.equal(after.urls.issuer, `${broker.url}/application/o/wiki/`);
	assert.deepEqual(after.redirect_uris, ['https://wiki.example.org/cb']);
	assert.deepEqual(after.response_types, ['code', 'id_token'], 'what was not said stays');
});

test('a_wrong_value_is_refused_and_changes_nothing', async () => {
	const broker = await Broker.start();
	for (const wrong of [['--pkce', 'sometimes'], ['--access-token', 'paper'], ['--issuer-slash', 'perhaps'], ['--redirect-uri', 'https://a/#b'],
		['--redirect-uri', 'javascript:alert(1)'], ['--redirect-regex', '.*'], ['--jwks', '{"keys"'], ['--logout-uri', 'ftp://x'], ['--client-secret', 'x'.repeat(20)]]) {
		const answer = await broker.command('app', 'add', 'bad', ...wrong);
		assert.notEqual(answer.status, 0, wrong.join(' '));
		assert.ok(answer.err.length > 5);
	}
	assert.equal((await broker.command('app', 'show', 'bad')).status, 1);
});

test('check_warns_of_every_dangerous_setting_with_file_and_line', async () => {
	const broker = await Broker.start({ objects: `
application "loose" {
	client_type = "public",
	redirect_uris = { "http://app.example.org/cb", { regex = "https://app\\\\.example\\\\.org/.*" } },
	response_types = { "code", "id_token token" },
	pkce_methods = { "S256", "plain" },
	consent = "implicit",
	grant_types = { "authorization_code", "password" },
}` });
	const { valid, warnings } = await broker.json('check');
	assert.equal(valid, true);
	for (const said of [/:\d+: application "loose": http:\/\/app\.example\.org\/cb is plain http/, /regular expression in redirect_uris/, /hands access tokens/, /"plain" protects nothing/,
		/nobody is asked/, /grant type password/]) {
		assert.ok(warnings.some((text) => said.test(text)), `${said} in ${warnings.join('\n')}`);
	}
	const spoken = await broker.command('check');
	assert.match(spoken.out, /^warning: .*tidelock\.lua:\d+: /m);
});

test('every_configuration_that_comes_along_is_valid', async () => {
	const broker = await Broker.start();
	const folder = path.join(root, 'etc');
	const files = ['lab.lua', 'tidelock.lua', ...readdirSync(path.join(folder, 'examples')).filter((name) => name.endsWith('.lua')).map((name) => `examples/${name}`)];
	assert.ok(files.length > 2);
	for (const name of files) {
		const answer = await broker.command('check', '-c', path.join(folder, name), '--json');
		assert.equal(answer.status, 0, `${name}: ${answer.err}${answer.out}`);
	}
});
