// provider.mjs: an OAuth 2.0 authorization server as far as all upstreams agree: registered clients, a page where a person picks the
// account or refuses, a session, single-use codes with PKCE, client authentication. What a kind does differently it overrides.
import { randomBytes } from 'node:crypto';
import { Upstream, escape } from './server.mjs';
import { base64url, breakSignature, newKey, sha256, signJwt } from './keys.mjs';

const CODE_SECONDS = 600;
export const random = () => randomBytes(24).toString('base64url');
export const words = (text) => (text ?? '').split(/\s+/).filter(Boolean);

const ERRORS = {
	unknown_client: ['invalid_client', 'The client is not known.', 401],
	wrong_secret: ['invalid_client', 'Client authentication failed.', 401],
	code_unknown: ['invalid_grant', 'The code is not known.'],
	code_used: ['invalid_grant', 'The code was used before.'],
	code_expired: ['invalid_grant', 'The code has expired.'],
	code_of_another: ['invalid_grant', 'The code belongs to another client.'],
	redirect_mismatch: ['invalid_grant', 'The redirect URI is another one.'],
	wrong_verifier: ['invalid_grant', 'The code verifier does not fit.'],
	refresh_unknown: ['invalid_grant', 'The refresh token is not known.'],
	grant_type: ['unsupported_grant_type', 'This grant type is not supported.'],
	response_type: ['unsupported_response_type', 'This response type is not supported.'],
	scope: ['invalid_scope', 'A scope is not known.'],
	nonce: ['invalid_request', 'A nonce is required.'],
	access_denied: ['access_denied', 'The person refused.'],
	login_required: ['login_required', 'Nobody is signed in.'],
	consent_required: ['consent_required', 'The person has not agreed yet.'],
};

export class Provider extends Upstream {
	// people: a list, each with at least { account }, which the sign-in page shows. title: what the page calls itself.
	constructor(origins, { title, people = [], part = 'web' } = {}) {
		super(origins);
		Object.assign(this, { title, part });
		this.people = new Map(people.map((person) => [person.account, person]));
		this.clients = new Map();
		for (const name of ['pending', 'sessions', 'codes', 'tokens', 'refreshes']) this[name] = new Map();
		this.consents = new Set();
		this.keys = [newKey()];
		this.route(part, 'POST', '/session/answer', (ask) => this.answerPage(ask));
	}

	// { client_id, client_secret (none: public), redirect_uris, … }
	register(client) { this.clients.set(client.client_id, client); return client; }
	person(account) { return this.people.get(account); }
	heal() { super.heal(); this.alterToken = undefined; }

	// A new key signs; the old ones stay published unless they are forgotten.
	rotate({ forget = false } = {}) { this.keys = [newKey(), ...(forget ? [] : this.keys)]; }
	get jwks() { return { keys: this.keys.map(({ jwk }) => jwk) }; }

	// kind is "id_token", "access_token", …; alterToken({ kind, claims, header, key, transform, broken }) may change all of it.
	sign(kind, claims, { header = {}, key = this.keys[0], transform } = {}) {
		const token = { kind, claims: { ...claims }, header: { ...header }, key, transform };
		this.alterToken?.(token);
		for (const name of Object.keys(token.claims)) if (token.claims[name] === undefined) delete token.claims[name];
		const jwt = signJwt(token.key, token.claims, token.header, token.transform);
		return token.broken ? breakSignature(jwt) : jwt;
	}

	// ---- Authorization endpoint ----

	authorize(ask, more = {}) {
		const asked = { ...ask.query, ...ask.form };
		const client = this.clients.get(asked.client_id);
		if (!client) return this.problemPage('unknown_client', asked);
		if (!this.redirectFits(client, asked)) return this.problemPage('redirect_mismatch', asked);
		const wanted = { ...more, asked, client };
		const problem = this.judge(wanted);
		if (problem) return this.refuse(wanted, problem);
		return this.decide(wanted, ask);
	}

	redirectFits(client, { redirect_uri }) { return client.redirect_uris.includes(redirect_uri); }
	judge({ asked }) { return asked.response_type === 'code' ? undefined : 'response_type'; }

	decide(wanted, ask) {
		const { asked } = wanted;
		const session = this.sessionOf(ask);
		const prompt = words(asked.prompt);
		const recent = session && !(asked.max_age !== undefined && this.now() - session.auth_time > Number(asked.max_age));
		const agreed = session && this.consents.has(`${wanted.client.client_id} ${session.person.account}`);
		if (prompt.includes('none')) return !recent ? this.refuse(wanted, 'login_required') : agreed ? this.grant(wanted, session) : this.refuse(wanted, 'consent_required');
		if (recent && agreed && prompt.length === 0) return this.grant(wanted, session);
		const id = random();
		this.pending.set(id, wanted);
		return { html: this.page(id, wanted) };
	}

	sessionOf(ask) { return this.sessions.get(ask.cookies.upstream_session); }
	mayChoose() { return true; }

	page(id, wanted) {
		const { client, asked } = wanted;
		const here = [...this.people.values()].filter((person) => this.mayChoose(person, wanted));
		const hinted = (person) => (asked.login_hint && [person.account, person.email, person.upn].includes(asked.login_hint) ? ' autofocus' : '');
		const buttons = here.map((person) => `<p><button id="as-${escape(person.account)}" name="account" value="${escape(person.account)}"${hinted(person)}>${escape(person.name ?? person.account)}</button></p>`);
		return `<!doctype html><html lang="en"><head><title>${escape(this.title)}</title><meta name="viewport" content="width=device-width"></head><body><main>
<h1>${escape(this.title)}</h1><p>A stand-in. Continue to <b>${escape(client.name ?? client.client_id)}</b> as</p>
<form id="choose" method="post" action="/session/answer"><input type="hidden" name="pending" value="${id}">${buttons.join('\n')}
<p><button id="deny" name="deny" value="1">Refuse</button></p></form></main></body></html>`;
	}

