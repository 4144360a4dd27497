// gitlab.mjs: a GitLab instance: direct groups in the ID token, all of them at userinfo only; the primary address with the scope
// `email` only, else the public one; refresh tokens that rotate; blocked people stay outside.
import { createHash } from 'node:crypto';
import { Provider, words } from './provider.mjs';

const SCOPES = ['openid', 'profile', 'email', 'read_user', 'api', 'read_api'];

export const PEOPLE = [
	{ account: 'gitta', id: 41, name: 'Gitta Lab', email: 'gitta@lab.example', public_email: '', email_verified: true, direct: ['tools', 'tools/deep/er'], inherited: ['tools/deep'], owner: ['tools'] },
	{ account: 'merle', id: 42, name: 'Merle Request', email: 'merle@lab.example', public_email: 'merle@public.example', email_verified: false, direct: [], inherited: [], owner: [] },
	{ account: 'blocked', id: 43, name: 'Bloch Ed', email: 'bloch@lab.example', public_email: '', email_verified: true, direct: [], inherited: [], owner: [], state: 'blocked' },
];

export class GitLab extends Provider {
	constructor(origins = { web: 'https://gitlab.com' }, { people = PEOPLE } = {}) {
		super(origins, { title: 'GitLab', people: people.map((one) => ({ ...one })) });
		this.rotatesRefreshTokens = true;
		this.route('web', 'GET', '/\\.well-known/openid-configuration', () => ({ json: this.discovery() }));
		this.route('web', 'GET', '/oauth/discovery/keys', () => ({ json: { keys: this.keys.map(({ jwk }) => ({ ...jwk, alg: 'RS256' })) } }));
		this.route('web', '*', '/oauth/authorize', (ask) => this.authorize(ask));
		this.route('web', 'POST', '/oauth/token', (ask) => this.token(ask));
		this.route('web', '*', '/oauth/userinfo', (ask) => this.userinfo(ask));
		this.route('web', 'GET', '/api/v4/user', (ask) => this.user(ask));
	}

	get issuer() { return this.link('web'); }

	discovery() {
		const link = (path) => this.link('web', path);
		return {
			issuer: this.issuer, authorization_endpoint: link('/oauth/authorize'), token_endpoint: link('/oauth/token'), revocation_endpoint: link('/oauth/revoke'),
			introspection_endpoint: link('/oauth/introspect'), userinfo_endpoint: link('/oauth/userinfo'), jwks_uri: link('/oauth/discovery/keys'),
			scopes_supported: SCOPES, response_types_supported: ['code'], response_modes_supported: ['query', 'fragment', 'form_post'],
			grant_types_supported: ['authorization_code', 'password', 'client_credentials', 'device_code', 'refresh_token'],
			token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
			claim_types_supported: ['normal'], claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'sub_legacy', 'name', 'nickname', 'preferred_username', 'email', 'email_verified', 'website', 'profile', 'picture', 'groups', 'groups_direct', 'https://gitlab.org/claims/groups/owner'],
			code_challenge_methods_supported: ['plain', 'S256'],
		};
	}

	judge({ asked }) {
		if (asked.response_type !== 'code') return 'response_type';
		return words(asked.scope).every((scope) => SCOPES.includes(scope)) ? undefined : 'scope';
	}
	mayChoose(person) { return person.state !== 'blocked'; }

	issue(grant) {
		const now = this.now(), { person, auth_time } = grant.session, scopes = words(grant.asked.scope);
		if (person.state === 'blocked') return this.failed('access_denied');
		const json = { access_token: this.newToken(grant, undefined, 7200), token_type: 'Bearer', expires_in: 7200, refresh_token: this.newRefresh(grant), scope: grant.asked.scope, created_at: now };
		if (scopes.includes('openid')) {
			json.id_token = this.sign('id_token', {
				iss: this.issuer, sub: String(person.id), aud: grant.client.client_id, exp: now + 120, iat: now, nonce: grant.asked.nonce, auth_time,
				sub_legacy: createHash('sha256').update(`${person.id}-stand-in`).digest('hex'), ...this.profile(person, scopes), groups_direct: person.direct,
			});
		}
		return { json };
	}

	profile(person, scopes) {
		const address = scopes.includes('email') ? person.email : person.public_email;
		return {
			...(scopes.includes('profile') ? { name: person.name, nickname: person.account, preferred_username: person.account, profile: this.link('web', `/${person.account}`) } : {}),
			...(address ? { email: address, email_verified: scopes.includes('email') && person.email_verified } : {}),
		};
	}

	userinfo(ask) {
		const grant = this.holder(ask);
		const person = grant?.session.person;
		if (!grant || person.state === 'blocked') return { status: 401, json: { error: 'invalid_token' } };
		return { json: { sub: String(person.id), ...this.profile(person, words(grant.asked.scope)), groups: [...person.direct, ...person.inherited], 'https://gitlab.org/claims/groups/owner': person.owner } };
	}

	user(ask) {
		const grant = this.holder(ask);
		if (!grant) return { status: 401, json: { message: '401 Unauthorized' } };
		const { id, account, name, email, public_email, state = 'active' } = grant.session.person;
		if (!words(grant.asked.scope).some((scope) => ['read_user', 'api', 'read_api'].includes(scope))) return { status: 403, json: { error: 'insufficient_scope', scope: 'api read_api read_user' } };
		return { json: { id, username: account, name, state, email, public_email, confirmed_at: '2024-01-01T00:00:00.000Z', web_url: this.link('web', `/${account}`) } };
	}
}
