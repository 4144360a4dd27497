// google.mjs: Google's accounts: four hosts, two spellings of the issuer, `hd` for people of a workspace only, a refresh token only
// when asked for it (access_type=offline and prompt=consent), no groups.
import { halfHash } from './keys.mjs';
import { Provider, words } from './provider.mjs';

export const ORIGINS = { web: 'https://accounts.google.com', token: 'https://oauth2.googleapis.com', keys: 'https://www.googleapis.com', userinfo: 'https://openidconnect.googleapis.com' };

export const PEOPLE = [
	{ account: 'wanda', sub: '110169484474386276334', name: 'Wanda Workspace', email: 'wanda@workspace.example', email_verified: true, hd: 'workspace.example' },
	{ account: 'connie', sub: '113000000000000000001', name: 'Connie Consumer', email: 'connie@gmail.com', email_verified: true },
	{ account: 'otto', sub: '113000000000000000002', name: 'Otto Elsewhere', email: 'otto@other.example', email_verified: true, hd: 'other.example' },
	{ account: 'una', sub: '113000000000000000003', name: 'Una Unverified', email: 'una@example.net', email_verified: false },
];

export class Google extends Provider {
	// legacy: tokens say `accounts.google.com` without a scheme, and email_verified as text.
	constructor(origins = ORIGINS, { legacy = false, people = PEOPLE } = {}) {
		super(origins, { title: 'Google', people: people.map((one) => ({ ...one })) });
		this.legacy = legacy;
		this.route('web', 'GET', '/\\.well-known/openid-configuration', () => ({ json: this.discovery() }));
		this.route('keys', 'GET', '/oauth2/v3/certs', () => ({ json: { keys: this.keys.map(({ jwk }) => ({ ...jwk, alg: 'RS256' })) } }));
		this.route('web', '*', '/o/oauth2/v2/auth', (ask) => this.authorize(ask));
		this.route('token', 'POST', '/token', (ask) => this.token(ask));
		this.route('userinfo', '*', '/v1/userinfo', (ask) => this.userinfo(ask));
	}

	get issuer() { return this.link('web'); }

	discovery() {
		return {
			issuer: this.issuer, authorization_endpoint: this.link('web', '/o/oauth2/v2/auth'), device_authorization_endpoint: this.link('token', '/device/code'),
			token_endpoint: this.link('token', '/token'), userinfo_endpoint: this.link('userinfo', '/v1/userinfo'), revocation_endpoint: this.link('token', '/revoke'),
			jwks_uri: this.link('keys', '/oauth2/v3/certs'), response_types_supported: ['code', 'token', 'id_token', 'code token', 'code id_token', 'token id_token', 'code token id_token', 'none'],
			response_modes_supported: ['query', 'fragment', 'form_post'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
			scopes_supported: ['openid', 'email', 'profile'], token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
			claims_supported: ['aud', 'email', 'email_verified', 'exp', 'family_name', 'given_name', 'iat', 'iss', 'name', 'picture', 'sub'],
			code_challenge_methods_supported: ['plain', 'S256'], grant_types_supported: ['authorization_code', 'refresh_token'],
		};
	}

	judge({ asked }) {
		if (asked.response_type !== 'code') return 'response_type';
		return words(asked.scope).some((scope) => !['openid', 'email', 'profile'].includes(scope) && !scope.startsWith('https://www.googleapis.com/auth/')) ? 'scope' : undefined;
	}

	// `hd` is a hint to the page and no more.
	mayChoose(person, { asked }) { return !asked.hd || (asked.hd === '*' ? person.hd !== undefined : person.hd === asked.hd); }

	grant(wanted, session) {
		const { asked } = wanted;
		return this.sendBack(wanted, { code: this.newCode(wanted, session), scope: asked.scope, authuser: '0', ...(session.person.hd ? { hd: session.person.hd } : {}), prompt: asked.prompt ?? 'none' });
	}

	claims(person, scopes) {
		const { sub, name, email, email_verified, hd } = person;
		const [given_name, ...rest] = name.split(' ');
		return {
			sub, ...(scopes.includes('email') ? { email, email_verified: this.legacy ? String(email_verified) : email_verified } : {}), hd,
			...(scopes.includes('profile') ? { name, given_name, family_name: rest.join(' '), picture: 'https://lh3.googleusercontent.com/a/stand-in' } : {}),
		};
	}

	issue(grant) {
		const scopes = words(grant.asked.scope), now = this.now();
		const access_token = this.newToken(grant, `ya29.${Math.random().toString(36).slice(2)}${now}`);
		const json = { access_token, expires_in: 3599, scope: grant.asked.scope, token_type: 'Bearer' };
		if (!grant.refreshed && grant.asked.access_type === 'offline' && words(grant.asked.prompt).includes('consent')) json.refresh_token = this.newRefresh(grant);
		if (!scopes.includes('openid')) return { json };
		const { name, given_name, family_name, picture, ...rest } = this.claims(grant.session.person, scopes);
		json.id_token = this.sign('id_token', {
			iss: this.legacy ? new URL(this.issuer).host : this.issuer, azp: grant.client.client_id, aud: grant.client.client_id, ...rest, at_hash: halfHash(access_token),
			nonce: grant.refreshed ? undefined : grant.asked.nonce, ...(grant.refreshed ? {} : { name, given_name, family_name, picture }), iat: now, exp: now + 3600,
		});
		return { json };
	}

	userinfo(ask) {
		const grant = this.holder(ask);
		if (!grant) return { status: 401, json: { error: 'invalid_request', error_description: 'Invalid Credentials' } };
		return { json: this.claims(grant.session.person, words(grant.asked.scope)) };
	}
}
