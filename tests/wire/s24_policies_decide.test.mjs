// Policies (issue item 8; authentik 3, 8; S7, S20, S23, S24): who may use an application and with which scopes; asked before consent, at each
// continuation and at refresh. The names in brackets are authentik's test cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, eventually, root } from '../harness/broker.mjs';
import { Browser, authorizeUrl, claimsOf, obtainCode, obtainTokens, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';

const scripts = {
	allow: 'return true',
	deny: 'return false, "Only for <staff>. Ask Jane."',
	quiet: 'return false',
	umlaut: 'ak_message("Für Gäste gesperrt.")\nreturn false, "Zweite Zeile"',
	nothing: 'local x = 1',
	number: 'return 1',
	breaks: 'local x = nil\nreturn x.name',
	runaway: 'return (("a"):rep(28)):find(("a?"):rep(28) .. ("a"):rep(29))',
	seed: `-- There are additional fields set in the context, use ak_logger.debug to see them.
if request.context["oauth_scopes"]["my-admin-scope"] then
	return ak_is_group_member(request.user, { name = "staff" })
end
return true`,
	strip: `local keep = {}
for _, scope in ipairs(context.oauth_scopes) do
	if scope ~= "my-admin-scope" or is_member(user, "staff") then keep[#keep + 1] = scope end
end
return { scopes = keep }`,
	member: 'return is_member(user, "github-users"), "You are no longer one of us."',
	shows: 'return false, json.encode({ context = context, same = request.context == context and request.user == user, who = request.user.username, path = request.path, ip = ak_client_ip, client_ip = request.client_ip, sso = ak_is_sso_flow, application = application })',
	browser_only: 'return context.oauth_grant_type ~= "refresh_token", "No refreshing."',
	narrows_later: 'if context.oauth_grant_type == "refresh_token" then return { scopes = { "openid", "offline_access" } } end\nreturn true',
	kind: 'return false, context.oauth_grant_type .. " " .. context.oauth_response_type',
	no_openid: 'return { scopes = { "profile" } }',
	unknown_field: 'return { allowed = true }',
	adds: 'return { scopes = { "openid", "email", "everything" } }',
	leaves: `local found = pcall(function() return left end) or string.left or user.left
left, string.left, user.left = user.username, user.username, user.username
return not found and left == user.username`,
};

const app = (name, policies, more = '') => `application "${name}" { name = "${name} app", client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${redirectUri.web}" },
  scopes = { "openid", "profile", "email", "my-admin-scope", "offline_access" }, consent = "implicit", policies = { ${policies.map((one) => `"${one}"`).join(', ')} }, ${more} }`;
const front = 'response_types = { "code", "id_token", "code id_token", "id_token token" }';
const apps = { ...Object.fromEntries(Object.keys(scripts).map((name) => [`a-${name.replaceAll('_', '-')}`, [name]])), both: ['allow', 'seed'] };
for (const name of [...Object.keys(apps), 'any', 'any-none', 'careful-strip', 'always']) secretOf[name] = `${name}-secret`;

const broker = await Broker.start({
	objects: `scope_mapping "my-admin-scope" { scope = "my-admin-scope", description = "Administer everything", script = "admin.lua" }
${Object.keys(scripts).map((name) => `policy "${name}" { script = "policies/${name}.lua" }`).join('\n')}
${Object.entries(apps).map(([name, list]) => app(name, list)).join('\n')}
${app('front', ['kind'], front)}
${app('front-stripped', ['no_openid'], front)}
${app('always', ['strip'], 'id_token_claims = { "admin" }')}
${app('any', ['deny', 'seed'], 'policy_mode = "any"')}
${app('any-none', ['quiet', 'deny'], 'policy_mode = "any"')}
${app('careful-strip', ['strip']).replace('"implicit"', '"remembered"')}`,
	files: { 'admin.lua': 'return { admin = true }', ...Object.fromEntries(Object.entries(scripts).map(([name, text]) => [`policies/${name}.lua`, text])) },
});
const parameters = (client, more = {}) => ({ client_id: client, redirect_uri: redirectUri.web, scope: 'openid profile', ...more });

// Signs somebody in and answers where that ends.
async function arrive(client, more = {}, { username = 'alice', password = 'wonderland', browser = new Browser(broker) } = {}) {
	let at = await browser.open(authorizeUrl(broker, parameters(client, more)));
	if (at.page && /id="signin"/.test(at.page.text)) at = await browser.signIn(at.page, username, password);
	return { ...at, browser };
}
async function reload() {
	const answer = await broker.overControl('POST', '/reload');
	assert.equal(answer.status, 200, answer.text);
}
const bob = { username: 'bob', password: 'builder-bob' };
const textOf = (html, id) => new RegExp(`id="${id}"[^>]*>([\\s\\S]*?)</`).exec(html)?.[1];
const plain = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;|&#34;|&#x22;/g, '"').replace(/&#39;|&#x27;/g, "'").replace(/&amp;/g, '&');
const eventOf = (kind, word) => eventually(async () => (await broker.events('--kind', kind)).find((one) => one.reason.includes(word)));

test('an_allowed_person_gets_a_code_and_never_sees_the_policy (policies/expression: test_true)', async () => {
	const { away } = await arrive('a-allow');
	assert.ok(away.searchParams.get('code'));
});

test('a_refused_person_reads_why_and_the_client_hears_access_denied (test_message, test_authorize denied)', async () => {
	const { page, browser } = await arrive('a-deny');
	assert.equal(page.status, 403);
	assert.match(page.text, /a-deny app/);
	assert.equal(textOf(page.text, 'reason'), 'Only for &lt;staff&gt;. Ask Jane.');
	assert.equal(textOf(page.text, 'request-id'), page.headers['x-request-id']);
	const [, seconds, back] = /^(\d+); url=(\/application\/o\/authorize\/\?request=.*)$/.exec(page.headers.refresh);
	assert.equal(seconds, '10');
	assert.ok(page.text.includes(`href="${back}" id="back"`));
	const { away } = await browser.open(`${broker.url}${back}`);
	assert.equal(`${away.origin}${away.pathname}`, redirectUri.web);
	const answered = Object.fromEntries(away.searchParams);
	assert.deepEqual([answered.error, answered.error_description, answered.state, answered.iss, answered.code],
		['access_denied', 'Only for <staff>. Ask Jane.', 'st-1', broker.issuer('a-deny'), undefined]);
	const event = await eventOf('access_refused', 'policy deny (policies/deny.lua)');
	assert.equal(event.user, 'alice');
	assert.equal(event.application, 'a-deny');
});

test('another_account_may_be_used_from_the_page_that_refuses', async () => {
	const { page, browser } = await arrive('a-seed', { scope: 'openid my-admin-scope' }, bob);
	assert.equal(page.status, 403);
	const other = /href="([^"]+)" id="other"/.exec(page.text)[1];
	const { page: signin } = await browser.open(`${broker.url}${other}`);
	const { away } = await browser.signIn(signin);
	assert.ok(away.searchParams.get('code'));
});

