// Cases beside scripts and rules (NAME.cases.json): check runs them, a reload that breaks one is refused with the difference, and
// try --record writes one of a real person.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker } from '../harness/broker.mjs';

const script = `local names = {}
for _, group in ipairs(user.groups) do names[#names + 1] = "x-" .. group.name end
return names`;
const rule = { remote: [{ type: 'email' }, { type: 'groups', any_one_of: ['ops'] }], local: [{ user: { name: '{0}' } }, { group: { name: 'admin' } }] };
const broker = await Broker.start({
	objects: `scope_mapping "teams" { scope = "teams", script = "m/teams.lua" }
policy "staff" { script = "m/staff.lua" }
source_mapping "up" { script = "m/up.lua" }
github_mapping "default" { script = "m/forge.lua" }
conversion_rules "otc" { rules = "m/otc.json" }
conversion_rules "lua" { script = "m/cloud.lua", no_groups = "allow" }`,
	files: {
		'm/teams.lua': script,
		'm/teams.cases.json': JSON.stringify([{ name: 'each group', given: { user: { groups: ['a', { name: 'b', attributes: { n: 1 } }] } }, want: ['x-a', 'x-b'] }]),
		'm/staff.lua': 'if context.oauth_scopes["secret"] then return nil + 1 end\nreturn is_member(user, "staff"), "Only staff."',
		'm/staff.cases.json': JSON.stringify([
			{ name: 'staff', given: { user: { groups: [], all_groups: ['staff'] } }, want: true },
			{ name: 'others', want: false, want_message: 'Only staff.' },
			{ name: 'it fails on purpose', given: { context: { oauth_scopes: ['secret'] } }, fails: true }]),
		'm/up.lua': 'return { username = info.login, groups = info.teams }',
		'm/up.cases.json': JSON.stringify([{ name: 'login', given: { info: { login: 'mia', teams: ['a'] } }, want: { username: 'mia', groups: ['a'] } }]),
		'm/forge.lua': 'return { login = user.username, organisations = {} }',
		'm/forge.cases.json': JSON.stringify([{ name: 'login', given: { user: { username: 'mia' } }, want: { login: 'mia', organisations: [] } }]),
		'm/otc.json': JSON.stringify([rule]),
		'm/otc.cases.json': JSON.stringify([
			{ name: 'ops', given: { claims: { email: 'a@x', groups: ['ops'] } }, want: { user: 'a@x', groups: ['admin'] } },
			{ name: 'others', given: { claims: { email: 'a@x' } }, want: { refused: 'no_rule_matched' } }]),
		'm/cloud.lua': 'return { user = claims.email }',
		'm/cloud.cases.json': JSON.stringify([{ name: 'no name', given: { claims: {} }, want: { refused: 'no_username' } }]),
	},
});
const write = (name, text) => writeFile(path.join(broker.dir, name), typeof text === 'string' ? text : JSON.stringify(text));
const reload = () => broker.overControl('POST', '/reload');

test('check_counts_the_cases_that_come_out', async () => {
	assert.match((await broker.command('check')).out, /and 9 cases come out as they say/);
	assert.equal(JSON.parse((await broker.command('check', '--json')).out).cases, 9);
});

test('a_reload_that_breaks_a_case_is_refused_with_the_difference', async () => {
	for (const [name, broken, wanted] of [
		['m/teams.lua', script.replace('x-', 'y-'), /m\/teams\.cases\.json: case "each group": \[1\]: wanted "x-a", got "y-a"/],
		['m/staff.lua', 'return true', /m\/staff\.cases\.json: case "others": wanted false, got true/],
		['m/up.lua', 'return { username = info.login }', /case "login": groups: wanted \["a"\], got nothing/],
		['m/forge.lua', 'return { login = user.name, organisations = {} }', /case "login": login: wanted "mia", got "Some Body"/],
		['m/otc.json', [{ ...rule, local: rule.local.toReversed().slice(1) }], /m\/otc\.cases\.json: case "ops": (refused|groups)/],
		['m/cloud.lua', 'return nil', /case "no name": refused: wanted "no_username", got "no_rule_matched"/],
	]) {
		const before = await readFile(path.join(broker.dir, name), 'utf8');
		await write(name, broken);
		const answer = await reload();
		assert.notEqual(answer.status, 200, name);
		assert.match(answer.text, wanted);
		assert.match((await broker.command('check')).err, wanted);
		await write(name, before);
	}
	assert.equal((await reload()).status, 200);
});

test('a_file_of_cases_that_is_none_is_refused_with_its_place', async () => {
	const at = 'm/up.cases.json';
	const before = await readFile(path.join(broker.dir, at), 'utf8');
	for (const [text, wanted] of [['[\n{"name": }]', /m\/up\.cases\.json:2:10: this is no JSON/], ['{}', /no list of at most 200 cases/],
		[[{ name: 'x', wants: 1 }], /a case has no "wants"/], [[1], /a case has a name, given and want/]]) {
		await write(at, text);
		const answer = await reload();
		assert.notEqual(answer.status, 200);
		assert.match(answer.text, wanted);
	}
	await write(at, before);
	assert.equal((await reload()).status, 200);
});

test('try_record_keeps_what_a_script_made_of_a_real_person', async () => {
	const made = await broker.command('try', 'scope', 'teams', '--user', 'alice', '--record');
	assert.equal(made.status, 0, made.err);
	assert.match(made.err, /recorded in .*\/m\/teams\.cases\.json/);
	assert.equal((await broker.command('try', 'policy', 'staff', '--user', 'bob', '--record')).status, 1);
	const [, kept] = JSON.parse(await readFile(path.join(broker.dir, 'm/teams.cases.json'), 'utf8'));
	assert.match(kept.name, /^alice, recorded 20/);
	assert.deepEqual([kept.want, kept.given.user.username], [['x-staff'], 'alice']);
	assert.match((await broker.command('check')).out, /and 11 cases come out/);
	assert.equal((await reload()).status, 200);
	const builtin = await broker.command('try', 'scope', 'email', '--user', 'alice', '--record');
	assert.deepEqual([builtin.status, /no file to stand beside/.test(builtin.err)], [1, true]);
});
