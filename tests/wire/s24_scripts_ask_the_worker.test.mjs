// S24, S23: what a script may ask of the world: only what its declaration says (`may`), bounded, and waiting counts apart. Every helper of
// authentik's expressions (8.4; lib/tests/test_evaluator, core/tests/test_property_mapping) under its own name.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, configuration, eventually } from '../harness/broker.mjs';
import { Browser, authorizeUrl, claimsOf, obtainTokens, redirectUri, secretOf } from '../harness/browser.mjs';

// Each is a policy of an application of its own, which refuses and shows what the script found out as its message.
const shown = (expression, before = '') => `${before}\nreturn false, json.encode(${expression})`;
const policies = {
	// what needs no leave
	regex: [shown('{ regex_match("foo bar", "o b"), regex_match("foo", "^oo"), regex_replace("foo bar", "(o+)", "<\\\\1>"), regex_replace("a-b", "[^a-z]", "") }')],
	lists: [shown('{ list_flatten({ "a", "b" }), list_flatten("x"), list_flatten({}) == nil, slugify("Große Hütte 7!") }')],
	addresses: [shown('{ ip_address("10.1.2.3").is_private, ip_network("10.0.0.0/8"):contains("10.1.2.3"), ip.in_network(ak_client_ip, "127.0.0.0/8"), ip_address("::1").version }')],
	member: [shown(`{ ak_is_group_member(user, { name = "github-users" }), ak_is_group_member(request.user, { name__startswith = "git" }), ak_is_group_member(user, { name = "admins" }),
  ak_is_group_member(user, { uuid = user.groups[1].uuid }), ak_is_group_member(user, { attributes__floor = 3 }), ak_is_group_member(user, { attributes__floor = 4 }) }`)],
	authenticator: [shown('{ ak_user_has_authenticator(user), ak_user_has_authenticator(user, "totp") }')],
	logger: ['ak_logger.debug("quiet")\nak_logger.info("seen", { who = user.username })\nak_logger.warning(request.context)\nak_message("one")\nak_message("two")\nreturn false'],
	calls: [shown('{ a.passing, a.messages, b.passing, b.messages, b.raw_result, c.raw_result.scopes }',
		'local a, b = ak_call_policy("yes"), ak_call_policy("echo", { word = "hello" })\nlocal c = ak_call_policy("scopes")')],
	calls_unknown: ['return ak_call_policy("nowhere").passing'],
	calls_itself: ['return ak_call_policy("calls_itself").passing'],
	calls_broken: [shown('{ ak_call_policy("broken").passing }')],
	// people
	nosy: ['return ak_user_by({ username = "bob" }) ~= nil'],
	users: [shown(`{ by { username = "bob" }, by { email = "bob@example.org" }, by { attributes__desk = 7 }, by { attributes__home__city = "Oz" }, by { username = "nobody" }, by { colour = "red" },
  by { attributes__desk = "7" }, by { attributes__city = "Oz" }, by { username = "' or 1=1 --" }, by { attributes__desk = "%" }, by { attributes__home__city = "O_" }, by { pk = true }, by { username = {} },
  by { ["username = '' or 1 = 1; --"] = "x" }, is_member(ak_user_by { username = "alice" }, "staff"), ak_user_by({ username = "bob" }).password == nil }`,
	'local function by(filter) local found = ak_user_by(filter) return found and found.username or "-" end'), 'users = true'],
	// events
	events: ['for i = 1, 3 do ak_create_event("my_action", { number = i, password = "hunter2", nested = { client_secret = "s3cret" } }) end\nreturn true'],
	many_events: ['for i = 1, 10 do ak_create_event("flood", { i = i }) end\nreturn true'],
	mail: [shown('{ ak_send_email("bob@example.org", "Hello", { body = "x" }) }')],
	// tokens
	mints: [shown('{ ak_create_jwt(user, "target", { "openid", "profile", "none-such" }, "seconds=30") }'), 'tokens_for = { "target" }'],
	mints_text: [shown('{ ak_create_jwt(request.user, { slug = "target" }, "openid", "hours=99") }'), 'tokens_for = { "target" }'],
	mints_other: ['return ak_create_jwt(user, "web", { "openid" }) ~= nil', 'tokens_for = { "target" }'],
	mints_for_bob: ['return ak_create_jwt(ak_user_by { username = "bob" }, "target", { "openid" }) ~= nil', 'tokens_for = { "target" }, users = true'],
	mints_refused: ['return ak_create_jwt(user, "guarded", { "openid" }) ~= nil', 'tokens_for = { "guarded" }'],
	signs: [shown('{ ak_create_jwt_raw("target", "minutes=5", { role = "janitor", list = { 1, 2 } }) }'), 'sign = true'],
	signs_sub: ['return ak_create_jwt_raw("target", "seconds=60", { sub = "root" }) ~= nil', 'sign = true'],
	signs_iss: ['return ak_create_jwt_raw("target", "seconds=60", { iss = "https://x", tlk = "a" }) ~= nil', 'sign = true'],
	signs_without_leave: ['return ak_create_jwt_raw("target", "seconds=60", { role = "janitor" }) ~= nil', 'tokens_for = { "target" }, users = true'],
	// bounds
	asks_too_much: ['for i = 1, 100 do ak_call_policy("yes") end\nreturn true'],
	catches: [shown('{ ok, (tostring(why):gsub("%s+", " ")) }', 'local ok, why = pcall(ak_user_by, { username = "bob" })')],
	chokes: ['ak_create_event("bytes", { text = "\\xff\\xfe" })\nreturn true'],
	sends_function: ['return ak_call_policy("yes", { f = print }).passing'],
	yes: ['return true, "fine"'], echo: ['return false, context.word .. " " .. user.username'], broken: ['return nil .. "x"'], scopes: ['return { scopes = { "openid" } }'], guard: ['return false'],
};
const clientOf = (policy) => `p-${policy.replaceAll('_', '-')}`;
const app = (name, policy, more = '') => `application "${name}" { client_id = "${name}", client_secret = "secret-of-it", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile", "asking" }, consent = "implicit", policies = { ${policy ? `"${policy}"` : ''} } ${more} }`;

