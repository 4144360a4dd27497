// Every script and every set of rules in etc/ has cases, and all of them come out.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';

const files = {};
for (const folder of ['mappings', 'policies', 'rules']) {
	for (const name of await readdir(path.join(root, 'etc', folder))) files[`${folder}/${name}`] = await readFile(path.join(root, 'etc', folder, name), 'utf8');
}
const named = Object.keys(files).filter((name) => /\.(lua|json)$/.test(name) && !/\.cases\.json$|\.d\.lua$/.test(name));
const kind = (name) => {
	if (name.startsWith('policies/')) return `policy "${name}" { script = "${name}", may = { http = { "duty.example.org" } } }`;
	if (name.startsWith('rules/')) {
		const dialect = name.includes('keystone') ? 'dialect = "keystone", ' : '';
		return `conversion_rules "${name}" { ${dialect}${name.endsWith('.lua') ? 'script' : 'rules'} = "${name}" }`;
	}
	if (name.startsWith('mappings/github')) return `github_mapping "${name}" { script = "${name}" }`;
	if (name.startsWith('mappings/entra')) return `source_mapping "${name}" { script = "${name}" }`;
	return `scope_mapping "${name.replace(/\W/g, '-')}" { scope = "${name.replace(/\W/g, '-')}", script = "${name}" }`;
};

test('everything_that_is_shipped_has_cases_and_they_come_out', async () => {
	const without = named.filter((name) => !files[name.replace(/\.\w+$/, '.cases.json')]);
	assert.deepEqual(without, []);
	const broker = await Broker.start({ objects: named.map(kind).join('\n'), files });
	const answer = await broker.command('check', '--json');
	const told = JSON.parse(answer.out);
	assert.deepEqual(told.errors, []);
	assert.equal(told.cases >= named.length, true);
});
