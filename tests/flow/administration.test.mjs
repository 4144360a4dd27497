// An administrator at the command line, with a running broker and without: users, groups, applications, keys, scripts, events.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { pbkdf2Sync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { Broker, eventually, program } from '../harness/broker.mjs';
import { Browser, basic, claimsOf, headerOf, obtainTokens, secretOf, tokenRequest } from '../harness/browser.mjs';

const canSignIn = async (broker, name, password) => {
	const browser = new Browser(broker);
	const at = await browser.signIn((await browser.open('/signin')).page, name, password);
	return /id="greeting"/.test(at.page.text);
};

test('a_user_made_by_command_signs_in_and_a_disabled_one_does_not', async () => {
	const broker = await Broker.start();
	const made = await broker.command('user', 'add', 'dave', '--name', 'Dave', '--email', 'dave@example.org', '--group', 'staff', '--password-stdin', { input: 'a fine password\n' });
	assert.equal(made.status, 0, made.err);
	assert.ok(await canSignIn(broker, 'dave', 'a fine password'));
	const shown = await broker.json('user', 'show', 'dave');
	assert.equal(shown.email, 'dave@example.org');
	assert.equal((await broker.command('user', 'disable', 'dave')).status, 0);
	assert.ok(!(await canSignIn(broker, 'dave', 'a fine password')));
	assert.equal((await broker.command('user', 'enable', 'dave')).status, 0);
	assert.ok(await canSignIn(broker, 'dave', 'a fine password'));
	const gone = await broker.command('user', 'delete', 'dave');
	assert.equal(gone.status, 0, gone.err);
	const again = await broker.command('user', 'add', 'dave', '--password-stdin', { input: 'a fine password\n' });
	assert.equal(again.status, 1, 'S11: the name of a deleted person is not given again');
});

test('what_a_command_took_away_does_not_come_back_with_another_change_of_the_file', async () => {
	const broker = await Broker.start();
	const error = async (headers) => (await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: 'tlr_x' }, headers)).json.error;
	const fresh = await broker.json('app', 'secret', 'web');
	assert.deepEqual([await error(), await error(basic('web', fresh.client_secret))], ['invalid_grant', 'invalid_grant']);
	assert.equal((await broker.command('app', 'secret', 'web', '--retire')).status, 0);
	const text = await readFile(broker.file, 'utf8');
	const reload = async (changed) => {
		await writeFile(broker.file, changed);
		assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	};
	// The secret that leaked stands in the file still, and the file changes elsewhere.
	await reload(text.replace('"Web application"', '"Web"'));
	assert.deepEqual([await error(), await error(basic('web', fresh.client_secret))], ['invalid_client', 'invalid_grant']);
	// Another secret in the file is good; and the first one again when it comes anew.
	await reload(text.replace('"web-secret"', '"another-secret"'));
	assert.deepEqual([await error(), await error(basic('web', 'another-secret'))], ['invalid_client', 'invalid_grant']);
	await reload(text);
	assert.deepEqual([await error(), await error(basic('web', 'another-secret'))], ['invalid_grant', 'invalid_client']);
	// What the file says of groups is changed there.
	const removed = await broker.command('group', 'remove-user', 'staff', 'alice');
	assert.equal(removed.status, 1);
	assert.match(removed.err, /declared in the configuration/);
	assert.deepEqual((await broker.json('user', 'show', 'alice')).groups, ['staff']);
});

test('commands_work_while_no_broker_runs', async () => {
	const broker = await Broker.start();
	await broker.stop();
	assert.equal((await broker.command('user', 'add', 'erin', '--password-stdin', { input: 'a fine password\n' })).status, 0);
	assert.deepEqual((await broker.json('user', 'list')).map((user) => user.username).sort(), ['alice', 'bob', 'erin', 'root']);
	await broker.serve();
	assert.ok(await canSignIn(broker, 'erin', 'a fine password'));
});

