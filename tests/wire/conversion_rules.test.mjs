// Conversion rules as an administrator tries and checks them, from files and with no broker. The cases are the project's own, or those of
// the folder that TIDELOCK_CASES names: keystone_cases.json and otc_cases.json.
import { test, before } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile, rm } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { program, root } from '../harness/broker.mjs';

const folder = process.env.TIDELOCK_CASES ?? path.join(root, 'tests/cases/conversion');
const cases = async (name) => JSON.parse(await readFile(path.join(folder, name), 'utf8'));
let dir;
before(async () => {
	dir = await mkdtemp(path.join(os.tmpdir(), 'rules-'));
	return () => rm(dir, { recursive: true });
});

async function file(name, value) {
	const at = path.join(dir, name);
	await writeFile(at, typeof value === 'string' ? value : JSON.stringify(value));
	return at;
}

function tidelock(...args) {
	return new Promise((resolve) => execFile(program, args, { cwd: dir }, (error, out, err) =>
		resolve({ status: error?.code ?? 0, out, err, json: out.startsWith('{') || out.startsWith('[') ? JSON.parse(out) : null })));
}

const asSet = (list) => [...new Set((list ?? []).map((each) => JSON.stringify(each, each && typeof each === 'object' ? Object.keys(each).sort() : undefined)
	+ JSON.stringify(each?.domain ?? null)))].sort();
const comparable = (mapped) => ({ ...mapped, group_ids: asSet(mapped.group_ids), group_names: asSet(mapped.group_names) });

async function tried(one) {
	const rules = await file('rules.json', { rules: one.rules });
	const claims = await file('claims.json', one.assertion);
	const more = one.op !== 'login' ? [] : ['--login', ...(one.remote_user ? ['--remote-user', one.remote_user] : []),
		...(one.idp_domain_id ? ['--idp-domain', one.idp_domain_id] : [])];
	const answer = await tidelock('try', 'rules', rules, '--claims', claims, '--dialect', 'keystone', '--schema', one.schema_version, '--json', ...more);
	assert.ok(answer.json, `${one.name}: ${answer.err}`);
	return answer;
}

// The engine's quirks that we do not copy are compared by its own answer or a clean refusal; the project's own cases say what is ours.
const ours = (one) => one.quirk && folder !== path.join(root, 'tests/cases/conversion');

async function keystone(one) {
	const answer = await tried(one);
	const wanted = one.expect.error;
	assert.equal(answer.status, answer.json.error ? 1 : 0, one.name);
	if (ours(one)) return;
	if (wanted?.reason.startsWith('crash:')) assert.ok(answer.json.error?.reason, one.name);
	else if (wanted) assert.equal(answer.json.error?.reason, wanted.reason, one.name);
	else {
		const domain = answer.json.user?.domain;
		// Names of domains are looked up by whoever has them.
		if (one.op === 'login' && domain?.name && answer.json.user.type === 'ephemeral') answer.json.user.domain = { id: `id-of-${domain.name}` };
		assert.deepEqual(comparable(answer.json), comparable(one.expect), one.name);
	}
}

async function validated(one) {
	const answer = await tidelock('check', '--rules', await file('mapping.json', one.mapping), '--dialect', 'keystone', '--json');
	assert.equal(answer.json.valid, one.expect.valid === true, one.name);
	assert.equal(answer.status, one.expect.valid ? 0 : 1, one.name);
	const where = (list) => [...new Set(list.map((each) => each.path))].sort();
	if (one.expect.error?.where) assert.deepEqual(where(answer.json.errors), where(one.expect.error.where), one.name);
}

test('keystone_rules_are_evaluated_and_judged_as_its_engine_does', async () => {
	for (const one of await cases('keystone_cases.json')) {
		if (one.op === 'process' || one.op === 'login') await keystone(one);
		else if (one.op === 'validate') await validated(one);
	}
});

test('the_clouds_rules_give_a_name_and_groups_or_refuse', async () => {
	for (const one of await cases('otc_cases.json')) {
		const claims = await file('claims.json', one.claims);
		const answer = await tidelock('try', 'rules', await file('rules.json', one.rules), '--claims', claims, '--dialect', one.dialect, '--json');
		if (one.expect.deny) assert.equal(answer.json.error?.reason, one.expect.deny, one.name);
		else assert.deepEqual({ user: answer.json.user, groups: answer.json.groups.toSorted() },
			{ user: one.expect.user, groups: one.expect.groups.toSorted() }, one.name);
		assert.equal(answer.status, one.expect.deny ? 1 : 0, one.name);
	}
});

const rule = { remote: [{ type: 'email' }, { type: 'groups', any_one_of: ['ops'] }], local: [{ user: { name: '{0}' } }, { group: { name: 'admin' } }] };

test('the_list_the_mapping_and_the_api_document_are_the_same_rules', async () => {
	const claims = await file('claims.json', { email: 'a@x.org', groups: ['ops'] });
	for (const form of [[rule], { rules: [rule] }, { mapping: { rules: [rule] } }]) {
		const answer = await tidelock('try', 'rules', await file('rules.json', form), '--claims', claims, '--json');
		assert.deepEqual(answer.json, { user: 'a@x.org', groups: ['admin'] });
	}
});