const objects = `group "floors" { attributes = { floor = 3 } }
user "desk7" { name = "Seven", attributes = { desk = 7, home = { city = "Oz" } } }
${Object.entries(policies).map(([name, [, may]]) => `policy "${name}" { script = "p/${name}.lua", may = { ${may ?? ''} } }`).join('\n')}
${Object.keys(policies).map((name) => app(clientOf(name), name)).join('\n')}
${app('target', '', ', signing_alg = "ES256"')}
${app('guarded', 'guard')}
scope_mapping "asking" { scope = "asking", script = "p/asking.lua", may = { users = true } }
${app('mapped')}`;
const broker = await Broker.start({
	// alice stands on a floor too
	config: ({ port, dir }) => configuration({ port, dir, objects }).replace('groups = { "staff" }', 'groups = { "staff", "floors" }'),
	files: { ...Object.fromEntries(Object.entries(policies).map(([name, [text]]) => [`p/${name}.lua`, text])),
		'p/asking.lua': 'local boss = ak_user_by { username = "root" }\nreturn { boss = boss.name, verdict = ak_call_policy("yes").passing }' },
});
secretOf.mapped = 'secret-of-it';

const plain = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;|&#34;|&#x22;/g, '"').replace(/&#39;|&#x27;/g, "'").replace(/&amp;/g, '&');
const alice = new Browser(broker);
async function arrive(policy, browser = alice) {
	const client = clientOf(policy);
	let at = await browser.open(authorizeUrl(broker, { client_id: client, redirect_uri: redirectUri.web, scope: 'openid profile' }));
	if (at.page && /id="signin"/.test(at.page.text)) at = await browser.signIn(at.page);
	return at;
}
async function messageOf(policy) {
	const { page } = await arrive(policy);
	assert.equal(page.status, 403, page.text);
	return plain(/id="reason">([\s\S]*?)<\/p>/.exec(page.text)[1]);
}
const found = async (policy) => JSON.parse(await messageOf(policy));
const failureOf = (policy) => eventually(async () => (await broker.events('--kind', 'script_failed')).find((one) => one.reason.includes(`policy ${policy} `)));
async function refusedBecause(policy, why) {
	assert.equal((await arrive(policy)).page.status, 403);
	const event = await failureOf(policy);
	assert.match(event.reason, new RegExp(`p/${policy}\\.lua:\\d+`));
	assert.match(event.reason, why);
}

await arrive('yes');

test('test_evaluator: regex_match, regex_replace', async () => assert.deepEqual(await found('regex'), [true, false, 'f<oo> bar', 'ab']));
test('test_evaluator: list_flatten, slugify', async () => assert.deepEqual(await found('lists'), ['a', 'x', true, 'grosse-hutte-7']));
test('test_evaluator: ip_address, ip_network', async () => assert.deepEqual(await found('addresses'), [true, true, true, 6]));
test('test_evaluator: ak_is_group_member, through parents, by name, uuid and attribute', async () => {
	assert.deepEqual(await found('member'), [true, true, false, true, true, false]);
});
test('test_evaluator: ak_user_has_authenticator is false', async () => assert.deepEqual(await found('authenticator'), [false, false]));
test('test_evaluator: ak_logger writes into the log, tables too, and ak_message tells the person', async () => {
	assert.equal(await messageOf('logger'), 'one\ntwo');
	await eventually(() => /script=.*logger\.lua.*text="seen who=alice"/.test(broker.log));
	assert.match(broker.log, /warn script .*oauth_scopes/);
	assert.doesNotMatch(broker.log, /text="quiet"/);
});

