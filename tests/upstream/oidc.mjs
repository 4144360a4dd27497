// oidc.mjs: an OpenID Connect provider without quirks (Core 1.0, Discovery 1.0, RFC 9207), and the shapes of Keycloak and Okta.
// What it signs and answers can be altered, which is how the refusals of a relying party are tried.
import { halfHash, signJwt } from './keys.mjs';
import { Provider, words } from './provider.mjs';

export const PEOPLE = [
	{ account: 'ada', sub: '248289761001', name: 'Ada Lovelace', email: 'ada@upstream.example', email_verified: true, groups: ['engines', 'analysts'] },
	{ account: 'grace', sub: '248289761002', name: 'Grace Hopper', email: 'grace@upstream.example', email_verified: true, groups: ['compilers'] },
	{ account: 'mallory', sub: '248289761003', name: 'Mallory', email: 'alice@example.org', email_verified: false, groups: [] },
];

export class Oidc extends Provider {
	// A registration may also say thick (all claims in the ID token) and signed_userinfo (Core 5.3.2).
	// settings: iss (send RFC 9207's parameter), pkce, path (of the issuer), people, title
	constructor(origins, { iss = true, pkce = true, path = '', title = 'OpenID provider', people = PEOPLE } = {}) {
		super(origins, { title, people: people.map((one) => ({ ...one })) });
		Object.assign(this, { iss, pkce, base: path });
		this.urls();
	}

	get issuer() { return this.link('web', this.base); }
	paths() { return { authorize: '/authorize', token: '/token', userinfo: '/userinfo', keys: '/jwks', end_session: '/end-session' }; }

	urls() {
		const at = this.paths();
		const { base } = this;
		this.route('web', 'GET', `${base}/\\.well-known/openid-configuration`, () => ({ json: this.discovery(at) }));
		this.route('web', 'GET', base + at.keys, () => ({ json: this.jwks }));
		this.route('web', '*', base + at.authorize, (ask) => this.authorize(ask));
		this.route('web', 'POST', base + at.token, (ask) => this.token(ask));
		this.route('web', '*', base + at.userinfo, (ask) => this.userinfo(ask));
		this.route('web', 'GET', base + at.end_session, (ask) => this.endSession(ask));
	}

	discovery(at) {
		const link = (path) => this.issuer + path;
		return {
			issuer: this.issuer, authorization_endpoint: link(at.authorize), token_endpoint: link(at.token), userinfo_endpoint: link(at.userinfo),
			jwks_uri: link(at.keys), end_session_endpoint: link(at.end_session),
			response_types_supported: ['code', 'id_token', 'code id_token'], response_modes_supported: ['query', 'fragment', 'form_post'],
			grant_types_supported: ['authorization_code', 'refresh_token'], subject_types_supported: ['public'],
			id_token_signing_alg_values_supported: ['RS256', 'ES256'], scopes_supported: ['openid', 'profile', 'email', 'groups', 'offline_access'],
			token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'], backchannel_logout_supported: true, backchannel_logout_session_supported: true,
			...(this.pkce ? { code_challenge_methods_supported: ['S256'] } : {}),
			...(this.iss ? { authorization_response_iss_parameter_supported: true } : {}),
		};
	}

	judge({ asked }) {
		if (!['code', 'id_token', 'code id_token'].includes(asked.response_type)) return 'response_type';
		if (!words(asked.scope).includes('openid')) return 'scope';
		return asked.response_type !== 'code' && !asked.nonce ? 'nonce' : undefined;
	}

	grant(wanted, session) {
		const types = words(wanted.asked.response_type);
		const answer = types.includes('code') ? { code: this.newCode(wanted, session) } : {};
		if (types.includes('id_token')) answer.id_token = this.idToken({ ...wanted, session }, { c_hash: answer.code && halfHash(answer.code), ...this.claims(session.person, wanted) });
		return this.sendBack(wanted, answer);
	}
	sendBack(wanted, parameters) { return super.sendBack(wanted, this.iss ? { ...parameters, iss: this.issuer } : parameters); }

	claims(person, { asked }) {
		const scopes = words(asked.scope);
		const { name, email, email_verified, account } = person;
		return {
			sub: person.sub, ...(scopes.includes('profile') ? { name, preferred_username: account } : {}),
			...(scopes.includes('email') ? { email, email_verified } : {}), ...(scopes.includes('groups') ? { groups: person.groups } : {}), ...person.more,
		};
	}