test('explain_tells_each_condition_and_coverage_the_rules_that_never_applied', async () => {
	const never = { remote: [{ type: 'nothing' }], local: [{ user: { name: 'x' } }] };
	const rules = await file('rules.json', [rule, never]);
	const [one, two] = [await file('one.json', { email: 'a@x.org', groups: ['ops'] }), await file('two.json', { email: 'b@x.org', groups: ['dev'] })];
	const told = await tidelock('try', 'rules', rules, '--claims', one, two, '--explain', '--coverage');
	assert.equal(told.status, 1);
	assert.match(told.out, /rule 1 applies\n {4}email = "a@x.org"\n {4}groups = "ops": any_one_of holds\n {4}\{0\} is "a@x.org"/);
	assert.match(told.out, /groups = "dev": any_one_of does not hold: the rule does not apply/);
	assert.match(told.out, /nothing is absent: the rule does not apply/);
	assert.match(told.out, /rule 1 applied to 1 of 2\nrule 2 never applied/);
	const read = await tidelock('try', 'rules', rules, '--claims', one, '--explain', '--json');
	assert.deepEqual(read.json.explain[0], { rule: 1, applies: true, values: [['a@x.org']], remote: [
		{ attribute: 'email', condition: 'value', values: ['a@x.org'], holds: true, gives: ['a@x.org'] },
		{ attribute: 'groups', condition: 'any_one_of', values: ['ops'], holds: true }] });
});

test('what_is_wrong_is_told_with_its_line_and_column', async () => {
	const text = '[\n  { "remote": [ { "type": "email" },\n      { "type": "groups", "any_one_of": ["(a"], "regex": true } ],\n    "local": [ { "user": { "name": "{7}" } } ] }\n]\n';
	const at = await file('rules.json', text);
	const answer = await tidelock('check', '--rules', at, '--json');
	assert.deepEqual(answer.json.errors.map(({ path: where, line, column }) => [where, line, column]),
		[['0/local/0/user/name', 4, 36], ['0/remote/1/any_one_of/0', 3, 42]]);
	const told = await tidelock('check', '--rules', at);
	assert.equal(told.status, 1);
	assert.match(told.err, /rules\.json:4:36: \{7\} is beyond what the rule's conditions give: 1 value/);
	const broken = await tidelock('check', '--rules', await file('rules.json', '[\n {"remote": }]'), '--json');
	assert.deepEqual([broken.json.valid, broken.json.errors[0].line, broken.json.errors[0].column], [false, 2, 13]);
});

test('keystones_schema_judges_and_what_else_we_would_refuse_are_warnings', async () => {
	const mapping = { rules: [{ remote: [{ type: 'a', any_one_of: ['('], regex: true }], local: [{ user: { name: '{0}' } }, { groups: 'x' }] }] };
	const answer = await tidelock('check', '--rules', await file('rules.json', mapping), '--dialect', 'keystone', '--json');
	assert.equal(answer.json.valid, true);
	assert.deepEqual(answer.json.warnings.map((each) => each.path).sort(),
		['rules/0/local/0/user/name', 'rules/0/local/1', 'rules/0/remote/0/any_one_of/0']);
});

test('rules_are_converted_where_the_other_dialect_has_the_words_and_else_the_place_is_told', async () => {
	const mapping = { rules: [{ remote: [{ type: 'a' }, { type: 'g' }], local: [{ user: { name: '{0}' }, group: { name: 'ops', domain: { id: 'acme' } } }, { groups: '{1}', domain: { id: 'acme' } }] }] };
	const cloud = await tidelock('rules', 'convert', await file('rules.json', mapping), '--to', 'otc');
	assert.deepEqual(cloud.json, [{ remote: mapping.rules[0].remote, local: [{ user: { name: '{0}' }, group: { name: 'ops' } }, { groups: '{1}' }] }]);
	const back = await tidelock('rules', 'convert', await file('cloud.json', cloud.json), '--to', 'keystone', '--domain', 'acme');
	assert.deepEqual(back.json, { ...mapping, schema_version: '1.0' });
	const without = await tidelock('rules', 'convert', path.join(dir, 'cloud.json'), '--to', 'keystone');
	assert.deepEqual([without.status, without.out], [1, '']);
	assert.match(without.err, /groups need a domain: --domain ID/);
	mapping.rules[0].remote.push({ type: 'x', whitelist: ['y'] });
	mapping.rules[0].local.push({ group: { id: 'g1' } });
	const cannot = await tidelock('rules', 'convert', await file('rules.json', mapping), '--to', 'huawei');
	assert.equal(cannot.status, 1);
	assert.match(cannot.err, /rules\.json:1:\d+: the cloud has no whitelist and no blacklist \(rules\/0\/remote\/2\)\n.*by id \(rules\/0\/local\/2\/group\)/);
});

test('a_pattern_that_takes_for_ever_refuses_and_ends', async () => {
	const slow = { remote: [{ type: 'a', any_one_of: ['^(a+)+$'], regex: true }], local: [{ user: { name: 'x' } }] };
	const began = performance.now();
	const answer = await tidelock('try', 'rules', await file('rules.json', [slow]), '--json', '--claims', await file('claims.json', { a: `${'a'.repeat(5000)}b` }));
	assert.equal(answer.json.error.reason, 'bad_pattern');
	assert.ok(performance.now() - began < 3000);
});
