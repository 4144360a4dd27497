// server.mjs: what every upstream stands on: routes by host name and path, a list of what it was asked, a clock that tests move, and
// faults on purpose. Only Node's own modules, so that the lab can start them too.
import http from 'node:http';
import https from 'node:https';
import { once } from 'node:events';

const types = { json: 'application/json; charset=utf-8', html: 'text/html; charset=utf-8', form: 'application/x-www-form-urlencoded; charset=utf-8' };
const MOST_BYTES = 1 << 20;

// Faults: what is answered instead. Each gets (response, ask, fault).
const faults = {
	down: (response) => response.socket.destroy(),
	silent: () => {},
	slow(response, ask, { body = '{"access_token":"' + 'x'.repeat(4000) }) {
		response.writeHead(200, { 'content-type': types.json });
		let at = 0;
		const timer = setInterval(() => response.write(body[at++ % body.length]), 1000);
		response.write('{');
		response.on('close', () => clearInterval(timer));
	},
	html: (response) => response.writeHead(200, { 'content-type': types.html }).end('<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>'),
	huge(response) {
		response.writeHead(200, { 'content-type': types.json });
		response.on('error', () => {});
		response.end(`{"padding":"${'x'.repeat(10 << 20)}"}`);
	},
	wrong_json: (response) => response.writeHead(200, { 'content-type': types.json }).end('{"access_token": "abc", '),
	redirect: (response, ask, { to }) => response.writeHead(302, { location: to }).end(),
	answer: (response, ask, { status = 500, headers = {}, body = { error: 'server_error' } }) =>
		response.writeHead(status, { 'content-type': types.json, ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body)),
};

export class Upstream {
	// origins: { name: 'https://accounts.google.com', … }; names of one origin may be shared.
	constructor(origins) {
		this.origins = origins;
		this.routes = [];
		this.asked = []; // { method, part, path, query, form, headers }, newest last
		this.spoiled = [];
		this.changes = [];
		this.moved = 0;
	}

	now() { return Math.floor(Date.now() / 1000) + this.moved; }
	link(part, path = '') { return this.origins[part] + path; }
	get hosts() { return [...new Set(Object.values(this.origins).map((origin) => new URL(origin).host))]; }

	// pattern: an expression over the whole path; handler(ask, ...groups) answers { json } | { html } | { redirect } | { form } with status, headers.
	route(part, method, pattern, handler) {
		this.routes.push({ part, method, pattern: new RegExp(`^${pattern}$`), handler });
	}

	// From now on (or `times` only) requests whose path matches get this fault: a name of `faults`, with what it needs.
	spoil(pattern, fault, { times = Infinity, ...more } = {}) {
		this.spoiled.push({ pattern: new RegExp(pattern), fault: faults[fault], times, ...more });
	}
	// Changes what is answered at these paths: change(json, ask) → json. A token is changed by alterToken of its issuer.
	alter(pattern, change) { this.changes.push({ pattern: new RegExp(pattern), change }); }
	heal() { this.spoiled = []; this.changes = []; }

	count(pattern) { return this.asked.filter(({ path }) => new RegExp(pattern).test(path)).length; }

	faultFor(ask) {
		const found = this.spoiled.find(({ pattern, times }) => times > 0 && pattern.test(ask.path));
		if (found) found.times--;
		return found;
	}

	async handle(request, response, url, body) {
		const ask = askOf(request, url, body);
		if (this.asked.push(ask) > 1000) this.asked.shift();
		const fault = this.faultFor(ask);
		if (fault) return fault.fault(response, ask, fault);
		for (const { part, method, pattern, handler } of this.routes) {
			if (new URL(this.origins[part]).host !== url.host || (method !== ask.method && method !== '*')) continue;
			const match = pattern.exec(ask.path);
			if (match) return this.answer(response, ask, await handler.call(this, { ...ask, part }, ...match.slice(1)));
		}
		return response.writeHead(404, { 'content-type': types.html }).end(`<title>Not found</title>${escape(ask.path)}`);
	}

	answer(response, ask, { status = 200, headers = {}, json, html, form, redirect, text }) {
		if (redirect) return response.writeHead(302, { location: redirect, ...headers }).end();
		for (const { pattern, change } of this.changes) if (json && pattern.test(ask.path)) json = change(json, ask) ?? json;
		const kind = json ? 'json' : form ? 'form' : 'html';
		const body = json ? JSON.stringify(json) : form ? new URLSearchParams(form).toString() : (html ?? text ?? '');
		return response.writeHead(status, { 'content-type': types[kind], 'cache-control': 'no-store', ...headers }).end(body);
	}
}

function askOf(request, url, body) {
	const isForm = /^application\/x-www-form-urlencoded/.test(request.headers['content-type'] ?? '');
	return {
		method: request.method, path: decodeURI(url.pathname), query: Object.fromEntries(url.searchParams), headers: request.headers,
		form: isForm ? Object.fromEntries(new URLSearchParams(body)) : {}, body, cookies: cookiesOf(request.headers.cookie ?? ''),
	};
}

const cookiesOf = (line) => Object.fromEntries(line.split(/; */).filter(Boolean).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));

export const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

// One server for several upstreams, told apart by the Host they are asked as. secure: { key, cert } makes it TLS.
export async function listen(upstreams, { secure, port = 0, address = '127.0.0.1' } = {}) {
	const take = async (request, response) => {
		try {
			const chunks = [];
			let size = 0;
			for await (const chunk of request) if ((size += chunk.length) <= MOST_BYTES) chunks.push(chunk);
			const url = new URL(request.url, `${secure ? 'https' : 'http'}://${request.headers.host}`);
			const named = upstreams.find((one) => one.hosts.includes(url.host));
			if (!named) return response.writeHead(421).end();
			return await named.handle(request, response, url, Buffer.concat(chunks).toString());
		} catch (error) {
			console.error(error);
			return response.headersSent ? response.destroy() : response.writeHead(500).end();
		}
	};
	const server = secure ? https.createServer(secure, take) : http.createServer(take);
	server.listen(port, address);
	await once(server, 'listening');
	return { server, port: server.address().port, close() { server.closeAllConnections(); server.close(); } };
}
