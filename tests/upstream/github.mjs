// github.mjs: GitHub as an upstream: errors with status 200, forms unless JSON is asked for, a mandatory User-Agent, the verified
// primary address at /user/emails only, lists in pages. As an Enterprise server its API lies at /api/v3 of the one host.
import { Provider, words } from './provider.mjs';

export const ORIGINS = { web: 'https://github.com', api: 'https://api.github.com' };

const teams = (count) => Array.from({ length: count }, (_, i) => ['octo', `team-${String(i + 1).padStart(3, '0')}`]);
export const PEOPLE = [
	{ account: 'octavia', id: 583231, name: 'Octavia Cat', email: null, emails: [['octavia@old.example', false, true], ['octavia@octo.example', true, true], ['octavia@new.example', false, false]], orgs: ['octo'], teams: [['octo', 'justice-league']] },
	{ account: 'nameless', id: 583232, name: null, email: 'nameless@octo.example', emails: [['nameless@octo.example', true, false]], orgs: [], teams: [] },
	{ account: 'busy', id: 583233, name: 'Busy Bee', email: null, emails: [['busy@octo.example', true, true]], orgs: ['octo', 'guarded'], teams: teams(130) },
];

// What is wrong and GitHub's words for it.
const ERRORS = {
	unknown_client: ['incorrect_client_credentials', 'The client_id and/or client_secret passed are incorrect.'],
	wrong_secret: ['incorrect_client_credentials', 'The client_id and/or client_secret passed are incorrect.'],
	redirect_mismatch: ['redirect_uri_mismatch', 'The redirect_uri MUST match the registered callback URL for this application.'],
	grant_type: ['unsupported_grant_type', 'The grant type is not supported.'],
	refresh_unknown: ['bad_refresh_token', 'The refresh token passed is incorrect or expired.'],
	access_denied: ['access_denied', 'The user has denied your application access.'],
};
const bad_code = ['bad_verification_code', 'The code passed is incorrect or expired.'];

export class GitHub extends Provider {
	// sso: organisations whose lists are hidden until the person authorises the application there; expiring: user tokens of a GitHub App
	constructor(origins = ORIGINS, { enterprise = false, sso = ['guarded'], expiring = false, people = PEOPLE } = {}) {
		super(origins, { title: enterprise ? 'GitHub Enterprise' : 'GitHub', people: people.map((one) => ({ ...one })) });
		Object.assign(this, { enterprise, sso, expiring, rotatesRefreshTokens: true });
		this.base = enterprise ? '/api/v3' : '';
		this.route('web', 'GET', '/login/oauth/authorize', (ask) => this.authorize(ask));
		this.route('web', 'POST', '/login/oauth/access_token', (ask) => this.token(ask));
		const api = enterprise ? 'web' : 'api';
		const at = (path, scopes, handler) => this.route(api, 'GET', this.base + path, (ask) => this.resource(ask, scopes, handler));
		at('/user', [], (person, scopes) => ({ json: this.user(person, scopes) }));
		at('/user/emails', ['user', 'user:email'], (person, scopes, ask) => this.paged(ask, person.emails.map(([email, primary, verified]) => ({ email, primary, verified: verified && !enterprise, visibility: primary ? 'private' : null }))));
		at('/user/orgs', ['user', 'read:org', 'write:org', 'admin:org'], (person, scopes, ask) => this.paged(ask, this.organizations(person)));
		at('/user/teams', ['user', 'repo', 'read:org', 'write:org', 'admin:org'], (person, scopes, ask) => this.paged(ask, this.teams(person)));
		at('/user/memberships/orgs/([^/]+)', ['read:org', 'admin:org'], (person, scopes, ask, login) => this.membership(person, login));
	}

	link(part, path = '') { return part === 'api' && this.enterprise ? super.link('web', this.base + path) : super.link(part, path); }

	// The registered callback or something below it (GitHub's rule); without one the registered one is meant.
	redirectFits(client, asked) {
		asked.redirect_uri ??= client.redirect_uris[0];
		return client.redirect_uris.some((known) => asked.redirect_uri === known || asked.redirect_uri.startsWith(known.endsWith('/') ? known : `${known}/`));
	}
	judge() { return undefined; } // GitHub looks at no response_type, and gives what it can of unknown scopes
	errorOf(problem) { const [error, error_description] = ERRORS[problem]; return { error, error_description, error_uri: 'https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors' }; }

