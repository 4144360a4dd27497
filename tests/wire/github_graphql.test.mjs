// GitHub's GraphQL interface: what gh, Buildbot and Backstage ask, who sees whom, pages by cursors, GitHub's errors, bounds. The schema is
// judged by GitHub's own (npm @octokit/graphql-schema), what is a query by the reference implementation (npm graphql).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';
import { ask, personalToken } from '../harness/github_rest.mjs';
import { assertPartOfGithubs, clientSchema, query } from '../harness/github_graphql.mjs';
import { damaged, generator, randomQuery, refusals, reprojected } from '../harness/github_graphql_random.mjs';

const many = Array.from({ length: 12 }, (_, index) => `group "acme/team-${String(index).padStart(2, '0')}" {}`).join('\n');
const broker = await Broker.start({
	objects: `github_mapping "default" { script = "mappings/github_org_team.lua" }
group "acme/web" {}
group "acme/web/mobile" {}
group "deep/one" {}
group "deep/one/two" {}
group "deep/one/two/three" {}
group "other/ops" {}
${many}
user "carol" { name = "Carol \\"C\\"", email = "carol@example.org", email_verified = true, groups = { "acme/web/mobile", "other/ops" } }
user "dave" { name = "Dave", email = "dave@example.org", groups = { "acme/web" } }
user "many" { groups = { ${many.match(/"[^"]+"/g).join(', ')} } }
user "zoe" { name = "Zoe", email = "zoe@example.org", email_verified = true, groups = { "other/ops" } }
user "leaves" {}
user "tim" { groups = { "deep/one/two/three" } }
group "readers" { permissions = { "read_directory" } }
user "copier" { type = "service_account", groups = { "readers" } }
user "plain" { type = "service_account" }`,
	files: { 'mappings/github_org_team.lua': await readFile(path.join(root, 'etc/mappings/github_org_team.lua'), 'utf8') },
});
const carol = await personalToken(broker, 'carol', 'read:org', 'user:email', 'repo');
const bare = await personalToken(broker, 'carol', 'gist');
const dave = await personalToken(broker, 'dave', 'read:org', 'read:user');
const copier = await personalToken(broker, 'copier', 'read:org', 'read:user');
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

test('backstage_copies_an_organisation_page_by_page', async () => {
	const users = `query users($org: String!, $email: Boolean!, $cursor: String, $organizationMembersPageSize: Int!) {
      organization(login: $org) {
        membersWithRole(first: $organizationMembersPageSize, after: $cursor) {
          pageInfo { hasNextPage, endCursor }
          nodes { avatarUrl, bio, email @include(if: $email), id, login, name, suspendedAt, organizationVerifiedDomainEmails(login: $org) }
        }
      }
    }`;
	const found = await data(users, { org: 'acme', email: true, organizationMembersPageSize: 50 });
	const mine = found.organization.membersWithRole.nodes.find((node) => node.login === 'carol');
	assert.deepEqual(mine, { avatarUrl: me.avatar_url, bio: null, email: 'carol@example.org', id: me.node_id, login: 'carol', name: 'Carol "C"', suspendedAt: null, organizationVerifiedDomainEmails: ['carol@example.org'] });
	const without = await data(users, { org: 'acme', email: false, organizationMembersPageSize: 1 }, crowd);
	assert.ok(!('email' in without.organization.membersWithRole.nodes[0]), 'a field that is left out needs no scope');

	const teams = `query teams($org: String!, $cursor: String, $userLogins: [String!] = "", $teamsPageSize: Int!, $membersPageSize: Int!) {
      organization(login: $org) {
        teams(first: $teamsPageSize, after: $cursor, userLogins: $userLogins) {
          pageInfo { hasNextPage endCursor }
          nodes { slug combinedSlug name description avatarUrl editTeamUrl parentTeam { slug }
            members(first: $membersPageSize, membership: IMMEDIATE) { pageInfo { hasNextPage } nodes { login id } } }
        }
      }
    }`;
	const seen = [];
	for (let cursor = null, rounds = 0; ; rounds++) {
		const page = (await data(teams, { org: 'acme', cursor, userLogins: ['many'], teamsPageSize: 5, membersPageSize: 10 }, crowd)).organization.teams;
		seen.push(...page.nodes.map((team) => team.slug));
		cursor = page.pageInfo.endCursor;
		assert.ok(rounds < 5);
		if (!page.pageInfo.hasNextPage) break;
	}
	assert.deepEqual(seen.sort(), Array.from({ length: 12 }, (_, index) => `team-${String(index).padStart(2, '0')}`));
	const mobile = await data('query teams($org: String!, $teamSlug: String!) { organization(login: $org) { team(slug: $teamSlug) { slug combinedSlug avatarUrl editTeamUrl parentTeam { slug parentTeam { slug } } ancestors(first: 5) { nodes { slug } } members(first: 10, membership: IMMEDIATE) { nodes { login } edges { role memberAccessUrl } } } } }', { org: 'ACME', teamSlug: 'Mobile' });
	const { team } = mobile.organization;
	assert.deepEqual([team.combinedSlug, team.editTeamUrl, team.parentTeam, team.ancestors.nodes], ['acme/mobile', `${broker.url}/orgs/acme/teams/mobile/edit`, { slug: 'web', parentTeam: null }, [{ slug: 'web' }]]);
	assert.deepEqual(team.members, { nodes: [{ login: 'carol' }], edges: [{ role: 'MEMBER', memberAccessUrl: `${broker.url}/orgs/acme/teams/mobile/members/carol` }] });
	assert.match((await fetch(team.avatarUrl)).headers.get('content-type'), /^image\/svg/);
	assert.deepEqual((await data('query orgs($user: String!) { user(login: $user) { organizations(first: 100) { nodes { login } pageInfo { hasNextPage, endCursor } } } }', { user: 'carol' })).user.organizations.nodes.map((one) => one.login), ['acme', 'other']);
});

