// GitHub's GraphQL interface: what gh, Buildbot and Backstage ask, who sees whom, pages by cursors, GitHub's errors, bounds. The schema is
// judged by GitHub's own (npm @octokit/graphql-schema), what is a query by the reference implementation (npm graphql).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';
import { ask, personalToken } from '../harness/github_rest.mjs';
import { assertPartOfGithubs, clientSchema, query } from '../harness/github_graphql.mjs';

const many = Array.from({ length: 12 }, (_, index) => `group "acme/team-${String(index).padStart(2, '0')}" {}`).join('\n');
const broker = await Broker.start({
	objects: `github_mapping "default" { script = "mappings/github_org_team.lua" }
group "acme/web" {}
group "acme/web/mobile" {}
group "other/ops" {}
${many}
user "carol" { name = "Carol \\"C\\"", email = "carol@example.org", email_verified = true, groups = { "acme/web/mobile", "other/ops" } }
user "dave" { name = "Dave", email = "dave@example.org", groups = { "acme/web" } }
user "many" { groups = { ${many.match(/"[^"]+"/g).join(', ')} } }
user "leaves" {}`,
	files: { 'mappings/github_org_team.lua': await readFile(path.join(root, 'etc/mappings/github_org_team.lua'), 'utf8') },
});
const carol = await personalToken(broker, 'carol', 'read:org', 'user:email', 'repo');
const bare = await personalToken(broker, 'carol', 'gist');
const crowd = await personalToken(broker, 'many', 'read:org');
const me = (await ask(broker, '/user', { token: carol })).body;

// The data of a query that must do; the errors of one that must not.
async function data(text, variables, token = carol) {
	const answer = await query(broker, text, { variables, token });
	assert.equal(answer.status, 200, answer.text);
	assert.equal(answer.body.errors, undefined, answer.text);
	return answer.body.data;
}
async function errors(text, variables, token = carol) {
	const answer = await query(broker, text, { variables, token });
	assert.equal(answer.status, 200, answer.text);
	assert.ok(answer.body.errors?.length, answer.text);
	return answer.body.errors;
}

test('gh_asks_who_it_is_and_gets_the_fields_that_it_asked_for_and_no_others', async () => {
	const answer = await query(broker, 'query UserCurrent{viewer{login}}', { token: carol, headers: { 'graphql-features': 'merge_queue', accept: 'application/vnd.github.merge-info-preview+json' } });
	assert.equal(answer.text, '{"data":{"viewer":{"login":"carol"}}}');
	assert.match(answer.headers.get('content-type'), /^application\/json; charset=utf-8$/);
	assert.equal(answer.headers.get('x-ratelimit-resource'), 'graphql');
	assert.equal(answer.headers.get('x-oauth-scopes'), 'read:org, repo, user:email');
	assert.ok(answer.headers.get('x-github-request-id'));
	// Fields come as they were asked for.
	assert.equal((await query(broker, '{viewer{name isViewer login __typename}}', { token: carol })).text, '{"data":{"viewer":{"name":"Carol \\"C\\"","isViewer":true,"login":"carol","__typename":"User"}}}');
	const features = await data('query Issue_fields { Issue: __type(name: "Issue") { fields(includeDeprecated: true) { name } } User: __type(name: "User") { fields { name } } }');
	assert.equal(features.Issue, null);
	assert.ok(features.User.fields.some((field) => field.name === 'databaseId'));
	const teams = await data('query OrganizationTeams($endCursor: String, $owner: String!) { organization(login: $owner) { teams(first: 100, orderBy: {field: NAME, direction: ASC}, after: $endCursor) { nodes { id slug } pageInfo { hasNextPage endCursor } } } }', { owner: 'acme' });
	assert.deepEqual(teams.organization.teams.nodes.map((team) => team.slug).filter((slug) => !/^team-/.test(slug)).sort(), ['mobile', 'web']);
	assert.deepEqual(await data('query OrganizationList($user: String!, $limit: Int!) { user(login: $user) { login organizations(first: $limit) { totalCount nodes { login } } } }', { user: 'Carol', limit: 30 }),
		{ user: { login: 'carol', organizations: { totalCount: 2, nodes: [{ login: 'acme' }, { login: 'other' }] } } });
});

test('buildbot_reads_organisations_and_teams_with_its_two_queries', async () => {
	const first = await data(`
		query {
			viewer { email login name organizations(first: 100) { edges { node { login } } } }
		}`);
	assert.deepEqual(first, { viewer: { email: 'carol@example.org', login: 'carol', name: 'Carol "C"', organizations: { edges: [{ node: { login: 'acme' } }, { node: { login: 'other' } }] } } });
	const teams = `teams(first: 100 userLogins: ["carol"]) { edges { node { name, slug } } }`;
	const answer = await query(broker, `query { acme: organization(login: "acme") { ${teams} } gone: organization(login: "gone") { ${teams} } }`, { token: carol });
	assert.deepEqual(answer.body.data.acme.teams.edges.map((edge) => edge.node.name).sort(), ['mobile', 'web']);
	assert.deepEqual(Object.keys(answer.body.data.acme.teams.edges[0].node), ['name', 'slug']);
	assert.equal(answer.body.data.gone, null);
	assert.deepEqual(answer.body.errors, [{ type: 'NOT_FOUND', path: ['gone'], locations: [{ line: 1, column: 121 }], message: "Could not resolve to an Organization with the login of 'gone'." }]);
});

test('what_the_schema_says_of_itself_is_a_part_of_github_s', async () => {
	const schema = await clientSchema(broker, bare);
	await assertPartOfGithubs(schema);
	for (const name of ['User', 'Organization', 'Team', 'PageInfo']) assert.ok(schema.getType(name), name);
});