	idToken({ client, session, asked, refreshed }, more = {}) {
		const now = this.now();
		return this.sign('id_token', {
			iss: this.issuer, aud: client.client_id, iat: now, exp: now + 3600, auth_time: session.auth_time, sid: session.sid,
			nonce: refreshed ? undefined : asked.nonce, sub: session.person.sub, ...more,
		});
	}

	// A thin ID token, as most send beside a code: the rest is at userinfo. thick: client.thick.
	issue(grant) {
		const access_token = this.newToken(grant);
		const json = { access_token, token_type: 'Bearer', expires_in: 3600, scope: grant.asked.scope };
		json.id_token = this.idToken(grant, { at_hash: halfHash(access_token), ...(grant.client.thick ? this.claims(grant.session.person, grant) : {}) });
		if (words(grant.asked.scope).includes('offline_access')) json.refresh_token = this.newRefresh(grant);
		return { json };
	}

	userinfo(ask) {
		const grant = this.holder(ask);
		if (!grant) return { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, json: { error: 'invalid_token' } };
		const claims = this.claims(grant.session.person, grant);
		if (!grant.client.signed_userinfo) return { json: claims };
		return { text: this.sign('userinfo', { iss: this.issuer, aud: grant.client.client_id, ...claims }), headers: { 'content-type': 'application/jwt' } };
	}

	endSession(ask) {
		this.sessions.delete(ask.cookies.upstream_session);
		const { post_logout_redirect_uri, state } = ask.query;
		if (!post_logout_redirect_uri) return { html: '<h1 id="signed-out">Signed out</h1>' };
		const target = new URL(post_logout_redirect_uri);
		if (state) target.searchParams.set('state', state);
		return { redirect: target.href };
	}

	// A logout token (Back-Channel Logout 1.0, 2.4) about a session; `more` changes claims, `key` and `header` how it is signed.
	logoutToken({ client, session }, more = {}, { key = this.keys[0], header = { typ: 'logout+jwt' } } = {}) {
		const now = this.now();
		const claims = { iss: this.issuer, aud: client.client_id, iat: now, exp: now + 120, jti: `${now}.${Math.random()}`, sub: session.person.sub, sid: session.sid,
			events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, ...more };
		for (const name of Object.keys(claims)) if (claims[name] === undefined) delete claims[name];
		return signJwt(key, claims, header);
	}
}

// Keycloak: the realm in the path, groups with a leading slash, access tokens that look like ID tokens, `iss` and `session_state` on the way back.
export class Keycloak extends Oidc {
	constructor(origins, { realm = 'lab', ...settings } = {}) { super(origins, { title: 'Keycloak', path: `/realms/${realm}`, ...settings }); }

	paths() {
		const at = '/protocol/openid-connect';
		return { authorize: `${at}/auth`, token: `${at}/token`, userinfo: `${at}/userinfo`, keys: `${at}/certs`, end_session: `${at}/logout` };
	}
	claims(person, wanted) {
		const [given_name, ...rest] = (person.name ?? '').split(' ');
		return { ...super.claims(person, wanted), given_name, family_name: rest.join(' '), groups: person.groups.map((name) => `/${name}`) };
	}
	grant(wanted, session) {
		const sent = super.grant(wanted, session);
		if (sent.redirect) { const url = new URL(sent.redirect); url.searchParams.set('session_state', session.sid); sent.redirect = url.href; }
		return sent;
	}
	newToken(grant) {
		const now = this.now();
		const { person, sid } = grant.session;
		const access = this.sign('access_token', { iss: this.issuer, aud: 'account', azp: grant.client.client_id, typ: 'Bearer', sub: person.sub, sid, iat: now, exp: now + 300, jti: `${now}.${Math.random()}`,
			realm_access: { roles: ['offline_access'] }, scope: grant.asked.scope });
		return super.newToken(grant, access, 300);
	}
	issue(grant) {
		const { json } = super.issue(grant);
		return { json: { ...json, expires_in: 300, session_state: grant.session.sid, 'not-before-policy': 0 } };
	}
}

// Okta: the secret in the body only, a thin ID token, and at most 100 groups without a word about the rest.
export class Okta extends Oidc {
	constructor(origins, settings = {}) { super(origins, { title: 'Okta', path: '/oauth2/default', iss: false, ...settings }); }

	paths() { return { authorize: '/v1/authorize', token: '/v1/token', userinfo: '/v1/userinfo', keys: '/v1/keys', end_session: '/v1/logout' }; }
	register(client) { return super.register({ auth: 'post', ...client }); }
	claims(person, wanted) {
		const claims = super.claims(person, wanted);
		if (claims.groups) claims.groups = claims.groups.slice(0, 100);
		return { ...claims, preferred_username: person.email };
	}
}
