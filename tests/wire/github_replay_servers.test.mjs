// Applications that people use, signing them in with GitHub Enterprise, replayed call by call: Sentry, Buildbot, Verdaccio, GitLab and
// Discourse, Gitea, Zitadel, Teleport, LemonLDAP::NG, Spring Security, ASP.NET Core, ToolJet, Airflow, Superset. Each function is what
// the program does with the answers.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { pkce } from '../harness/browser.mjs';
import { basic, callback, decode, form, goAuthorize, goExchange, goUser, http, pages, secret, world } from '../harness/github_programs.mjs';
import { personalToken } from '../harness/github_rest.mjs';

const programs = {
	sentry: { redirect_uri: 'https://sentry.example.org/auth/sso/' },
	buildbot: { redirect_uri: 'https://buildbot.example.org/auth/login' },
	verdaccio: { redirect_uri: 'https://npm.example.org/-/oauth/callback' },
	gitlab: { redirect_uri: 'https://gitlab.example.org/users/auth' },
	gitea: { redirect_uri: 'https://gitea.example.org/user/oauth2/corp/callback', more: 'preset = "gitea"' },
	zitadel: { redirect_uri: 'https://zitadel.example.org/idps/callback' },
	teleport: { redirect_uri: 'https://teleport.example.org/v1/webapi/github/callback' },
	lemonldap: { redirect_uri: 'https://auth.example.org/' },
	spring: { redirect_uri: 'https://spring.example.org/login/oauth2/code/github' },
	aspnet: { redirect_uri: 'https://net.example.org/signin-github' },
	tooljet: { redirect_uri: 'https://tooljet.example.org/sso/git' },
	airflow: { redirect_uri: 'https://airflow.example.org/ghe_oauth/callback' },
	superset: { redirect_uri: 'https://superset.example.org/oauth-authorized/github' },
};
const broker = await world(programs);
const api = `${broker.url}/api/v3`;
const uri = (name) => programs[name].redirect_uri;

const authorize = (person, name, scope, more = {}) => callback(broker, person, '/login/oauth/authorize',
	{ client_id: name, redirect_uri: uri(name), response_type: 'code', ...(scope === undefined ? {} : { scope }), state: `of ${name}`, ...more });
async function redeem(fields, headers = {}) {
	const request = form(fields);
	return http(`${broker.url}/login/oauth/access_token`, { ...request, headers: { ...request.headers, ...headers } });
}
const asJson = { accept: 'application/json' };
const mine = (name) => ({ client_id: name, client_secret: secret });
const getter = (authorization) => async (target) => {
	const answer = await http(`${api}${target}`, { headers: { authorization } });
	if (answer.status !== 200) throw new Error(`${answer.status} ${target}`);
	return answer.json();
};

// Reads a form; where the body is JSON it would fail.
async function sentry(person, organization) {
	const { code } = await authorize(person, 'sentry', 'user:email,read:org,repo');
	const { text } = await redeem({ grant_type: 'authorization_code', code, redirect_uri: uri('sentry'), ...mine('sentry') });
	const get = getter(`token ${new URLSearchParams(text).get('access_token')}`);
	if (!(await get('/user/orgs')).some((each) => String(each.id) === String(organization))) throw new Error('ERR_NO_ORG_ACCESS');
	const user = await get('/user');
	const emails = (await get('/user/emails')).filter((each) => each.verified && each.primary);
	if (emails.length !== 1) throw new Error(emails.length ? 'ERR_NO_SINGLE_PRIMARY_EMAIL' : 'ERR_NO_VERIFIED_PRIMARY_EMAIL');
	return { id: user.id, email: emails[0].email, name: user.name ?? emails[0].email };
}