test('lists_are_walked_from_either_end_and_a_cursor_is_a_place_in_them', async () => {
	const page = async (given) => {
		const { teams } = (await data(`{organization(login:"acme"){teams(userLogins:["many"], ${given}){totalCount edges{cursor} nodes{slug} pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}}`, {}, crowd)).organization;
		assert.equal(teams.totalCount, 12, given);
		assert.deepEqual(teams.edges.length ? [teams.edges[0].cursor, teams.edges.at(-1).cursor] : [null, null], [teams.pageInfo.startCursor, teams.pageInfo.endCursor]);
		return teams;
	};
	const all = (await page('first: 100')).nodes.map((team) => team.slug);
	const cursors = (await page('first: 100')).edges.map((edge) => edge.cursor);
	for (const [given, from, to, before, after] of [
		['first: 5', 0, 5, false, true], [`first: 5, after: "${cursors[4]}"`, 5, 10, true, true], [`first: 5, after: "${cursors[9]}"`, 10, 12, true, false],
		[`first: 5, after: "${cursors[11]}"`, 12, 12, true, false], ['last: 3', 9, 12, true, false], [`last: 3, before: "${cursors[2]}"`, 0, 2, false, true],
		[`last: 3, before: "${cursors[6]}"`, 3, 6, true, true], [`first: 2, before: "${cursors[1]}"`, 0, 1, false, true], ['first: 0', 0, 0, false, true],
		[`first: 3, after: "${Buffer.from('cursor:v2:999999999').toString('base64')}"`, 0, 0, true, false],
	]) {
		const got = await page(given);
		assert.deepEqual(got.nodes.map((team) => team.slug), all.slice(from, to), given);
		assert.deepEqual([got.pageInfo.hasPreviousPage, got.pageInfo.hasNextPage], [before, after], given);
	}
	assert.deepEqual((await page('first: 4, orderBy: {field: NAME, direction: DESC}')).nodes.map((team) => team.slug), all.slice(-4).reverse());
	assert.equal((await data('{organization(login:"acme"){teams(first:3, query:"team-0"){totalCount}}}', {}, crowd)).organization.teams.totalCount, 10);
	assert.equal((await data('{organization(login:"acme"){teams{totalCount}}}', {}, crowd)).organization.teams.totalCount, 14);
	for (const [given, type, message] of [
		['', 'MISSING_PAGINATION_BOUNDARIES', /`first` or `last` value to properly paginate the `teams` connection/],
		['first: 101', 'EXCESSIVE_PAGINATION', /Requesting 101 records on the `teams` connection exceeds the `first` limit of 100 records/],
		['last: 1000000000', 'EXCESSIVE_PAGINATION', /exceeds the `last` limit/], ['first: -1', 'UNPROCESSABLE', /cannot be less than zero/],
		['first: 1, last: 1', 'UNPROCESSABLE', /both/], ['first: 1, after: "1"', 'INVALID_CURSOR_ARGUMENTS', /`1` does not appear to be a valid cursor/],
		['first: 1, after: "' + Buffer.from('cursor:v2:-1').toString('base64') + '"', 'INVALID_CURSOR_ARGUMENTS', /valid cursor/],
	]) {
		const [error] = await errors(`{organization(login:"acme"){teams${given && `(${given})`}{nodes{slug}}}}`, {}, crowd);
		assert.equal(error.type, type, given);
		assert.match(error.message, message);
	}
});

