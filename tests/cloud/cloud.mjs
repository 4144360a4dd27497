// cloud.mjs: a stand-in of a cloud's identity service that takes ID tokens (Open Telekom Cloud, Huawei Cloud: "virtual user SSO via OpenID
// Connect"): the login link, the answer by form post or fragment, the two calls for programs, a key set that was pasted, and the account's
// conversion rules. Each check refuses with a reason of its own.
import http from 'node:http';
import { createPublicKey, randomBytes, verify } from 'node:crypto';

const page = (title, text) => `<!doctype html><title>${title}</title><h1 id="outcome">${title}</h1><p id="text">${text}</p>`;
const escape = (text) => `${text}`.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

class Refused extends Error {
	constructor(reason, detail = '') {
		super(`${reason}${detail && `: ${detail}`}`);
		this.reason = reason;
	}
}
const need = (holds, reason, detail) => { if (!holds) throw new Refused(reason, detail); };

export class Cloud {
	// idp: what its administrator types: { idp_url, client_id, authorization_endpoint, scope, response_mode, signing_key: the text of a key
	// set }. convert: claims → { user, groups } or { error: { reason, message } }. known: the groups of the account; nobody: people without
	// any of them may come in.
	constructor({ convert, known = [], nobody = false } = {}) {
		Object.assign(this, { convert, known, nobody, sessions: new Map(), sizes: [], idp: null, moved: 0 });
		this.server = http.createServer((request, response) => this.answer(request, response).catch((error) => this.fail(response, error)));
	}
	async open() {
		await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.origin = `http://localhost:${this.server.address().port}`;
		return this;
	}
	close() {
		this.server.closeAllConnections();
		this.server.close();
	}
	get loginLink() { return `${this.origin}/authui/federation/websso?domain_id=acme&idp=tidelock&protocol=oidc`; }
	get redirectUri() { return `${this.origin}/authui/oidc/${this.idp?.response_mode === 'fragment' ? 'redirect' : 'post'}`; }

	// ---- what the administrator enters ----

	configure(idp) {
		need(idp.idp_url.length >= 10 && idp.idp_url.length <= 255, 'configuration', 'idp_url');
		need(/\bopenid\b/.test(idp.scope), 'configuration', 'scope');
		need(['form_post', 'fragment'].includes(idp.response_mode), 'configuration', 'response_mode');
		need(idp.signing_key.length >= 10 && idp.signing_key.length <= 30000, 'configuration', 'signing_key');
		this.keys = new Map(JSON.parse(idp.signing_key).keys.map((key) => [key.kid, key]));
		this.idp = idp;
	}

	// ---- the ID token ----

	async claimsOf(token, { nonce, access } = {}) {
		need(typeof token === 'string' && token.split('.').length === 3, 'malformed');
		this.sizes.push(token.length);
		const [head, body, signature] = token.split('.');
		const header = JSON.parse(Buffer.from(head, 'base64url'));
		need(header.alg === 'RS256', 'algorithm', header.alg);
		const key = this.keys.get(header.kid);
		need(key, 'unknown_key', header.kid);
		need(verify('sha256', Buffer.from(`${head}.${body}`), createPublicKey({ key, format: 'jwk' }), Buffer.from(signature, 'base64url')), 'signature');
		const claims = JSON.parse(Buffer.from(body, 'base64url'));
		const now = Date.now() / 1000 + this.moved;
		need(claims.iss === this.idp.idp_url, 'issuer', claims.iss);
		const audiences = [claims.aud].flat();
		need(audiences.includes(this.idp.client_id), 'audience', claims.aud);
		need(audiences.length === 1 || claims.azp === this.idp.client_id, 'authorized_party', claims.azp);
		need(typeof claims.exp === 'number' && claims.exp > now, 'expired');
		need(typeof claims.iat === 'number' && claims.iat < now + 60 && claims.iat > now - 86400, 'issued_at');
		need(claims.nbf === undefined || claims.nbf < now + 60, 'not_before');
		need(typeof claims.sub === 'string' && claims.sub !== '', 'subject');
		if (!access) need(nonce && claims.nonce === nonce, 'nonce', claims.nonce);
		return claims;
	}