test('prompt_none_is_answered_at_once_without_a_page', async () => {
	const { browser } = await arrive('a-allow');
	const { away } = await arrive('a-quiet', { prompt: 'none' }, { browser });
	assert.equal(away.searchParams.get('error'), 'access_denied');
	assert.match(away.searchParams.get('error_description'), /does not allow/);
});

test('response_mode_fragment_gets_its_refusal_there', async () => {
	const { browser } = await arrive('a-allow');
	const { away } = await arrive('a-quiet', { prompt: 'none', response_mode: 'fragment' }, { browser });
	assert.match(away.hash, /error=access_denied/);
});

test('authentik_calls_response_types_authorization_code_hybrid_and_implicit, and form_post gets its refusal there', async () => {
	for (const [response_type, grant_type] of [['code', 'authorization_code'], ['code id_token', 'hybrid'], ['id_token', 'implicit'], ['id_token token', 'implicit']]) {
		const { page, browser } = await arrive('front', { response_type, nonce: 'n-1', response_mode: 'form_post' });
		assert.equal(textOf(page.text, 'reason'), `${grant_type} ${response_type}`);
		const told = await browser.get(new URL(/url=(.*)$/.exec(page.headers.refresh)[1], broker.url).href);
		assert.match(told.text, /name="error" value="access_denied"/);
	}
});