test('an_application_made_by_command_signs_people_in_and_its_secrets_rotate_with_overlap', async () => {
	const broker = await Broker.start();
	const made = await broker.json('app', 'add', 'wiki', '--redirect-uri', 'https://wiki.example.org/cb', '--scope', 'openid', '--scope', 'profile');
	assert.ok(made.client_secret);
	const shown = await broker.json('app', 'show', 'wiki');
	assert.doesNotMatch(JSON.stringify(shown), new RegExp(made.client_secret));
	const signIn = async (secret) => {
		const { authorizeUrl, pkce } = await import('../harness/browser.mjs');
		const browser = new Browser(broker);
		const { verifier, challenge } = pkce();
		let at = await browser.open(authorizeUrl(broker, { client_id: made.client_id, redirect_uri: 'https://wiki.example.org/cb', scope: 'openid', code_challenge: challenge, code_challenge_method: 'S256' }));
		at = await browser.signIn(at.page);
		if (at.page) at = await browser.submit(at.page, { answer: 'allow' }, 'consent');
		const basic = 'Basic ' + Buffer.from(`${encodeURIComponent(made.client_id)}:${encodeURIComponent(secret)}`).toString('base64');
		return browser.post('/application/o/token/', { grant_type: 'authorization_code', code: at.away.searchParams.get('code'), redirect_uri: 'https://wiki.example.org/cb', code_verifier: verifier }, { headers: { authorization: basic } });
	};
	assert.equal((await signIn(made.client_secret)).status, 200);
	const fresh = await broker.json('app', 'secret', 'wiki');
	assert.equal((await signIn(fresh.client_secret)).status, 200);
	assert.equal((await signIn(made.client_secret)).status, 200, 'two stay valid until the old one is retired');
	assert.equal((await broker.command('app', 'secret', 'wiki', '--retire')).status, 0);
	assert.equal((await signIn(made.client_secret)).status, 401);
	assert.equal((await signIn(fresh.client_secret)).status, 200);
});

test('every_address_that_app_show_prints_answers (test_api: setup URLs)', async () => {
	const broker = await Broker.start();
	const shown = await broker.command('app', 'show', 'web');
	const addresses = [...shown.out.matchAll(/https?:\/\/127\.0\.0\.1:\d+\S*/g)].map((match) => match[0]);
	assert.ok(addresses.length >= 5, shown.out);
	for (const address of addresses) {
		const answer = await new Browser(broker).get(address);
		assert.notEqual(answer.status, 404, address);
	}
});