	answerPage({ form }) {
		const wanted = this.pending.get(form.pending);
		if (!wanted) return { status: 400, html: '<h1>This page has been answered before.</h1>' };
		this.pending.delete(form.pending);
		if (form.deny) return this.refuse(wanted, 'access_denied');
		const session = { person: this.person(form.account), auth_time: this.now(), sid: random() };
		const cookie = random();
		this.sessions.set(cookie, session);
		this.consents.add(`${wanted.client.client_id} ${form.account}`);
		const secure = this.link(this.part).startsWith('https:') ? '; Secure' : '';
		return { ...this.grant(wanted, session), headers: { 'set-cookie': `upstream_session=${cookie}; Path=/; HttpOnly; SameSite=Lax${secure}` } };
	}

	// What is sent back: at least a code. The kinds add to it.
	grant(wanted, session) { return this.sendBack(wanted, { code: this.newCode(wanted, session) }); }

	newCode(wanted, session, code = random()) {
		this.codes.set(code, { ...wanted, session, issued: this.now(), used: false });
		return code;
	}

	refuse(wanted, problem) { return this.sendBack(wanted, this.errorOf(problem, wanted)); }
	errorOf(problem) { return { error: ERRORS[problem][0], error_description: ERRORS[problem][1] }; }
	problemPage(problem) { return { status: 400, html: `<h1>${escape(this.title)}</h1><p id="problem">${ERRORS[problem][1]}</p>` }; }

	sendBack({ asked }, parameters) {
		if (asked.state !== undefined) parameters.state = asked.state;
		const mode = asked.response_mode ?? (/token/.test(asked.response_type) ? 'fragment' : 'query');
		if (mode === 'form_post') return { html: formPost(asked.redirect_uri, parameters) };
		const target = new URL(asked.redirect_uri);
		if (mode === 'fragment') target.hash = new URLSearchParams(parameters).toString();
		else for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
		return { redirect: target.href };
	}

	// ---- Token endpoint ----

	token(ask, more = {}) {
		const client = this.clientOf(ask);
		if (typeof client === 'string') return this.failed(client, ask);
		const grant = this.granted(ask, client, more);
		return typeof grant === 'string' ? this.failed(grant, ask) : this.issue(grant, ask);
	}

	granted({ form }, client, more) {
		if (form.grant_type === 'authorization_code') return this.redeem(form, client);
		if (form.grant_type === 'refresh_token') return this.refresh(form, client);
		return this.grantedOtherwise?.(form, client, more) ?? 'grant_type';
	}

	// Basic (RFC 6749 2.3.1) or in the body, as the kind takes them; answers the client or what is wrong.
	clientOf({ headers, form }) {
		let { client_id, client_secret } = form;
		const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '');
		if (basic) [client_id, client_secret] = Buffer.from(basic[1], 'base64').toString().split(':').map((part) => decodeURIComponent(part.replace(/\+/g, ' ')));
		const client = this.clients.get(client_id);
		if (!client) return 'unknown_client';
		if (client.auth && client.auth !== (basic ? 'basic' : 'post')) return 'wrong_secret';
		return client.client_secret === client_secret ? client : 'wrong_secret';
	}

	redeem(form, client) {
		const grant = this.codes.get(form.code);
		if (!grant) return 'code_unknown';
		if (grant.client !== client) return 'code_of_another';
		if (grant.used) return 'code_used';
		if (this.now() - grant.issued > CODE_SECONDS) return 'code_expired';
		if (grant.asked.redirect_uri !== form.redirect_uri) return 'redirect_mismatch';
		if (!verifierFits(grant.asked, form.code_verifier)) return 'wrong_verifier';
		grant.used = true;
		return grant;
	}

	refresh(form, client) {
		const grant = this.refreshes.get(form.refresh_token);
		if (!grant || grant.client !== client) return 'refresh_unknown';
		if (this.rotatesRefreshTokens) this.refreshes.delete(form.refresh_token);
		return { ...grant, refreshed: true };
	}

	newRefresh(grant, token = random()) { this.refreshes.set(token, { ...grant, refreshed: undefined }); return token; }
	newToken(grant, token = random(), seconds = 3600) { this.tokens.set(token, { ...grant, until: this.now() + seconds }); return token; }

	failed(problem) {
		const [error, error_description, status = 400] = ERRORS[problem];
		return { status, json: { error, error_description } };
	}
	issue(grant) { return { json: { access_token: this.newToken(grant), token_type: 'Bearer', expires_in: 3600, scope: grant.asked.scope } }; }

	// Whose token is shown at a resource; nothing when it is not ours or has ended.
	holder({ headers }) {
		const token = /^(?:Bearer|token) (.+)$/i.exec(headers.authorization ?? '')?.[1];
		const grant = this.tokens.get(token);
		return grant && grant.until > this.now() ? { ...grant, token } : undefined;
	}
}

function verifierFits({ code_challenge, code_challenge_method = 'plain' }, verifier) {
	if (!code_challenge) return true;
	if (!verifier) return false;
	return code_challenge === (code_challenge_method === 'S256' ? base64url(sha256(verifier)) : verifier);
}

function formPost(target, parameters) {
	const fields = Object.entries(parameters).map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`);
	return `<!doctype html><html><head><title>Working...</title></head><body><form id="form-post" method="post" action="${escape(target)}">${fields.join('')}<noscript><button>Continue</button></noscript></form>
<script>document.forms[0].submit()</script></body></html>`;
}
