// conformance.mjs: does what the OpenID Foundation's suite does for one client, one response type and one response mode: real
// requests, the answer read where it must stand, every ID token checked by jose, userinfo asked.
import assert from 'node:assert/strict';
import { randomBytes, createHash } from 'node:crypto';
import * as jose from 'jose';
import { Browser, answerOf, basic, pkce } from './browser.mjs';

// The suite's second client has a query in its redirect URI, which must come back.
export const callback = (client) => `https://${client}.rp.example.org/cb${client === 'two' ? '?dummy1=lorem&dummy2=ipsum' : ''}`;

// Two clients as the suite has them, and mappings for the scopes that have no built-in one.
export const conformanceObjects = (responseTypes, more = '') => `
scope_mapping "address" { scope = "address", description = "Your address", script = "address.lua" }
scope_mapping "phone" { scope = "phone", description = "Your telephone number", script = "phone.lua" }
${['one', 'two'].map((client) => `application "${client}" { name = "Client ${client}", client_id = "${client}", client_secret = "secret-of-${client}",
	redirect_uris = { "${callback(client)}" }, scopes = { "openid", "profile", "email", "address", "phone", "offline_access" }, consent = "implicit", ${more}
	include_claims_in_id_token = false, response_types = { ${responseTypes.map((each) => `"${each}"`).join(', ')} } }`).join('\n')}
`;
export const conformanceFiles = {
	'address.lua': 'return { address = { street_address = "1 Looking-Glass Lane", locality = "Oxford", country = "GB" } }',
	'phone.lua': 'return { phone_number = "+44 1865 000000", phone_number_verified = false }',
};


export class Client {
	constructor(broker, { responseType = 'code', responseMode, client = 'one', issuer = broker.issuer(client), browser = new Browser(broker), alg = 'RS256' } = {}) {
		Object.assign(this, { broker, responseType, responseMode, client, issuer, browser, alg });
	}
	get words() { return this.responseType.split(' '); }
	has(word) { return this.words.includes(word); }
	leftHalf(text) {
		const digest = createHash(`sha${this.alg.slice(2)}`).update(text).digest();
		return digest.subarray(0, digest.length / 2).toString('base64url');
	}
	// The way that an answer must travel.
	get mode() { return this.responseMode ?? (this.responseType === 'code' ? 'query' : 'fragment'); }

	request(parameters = {}) {
		const fresh = { client_id: this.client, redirect_uri: callback(this.client), response_type: this.responseType, scope: 'openid',
			state: randomBytes(8).toString('hex'), nonce: randomBytes(8).toString('hex') };
		if (this.responseMode) fresh.response_mode = this.responseMode;
		this.sent = { ...fresh, ...parameters };
		for (const name of Object.keys(this.sent)) if (this.sent[name] === undefined) delete this.sent[name];
		return `${this.broker.url}/application/o/authorize/?${new URLSearchParams(this.sent)}`;
	}

	// To the answer, through the sign-in page when there is one; `pages` counts those that a person had to fill in.
	async visit(parameters, who = ['alice', 'wonderland']) {
		return this.arrive(await this.browser.open(this.request(parameters)), who);
	}
	async arrive(at, who = ['alice', 'wonderland']) {
		this.pages = 0;
		if (at.page && /id="signin"/.test(at.page.text)) {
			this.pages++;
			at = await this.browser.signIn(at.page, ...who);
		}
		if (at.page && /id="consent"/.test(at.page.text)) at = await this.browser.submit(at.page, { answer: 'allow' }, 'consent');
		return this.answered(at);
	}
	answered(at) {
		const got = answerOf(at);
		assert.equal(got.mode, this.mode, JSON.stringify(got));
		const [address, query] = this.sent.redirect_uri.split('?');
		assert.equal(got.target, got.mode === 'query' ? address : this.sent.redirect_uri);
		if (got.mode === 'query') for (const [name, value] of new URLSearchParams(query)) assert.equal(got.parameters[name], value);
		assert.equal(got.parameters.state, this.sent.state);
		assert.equal(got.parameters.iss, this.issuer);
		return got.parameters;
	}
	async error(parameters) {
		const told = this.answered(await this.browser.open(this.request(parameters)));
		for (const name of ['code', 'id_token', 'access_token']) assert.equal(told[name], undefined, name);
		assert.ok(told.error, JSON.stringify(told));
		return told.error;
	}