	redeem(form, client) {
		const grant = this.codes.get(form.code);
		return super.redeem({ ...form, redirect_uri: form.redirect_uri ?? grant?.asked.redirect_uri }, client);
	}
	granted(ask, client) { return super.granted({ ...ask, form: { grant_type: 'authorization_code', ...ask.form } }, client); }

	shaped(ask, values) { return /json/.test(ask.headers.accept ?? '') ? { json: values } : { form: values }; }
	failed(problem, ask) {
		const [error, error_description] = ERRORS[problem] ?? bad_code;
		return this.shaped(ask, { error, error_description, error_uri: 'https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors' });
	}
	issue(grant, ask) {
		const token = this.newToken(grant, `${this.expiring ? 'ghu' : 'gho'}_${Math.random().toString(36).slice(2)}${Date.now()}`, 28800);
		const scope = words((grant.asked.scope ?? '').replaceAll(',', ' ')).join(',');
		const more = this.expiring ? { expires_in: 28800, refresh_token: this.newRefresh(grant, `ghr_${Math.random().toString(36).slice(2)}`), refresh_token_expires_in: 15897600 } : {};
		return this.shaped(ask, { access_token: token, scope, token_type: 'bearer', ...more });
	}

	resource(ask, needed, handler) {
		const headers = { 'x-github-request-id': 'STAND:IN', 'x-github-media-type': 'github.v3; format=json' };
		if (!ask.headers['user-agent']) return { status: 403, text: 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.' };
		const grant = this.holder(ask);
		if (!grant) return { status: 401, headers, json: { message: 'Bad credentials', documentation_url: 'https://docs.github.com/rest', status: '401' } };
		const scopes = words((grant.asked.scope ?? '').replaceAll(',', ' '));
		headers['x-oauth-scopes'] = scopes.join(', ');
		headers['x-accepted-oauth-scopes'] = needed.join(', ');
		if (needed.length && !needed.some((scope) => scopes.includes(scope))) return { status: 404, headers, json: { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' } };
		const answer = handler(grant.session.person, scopes, ask, ask.path.split('/').pop());
		return { ...answer, headers: { ...headers, ...answer.headers } };
	}

	user({ account, id, name, email, orgs }) {
		return { login: account, id, node_id: Buffer.from(`04:User${id}`).toString('base64'), avatar_url: `${this.link('web')}/avatars/u/${id}`, html_url: this.link('web', `/${account}`), url: this.link('api', `/users/${account}`),
			type: 'User', site_admin: false, name, company: null, email, public_repos: 0, followers: 0, created_at: '2011-01-25T18:44:36Z', updated_at: '2024-01-01T00:00:00Z', organizations_url: this.link('api', `/users/${account}/orgs`), total_private_repos: orgs.length };
	}
	organizations(person) { return person.orgs.filter((login) => !this.sso.includes(login)).map((login) => ({ login, id: 1000 + login.length, url: this.link('api', `/orgs/${login}`), description: null })); }
	teams(person) {
		return person.teams.filter(([login]) => !this.sso.includes(login)).map(([login, slug], i) => ({ id: 5000 + i, name: slug.replaceAll('-', ' '), slug, privacy: 'closed', permission: 'pull', organization: { login, id: 1000 + login.length } }));
	}
	membership(person, login) {
		if (this.sso.includes(login)) return { status: 403, headers: { 'x-github-sso': `required; url=${this.link('web')}/orgs/${login}/sso?authorization_request=stand-in` }, json: { message: 'Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization.', status: '403' } };
		if (!person.orgs.includes(login)) return { status: 404, json: { message: 'Not Found', status: '404' } };
		return { json: { state: 'active', role: 'member', organization: { login }, user: { login: person.account } } };
	}

	// Pages of 30, at most 100, with Link (RFC 8288).
	paged(ask, list) {
		const size = Math.min(Number(ask.query.per_page) || 30, 100), page = Math.max(Number(ask.query.page) || 1, 1), last = Math.max(Math.ceil(list.length / size), 1);
		const to = (number, rel) => `<${this.link('api', ask.path.slice(this.base.length))}?per_page=${size}&page=${number}>; rel="${rel}"`;
		const links = [...(page > 1 ? [to(page - 1, 'prev'), to(1, 'first')] : []), ...(page < last ? [to(page + 1, 'next'), to(last, 'last')] : [])];
		return { json: list.slice((page - 1) * size, page * size), headers: links.length ? { link: links.join(', ') } : {} };
	}
}