test('who_wants_an_ID_token_and_may_not_have_openid_is_refused', async () => {
	assert.equal((await arrive('front-stripped', { response_type: 'code id_token', nonce: 'n-1' })).page.status, 403);
	assert.ok((await arrive('front-stripped', { response_type: 'code' })).away.searchParams.get('code'));
});

test('a_message_in_any_language_is_for_the_person_and_the_client_gets_plain_ASCII (RFC 6749 4.1.2.1)', async () => {
	const { page, browser } = await arrive('a-umlaut');
	assert.equal(textOf(page.text, 'reason'), 'Für Gäste gesperrt.\nZweite Zeile');
	const { away } = await browser.open(new URL(/url=(.*)$/.exec(page.headers.refresh)[1], broker.url).href);
	assert.match(away.searchParams.get('error_description'), /^[\x20-\x7e]+$/);
});

test('seed_003_the_admin_scope_is_for_members_of_the_group', async () => {
	assert.ok((await arrive('a-seed', { scope: 'openid my-admin-scope' })).away.searchParams.get('code'));
	assert.equal((await arrive('a-seed', { scope: 'openid my-admin-scope' }, bob)).page.status, 403);
	assert.ok((await arrive('a-seed', { scope: 'openid profile' }, bob)).away.searchParams.get('code'));
});

test('a_policy_strips_single_scopes_from_grant_tokens_and_userinfo', async () => {
	for (const [who, want] of [[{}, 'openid profile my-admin-scope'], [bob, 'openid profile']]) {
		const got = await obtainTokens(broker, parameters('a-strip', { scope: 'openid profile my-admin-scope' }), who);
		assert.equal(got.scope, want);
		assert.equal(claimsOf(got.access_token).scope, want);
		assert.equal(claimsOf(got.id_token).admin, who.username ? undefined : true);
	}
});

test('the_consent_page_lists_what_is_left_and_that_alone_is_remembered (S13, S20)', async () => {
	const { page, browser } = await arrive('careful-strip', { scope: 'openid profile my-admin-scope' }, bob);
	assert.match(page.text, /id="consent"/);
	assert.doesNotMatch(page.text, /Administer everything/);
	const { away } = await browser.submit(page, { answer: 'allow' }, 'consent');
	assert.ok(away.searchParams.get('code'));
	// The same again is not asked again, though the request names more than was agreed to.
	assert.ok((await arrive('careful-strip', { scope: 'openid profile my-admin-scope' }, { browser })).away.searchParams.get('code'));
	const asked = await arrive('careful-strip', { scope: 'openid profile my-admin-scope' });
	assert.match(asked.page.text, /Administer everything/);
});

test('the_claims_parameter_reaches_for_no_stripped_scope (S20)', async () => {
	const got = await obtainTokens(broker, parameters('a-strip', { scope: 'openid', claims: '{"id_token":{"admin":null,"email":null}}' }), bob);
	assert.equal(claimsOf(got.id_token).admin, undefined);
	assert.equal(claimsOf(got.id_token).email, 'bob@example.org');
});

test('id_token_claims_are_no_way_around_a_stripped_scope_at_sign_in_or_refresh', async () => {
	for (const [who, want] of [[{}, true], [bob, undefined]]) {
		const got = await obtainTokens(broker, parameters('always', { scope: 'openid offline_access' }), who);
		assert.equal(claimsOf(got.id_token).admin, want);
		const again = await tokenRequest(broker, 'always', { grant_type: 'refresh_token', refresh_token: got.refresh_token });
		assert.equal(claimsOf(again.json.id_token).admin, want);
	}
});

test('no_policy_gives_what_was_not_asked_for', async () => {
	const got = await obtainTokens(broker, parameters('a-adds', { scope: 'openid profile' }));
	assert.equal(got.scope, 'openid');
});

test('S23_S24_whatever_is_no_clear_answer_refuses_with_an_event (test_none, test_invalid, a script error denies)', async () => {
	const { browser } = await arrive('a-allow');
	for (const [name, why] of [['nothing', /nothing/], ['number', /result/], ['breaks', /breaks\.lua:2.*error/], ['unknown-field', /result/], ['runaway', /timeout/]]) {
		const begun = performance.now();
		const { page } = await arrive(`a-${name}`, {}, { browser });
		assert.equal(page.status, 403, name);
		assert.ok(performance.now() - begun < 2000, name);
		const event = await eventOf('script_failed', `policy ${name.replace('-', '_')} `);
		assert.match(event.reason, why);
		assert.equal(event.user, 'alice');
	}
	assert.match((await eventOf('script_failed', 'policy breaks ')).reason, /it was given .*alice/);
});