	async userOf(claims) {
		const made = await this.convert(claims);
		need(!made.error, made.error?.reason, made.error?.message);
		const groups = made.groups.filter((group) => this.known.includes(group));
		need(groups.length > 0 || this.nobody, 'no_known_group', made.groups.join());
		return { name: made.user, groups };
	}

	// ---- in a browser ----

	begin(request, response) {
		const id = randomBytes(16).toString('hex');
		const asked = { state: randomBytes(12).toString('hex'), nonce: randomBytes(12).toString('hex') };
		this.sessions.set(id, asked);
		const { authorization_endpoint: at, client_id, scope, response_mode } = this.idp;
		const query = new URLSearchParams({ client_id, response_type: 'id_token', response_mode, scope, redirect_uri: this.redirectUri, ...asked });
		response.writeHead(302, { location: `${at}?${query}`, 'set-cookie': `cloud=${id}; Path=/; HttpOnly; Secure; SameSite=None` }).end();
	}

	async finish(request, response, fields) {
		const id = /cloud=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
		const asked = this.sessions.get(id);
		need(asked, 'no_session');
		need(fields.get('state') === asked.state, 'state', fields.get('state'));
		// Used once, however this ends.
		this.sessions.delete(id);
		need(!fields.get('error'), 'upstream', `${fields.get('error')}: ${fields.get('error_description')}`);
		const user = await this.userOf(await this.claimsOf(fields.get('id_token'), { nonce: asked.nonce }));
		response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page('Console', `${escape(user.name)} in ${escape(user.groups.join(', ') || 'no group')}`));
	}

	// ---- for programs ----

	async token(response, text) {
		let claims;
		try {
			claims = await this.claimsOf(text, { access: true });
		} catch (error) {
			const body = { error_msg: `Request parameter 'id token' is invalid.`, error_code: 'IAM.0011', reason: error.reason };
			return response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(body));
		}
		const user = await this.userOf(claims);
		const groups = user.groups.map((name) => ({ id: `id-of-${name}`, name }));
		response.writeHead(201, { 'content-type': 'application/json', 'x-subject-token': randomBytes(24).toString('hex') }).end(JSON.stringify({ token: {
			methods: ['mapped'], user: { name: user.name, id: `id-of-${user.name}`, domain: { id: 'acme' }, 'OS-FEDERATION': { identity_provider: { id: 'tidelock' }, protocol: { id: 'oidc' }, groups } },
			issued_at: new Date().toISOString(), expires_at: new Date(Date.now() + 3600000).toISOString() } }));
	}

	async answer(request, response) {
		const url = new URL(request.url, this.origin);
		let body = '';
		for await (const chunk of request) body += chunk;
		const at = `${request.method} ${url.pathname}`;
		if (at === 'GET /authui/federation/websso') return this.begin(request, response);
		if (at === 'POST /authui/oidc/post' || at === 'POST /authui/oidc/fragment') return this.finish(request, response, new URLSearchParams(body));
		if (at === 'GET /authui/oidc/redirect') {
			return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><form id="f" method="post" action="/authui/oidc/fragment"></form><script>for (const [name, value] of new URLSearchParams(location.hash.slice(1))) { const i = document.createElement("input"); i.name = name; i.value = value; f.append(i); } f.submit();</script>');
		}
		if (at === 'POST /v3/OS-FEDERATION/identity_providers/tidelock/protocols/oidc/auth') {
			return this.token(response, /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]);
		}
		if (at === 'POST /v3.0/OS-AUTH/id-token/tokens') {
			need(request.headers['x-idp-id'] === 'tidelock', 'unknown_idp');
			return this.token(response, JSON.parse(body).auth.id_token.id);
		}
		response.writeHead(404).end();
	}

	fail(response, error) {
		const reason = error.reason ?? 'broken';
		response.writeHead(error.reason ? 403 : 500, { 'content-type': 'text/html; charset=utf-8', 'x-refused': reason })
			.end(page('Refused', `<span id="reason">${escape(reason)}</span> ${escape(error.message)}`));
	}
}