async function buildbot(person, version) {
	const { code } = await authorize(person, 'buildbot', 'user:email read:org');
	const answer = await redeem({ redirect_uri: uri('buildbot'), code, grant_type: 'authorization_code', ...mine('buildbot') });
	let content;
	try { content = answer.json(); } catch { content = Object.fromEntries(new URLSearchParams(answer.text)); }
	const authorization = `token ${content.access_token}`;
	if (version === 3) {
		const get = getter(authorization);
		const [user, emails, orgs] = [await get('/user'), await get('/user/emails'), await get('/user/orgs')];
		for (const each of emails) if (each.primary) { user.email = each.email; break; }
		return { full_name: user.name, email: user.email, username: user.login, groups: orgs.map((each) => each.login).sort() };
	}
	const ask = async (query) => (await http(`${broker.url}/api/graphql`, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: JSON.stringify({ query: query.trim() }) })).json();
	const { viewer } = (await ask('query { viewer { email login name organizations(first: 100) { edges { node { login } } } } }')).data;
	const groups = viewer.organizations.edges.map((each) => each.node.login);
	// One alias an organisation, no comma between the arguments.
	const parts = groups.map((login) => `${login.replace(/\W/g, '_')}: organization(login: "${login}") { teams(first: 100 userLogins: ["${viewer.login}"]) { edges { node { name, slug } } } }`);
	const { data } = await ask(`query getTeamMembership { ${parts.join('\n')} }`);
	for (const login of [...groups]) for (const { node } of data[login.replace(/\W/g, '_')]?.teams.edges ?? []) groups.push(`${login}/${node.name}`);
	return { full_name: viewer.name, email: viewer.email, username: viewer.login, groups: groups.sort() };
}

test('Sentry_wants_exactly_one_primary_address_and_the_number_of_an_organisation', async () => {
	const { code } = await authorize('carol', 'sentry', 'user:email,read:org,repo');
	const { text } = await redeem({ code, ...mine('sentry') });
	const orgs = await getter(`token ${new URLSearchParams(text).get('access_token')}`)('/user/orgs');
	const acme = orgs.find((each) => each.login === 'acme').id;
	const { email, name } = await sentry('carol', acme);
	assert.deepEqual([email, name], ['carol@example.org', 'Carol Danvers']);
	await assert.rejects(sentry('erin', acme), /ERR_NO_ORG_ACCESS/);
	await assert.rejects(sentry('dave', acme), /ERR_NO_VERIFIED_PRIMARY_EMAIL/);
});

test('Buildbot_asks_by_rest_or_by_graphql', async () => {
	const carol = { full_name: 'Carol Danvers', email: 'carol@example.org', username: 'carol' };
	assert.deepEqual(await buildbot('carol', 3), { ...carol, groups: ['acme', 'other'] });
	assert.deepEqual(await buildbot('carol', 4), { ...carol, groups: ['acme', 'acme/mobile', 'acme/web', 'other', 'other/ops'] });
	assert.deepEqual((await buildbot('erin', 4)).groups, []);
});