test('policy_mode_all_needs_each_and_any_needs_one', async () => {
	assert.equal((await arrive('both', { scope: 'openid my-admin-scope' }, bob)).page.status, 403);
	assert.ok((await arrive('both', { scope: 'openid my-admin-scope' })).away);
	assert.ok((await arrive('any')).away.searchParams.get('code'));
	const { page } = await arrive('any-none');
	assert.equal(textOf(page.text, 'reason'), 'Only for &lt;staff&gt;. Ask Jane.');
});

test('authentik_3_and_8.3_the_context_has_everything_but_geoip_and_asn_and_S24_no_secret', async () => {
	const { page, browser } = await arrive('a-shows', { scope: 'openid my-admin-scope', max_age: '5000', code_challenge: 'c'.repeat(43), code_challenge_method: 'S256', nonce: 'n-0815' });
	const seen = JSON.parse(plain(textOf(page.text, 'reason')));
	const context = { ...seen.context };
	assert.deepEqual(context.oauth_scopes, ['openid', 'my-admin-scope']);
	assert.equal(context.oauth_grant_type, 'authorization_code');
	assert.equal(context.oauth_response_type, 'code');
	assert.equal(context.oauth_redirect_uri, redirectUri.web);
	assert.equal(context.oauth_max_age, 5000);
	assert.equal(context.oauth_code_challenge, 'c'.repeat(43));
	assert.equal(context.oauth_code_challenge_method, 'S256');
	assert.equal(context.auth_method, 'password');
	assert.deepEqual(context.auth_method_args.amr, ['pwd']);
	assert.deepEqual([seen.who, seen.same, seen.path], ['alice', true, '/application/o/authorize/']);
	assert.deepEqual([seen.ip, seen.client_ip, seen.sso], ['127.0.0.1', '127.0.0.1', false]);
	assert.deepEqual(seen.application, { slug: 'a-shows', name: 'a-shows app', client_id: 'a-shows' });
	for (const secret of [...browser.cookies.values(), 'a-shows-secret', 'wonderland', 'n-0815', 'tls_', 'tlb_', '$argon2']) assert.ok(!page.text.includes(secret), secret);
	assert.doesNotMatch(JSON.stringify(seen), /cookie|authorization"|verifier|secret|bob/i);
});

test('S23_nothing_of_one_decision_is_left_for_the_next', async () => {
	const { browser } = await arrive('a-allow');
	for (let i = 0; i < 3; i++) assert.ok((await arrive('a-leaves', {}, { browser })).away.searchParams.get('code'));
});

test('S7_policies_are_asked_again_at_refresh_and_their_message_is_the_description', async () => {
	const got = await obtainTokens(broker, parameters('a-browser-only', { scope: 'openid offline_access' }));
	const answer = await tokenRequest(broker, 'a-browser-only', { grant_type: 'refresh_token', refresh_token: got.refresh_token });
	assert.deepEqual([answer.status, answer.json.error, answer.json.error_description], [400, 'invalid_grant', 'No refreshing.']);
	await eventOf('access_refused', 'policy browser_only (policies/browser_only.lua), refresh_token');
});

test('S7_a_policy_that_strips_at_refresh_narrows_the_new_tokens', async () => {
	const got = await obtainTokens(broker, parameters('a-narrows-later', { scope: 'openid profile offline_access' }));
	assert.equal(got.scope, 'openid profile offline_access');
	const answer = await tokenRequest(broker, 'a-narrows-later', { grant_type: 'refresh_token', refresh_token: got.refresh_token });
	assert.equal(answer.json.scope, 'openid offline_access');
	assert.equal(claimsOf(answer.json.access_token).scope, 'openid offline_access');
});

test('S7_who_has_left_the_group_is_refused_at_the_next_refresh', async () => {
	const got = await obtainTokens(broker, parameters('a-member', { scope: 'openid offline_access' }));
	const first = await tokenRequest(broker, 'a-member', { grant_type: 'refresh_token', refresh_token: got.refresh_token });
	assert.equal(first.status, 200);
	assert.equal((await broker.command('group', 'remove-user', 'staff', 'alice')).status, 1); // alice is the configuration's
	const text = await readFile(broker.file, 'utf8');
	await writeFile(broker.file, text.replace('groups = { "staff" } }', 'groups = {} }'));
	await reload();
	const second = await tokenRequest(broker, 'a-member', { grant_type: 'refresh_token', refresh_token: first.json.refresh_token });
	assert.deepEqual([second.json.error, second.json.error_description], ['invalid_grant', 'You are no longer one of us.']);
	await writeFile(broker.file, text);
	await reload();
});

test('a_policy_that_is_not_declared_and_a_script_that_is_no_Lua_are_told_with_file_and_line', async () => {
	const text = await readFile(broker.file, 'utf8');
	const tell = async (extra) => {
		await writeFile(broker.file, `${text}\n${extra}\n`);
		const answer = await broker.command('check');
		await writeFile(broker.file, text);
		return answer;
	};
	const lines = text.split('\n').length;
	const dangling = await tell('application "lost" { redirect_uris = { "https://x.example/" },\n policies = { "stuff" } }');
	assert.equal(dangling.status, 1);
	assert.ok(dangling.err.includes(`tidelock.lua:${lines + 2}: application "lost": policies names the policy "stuff", which is not declared`), dangling.err);
	await writeFile(`${broker.dir}/policies/bad.lua`, 'local x = 1\nreturn x ==\n');
	const bad = await tell('policy "bad" { script = "policies/bad.lua" }');
	assert.equal(bad.status, 1);
	assert.match(bad.err, /policies\/bad\.lua:\d+: /);
	await writeFile(broker.file, `${text}\npolicy "bad" { script = "policies/bad.lua" }\n`);
	const reload_of_it = await broker.overControl('POST', '/reload');
	await writeFile(broker.file, text);
	assert.notEqual(reload_of_it.status, 200);
	assert.match(reload_of_it.text, /policies\/bad\.lua:\d+: /);
	const may = await tell('policy "reaches" { script = "policies/allow.lua", may = { tokens_for = { "nowhere" } } }');
	assert.match(may.err, /names the application "nowhere", which is not declared/);
	const word = await tell('policy "reaches" { script = "policies/allow.lua", may = { files = true } }');
	assert.match(word.err, /may knows no "files"/);
});

test('the_examples_of_etc_policies_decide_as_their_comments_say', async () => {
	const folder = path.join(root, 'etc', 'policies');
	const names = (await readdir(folder)).filter((file) => file.endsWith('.lua')).map((file) => path.basename(file, '.lua'));
	const text = await readFile(broker.file, 'utf8');
	await writeFile(broker.file, `${text}\nscope_mapping "admin" { scope = "admin", script = "admin.lua" }\n${names.map((name) => `policy "etc-${name}" { script = "${folder}/${name}.lua", may = { http = { "duty.example.org" } } }`).join('\n')}\n`);
	const check = await broker.command('check');
	assert.equal(check.status, 0, check.err);
	const decided = (name, user) => broker.command('try', 'policy', `etc-${name}`, '--user', user, '--scope', 'openid', '--scope', 'admin', '--json').then((answer) => JSON.parse(answer.out));
	assert.equal((await decided('staff', 'alice')).allowed, true);
	assert.match((await decided('staff', 'bob')).message, /staff only/);
	assert.deepEqual((await decided('admin_scope', 'root')).stripped, []);
	assert.deepEqual((await decided('admin_scope', 'bob')).stripped, ['admin']);
	assert.equal((await decided('payroll', 'bob')).allowed, false);
	await broker.debug({ name: 'duty.example.org', addresses: null });
	assert.match((await decided('on_duty', 'bob')).error.message, /http: duty\.example\.org: /);
	await writeFile(broker.file, text);
});

test('applications_without_policies_run_no_script', async () => {
	const before = (await broker.debug({ counters: true })).jail_calls;
	await obtainCode(broker, { scope: 'openid profile' });
	assert.equal((await broker.debug({ counters: true })).jail_calls, before);
});
