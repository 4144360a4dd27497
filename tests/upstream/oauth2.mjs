// oauth2.mjs: a plain OAuth 2.0 server (RFC 6749) as many sites run one: no discovery, no ID token, the secret by Basic only, and a
// profile of a shape of its own: a number for a subject, and what matters two levels down.
import { Provider } from './provider.mjs';

export const PEOPLE = [
	{ account: 'olive', name: 'Olive Oauth', data: { user: { id: 123456789012, handle: 'olive', display: 'Olive Oauth', contact: { mail: 'olive@plain.example' } }, teams: ['press'] } },
	{ account: 'nils', name: 'Nils Number', data: { user: { id: 0, handle: 'nils', display: null }, teams: [] } },
	{ account: 'nemo', name: 'Nemo (no subject)', data: { user: { handle: 'nemo' }, teams: [] } },
];

export class OAuth2 extends Provider {
	constructor(origins = { web: 'https://plain.example' }, { people = PEOPLE } = {}) {
		super(origins, { title: 'Plain OAuth 2.0', people: people.map((one) => ({ ...one })) });
		this.route('web', 'GET', '/oauth/authorize', (ask) => this.authorize(ask));
		this.route('web', 'POST', '/oauth/token', (ask) => this.token(ask));
		this.route('web', 'GET', '/profile', (ask) => this.profile(ask));
	}

	register(client) { return super.register({ auth: 'basic', ...client }); }
	profile(ask) {
		const grant = this.holder(ask);
		return grant ? { json: { data: grant.session.person.data } } : { status: 401, json: { error: 'invalid_token' } };
	}
}