test('Verdaccio_sends_neither_scope_nor_state_and_json', async () => {
	const { code, state } = await callback(broker, 'carol', '/login/oauth/authorize', { client_id: 'verdaccio', redirect_uri: uri('verdaccio') });
	assert.equal(state, undefined);
	const { access_token: token, scope } = (await http(`${broker.url}/login/oauth/access_token`, {
		method: 'POST', headers: { ...asJson, 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify({ ...mine('verdaccio'), code }),
	})).json();
	assert.equal(scope, '');
	assert.equal((await getter(`Bearer ${token}`)('/user')).login, 'carol');
	// Groups come by another token, of a service account: one look-up for each group that its configuration names.
	const authorization = `token ${await personalToken(broker, 'reader', 'read:org')}`;
	const status = async (target) => (await http(`${api}${target}`, { headers: { authorization, accept: 'application/vnd.github.v3+json' } })).status;
	const groups = async (login) => {
		const found = [];
		if ((await status(`/orgs/acme/members/${login}`)) === 204) found.push('github/org/acme');
		if ((await status(`/orgs/acme/teams/mobile/memberships/${login}`)) === 200) found.push('github/org/acme/team/mobile');
		if ((await status(`/repos/acme/thing/collaborators/${login}`)) === 204) found.push('github/repo/acme/thing');
		return found;
	};
	assert.deepEqual([await groups('carol'), await groups('dave'), await groups('erin'), await groups('nobody')], [['github/org/acme', 'github/org/acme/team/mobile'], ['github/org/acme'], [], []]);
});

test('GitLab_and_Discourse_come_back_below_what_is_registered', async () => {
	const redirect_uri = `${uri('gitlab')}/github/callback`;
	const { code } = await authorize('carol', 'gitlab', 'user:email', { redirect_uri });
	const answer = await redeem({ ...mine('gitlab'), code, grant_type: 'authorization_code', redirect_uri }, { accept: '*/*' });
	const token = new URLSearchParams(answer.text);
	const get = getter(`Bearer ${token.get('access_token')}`);
	const info = await get('/user');
	const emails = token.get('scope').split(',').includes('user:email') ? await get('/user/emails') : [];
	assert.deepEqual([String(info.id) !== '0', info.login, info.name, emails.find((each) => each.primary && each.verified).email], [true, 'carol', 'Carol Danvers', 'carol@example.org']);
	// Discourse believes every verified address of the list: there is none that is not the person's.
	assert.ok(emails.every((each) => each.verified && each.email === 'carol@example.org'));
});

test('Gitea_of_before_shows_its_token_in_the_query', async () => {
	const { code } = await goAuthorize(broker, 'carol', 'gitea', uri('gitea'), 'user:email');
	const { access_token: token } = await goExchange(broker, 'gitea', uri('gitea'), code);
	const get = async (target) => (await http(`${api}${target}?access_token=${encodeURIComponent(token)}`)).json();
	const user = decode({ id: 'int', email: 'string', bio: 'string', name: 'string', login: 'string', avatar_url: 'string', location: 'string' }, await get('/user'));
	const emails = decode([{ email: 'string', primary: 'bool', verified: 'bool' }], await get('/user/emails'));
	assert.deepEqual([user.login, user.name, emails.find((each) => each.primary && each.verified).email], ['carol', 'Carol Danvers', 'carol@example.org']);
});

test('Zitadel_decodes_the_whole_profile_with_its_times_and_numbers', async () => {
	const { code } = await goAuthorize(broker, 'carol', 'zitadel', uri('zitadel'), 'user');
	const token = await goExchange(broker, 'zitadel', uri('zitadel'), code);
	const counts = Object.fromEntries(['private_gists', 'total_private_repos', 'owned_private_repos', 'disk_usage', 'collaborators'].map((name) => [name, '*int']));
	const user = decode({ ...goUser, ...counts, twitter_username: 'string' }, await getter(`Bearer ${token.access_token}`)('/user'));
	assert.ok(user.created_at && user.updated_at);
	assert.deepEqual([user.email, user.total_private_repos, user.plan.space, user.two_factor_authentication], ['carol@example.org', 0, 0, false]);
});

test('Teleport_asks_again_at_its_own_base_for_the_path_of_next', async () => {
	const teams = async (person) => {
		const { code } = await authorize(person, 'teleport', 'read:org');
		const { access_token: token } = (await redeem({ code, grant_type: 'authorization_code', redirect_uri: uri('teleport'), ...mine('teleport') }, asJson)).json();
		const get = async (url) => http(url, { headers: { authorization: `token ${token}` } });
		const { login } = (await get(`${api}/user`)).json();
		const list = await pages(`${api}/user/teams`, get, (answer) => {
			const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
			return next && `${broker.url}${new URL(next).pathname}${new URL(next).search}`;
		});
		if (!list.length) throw new Error(`user ${login} does not belong to any teams`);
		return list.map((each) => `${each.organization.login}/${each.slug}`).sort();
	};
	assert.deepEqual(await teams('carol'), ['acme/mobile', 'acme/web', 'other/ops']);
	assert.equal((await teams('many')).length, 102);
	await assert.rejects(teams('erin'), /does not belong to any teams/);
});

test('LemonLDAP_reads_keys_as_lists', async () => {
	const { code } = await authorize('carol', 'lemonldap', 'user:email read:public_key');
	const { access_token: token } = (await redeem({ ...mine('lemonldap'), code, redirect_uri: uri('lemonldap'), grant_type: 'authorization_code' }, asJson)).json();
	const get = getter(`token ${token}`);
	assert.equal((await get('/user')).login, 'carol');
	for (const target of ['/user/keys', '/user/gpg_keys']) assert.ok(Array.isArray(await get(target)));
});

test('Spring_Security_names_people_by_their_number', async () => {
	const { code } = await authorize('carol', 'spring', 'read:user');
	const answer = await redeem({ grant_type: 'authorization_code', code, redirect_uri: uri('spring') }, { authorization: basic('spring', secret), accept: 'application/json;charset=UTF-8' });
	assert.match(answer.headers.get('content-type'), /^application\/json/);
	const token = answer.json();
	assert.equal(token.token_type.toLowerCase(), 'bearer');
	assert.ok(Number.isInteger((await getter(`Bearer ${token.access_token}`)('/user')).id));
});

test('ASP_NET_Core_proves_its_code_by_a_verifier', async () => {
	const { verifier, challenge } = pkce();
	const { code } = await authorize('carol', 'aspnet', 'user:email', { code_challenge: challenge, code_challenge_method: 'S256' });
	const answer = await redeem({ ...mine('aspnet'), redirect_uri: uri('aspnet'), code, grant_type: 'authorization_code', code_verifier: verifier }, asJson);
	const get = getter(`Bearer ${answer.json().access_token}`);
	const user = await get('/user');
	assert.ok(user.url.startsWith(`${api}/users/`));
	assert.equal((await get('/user/emails')).find((each) => each.primary).email, 'carol@example.org');
});

test('ToolJet_sends_json_and_takes_the_primary_address', async () => {
	const { code } = await authorize('carol', 'tooljet', 'user:email');
	const answer = await http(`${broker.url}/login/oauth/access_token`, { method: 'POST', headers: { ...asJson, 'content-type': 'application/json' }, body: JSON.stringify({ ...mine('tooljet'), code }) });
	const get = getter(`token ${answer.json().access_token}`);
	assert.deepEqual([(await get('/user')).name, (await get('/user/emails')).find((each) => each.primary && each.verified).email], ['Carol Danvers', 'carol@example.org']);
});

test('Airflow_1_compares_the_numbers_of_teams', async () => {
	const { code } = await authorize('carol', 'airflow', 'user:email,read:org');
	const { text } = await redeem({ ...mine('airflow'), code, redirect_uri: uri('airflow'), grant_type: 'authorization_code' });
	const get = getter(`Bearer ${new URLSearchParams(text).get('access_token')}`);
	const { login, email } = await get('/user');
	assert.deepEqual([login, email], ['carol', 'carol@example.org']);
	assert.ok((await get('/user/teams')).every((each) => Number.isInteger(each.id)));
});

test('Superset_separates_its_scopes_by_comma_and_space', async () => {
	const { code } = await authorize('carol', 'superset', 'read:user, user:email');
	const token = (await redeem({ grant_type: 'authorization_code', code, redirect_uri: uri('superset') }, { authorization: basic('superset', secret), ...asJson })).json();
	assert.equal(token.scope, 'read:user,user:email');
	const user = await getter(`Bearer ${token.access_token}`)('/user');
	assert.deepEqual([`github_${user.login}`, user.email], ['github_carol', 'carol@example.org']);
});