test('test_call_policy: passing, messages, raw_result, keywords in the context', async () => {
	assert.deepEqual(await found('calls'), [true, ['fine'], false, ['hello alice'], false, ['openid']]);
});
test('test_call_policy: an unknown one raises, one that fails does not pass, and recursion ends', async () => {
	await refusedBecause('calls_unknown', /there is no policy/);
	assert.equal((await arrive('calls_itself')).page.status, 403);
	assert.match((await failureOf('calls_itself')).reason, /more than 3 deep/);
	assert.deepEqual(await found('calls_broken'), [false]);
	await failureOf('broken');
});

test('S24_other_people_only_with_may_users, and what is asked is never SQL (test_evaluator: ak_user_by; security_cases_16)', async () => {
	await refusedBecause('nosy', /may = \{ users = true \}/);
	assert.deepEqual(await found('users'), ['bob', 'bob', 'desk7', 'desk7', '-', '-', '-', '-', '-', '-', '-', '-', '-', '-', true, true]);
});
test('S24_what_is_refused_can_be_caught_and_names_no_secret', async () => {
	const [ok, why] = await found('catches');
	assert.equal(ok, false);
	assert.match(why, /user_by: the declaration of catches does not say/);
});

test('test_evaluator: ak_create_event leaves a custom event, merged in its minute, without secrets', async () => {
	assert.ok((await arrive('events')).away.searchParams.get('code'));
	const list = await eventually(async () => { const all = await broker.events('--kind', 'custom_my_action'); return all.length > 0 && all; });
	assert.equal(list.length, 1);
	assert.match(list[0].reason, /policy events/);
	assert.equal(list[0].user, 'alice');
	assert.doesNotMatch(JSON.stringify(list), /hunter2|s3cret/);
	await refusedBecause('many_events', /at most 5 events/);
});
test('test_evaluator: ak_send_email answers false and leaves an event', async () => {
	assert.deepEqual(await found('mail'), [false]);
	await eventually(async () => (await broker.events('--kind', 'email_not_sent')).length === 1);
});

test('S24_ak_create_jwt_is_for_this_user_and_a_listed_application (test_evaluator: create_jwt)', async () => {
	const [token] = await found('mints');
	const claims = claimsOf(token);
	assert.equal(claims.client_id, 'target');
	assert.equal(claims.scope, 'openid profile');
	assert.equal(claims.exp - claims.iat, 30);
	const info = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
	assert.equal(info.json.preferred_username, 'alice');
	const long = claimsOf((await found('mints_text'))[0]);
	assert.ok(long.exp - long.iat <= 600, 'no longer than the application gives its own');
	await refusedBecause('mints_other', /tokens_for = \{ "web" \}/);
	await refusedBecause('mints_for_bob', /only for the user/);
	await refusedBecause('mints_refused', /policies of the application refuse/);
});
test('S24_a_minted_token_ends_with_the_session_it_came_from (S5)', async () => {
	const browser = new Browser(broker);
	const { page } = await arrive('mints', browser);
	const [token] = JSON.parse(plain(/id="reason">([\s\S]*?)<\/p>/.exec(page.text)[1]));
	const ask = () => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
	assert.equal((await ask()).status, 200);
	const { page: out } = await browser.open(`${broker.url}/signout`);
	await browser.submit(out, {}, 'signout');
	assert.equal((await ask()).status, 401);
});
test('S21_S24_ak_create_jwt_raw_needs_may_sign_and_sets_nothing_that_is_ours (test_evaluator: create_jwt_raw)', async () => {
	const [token] = await found('signs');
	const claims = claimsOf(token);
	assert.deepEqual([claims.role, claims.list, claims.aud, claims.exp - claims.iat, claims.iss, claims.sub], ['janitor', [1, 2], 'target', 300, undefined, undefined]);
	for (const use of [`Bearer ${token}`]) assert.equal((await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: use } })).status, 401);
	await refusedBecause('signs_sub', /only the broker sets sub/);
	await refusedBecause('signs_iss', /only the broker sets iss, tlk/);
	await refusedBecause('signs_without_leave', /sign = true/);
});

test('S23_S24_a_call_asks_a_bounded_number_of_times_and_says_plain_data_only', async () => {
	await refusedBecause('asks_too_much', /asks more than 50 times/);
	await refusedBecause('sends_function', /function/);
	await refusedBecause('chokes', /chokes\.lua:1.*cannot do this with what it was given/);
});

test('scope_mappings_ask_by_the_same_rules', async () => {
	const got = await obtainTokens(broker, { client_id: 'mapped', redirect_uri: redirectUri.web, scope: 'openid asking' });
	assert.equal(claimsOf(got.id_token).boss, 'Root');
	assert.equal(claimsOf(got.id_token).verdict, true);
});