test('a_signing_key_is_published_before_it_signs_and_an_old_one_while_its_tokens_live', async () => {
	const broker = await Broker.start();
	const kids = async () => (await new Browser(broker).get('/application/o/web/jwks/')).json.keys.map((key) => key.kid);
	const before = await obtainTokens(broker);
	const old = headerOf(before.id_token).kid;
	const published = await kids();
	const rotated = await broker.command('key', 'rotate');
	assert.equal(rotated.status, 0, rotated.err);
	const after = await obtainTokens(broker);
	const used = headerOf(after.id_token).kid;
	assert.notEqual(used, old);
	assert.ok(published.includes(used), 'the new key was published before it signed');
	assert.ok((await kids()).includes(old), 'the old key is still published');
	const info = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${before.access_token}` } });
	assert.equal(info.status, 200);
});

test('try_scope_shows_the_result_its_cost_and_its_log_or_the_line_that_failed_and_what_it_saw (test_api: preview)', async () => {
	const objects = `scope_mapping "fine" { scope = "fine", script = "fine.lua" }
scope_mapping "broken" { scope = "broken", script = "broken.lua" }`;
	const files = { 'fine.lua': 'log.info("hello " .. user.username)\nreturn { fine = { user.email } }', 'broken.lua': 'local part = user.attributes.badge\nreturn { badge = part:upper() }' };
	const broker = await Broker.start({ objects, files });
	const fine = await broker.command('try', 'scope', 'fine', '--user', 'alice', '--app', 'web');
	assert.equal(fine.status, 0, fine.err);
	for (const word of [/alice@example\.org/, /instructions\s+[1-9]/, /memory\s+\d/, /ms/, /hello alice/]) assert.match(fine.out, word);
	const broken = await broker.command('try', 'scope', 'broken', '--user', 'alice', '--app', 'web');
	assert.equal(broken.status, 1);
	assert.match(broken.out + broken.err, /broken\.lua:2/);
	assert.match(broken.out + broken.err, /part = nil/);
});

test('try_policy_shows_the_decision_what_it_strips_its_cost_its_log_or_the_line_that_failed', async () => {
	const objects = `policy "decides" { script = "decides.lua" }
policy "broken" { script = "broken.lua" }
policy "jwt" { script = "jwt.lua" }
policy "nosy" { script = "nosy.lua" }`;
	const files = {
		'decides.lua': `log.info("asked for " .. user.username)
if user.username ~= "alice" then return false, "Only alice.\\nNobody else." end
local left = {}
for _, scope in ipairs(context.oauth_scopes) do if scope ~= "email" then left[#left + 1] = scope end end
return { scopes = left }`,
		'broken.lua': 'local part = user.attributes.badge\nreturn part.colour == "red"', 'jwt.lua': 'return context.oauth_jwt.role == "builder" and context.oauth_grant_type == "client_credentials"',
		'nosy.lua': 'return ak_user_by { username = "bob" } ~= nil', 'claims.json': '{"role":"builder"}', 'wrong.json': '["role"',
	};
	const broker = await Broker.start({ objects, files });
	const fine = await broker.command('try', 'policy', 'decides', '--user', 'alice', '--app', 'web');
	assert.equal(fine.status, 0, fine.err);
	for (const word of [/result +allowed/, /scopes +openid profile groups offline_access$/m, /stripped +email$/m, /instructions\s+[1-9]/, /memory\s+\d/, /ms/, /asked for alice/]) assert.match(fine.out, word);
	const named = await broker.json('try', 'policy', 'decides', '--user', 'alice', '--app', 'web', '--scope', 'openid', '--scope', 'email');
	assert.deepEqual([named.allowed, named.scopes, named.stripped], [true, ['openid'], ['email']]);
	const refused = await broker.command('try', 'policy', 'decides', '--user', 'bob', '--app', 'web');
	assert.equal(refused.status, 1);
	assert.match(refused.out, /result +refused\nmessage +Only alice\.\nmessage +Nobody else\./);
	const broken = await broker.command('try', 'policy', 'broken', '--user', 'alice');
	assert.equal(broken.status, 1);
	assert.match(broken.err, /broken\.lua:2[\s\S]*it saw part = nil[\s\S]*alice/);
	const claims = (file) => broker.command('try', 'policy', 'jwt', '--user', 'alice', '--grant', 'client_credentials', '--claims', `${broker.dir}/${file}`);
	assert.equal((await claims('claims.json')).status, 0);
	assert.match((await claims('wrong.json')).err, /no JSON object/);
	assert.match((await claims('missing.json')).err, /missing\.json: No such file/);
	assert.match((await broker.command('try', 'policy', 'nosy', '--user', 'alice')).err, /nosy\.lua:1: .*does not say may = \{ users = true \}/);
	assert.match((await broker.command('try', 'policy', 'nobody', '--user', 'alice')).err, /there is no policy "nobody"/);
});

test('S31_the_events_of_a_deleted_person_name_nobody', async () => {
	const objects = `scope_mapping "telling" { scope = "telling", script = "telling.lua" }
application "telling" { client_id = "telling", client_secret = "telling-secret", redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "telling" }, consent = "implicit" }`;
	const user = 'user "frank" { name = "Frank Furter", email = "frank@example.org", password = "a fine password" }';
	const files = { 'telling.lua': 'local street = user.email\nerror("no badge for " .. user.name)' };
	const broker = await Broker.start({ objects: `${objects}\n${user}`, files });
	assert.ok(!(await canSignIn(broker, 'frank', 'not this one')));
	await broker.advance(301);
	secretOf.telling = 'telling-secret';
	await obtainTokens(broker, { client_id: 'telling', redirect_uri: 'https://web.example.org/callback', scope: 'openid telling' }, { username: 'frank', password: 'a fine password' });
	await broker.command('group', 'add-user', 'staff', 'frank');
	const failed = await eventually(async () => (await broker.events('--kind', 'script_failed'))[0]);
	assert.equal(failed.user, 'frank');
	assert.match(failed.reason, /telling\.lua:2.*no badge for Frank Furter.*it saw user.name/);
	await broker.configure({ objects });
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	const before = await broker.events();
	assert.equal((await broker.command('user', 'delete', 'frank')).status, 0);
	const after = await broker.events();
	assert.equal(after.length, before.length + 1, 'what happened stays');
	assert.doesNotMatch(JSON.stringify(after), /frank/i);
	assert.match(JSON.stringify(after), /telling\.lua:2/);
	for (const event of after.filter((one) => before.some((old) => old.id === one.id && old.user === 'frank'))) assert.equal(event.address, undefined, event.kind);
	assert.equal((await broker.command('user', 'add', 'frank')).status, 1, 'S11: the name is a tombstone');
});

test('a_script_is_tried_as_the_file_stands_before_it_goes_live', async () => {
	const objects = 'scope_mapping "colour" { scope = "colour", script = "colour.lua" }';
	const broker = await Broker.start({ objects, files: { 'colour.lua': 'return "red"' } });
	const { writeFile } = await import('node:fs/promises');
	await writeFile(`${broker.dir}/colour.lua`, 'return "blue"');
	assert.match((await broker.command('try', 'scope', 'colour', '--user', 'alice')).out, /blue/);
});

test('check_says_what_a_reload_would_change_and_errors_with_file_and_line', async () => {
	const broker = await Broker.start();
	assert.match((await broker.command('check')).out, /changes nothing/);
	await broker.configure({ objects: 'user "zoe" { name = "Zoe" }' });
	const changed = await broker.command('check');
	assert.equal(changed.status, 0, changed.err);
	assert.match(changed.out, /zoe/);
	await broker.configure({ objects: 'user "zoe" { nmae = "Zoe" }\napplication "x" { redirect_uris = { "javascript:alert(1)" } }' });
	const wrong = await broker.command('check');
	assert.equal(wrong.status, 1);
	assert.match(wrong.out + wrong.err, /tidelock\.lua:\d+.*nmae/);
	assert.match(wrong.out + wrong.err, /tidelock\.lua:\d+.*redirect/);
	broker.signal('SIGHUP');
	await eventually(() => /reload refused/.test(broker.log), 5);
	assert.ok(await canSignIn(broker, 'alice', 'wonderland'));
});

test('check_without_a_broker_changes_nothing_and_other_commands_see_what_the_file_declares', async () => {
	const broker = await Broker.start();
	await broker.stop();
	assert.match((await broker.command('check')).out, /changes nothing/);
	await broker.configure({ objects: 'user "zoe" {}' });
	for (let n = 0; n < 2; n++) assert.match((await broker.command('check')).out, /user zoe is added/);
	assert.equal((await broker.command('user', 'show', 'zoe')).status, 0);
	assert.match((await broker.command('check')).out, /changes nothing/);
});

test('events_are_followed_before_a_broker_runs_and_over_its_restarts', async () => {
	const broker = await Broker.start();
	await broker.stop();
	const { spawn } = await import('node:child_process');
	const follower = spawn(program, ['events', '--follow'], { env: { ...process.env, TIDELOCK_CONFIG: broker.file } });
	try {
		let seen = '', ended = false;
		follower.stdout.on('data', (chunk) => { seen += chunk; });
		follower.stderr.on('data', (chunk) => { seen += chunk; });
		follower.on('exit', () => { ended = true; });
		await eventually(() => /configuration_changed/.test(seen));
		await new Promise((r) => setTimeout(r, 2500)); // it has asked again meanwhile
		await broker.serve();
		assert.ok(!(await canSignIn(broker, 'alice', 'not this one')));
		await eventually(() => /sign_in_failed.*alice/.test(seen));
		await broker.stop();
		await broker.serve();
		assert.ok(!(await canSignIn(broker, 'bob', 'not this one')));
		await eventually(() => /sign_in_failed.*bob/.test(seen)).catch((error) => assert.fail(`${error}: ${seen}`));
		assert.ok(!ended);
	} finally {
		follower.kill();
	}
});

test('wrong_usage_is_2_and_a_refusal_1', async () => {
	const broker = await Broker.start();
	assert.equal((await broker.command('user')).status, 2);
	assert.equal((await broker.command('user', 'add')).status, 2);
	assert.equal((await broker.command('user', 'show', 'nobody')).status, 1);
	assert.equal((await broker.command('nonsense')).status, 2);
	assert.equal((await broker.command('version')).status, 0);
});

test('help_names_what_there_is_and_nothing_else', async () => {
	const broker = await Broker.start();
	const { out } = await broker.command('help');
	const listed = [...out.matchAll(/^  ([a-z]+) +((?:[a-z-]+\|)+[a-z-]+|scope) /gm)];
	assert.deepEqual(listed.map((match) => match[1]), ['user', 'group', 'app', 'source', 'token', 'key', 'try']);
	for (const [, command, words] of listed) {
		for (const word of words.split('|')) {
			const answer = await broker.command(command, word, '--no-such-option');
			assert.match(answer.err, new RegExp(`unknown option.*\\nusage: tidelock ${command} ${word}`), `${command} ${word}`);
		}
		const { err } = await broker.command(command);
		assert.ok(err.includes(`tidelock ${command} ${words}`), err);
	}
});

test('events_carry_the_request_id_that_the_person_saw', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const at = await browser.signIn((await browser.open('/signin')).page, 'alice', 'not this one');
	const id = at.page.headers['x-request-id'];
	assert.ok(id);
	assert.match(at.page.text, new RegExp(id));
	await eventually(async () => (await broker.events('--kind', 'sign_in_failed')).some((event) => event.request_id === id), 3);
	const tokens = await obtainTokens(broker, { scope: 'openid offline_access' });
	await eventually(async () => {
		const kinds = new Set((await broker.events('--user', 'alice')).map((event) => event.kind));
		for (const kind of ['sign_in', 'sign_in_failed', 'token_issued']) if (!kinds.has(kind)) throw new Error(`no event ${kind} among ${[...kinds]}`);
		return true;
	}, 3);
	const everything = JSON.stringify(await broker.events()) + broker.log;
	for (const secret of ['not this one', 'wonderland', 'web-secret', tokens.code, tokens.access_token, tokens.refresh_token]) assert.ok(!everything.includes(secret));
	assert.equal(claimsOf(tokens.id_token).aud, 'web');
});

test('who_was_disabled_by_command_stays_so_when_the_file_changes', async () => {
	const objects = (name) => `user "zoe" { name = "${name}", password = "a zoo of words" }`;
	const broker = await Broker.start({ objects: objects('Zoe') });
	assert.equal((await broker.command('user', 'disable', 'zoe')).status, 0);
	await broker.configure({ objects: objects('Zoe Zebra') });
	broker.signal('SIGHUP');
	await eventually(async () => (await broker.json('user', 'show', 'zoe')).name === 'Zoe Zebra', 5);
	assert.ok(!(await canSignIn(broker, 'zoe', 'a zoo of words')));
	assert.equal((await broker.command('user', 'enable', 'zoe')).status, 0);
	assert.ok(await canSignIn(broker, 'zoe', 'a zoo of words'));
});

test('a_hash_of_django_moves_over_and_one_that_nobody_could_use_is_refused', async () => {
	const broker = await Broker.start();
	const salt = 'seasalt12345';
	const hash = pbkdf2Sync('from the old place', salt, 26000, 32, 'sha256').toString('base64');
	const encoded = `pbkdf2_sha256$26000$${salt}$${hash}`;
	assert.equal((await broker.command('user', 'add', 'dj', '--password-hash', encoded)).status, 0);
	assert.ok(await canSignIn(broker, 'dj', 'from the old place'));
	assert.ok(await canSignIn(broker, 'dj', 'from the old place'), 'and again, now that it is hashed as the setting says');
	for (const useless of ['pbkdf2_sha256$x', `pbkdf2_sha256$99999999$${salt}$${hash}`, '$argon2id$v=19$m=9999999,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g', 'plain']) {
		const refused = await broker.command('user', 'add', 'useless', '--password-hash', useless);
		assert.equal(refused.status, 1, useless);
	}
});