	async checked(id_token) {
		this.keys ??= jose.createLocalJWKSet((await this.browser.get(`/application/o/${this.client}/jwks/`)).json);
		const { payload, protectedHeader } = await jose.jwtVerify(id_token, this.keys, {
			issuer: this.issuer, audience: this.client, algorithms: [this.alg], requiredClaims: ['sub', 'iat', 'exp'],
			currentDate: new Date(Date.now() + this.broker.moved * 1000), clockTolerance: 5,
		});
		assert.ok(protectedHeader.kid);
		assert.equal(payload.nonce, this.sent.nonce);
		return payload;
	}

	// Everything of a successful answer: front channel, token endpoint, userinfo. Returns { told, front, tokens, claims, userinfo }.
	async succeed(parameters, who) { return this.finish(await this.visit(parameters, who)); }
	async finish(told) {
		assert.equal(told.error, undefined, JSON.stringify(told));
		const out = { told };
		assert.equal(told.code !== undefined, this.has('code'));
		assert.equal(told.id_token !== undefined, this.has('id_token'));
		assert.equal(told.access_token !== undefined, this.has('token'));
		if (this.has('token')) {
			assert.equal(told.token_type, 'Bearer');
			assert.ok(Number(told.expires_in) > 0);
			assert.ok(told.scope.split(' ').includes('openid'));
		} else for (const name of ['token_type', 'expires_in', 'scope']) assert.equal(told[name], undefined, name);
		if (told.id_token) {
			out.front = await this.checked(told.id_token);
			assert.equal(out.front.at_hash, told.access_token && this.leftHalf(told.access_token));
			assert.equal(out.front.c_hash, told.code && this.leftHalf(told.code));
		}
		if (told.code) await this.redeem(out);
		out.claims = out.front ?? out.back;
		const access_token = out.tokens?.access_token ?? told.access_token;
		if (access_token) {
			out.userinfo = await this.userinfo(access_token);
			assert.equal(out.userinfo.sub, out.claims?.sub ?? out.userinfo.sub);
		}
		if (told.access_token) assert.equal((await this.userinfo(told.access_token)).sub, out.userinfo.sub);
		return out;
	}
	token(form, headers) {
		return this.browser.post('/application/o/token/', form, { headers: headers ?? basic(this.client, `secret-of-${this.client}`), cookies: false });
	}
	post(path, body, headers = {}) { return this.browser.post(path, body, { headers }); }
	exchange(code, more) { return this.token({ grant_type: 'authorization_code', code, redirect_uri: this.sent.redirect_uri, ...more }); }
	async redeem(out, more) {
		const answer = await this.exchange(out.told.code, more);
		assert.equal(answer.status, 200, answer.text);
		assert.equal(answer.headers['cache-control'], 'no-store');
		assert.match(answer.headers['content-type'], /^application\/json/);
		out.tokens = answer.json;
		assert.equal(out.tokens.token_type, 'Bearer');
		assert.equal(out.tokens.id_token !== undefined, out.tokens.scope.split(' ').includes('openid'));
		if (!out.tokens.id_token) return;
		out.back = await this.checked(out.tokens.id_token);
		assert.equal(out.back.at_hash, this.leftHalf(out.tokens.access_token));
		for (const name of ['iss', 'sub']) assert.equal(out.back[name], (out.front ?? out.back)[name]);
	}
	async userinfo(token) {
		const answer = await this.browser.get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` }, cookies: false });
		assert.equal(answer.status, 200, answer.text);
		return answer.json;
	}
}
export { pkce };
