// Conversion rules of an application: who the cloud behind it would refuse is told here, and the audit log says which rule and why.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, authorizeUrl, redirectUri, secretOf } from '../harness/browser.mjs';

const rules = [
	{ remote: [{ type: 'email' }], local: [{ user: { name: 'fidp-{0}' } }] },
	{ remote: [{ type: 'groups', any_one_of: ['staff'] }], local: [{ group: { name: 'ecs-admin' } }] },
];
const nested = [{ remote: [{ type: 'email' }, { type: 'groups', any_one_of: ['^st.ff$'], regex: true }], local: [{ user: { name: '{0}', domain: { id: 'd' } }, groups: '{1}', domain: { id: 'd' } }] }];
nested[0].remote.push({ type: 'groups' });
const app = (name, rules) => `application "${name}" { name = "${name}", client_id = "${name}", client_secret = "${name}-secret", redirect_uris = { "${redirectUri.web}" },
  scopes = { "openid", "email", "groups" }, consent = "implicit", conversion_rules = "${rules}" }`;
const lua = `if not claims.email then return nil end
local groups = {}
for _, group in ipairs(claims.groups or {}) do groups[#groups + 1] = "cloud-" .. group end
return { user = claims.email, groups = groups }`;
const names = ['otc', 'open', 'keystone', 'scripted', 'broken'];
for (const name of names) secretOf[name] = `${name}-secret`;
const broker = await Broker.start({
	objects: `conversion_rules "otc" { rules = "rules/otc.json" }
conversion_rules "open" { dialect = "otc", rules = "rules/otc.json", no_groups = "allow" }
conversion_rules "keystone" { dialect = "keystone", rules = "rules/keystone.json", schema_version = "1.0" }
conversion_rules "scripted" { script = "rules/cloud.lua" }
conversion_rules "broken" { script = "rules/broken.lua" }
${names.map((name) => app(name, name)).join('\n')}`,
	files: { 'rules/otc.json': JSON.stringify(rules, null, 1), 'rules/keystone.json': JSON.stringify({ rules: nested }), 'rules/cloud.lua': lua,
		'rules/broken.lua': 'return { user = claims.nothing.name }' },
});

async function arrive(client, username = 'alice', password = 'wonderland', more = {}) {
	const browser = new Browser(broker);
	const url = authorizeUrl(broker, { client_id: client, redirect_uri: redirectUri.web, scope: 'openid email groups', ...more });
	const at = await browser.open(url);
	return browser.signIn(at.page, username, password);
}
const eventOf = (word) => eventually(async () => (await broker.events('--kind', 'conversion_refused')).find((one) => one.reason.includes(word)));

test('who_the_cloud_would_take_goes_there', async () => {
	for (const client of ['otc', 'open', 'keystone', 'scripted']) assert.ok((await arrive(client)).away?.searchParams.get('code'), client);
});

test('who_it_would_refuse_is_told_here_and_the_event_says_which_rule_and_why', async () => {
	const { page } = await arrive('otc', 'bob', 'builder-bob');
	assert.equal(page.status, 403);
	assert.match(page.text, /none of the groups/);
	const event = await eventOf('otc');
	assert.match(event.reason, /conversion rules otc: no_groups/);
	assert.match(event.reason, /rule 1 applies; email = "bob@example.org"; \{0\} is "bob@example.org"; rule 2 does not apply; groups is absent/);
	assert.equal((await arrive('keystone', 'bob', 'builder-bob')).page.status, 403);
});

test('a_switch_lets_people_without_groups_in', async () => {
	assert.ok((await arrive('open', 'bob', 'builder-bob')).away.searchParams.get('code'));
});

test('a_claim_that_was_not_asked_for_is_not_there_for_the_rules', async () => {
	assert.equal((await arrive('otc', 'alice', 'wonderland', { scope: 'openid email' })).page.status, 403);
});

test('rules_in_lua_refuse_and_a_script_that_fails_refuses_too', async () => {
	assert.equal((await arrive('scripted', 'bob', 'builder-bob')).page.status, 403);
	const { page } = await arrive('broken');
	assert.equal(page.status, 403);
	assert.match((await eventOf('broken: rules_failed')).reason, /broken\.lua:1: attempt to index a nil value/);
});

test('a_reload_with_rules_that_cannot_be_meant_is_refused_with_line_and_column', async () => {
	await writeFile(path.join(broker.dir, 'rules/otc.json'), '[\n { "remote": [ { "type": "email" } ],\n   "local": [ { "user": { "name": "{1}" } } ] }\n]');
	const answer = await broker.overControl('POST', '/reload');
	assert.notEqual(answer.status, 200);
	assert.match(answer.text, /rules\/otc\.json:3:35: \{1\} is beyond what the rule's conditions give/);
	const told = await broker.command('check').catch((error) => error);
	assert.match(`${told.err ?? told.stderr ?? told.message}`, /rules\/otc\.json:3:35/);
	assert.ok((await arrive('otc')).away.searchParams.get('code'));
	await writeFile(path.join(broker.dir, 'rules/otc.json'), JSON.stringify(rules));
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	assert.ok((await arrive('otc')).away.searchParams.get('code'));
});
