// github_graphql.mjs: how GitHub's GraphQL interface is asked, and GitHub's own schema as the judge of what it says of itself.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { buildClientSchema, buildSchema, getIntrospectionQuery } from 'graphql';
import { root } from './broker.mjs';

// Answers { status, headers, text, body }.
export async function query(broker, text, { variables, operationName, token, headers = {}, target = '/api/graphql', body } = {}) {
	const answer = await fetch(`${broker.url}${target}`, {
		method: 'POST', redirect: 'manual',
		headers: { 'content-type': 'application/json; charset=utf-8', ...(token ? { authorization: `token ${token}` } : {}), ...headers },
		body: body ?? JSON.stringify({ query: text, variables, operationName }),
	});
	const out = { status: answer.status, headers: answer.headers, text: await answer.text() };
	try { out.body = JSON.parse(out.text); } catch { /* none */ }
	return out;
}

// What a client makes of the introspection's answer.
export async function clientSchema(broker, token) {
	const { body } = await query(broker, getIntrospectionQuery({ specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true }), { token });
	assert.equal(body.errors, undefined, JSON.stringify(body.errors));
	return buildClientSchema(body.data);
}

async function githubs() {
	const text = await readFile(path.join(root, 'node_modules/@octokit/graphql-schema/schema.graphql'), 'utf8');
	return buildSchema(text, { assumeValid: true, assumeValidSDL: true });
}

// Fields that GitHub Enterprise has and github.com has not.
const enterprises = new Set(['User.suspendedAt']);

const printed = (list) => Object.fromEntries(list.map((one) => [one.name, `${one.type} = ${JSON.stringify(one.defaultValue)}`]));

function assertPartOfField(where, ours, theirs) {
	assert.ok(theirs, `GitHub has no ${where}`);
	assert.equal(String(ours.type), String(theirs.type), where);
	const theirArguments = printed(theirs.args ?? []);
	for (const [name, type] of Object.entries(printed(ours.args ?? []))) assert.equal(type, theirArguments[name], `${where}(${name})`);
}

// Fails unless every type, field, argument and value of `schema` is GitHub's too, of the same type.
export async function assertPartOfGithubs(schema) {
	const theirs = await githubs();
	for (const type of Object.values(schema.getTypeMap())) {
		if (type.name.startsWith('__')) continue;
		const other = theirs.getType(type.name);
		assert.ok(other, `GitHub has no type ${type.name}`);
		assert.equal(type.constructor.name, other.constructor.name, type.name);
		for (const [name, field] of Object.entries(type.getFields?.() ?? {})) {
			if (!enterprises.has(`${type.name}.${name}`)) assertPartOfField(`${type.name}.${name}`, field, other.getFields()[name]);
		}
		for (const value of type.getValues?.() ?? []) assert.ok(other.getValue(value.name), `${type.name}.${value.name}`);
		for (const one of type.getInterfaces?.() ?? []) assert.ok(other.getInterfaces().some((each) => each.name === one.name), `${type.name} implements ${one.name}`);
	}
}
