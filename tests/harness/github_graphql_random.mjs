// github_graphql_random.mjs: queries that nobody wrote, of a schema, and what becomes of them when words change places; the same for
// the same seed. The reference implementation says which of them mean something, and what an answer to them must hold.
import { GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull, executeSync, getNamedType, isAbstractType, isCompositeType, parse, validate } from 'graphql';

// mulberry32
export function generator(seed) {
	const next = () => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
	return { below: (n) => Math.floor(next() * n), chance: (p) => next() < p, of: (list) => list[Math.floor(next() * list.length)] };
}

// What arguments of a name are given.
function plainValue(random, type, name, things) {
	if (type instanceof GraphQLNonNull) return plainValue(random, type.ofType, name, things);
	if (type instanceof GraphQLList) return Array.from({ length: random.below(3) }, () => plainValue(random, type.ofType, name, things));
	if (type instanceof GraphQLEnumType) return random.of(type.getValues()).name;
	if (type instanceof GraphQLInputObjectType) return Object.fromEntries(Object.values(type.getFields()).map((each) => [each.name, plainValue(random, each.type, each.name, things)]));
	if (type.name === 'Int') return 1 + random.below(5);
	if (type.name === 'Boolean') return random.chance(0.5);
	if (name === 'after' || name === 'before') return Buffer.from(`cursor:v2:${1 + random.below(3)}`).toString('base64');
	return random.of(things[name === 'id' || name === 'ids' ? 'ids' : name] ?? things.login);
}

function literal(value, type) {
	if (type instanceof GraphQLNonNull) return literal(value, type.ofType);
	if (type instanceof GraphQLList) return `[${value.map((each) => literal(each, type.ofType)).join(', ')}]`;
	if (type instanceof GraphQLEnumType) return value;
	if (type instanceof GraphQLInputObjectType) return `{${Object.entries(value).map(([name, each]) => `${name}: ${literal(each, type.getFields()[name].type)}`).join(', ')}}`;
	return JSON.stringify(value);
}

class Query {
	constructor(schema, random, things) {
		Object.assign(this, { schema, random, things, variables: {}, declared: [], fragments: [], aliases: 0 });
	}

	argument(argument, value = plainValue(this.random, argument.type, argument.name, this.things)) {
		if (!this.random.chance(0.3)) return `${argument.name}: ${literal(value, argument.type)}`;
		const name = `v${this.declared.length}`;
		this.declared.push(`$${name}: ${argument.type}`);
		this.variables[name] = value;
		return `${argument.name}: $${name}`;
	}

	arguments(field) {
		const out = [];
		for (const each of field.args) {
			const pages = each.name === 'first' && field.args.some((one) => one.name === 'last');
			if (['last', 'before'].includes(each.name) && field.args.some((one) => one.name === 'first')) continue;
			if (pages) out.push(this.argument(each, 1 + this.random.below(5)));
			else if (each.type instanceof GraphQLNonNull || this.random.chance(0.3)) out.push(this.argument(each));
		}
		return out.length ? `(${out.join(', ')})` : '';
	}

	directive() { return this.random.chance(0.08) ? ` @${this.random.of(['include', 'skip'])}(if: ${this.random.chance(0.7)})` : ''; }

	field(type, depth) {
		const fields = Object.values(type.getFields()).filter((each) => depth > 0 || !isCompositeType(getNamedType(each.type)));
		if (!fields.length || this.random.chance(0.05)) return `t${this.aliases++}: __typename`;
		const field = this.random.of(fields);
		const alias = field.args.length || this.random.chance(0.15) ? `a${this.aliases++}: ` : '';
		const named = getNamedType(field.type);
		return `${alias}${field.name}${this.arguments(field)}${this.directive()}${isCompositeType(named) ? this.selections(named, depth - 1) : ''}`;
	}

	selection(type, depth) {
		if (!this.random.chance(isAbstractType(type) ? 0.7 : 0.15)) return this.field(type, depth);
		const on = isAbstractType(type) ? this.random.of(this.schema.getPossibleTypes(type)) : type;
		if (this.random.chance(0.6)) return `...${on === type && this.random.chance(0.3) ? '' : ` on ${on.name}`}${this.directive()}${this.selections(on, depth)}`;
		const name = `F${this.fragments.length}`;
		this.fragments.push('');
		this.fragments[Number(name.slice(1))] = `fragment ${name} on ${on.name}${this.selections(on, depth)}`;
		return `...${name}${this.directive()}`;
	}

	selections(type, depth) {
		const out = isAbstractType(type) ? ['__typename'] : [];
		for (let left = 1 + this.random.below(3); left > 0; left--) out.push(this.selection(type, depth));
		return ` { ${out.join(' ')} }`;
	}

	make() {
		const body = this.selections(this.schema.getQueryType(), 4);
		return { variables: this.variables, text: `query Random${this.declared.length ? `(${this.declared.join(', ')})` : ''}${body}\n${this.fragments.join('\n')}` };
	}
}

// things: values of arguments by their name; `login` for all others.
export const randomQuery = (schema, random, things) => new Query(schema, random, things).make();

// The text with a few words taken out, put twice, exchanged or replaced by words of `others`.
export function damaged(text, random, others) {
	const words = text.match(/"[^"]*"|[\w$@]+|\.\.\.|\S/g);
	for (let times = 1 + random.below(2); times > 0; times--) {
		const at = random.below(words.length);
		const what = random.below(4);
		if (what === 0) words.splice(at, 1);
		else if (what === 1) words.splice(at, 0, words[at]);
		else if (what === 2) words[at] = random.of(words);
		else words[at] = random.of(others);
	}
	return words.join(' ');
}

// Why the reference implementation refuses a text: [] when it does not. That fields of objects of different types, of which one is answered
// at most, should have one type is for those who generate code.
export function refusals(schema, text) {
	let document;
	try { document = parse(text); } catch (error) { return [error.message]; }
	return validate(schema, document).map((error) => error.message).filter((message) => !/they return conflicting types/.test(message));
}

// What the reference implementation makes of the same query when it reads every field of `data`: the same, if that holds just what was asked for.
export function reprojected(schema, { text, variables }, data) {
	const answer = executeSync({
		schema, document: parse(text), variableValues: variables, rootValue: data,
		fieldResolver: (source, _, __, info) => source[info.path.key], typeResolver: (value) => value.__typename,
	});
	return { data: answer.data, errors: answer.errors?.map((error) => error.message) };
}
