// browser.mjs: a small user agent for wire tests: one cookie jar, no script, every hop visible; and raw bytes for what no
// user agent would send.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { createHash, randomBytes } from 'node:crypto';

const entities = { amp: '&', quot: '"', lt: '<', gt: '>', '#39': "'", '#x27': "'", '#34': '"', apos: "'" };
export const unescapeHtml = (text) => text.replace(/&(#?\w+);/g, (whole, name) => entities[name] ?? whole);

// The first form of a page (or the one with this id): { action, method, fields } with hidden and preset values.
export function formOf(html, id) {
	for (const match of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)) {
		const attributes = attributesOf(match[1]);
		if (id && attributes.id !== id) continue;
		const fields = {};
		for (const input of match[2].matchAll(/<input\b([^>]*)>/g)) {
			const { name, value = '' } = attributesOf(input[1]);
			if (name) fields[name] = value;
		}
		return { action: attributes.action, method: attributes.method ?? 'get', fields };
	}
	throw new Error(`no form ${id ?? ''} in:\n${html.slice(0, 2000)}`);
}

function attributesOf(text) {
	const found = {};
	for (const [, name, value] of text.matchAll(/([\w-]+)(?:="([^"]*)")?/g)) found[name] = unescapeHtml(value ?? '');
	return found;
}

// Every name is the broker's machine: there are names of its own that no resolver knows.
const toBroker = (name, { all }, done) => (all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4));

export class Browser {
	constructor(broker) {
		this.broker = broker;
		this.cookies = new Map();
	}

	// One request, no redirect followed. body: text, or a table sent as a form. from: the address to come from (127.0.0.x).
	request(method, target, { body, headers = {}, cookies = true, from } = {}) {
		const url = new URL(target, this.broker.url);
		const client = url.protocol === 'https:' ? https : http;
		const sent = { ...headers };
		if (body !== undefined && typeof body !== 'string') {
			body = new URLSearchParams(body).toString();
			sent['content-type'] ??= 'application/x-www-form-urlencoded';
		}
		if (body !== undefined) sent['content-length'] = Buffer.byteLength(body);
		if (cookies && this.cookies.size) sent.cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
		const options = { method, agent: false, headers: sent, localAddress: from, lookup: toBroker };
		if (client === https) options.ca = readFileSync(this.broker.caFile);
		return new Promise((resolve, reject) => {
			const request = client.request(url, options, (response) => {
				const chunks = [];
				response.on('data', (chunk) => chunks.push(chunk));
				response.on('error', reject);
				response.on('end', () => {
					this.remember(response.headers['set-cookie'] ?? []);
					const text = Buffer.concat(chunks).toString();
					let json;
					try { json = JSON.parse(text); } catch { /* a page */ }
					resolve({ status: response.statusCode, headers: response.headers, text, json, url: url.href });
				});
			});
			request.on('error', reject);
			request.end(body);
		});
	}
	get(target, options) { return this.request('GET', target, options); }
	post(target, body, options) { return this.request('POST', target, { body, ...options }); }

	remember(lines) {
		for (const line of lines) {
			const [pair, ...attributes] = line.split(';').map((part) => part.trim());
			const at = pair.indexOf('=');
			const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
			if (attributes.some((one) => /^max-age=0$/i.test(one)) || value === '') this.cookies.delete(name);
			else this.cookies.set(name, value);
		}
	}

	// Follows redirects and Refresh answers while they stay at the broker; answers the last response, or the foreign URL.
	async follow(response) {
		for (let hops = 0; hops < 10; hops++) {
			const next = response.headers.location ?? /^0; url=(.*)$/.exec(response.headers.refresh ?? '')?.[1];
			if (!next) return { page: response };
			const url = new URL(next, response.url);
			if (url.origin !== new URL(this.broker.url).origin) return { away: url, response };
			response = await this.get(url.href);
		}
		throw new Error('redirected in a circle');
	}
	async open(target) { return this.follow(await this.get(target)); }

	// Sends the page's form with these values on top.
	async submit(page, values = {}, id) {
		const form = formOf(page.text, id);
		const { origin } = new URL(page.url);
		return this.follow(await this.post(new URL(form.action, page.url).href, { ...form.fields, ...values }, { headers: { origin } }));
	}

	async signIn(page, username = 'alice', password = 'wonderland') {
		return this.submit(page, { username, password }, 'signin');
	}
}

// What a client is told at its redirect URI, however it travels: { mode, parameters, target }; nothing may stand in two places.
export function answerOf({ away, page }) {
	if (!away) {
		const form = formOf(page.text, 'form-post');
		return { mode: 'form_post', parameters: form.fields, target: form.action };
	}
	const [query, fragment] = [away.searchParams, new URLSearchParams(away.hash.slice(1))];
	const used = ['code', 'error', 'id_token', 'access_token'].some((name) => fragment.has(name)) ? fragment : query;
	const other = used === query ? fragment : query;
	for (const name of ['code', 'error', 'id_token', 'access_token', 'state', 'iss']) if (other.has(name)) throw new Error(`${name} stands in the wrong place of ${away}`);
	return { mode: used === query ? 'query' : 'fragment', parameters: Object.fromEntries(used), target: away.href.split(used === query ? '?' : '#')[0] };
}

export function pkce() {
	const verifier = randomBytes(32).toString('base64url');
	return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

export const redirectUri = { web: 'https://web.example.org/callback', other: 'https://other.example.org/callback',
	careful: 'https://careful.example.org/callback', native: 'http://127.0.0.1:5000/callback' };
export const secretOf = { web: 'web-secret', other: 'other-secret', careful: 'careful-secret', leaving: 'leaving-secret' };

// The URL an application sends its user to. A parameter set to undefined is left out.
export function authorizeUrl(broker, parameters = {}) {
	const client = parameters.client_id ?? 'web';
	const query = { client_id: client, response_type: 'code', scope: 'openid profile', redirect_uri: redirectUri[client], state: 'st-1', ...parameters };
	for (const name of Object.keys(query)) if (query[name] === undefined) delete query[name];
	return `${broker.url}/application/o/authorize/?${new URLSearchParams(query)}`;
}

// Signs alice in for an application and answers { code, parameters of the redirect, browser, verifier }.
export async function obtainCode(broker, parameters = {}, { browser = new Browser(broker), username, password } = {}) {
	const { verifier, challenge } = pkce();
	const url = authorizeUrl(broker, { code_challenge: challenge, code_challenge_method: 'S256', nonce: 'n-1', ...parameters });
	let at = await browser.open(url);
	if (at.page && /id="signin"/.test(at.page.text)) at = await browser.signIn(at.page, username, password);
	if (at.page && /id="consent"/.test(at.page.text)) at = await browser.submit(at.page, { answer: 'allow' }, 'consent');
	if (!at.away) throw new Error(`not sent back to the application: ${at.page.status}\n${at.page.text}`);
	const answered = Object.fromEntries(at.away.searchParams);
	return { code: answered.code, answered, away: at.away, browser, verifier };
}

export function basic(client, secret = secretOf[client]) {
	return { authorization: 'Basic ' + Buffer.from(`${encodeURIComponent(client)}:${encodeURIComponent(secret)}`).toString('base64') };
}

// A token request by client_secret_basic (a public client names itself in the body).
export function tokenRequest(broker, client, form, headers) {
	const isPublic = !(client in secretOf);
	return new Browser(broker).post('/application/o/token/', isPublic ? { client_id: client, ...form } : form, { headers: headers ?? (isPublic ? {} : basic(client)) });
}

export async function obtainTokens(broker, parameters = {}, options = {}) {
	const client = parameters.client_id ?? 'web';
	const got = await obtainCode(broker, parameters, options);
	const answer = await tokenRequest(broker, client, { grant_type: 'authorization_code', code: got.code, redirect_uri: parameters.redirect_uri ?? redirectUri[client], code_verifier: got.verifier });
	if (answer.status !== 200) throw new Error(`token request: ${answer.status} ${answer.text}`);
	return { ...got, ...answer.json, answer };
}

export const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
export const headerOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url'));

// Sends bytes as they are and answers all that comes back until the server closes or `milliseconds` pass.
export function rawExchange(broker, bytes, { milliseconds = 3000, half = false } = {}) {
	return new Promise((resolve) => {
		const chunks = [];
		const socket = net.connect(broker.port, '127.0.0.1', () => { half ? socket.end(bytes) : socket.write(bytes); });
		const finish = () => { socket.destroy(); resolve(Buffer.concat(chunks).toString('latin1')); };
		const timer = setTimeout(finish, milliseconds);
		socket.on('data', (chunk) => chunks.push(chunk));
		socket.on('error', () => {});
		socket.on('close', () => { clearTimeout(timer); finish(); });
	});
}
export const statusOf = (answer) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
