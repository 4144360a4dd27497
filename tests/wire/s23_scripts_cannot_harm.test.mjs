// S22-S24, D3: what a mapping script tries, as its author meets it: a clear event with script and line, nobody else waits, and
// no trace is left for the next call.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, basic, claimsOf, obtainCode, redirectUri, tokenRequest } from '../harness/browser.mjs';

async function brokerWith(scripts) {
	const names = Object.keys(scripts);
	const scopes = names.map((name) => `"${name}"`).join(', ');
	return Broker.start({
		objects: `${names.map((name) => `scope_mapping "${name}" { scope = "${name}", description = "${name}", script = "${name}.lua" }`).join('\n')}
application "mapped" { client_id = "mapped", client_secret = "mapped-secret", redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", ${scopes} }, consent = "implicit" }`,
		files: Object.fromEntries(names.map((name) => [`${name}.lua`, scripts[name]])),
	});
}
const code = (broker, scope, browser) => obtainCode(broker, { client_id: 'mapped', redirect_uri: redirectUri.web, scope: `openid ${scope}` }, browser ? { browser } : {});
const redeem = (broker, got) => tokenRequest(broker, 'mapped', { grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier }, basic('mapped', 'mapped-secret'));
async function claims(broker, scope, browser) {
	const got = await code(broker, scope, browser);
	const answer = await redeem(broker, got);
	assert.equal(answer.status, 200, answer.text);
	return { ...claimsOf(answer.json.id_token), browser: got.browser };
}

test('S23_each_way_to_run_away_leaves_an_event_that_names_it (security_cases_16)', async () => {
	const tries = {
		loops: ['while true do end', /ran longer|time|instruction/], allocates: ['local t = {}\nfor i = 1, 1e9 do t[i] = { i } end', /memory|instruction|longer/], recurses: ['local function f() return 1 + f() end\nreturn f()', /overflow|memory|instruction|longer/],
		matches: ['return ("a"):rep(28):find(("a?"):rep(28) .. ("a"):rep(29))', /ran longer/], regex: ['return regex_match(("a"):rep(30) .. "!", "^(a+)+$")', /limit|match|regex|longer/], gives: ['return function() end', /function/],
		huge: ['return ("x"):rep(10000000)', /memory|large|long|big/], deep: ['local t = {}\nfor i = 1, 100 do t = { t } end\nreturn t', /deep/], circle: ['local t = {}\nt.t = t\nreturn t', /deep|itself|circle|cycl/], number: ['return 0/0', /number|NaN|finite/],
		opens: ['return io.open("/etc/passwd")', /io/], runs: ['return os.execute("id")', /os/], loads: ['return load("return 1")()', /load/], metas: ['getmetatable("").__index.upper = function() return "evil" end\nreturn "x"', /nil|getmetatable|index|protected/],
		requires: ['return require("auth/session")', /require/], debugs: ['return debug.getregistry()', /debug/], dumps: ['return string.dump(function() end)', /dump/], typo: ['return usr.name', /usr/], syntax_late: ['return user.nothing.here', /nothing|nil/],
	};
	const names = Object.keys(tries);
	const broker = await brokerWith({ ...Object.fromEntries(names.map((name) => [name, tries[name][0]])), fine: 'return "fine"' });
	let browser;
	for (let at = 0; at < names.length; at += 5) {
		const some = names.slice(at, at + 5);
		const got = await claims(broker, `${some.join(' ')} fine`, browser);
		browser = got.browser;
		assert.equal(got.fine, 'fine', some.join());
		for (const name of some) assert.equal(got[name], undefined, name);
	}
	const events = await eventually(async () => { const list = await broker.events('--kind', 'script_failed'); return list.length >= names.length && list; }).catch(async () => broker.events('--kind', 'script_failed'));
	for (const name of names) {
		const event = events.find((one) => one.reason.includes(`${name}.lua`));
		assert.ok(event, `an event names ${name}.lua; there are: ${events.map((one) => one.reason.slice(0, 60)).join(' | ')}`);
		assert.match(event.reason, tries[name][1], name);
		assert.match(event.request_id, /^[0-9a-f]{16}$/);
		assert.equal(event.user, 'alice');
	}
});

test('S23_nobody_waits_for_a_runaway', async () => {
	const broker = await brokerWith({ runaway: 'return ("a"):rep(28):find(("a?"):rep(28) .. ("a"):rep(29))' });
	const first = await code(broker, 'runaway');
	const codes = [first];
	for (let i = 0; i < 5; i++) codes.push(await code(broker, 'runaway', first.browser));
	let over = false;
	const running = Promise.all(codes.map((got) => redeem(broker, got))).finally(() => { over = true; });
	const times = [];
	while (!over) {
		const begun = performance.now();
		assert.equal((await new Browser(broker).get('/application/o/web/jwks/')).status, 200);
		times.push(performance.now() - begun);
	}
	for (const answer of await running) assert.equal(answer.status, 200, answer.text);
	times.sort((a, b) => a - b);
	assert.ok(times.length >= 3 && times[Math.floor(times.length / 2)] < 100, `others waited ${times.map(Math.round)} ms`);
	const counters = await broker.debug({ counters: true });
	assert.ok(counters.jail_kills >= 1, JSON.stringify(counters));
});

test('S23_no_trace_of_a_call_is_left_for_the_next', async () => {
	const broker = await brokerWith({ leaves: `
local found = "clean"
local function look(read) local ok, value = pcall(read) if ok and value ~= nil then found = value end end
look(function() return left end)
look(function() return _G.left end)
look(function() return string.left or table.left or math.left end)
look(function() return user.left or user.attributes.left end)
look(function() return getmetatable("").left end)
pcall(function() left = user.username end)
pcall(function() _G.left = user.username end)
pcall(function() string.left = user.username end)
pcall(function() table.left = user.username end)
pcall(function() math.left = user.username end)
pcall(function() user.left = user.username end)
pcall(function() user.attributes.left = user.username end)
pcall(function() json.encode = nil end)
pcall(function() string.upper = function() return user.username end end)
return { first = found }`, after: 'return { upper = ("x"):upper(), encoded = json.encode({ 1 }), sorted = table.concat({ "a", "b" }) }' });
	for (let i = 0; i < 3; i++) {
		const got = await claims(broker, 'leaves after');
		assert.equal(got.first, 'clean', `call ${i}`);
		assert.deepEqual([got.upper, got.encoded, got.sorted], ['X', '[1]', 'ab']);
	}
});

test('S24_a_script_sees_no_secret_of_the_request', async () => {
	const broker = await brokerWith({ looks: 'return { seen = json.encode({ u = user, a = application, r = request, s = session, t = token }) }' });
	const { seen, browser } = await claims(broker, 'looks');
	for (const secret of [browser.cookies.get('tidelock'), browser.cookies.get('tidelock-browser'), 'mapped-secret', basic('mapped', 'mapped-secret').authorization.slice(6), 'tlc_', '$argon2id', 'wonderland']) assert.ok(!seen.includes(secret), `${secret} in ${seen}`);
	assert.match(seen, /alice/);
	assert.doesNotMatch(seen, /"cookie"|"authorization"|verifier|bob/i);
});
