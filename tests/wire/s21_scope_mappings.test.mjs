// Scope mappings as their authors meet them: results, failures with script and line, reserved claims (S21), budgets (S23).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, claimsOf, obtainTokens, secretOf } from '../harness/browser.mjs';

async function brokerWith(scripts) {
	const names = Object.keys(scripts);
	const objects = names.map((name) => `scope_mapping "${name}" { scope = "${name}", description = "${name}", script = "${name}.lua" }`).join('\n') + `
application "mapped" { client_type = "confidential", client_id = "web2", client_secret = "web2-secret", redirect_uris = { "https://web.example.org/callback" },
  scopes = { "openid", "profile", ${names.map((name) => `"${name}"`).join(', ')} }, consent = "implicit" }`;
	const files = Object.fromEntries(names.map((name) => [`${name}.lua`, scripts[name]]));
	return Broker.start({ objects, files });
}
const client = { client_id: 'web2', redirect_uri: 'https://web.example.org/callback' };

async function claims(broker, scope) {
	secretOf.web2 = 'web2-secret';
	const got = await obtainTokens(broker, { ...client, scope: `openid profile ${scope}` });
	const info = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } });
	return { id: claimsOf(got.id_token), info: info.json, access: claimsOf(got.access_token) };
}

test('results_become_claims_as_the_product_says (test_property_mapping: expression)', async () => {
	const broker = await brokerWith({
		teams: 'local names = {}\nfor _, group in ipairs(user.groups) do names[#names + 1] = group.name end\nreturn names',
		level: 'return 3', empty: 'return {}', nothing: 'return nil', several: 'return { department = "tea", nested = { a = 1 } }', zz: 'return { nested = { b = 2 }, department = "coffee" }',
	});
	const { id, info } = await claims(broker, 'teams level empty nothing several zz');
	for (const made of [id, info]) {
		assert.deepEqual(made.teams, ['staff']);
		assert.equal(made.level, 3);
		assert.deepEqual(made.empty, []);
		assert.equal(made.nothing, undefined);
		assert.equal(made.department, 'coffee');
		assert.deepEqual(made.nested, { a: 1, b: 2 });
	}
});

test('S21_no_script_sets_what_only_the_provider_says', async () => {
	const broker = await brokerWith({ evil: 'return { tlk = "a", iss = "https://evil.example", aud = "other", sub = "root", exp = 9999999999, scope = "everything", jti = "x", acr = "high", fine = true }' });
	const { id, info, access } = await claims(broker, 'evil');
	assert.equal(id.iss, broker.issuer('mapped'));
	assert.equal(id.aud, 'web2');
	assert.notEqual(id.sub, 'root');
	assert.notEqual(info.sub, 'root');
	assert.notEqual(id.acr, 'high');
	assert.ok(id.exp < 9999999999 && access.exp < 9999999999);
	assert.equal(id.fine, true);
	assert.deepEqual([id.tlk, info.tlk], [undefined, undefined]);
	// Nor do any of them stand where they would otherwise be absent.
	const names = ['iss', 'aud', 'azp', 'client_id', 'exp', 'iat', 'nbf', 'jti', 'nonce', 'at_hash', 'c_hash', 's_hash', 'sid', 'cnf', 'act', 'may_act', 'scope', 'events', 'active', 'tlk'];
	const all = await claims(await brokerWith({ all: `return { ${names.map((name) => `${name} = "by-a-script"`).join(', ')}, kept = "by-a-script" }` }), 'all');
	for (const made of Object.values(all)) assert.deepEqual(Object.keys(made).filter((name) => made[name] === 'by-a-script' && name !== 'kept'), []);
	assert.equal(all.info.kept, 'by-a-script');
	assert.ok(JSON.stringify(await broker.events()).includes('claim_dropped'));
});

test('S21_a_sub_that_an_application_lets_its_scripts_make_is_the_same_everywhere', async () => {
	secretOf.own = 'own-secret';
	const broker = await Broker.start({ files: { 'own.lua': 'return { sub = "employee-" .. user.username }' }, objects: `scope_mapping "own" { scope = "own", script = "own.lua" }
application "own" { client_id = "own", client_secret = "own-secret", redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "own", "offline_access" }, script_claims = { "sub" }, consent = "implicit" }` });
	const got = await obtainTokens(broker, { client_id: 'own', redirect_uri: 'https://web.example.org/callback', scope: 'openid own offline_access' });
	for (const token of [got.access_token, got.refresh_token]) {
		assert.equal((await new Browser(broker).post('/application/o/introspect/', { token }, { headers: basic('own') })).json.sub, 'employee-alice');
	}
	const info = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } });
	assert.deepEqual([claimsOf(got.id_token).sub, claimsOf(got.access_token).sub, info.json.sub], Array(3).fill('employee-alice'));
	// A hint and the claims parameter speak of that sub too, and of nobody else's.
	const asked = async (parameters) => (await got.browser.open(authorizeUrl(broker, { client_id: 'own', redirect_uri: 'https://web.example.org/callback', scope: 'openid own', prompt: 'none', ...parameters }))).away.searchParams;
	const claimed = (value) => ({ claims: JSON.stringify({ id_token: { sub: { value } } }) });
	const bob = await obtainTokens(broker, { client_id: 'own', redirect_uri: 'https://web.example.org/callback', scope: 'openid own' }, { username: 'bob', password: 'builder-bob' });
	for (const [parameters, error] of [[{ id_token_hint: got.id_token }, null], [{ id_token_hint: bob.id_token }, 'login_required'], [claimed('employee-alice'), null], [claimed('employee-bob'), 'login_required']]) {
		assert.equal((await asked(parameters)).get('error'), error, JSON.stringify(parameters));
	}
});

test('a_failing_script_drops_its_claims_and_leaves_an_event_with_script_and_line (test_property_mapping: runtime error event)', async () => {
	const broker = await brokerWith({ broken: 'local x = nil\nreturn x.name', fine: 'return "yes"',
		bytes: 'return { list = { "good", "\\xff\\xfe" } }', names: 'return { ["\\xff"] = true }' });
	const { id } = await claims(broker, 'broken fine bytes names');
	assert.deepEqual([id.broken, id.list], [undefined, undefined]);
	assert.equal(id.fine, 'yes');
	assert.equal(id.name, 'Alice Liddell');
	const failures = (await broker.events()).filter((event) => event.kind === 'script_failed');
	const reason = (name) => failures.find((event) => event.reason.includes(`${name}.lua`)).reason;
	assert.match(reason('broken'), /broken\.lua:2/);
	assert.match(reason('broken'), /alice/);
	assert.match(reason('bytes'), /result\.list\.2 is not UTF-8 text/);
	assert.match(reason('names'), /not UTF-8 text/);
	assert.ok(!JSON.stringify(failures).includes('secret'));
});

test('S23_runaway_scripts_cost_their_claim_and_nothing_else', async () => {
	const broker = await brokerWith({
		loops: 'while true do end', grows: 'local t = {} for i = 1, 1e9 do t[i] = tostring(i) end', recurses: 'local function f() return 1 + f() end return f()',
		matches: 'return ("a"):rep(28):find(("a?"):rep(28) .. ("a"):rep(29))', gives: 'return function() end', huge: 'return ("x"):rep(10000000)', fine: 'return true',
	});
	const { id } = await claims(broker, 'loops grows recurses matches gives huge fine');
	for (const name of ['loops', 'grows', 'recurses', 'matches', 'gives', 'huge']) assert.equal(id[name], undefined, name);
	assert.equal(id.fine, true);
	assert.equal((await new Browser(broker).get('/readyz')).status, 200);
});