test('who_and_what_the_mapping_does_not_give_is_not_found', async () => {
	const zoe = (await data('{user(login:"zoe"){id}}', {}, copier)).user.id;
	for (const [text, message] of [
		['{user(login:"leaves"){login}}', /User with the login of 'leaves'/], ['{user(login:"nobody"){login}}', /User with the login of 'nobody'/],
		['{organization(login:"other"){login}}', /Organization with the login of 'other'/], ['{organization(login:"nowhere"){login}}', /Organization with the login of 'nowhere'/],
		['{user(login:"zoe"){login}}', /User with the login of 'zoe'/], [`{node(id:"${zoe}"){id}}`, /node with the global id/], ['{node(id:"rubbish"){id}}', /node with the global id of 'rubbish'/],
	]) {
		const found = await errors(text, {}, crowd);
		assert.deepEqual([found.length, found[0].type, found[0].path.length], [1, 'NOT_FOUND', 1], text);
		assert.match(found[0].message, message);
	}
	const web = (await ask(broker, '/orgs/acme/teams/web', { token: carol })).body;
	const acme = (await ask(broker, '/orgs/acme', { token: carol })).body;
	const found = await data('query($ids:[ID!]!){nodes(ids:$ids){__typename id ...on User{databaseId url avatarUrl(size:40)} ...on Organization{databaseId url} ...on Team{databaseId url}}}', { ids: [me.node_id, 'x', acme.node_id, web.node_id] });
	assert.deepEqual(found.nodes, [
		{ __typename: 'User', id: me.node_id, databaseId: me.id, url: me.html_url, avatarUrl: me.avatar_url.replace('?', '?s=40&') }, null,
		{ __typename: 'Organization', id: acme.node_id, databaseId: acme.id, url: acme.html_url }, { __typename: 'Team', id: web.node_id, databaseId: web.id, url: web.html_url },
	]);
	assert.deepEqual((await data('query($ids:[ID!]!){nodes(ids:$ids){id}}', { ids: [web.node_id] }, bare)).nodes, [null], 'a team needs the scope here as well');
	const scopes = await errors('{viewer{email organizations(first:1){nodes{login}}}}', {}, bare);
	assert.deepEqual(scopes.map((error) => error.type), ['INSUFFICIENT_SCOPES', 'INSUFFICIENT_SCOPES']);
	assert.match(scopes[0].message, /The 'email' field requires one of the following scopes: \['user:email', .*only been granted the: \['gist'\] scopes/);
	assert.equal((await data('{viewer{login name}}', {}, bare)).viewer.login, 'carol');
	const { viewer } = await data('{viewer{organization(login:"acme"){viewerIsAMember viewerCanAdminister team(slug:"web"){viewerCanAdminister}} no:organization(login:"nowhere"){login} isSiteAdmin}}');
	assert.deepEqual(viewer, { organization: { viewerIsAMember: true, viewerCanAdminister: false, team: { viewerCanAdminister: false } }, no: null, isSiteAdmin: false });
});

test('people_of_one_organisation_see_each_other_and_a_service_account_everybody', async () => {
	const members = `membersWithRole(first: 10) { totalCount edges { role hasTwoFactorEnabled node { login email isViewer organizations(first: 10) { nodes { login } } } } }`;
	const seen = (await data(`{ organization(login: "acme") { ${members} } }`, {}, dave)).organization.membersWithRole;
	const by = Object.fromEntries(seen.edges.map((edge) => [edge.node.login, edge]));
	assert.deepEqual([seen.totalCount, Object.keys(by).sort()], [3, ['carol', 'dave', 'many']]);
	assert.deepEqual(by.carol, { role: 'MEMBER', hasTwoFactorEnabled: null, node: { login: 'carol', email: '', isViewer: false, organizations: { nodes: [{ login: 'acme' }] } } }, 'nothing of an address, or of an organisation that one is not in');
	assert.equal(by.dave.node.isViewer, true);
	assert.deepEqual((await data('{user(login:"carol"){name url organization(login:"other"){login} teams:organization(login:"acme"){teams(first:9,userLogins:["carol"]){nodes{slug}}}}}', {}, dave)).user,
		{ name: 'Carol "C"', url: `${broker.url}/carol`, organization: null, teams: { teams: { nodes: [{ slug: 'mobile' }, { slug: 'web' }] } } });
	const web = (await data('{organization(login:"acme"){team(slug:"web"){all:members(first:9){nodes{login}} own:members(first:9,membership:IMMEDIATE){nodes{login}} below:members(first:9,membership:CHILD_TEAM){nodes{login}} chiefs:members(first:9,role:MAINTAINER){totalCount} childTeams(first:9){nodes{slug}}}}}', {}, dave)).organization.team;
	const logins = (connection) => connection.nodes.map((node) => node.login).sort();
	assert.deepEqual([logins(web.all), logins(web.own), logins(web.below), web.chiefs.totalCount, web.childTeams.nodes], [['carol', 'dave'], ['dave'], ['carol'], 0, [{ slug: 'mobile' }]]);

	const deep = (await data('{organization(login:"deep"){roots:teams(first:9,rootTeamsOnly:true){nodes{slug}} team(slug:"one"){direct:childTeams(first:9){nodes{slug}} all:childTeams(first:9,immediateOnly:false){totalCount nodes{slug parentTeam{parentTeam{slug}} ancestors(first:9){nodes{slug}}}}}}}', {}, copier)).organization;
	assert.deepEqual(deep, { roots: { nodes: [{ slug: 'one' }] }, team: { direct: { nodes: [{ slug: 'two' }] }, all: { totalCount: 2, nodes: [
		{ slug: 'three', parentTeam: { parentTeam: { slug: 'one' } }, ancestors: { nodes: [{ slug: 'two' }, { slug: 'one' }] } },
		{ slug: 'two', parentTeam: { parentTeam: null }, ancestors: { nodes: [{ slug: 'one' }] } },
	] } } });
	const whole = await data(`{ acme: organization(login: "acme") { viewerIsAMember ${members} } other: organization(login: "other") { ${members} } user(login: "leaves") { login organizations(first: 1) { totalCount } } }`, {}, copier);
	assert.deepEqual([whole.acme.viewerIsAMember, whole.acme.membersWithRole.totalCount, whole.user], [false, 3, { login: 'leaves', organizations: { totalCount: 0 } }]);
	assert.deepEqual(whole.other.membersWithRole.edges.map((edge) => [edge.node.login, edge.node.organizations.nodes.map((one) => one.login)]).sort(), [['carol', ['acme', 'other']], ['zoe', ['other']]]);
	const chief = await personalToken(broker, 'copier', 'site_admin');
	assert.deepEqual(await data('{viewer{isSiteAdmin} user(login:"copier"){isSiteAdmin}}', {}, chief), { viewer: { isSiteAdmin: true }, user: { isSiteAdmin: true } });
	assert.equal((await data('{viewer{isSiteAdmin}}', {}, copier)).viewer.isSiteAdmin, false);
	const plain = await personalToken(broker, 'plain', 'read:org');
	assert.equal((await errors('{organization(login:"acme"){login}}', {}, plain))[0].type, 'NOT_FOUND', 'a service account without the permission sees nobody');
});

test('errors_of_the_token_and_the_body_are_those_of_the_other_interface', async () => {
	for (const [options, status, message] of [
		[{}, 401, 'This endpoint requires you to be authenticated.'], [{ token: 'gho_' + 'x'.repeat(36) }, 401, 'Bad credentials'],
		[{ token: carol, body: 'rubbish' }, 400, 'Problems parsing JSON'], [{ token: carol, body: '[]' }, 400, 'Problems parsing JSON'], [{ token: carol, body: '' }, 400, 'Problems parsing JSON'],
	]) {
		const answer = await query(broker, '{viewer{login}}', options);
		assert.deepEqual([answer.status, answer.body.message, answer.body.status], [status, message, String(status)], answer.text);
		assert.ok(answer.headers.get('x-github-request-id'));
	}
	for (const body of ['{}', '{"query":null}', '{"query":7}']) {
		assert.deepEqual((await query(broker, '', { token: carol, body })).body, { errors: [{ message: 'A query attribute must be specified and must be a string.' }] });
	}
	const get = await ask(broker, '/api/graphql?query={viewer{login}}', { token: carol, prefix: '' });
	assert.deepEqual([get.status, get.body.message], [404, 'Not Found']);
	assert.equal((await errors('{viewer{nothing}}'))[0].extensions.code, 'undefinedField');
});

test('what_is_too_much_is_refused_at_once_and_the_broker_goes_on', async () => {
	const deep = `${'{viewer'.repeat(1000)}${'}'.repeat(1000)}`;
	for (const [text, message] of [
		[deep, /levels deep/], [`{${'a:viewer{login} '.repeat(4000)}}`, /tokens/], ['{viewer{login}}' + ' '.repeat(70000), /bytes/],
		[`{${Array.from({ length: 1000 }, (_, i) => `a${i}:viewer{...F}`).join(' ')}} fragment F on User{login id name bio url}`, /selects more than 5000/],
		[`{viewer{${'organizations(first:100){nodes{teams(first:100){nodes{members(first:100){nodes{'}${'organizations(first:100){nodes{login}}'}}}}}}}}}`, /possible nodes which exceeds the maximum limit of 500,000/],
	]) {
		const [error] = await errors(text);
		assert.match(error.message, message);
	}
	const [error] = await errors(`query($x:String!){${Array.from({ length: 90 }, (_, i) => `a${i}:user(login:$x){login}`).join(' ')}}`, { x: 'x'.repeat(60000) });
	assert.equal(error.type, 'RESOURCE_LIMITS_EXCEEDED', 'what does not exist is not repeated for ever');
	const logins = (count) => ({ u: Array.from({ length: count }, (_, i) => `nobody-${i}`) });
	const byLogins = (aliases) => `query($u:[String!]){organization(login:"acme"){${Array.from({ length: aliases }, (_, i) => `a${i}:teams(userLogins:$u){totalCount}`).join(' ')}}}`;
	assert.equal((await errors(byLogins(1), logins(101)))[0].type, 'ARGUMENT_LIMIT', 'each name is looked up');
	assert.equal((await errors(byLogins(200), logins(100)))[0].type, 'RESOURCE_LIMITS_EXCEEDED');
	assert.deepEqual(await data('{rateLimit{cost nodeCount used} viewer{organizations(first:3){nodes{teams(first:7){totalCount}}}}}').then((found) => found.rateLimit), { cost: 1, nodeCount: 24, used: 0 });
});

test('ten_times_the_text_is_at_most_fifteen_times_the_work', async () => {
	const [, worker] = await broker.processes();
	// What the loop's thread took of the processor, in nanoseconds: other programs run beside us.
	const taken = async () => Number((await readFile(`/proc/${worker}/task/${worker}/schedstat`, 'utf8')).split(' ')[0]);
	const work = async (text) => {
		let least = Infinity;
		for (let times = 0; times < 2; times++) {
			const before = await taken();
			await query(broker, text, { token: bare });
			least = Math.min(least, await taken() - before);
		}
		return least;
	};
	const list = (n, one) => Array.from({ length: n }, (_, index) => one(index)).join(' ');
	for (const [name, make] of Object.entries({
		aliases: (n) => `{${list(n, (i) => `a${i}:__typename`)}}`, merged: (n) => `{${'viewer{login} '.repeat(n)}}`, wrong: (n) => `{${'no '.repeat(n)}}`,
		comments: (n) => `{__typename}${'#\n'.repeat(n)}`, text: (n) => `{user(login:"${'\\n'.repeat(n)}"){login}}`, block: (n) => `{user(login:"""${'  \n'.repeat(n)}"""){login}}`,
		open: (n) => `{user(login:"""${'\\"""'.repeat(n)}`, list: (n) => `{nodes(ids:[${'1 '.repeat(n)}]){id}}`, variables: (n) => `query(${list(n / 3, (i) => `$v${i}:Int`)}){__typename}`,
		spreads: (n) => `{...F0} ${list(n / 20, (i) => `fragment F${i} on Query{...F${i + 1}}`)} fragment F${n / 20} on Query{__typename}`,
	})) {
		let one, ten;
		for (let times = 0; times < 4 && !(ten < 15 * one); times++) [one, ten] = [await work(make(240)), await work(make(2400))];
		assert.ok(ten < 15 * one, `${name}: ${one} ns, ten times as much ${ten} ns`);
	}
});

test('what_the_schema_says_of_itself_is_a_part_of_github_s', async () => {
	const schema = await clientSchema(broker, bare);
	await assertPartOfGithubs(schema);
	for (const name of ['User', 'Organization', 'Team', 'PageInfo']) assert.ok(schema.getType(name), name);
});

test('a_query_that_nobody_wrote_is_answered_with_just_what_it_asks_for_and_a_damaged_one_refused', async () => {
	const schema = await clientSchema(broker, carol);
	const web = (await ask(broker, '/orgs/acme/teams/web', { token: carol })).body;
	const acme = (await ask(broker, '/orgs/acme', { token: carol })).body;
	const things = { login: ['carol', 'CAROL', 'acme', 'other', 'nobody'], slug: ['web', 'mobile', 'none'], query: ['we', ''], name: ['User', 'Team', 'Nothing'],
		userLogins: ['carol', 'dave'], ids: [me.node_id, web.node_id, acme.node_id, 'MDQ6VXNlcjk5OTk=', 'rubbish'] };
	const words = ['login', 'id', '{', '}', '(', ')', '...', 'on', 'User', 'Team', 'Node', 'first', '1', '"x"', 'null', '$v0', '$', '!', '[', ']', ':', '@skip', 'fragment', 'F0'];
	const random = generator(20261122);
	let answered = 0, refused = 0;
	for (let round = 0; round < 40; round++) {
		const made = randomQuery(schema, random, things);
		assert.deepEqual(refusals(schema, made.text), [], made.text);
		const { body } = await query(broker, made.text, { variables: made.variables, token: carol });
		assert.ok(body.data !== undefined || body.errors.every((error) => error.type), `${made.text}\n${JSON.stringify(body.errors)}`);
		if (body.data) {
			answered++;
			assert.equal(JSON.stringify(reprojected(schema, made, body.data)), JSON.stringify({ data: body.data }), made.text);
		}
		const text = damaged(made.text, random, words);
		const why = refusals(schema, text);
		const other = (await query(broker, text, { variables: made.variables, operationName: 'Random', token: carol })).body;
		const ours = (other.errors ?? []).filter((error) => error.extensions?.code || /^Parse error|^Unexpected end/.test(error.message));
		assert.equal(ours.length > 0, why.length > 0, `${text}\nours: ${JSON.stringify(other.errors)}\ntheirs: ${why.join('; ')}`);
		refused += why.length > 0 ? 1 : 0;
	}
	assert.ok(answered > 25 && refused > 15, `${answered} answered, ${refused} refused`);
});
