// upstream.mjs: the places where people already have an account, as a broker meets them: under their real names, by TLS, through a
// proxy that leads all of them to the stand-ins of tests/upstream (and loopback to itself). And a person whose browser travels between them and the broker.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { after } from 'node:test';
import { Browser, formOf } from './browser.mjs';
import { eventually } from './broker.mjs';
import { authority, proxy } from './peers.mjs';
import { listen } from '../upstream/server.mjs';

// { files, settings } for Broker.start, { rules } for Chromium, ask() and fetch() for clients.
export async function upstreams(...doubles) {
	const hosts = [...new Set(doubles.flatMap((double) => double.hosts))];
	const ca = authority('Authority of the upstreams');
	const { server, port, close } = await listen(doubles, { secure: ca.certificate(hosts) });
	after(close);
	const through = await proxy((place) => Number(/^(?:http:\/\/)?127\.0\.0\.1:(\d+)/.exec(place)?.[1] ?? port));
	const ask = (url, options) => asked(new URL(url), port, ca.pem, options);
	return {
		hosts, port, server, ask, ca: ca.pem, proxy: `http://127.0.0.1:${through.port}`, seen: through.seen,
		files: { 'upstreams.pem': ca.pem },
		settings: `outgoing = { proxy = "http://127.0.0.1:${through.port}", ca_file = "upstreams.pem" }`,
		rules: hosts.map((host) => `MAP ${host}:443 127.0.0.1:${port}`).join(', '),
		async fetch(url, { method = 'GET', headers = {}, body } = {}) {
			const got = await ask(url, { method, headers: Object.fromEntries(new Headers(headers)), body: body === undefined ? undefined : String(body) });
			const lines = Object.entries(got.headers).map(([name, value]) => [name, String(value)]);
			return new Response([204, 302, 303].includes(got.status) ? null : got.text, { status: got.status, headers: lines });
		},
	};
}

function asked(url, port, ca, { method = 'GET', headers = {}, body } = {}) {
	const options = { host: '127.0.0.1', port, servername: url.hostname, ca, agent: false, method, path: url.pathname + url.search,
		headers: { ...headers, host: url.host, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) } };
	return new Promise((resolve, reject) => {
		const request = https.request(options, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => {
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

// One stand-in alone on a port of its own, by plain HTTP: make(origin) builds it for there.
export async function upstreamAt(make) {
	const taken = await new Promise((resolve) => { const probe = http.createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); }); });
	const double = make(`http://127.0.0.1:${taken}`);
	const { close } = await listen([double], { port: taken });
	after(close);
	return double;
}

// A table as the configuration writes it.
export function lua(value) {
	if (Array.isArray(value)) return `{ ${value.map(lua).join(', ')} }`;
	if (value && typeof value === 'object') return `{ ${Object.entries(value).filter(([, one]) => one !== undefined).map(([name, one]) => `["${name}"] = ${lua(one)}`).join(', ')} }`;
	return JSON.stringify(value);
}
export const declared = (name, settings) => `source "${name}" ${lua(settings)}\n`;

export const callback = (broker, source) => `${broker.url}/source/oauth/callback/${source}/`;
export const login = (source) => `/source/oauth/login/${source}/`;

// Time passes, for the broker and for the others.
export async function later(broker, seconds, ...doubles) {
	await broker.advance(seconds);
	for (const double of doubles) double.moved += seconds;
}

export const isSignedIn = (person) => [...person.cookies.keys()].some((name) => /^(__Host-)?tidelock$/.test(name));
// told(why): since the last call the owner was told of a failure like that. Equal ones are one event with a count.
export async function teller(broker) {
	const count = (events, why) => events.filter(({ reason = '' }) => why.test(reason)).reduce((sum, event) => sum + event.count, 0);
	let last = await broker.events();
	return async (why) => {
		const before = last;
		await eventually(async () => {
			last = await broker.events();
			assert.ok(count(last, why) > count(before, why), `no event like ${why}: ${JSON.stringify(last.slice(-6).map(({ kind, reason }) => `${kind}: ${reason}`), null, 1)}`);
			return true;
		});
	};
}
export const userNames = async (broker) => (await broker.json('user', 'list')).map(({ username }) => username).sort();

// A person's browser: one jar of cookies a host, and what browsers withhold from requests of other sites is withheld.
export class Person extends Browser {
	// world: of upstreams(); without it the other places are asked as they are named.
	constructor(broker, world) {
		super(broker);
		Object.assign(this, { world, jars: new Map() });
	}

	isBroker(url) { return url.origin === new URL(this.broker.url).origin; }
	isUpstream(url) { return this.world ? this.world.hosts.includes(url.host) : url.hostname === '127.0.0.1' && !this.isBroker(url); }

	request(method, target, options = {}) {
		const url = new URL(target, this.broker.url);
		return this.isBroker(url) ? super.request(method, target, options) : this.elsewhere(method, url, options);
	}

	async elsewhere(method, url, { body, headers = {} }) {
		const jar = this.jars.get(url.host) ?? new Map();
		this.jars.set(url.host, jar);
		const sent = { 'user-agent': 'Person', ...headers, ...(jar.size ? { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } : {}) };
		if (body !== undefined) sent['content-type'] = 'application/x-www-form-urlencoded';
		const text = body === undefined ? undefined : new URLSearchParams(body).toString();
		const got = await (this.world ? this.world.ask(url, { method, headers: sent, body: text }) : plainly(url, { method, headers: sent, body: text }));
		for (const line of [got.headers['set-cookie'] ?? []].flat()) jar.set(line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).split(';')[0]);
		return got;
	}

	// Through redirects, Refresh answers and form_post pages, until there is something to do or the way leads elsewhere.
	async follow(response) {
		for (let hops = 0; hops < 15; hops++) {
			const next = response.headers.location ?? /^0; url=(.*)$/.exec(response.headers.refresh ?? '')?.[1];
			if (next) {
				const url = new URL(next, response.url);
				if (!this.isBroker(url) && !this.isUpstream(url)) return { away: url, response };
				response = await this.get(url.href);
			} else if (/id="form-post"/.test(response.text)) {
				const form = formOf(response.text, 'form-post');
				const url = new URL(form.action, response.url);
				if (!this.isBroker(url)) return { page: response };
				response = await this.post(url.href, form.fields, { cookies: false, headers: { origin: new URL(response.url).origin, 'sec-fetch-site': 'cross-site' } });
			} else return { page: response, here: this.isBroker(new URL(response.url)) };
		}
		throw new Error('redirected in a circle');
	}

	// Starts at the source and picks an account, if the page asks for one.
	async signInAt(source, account, { query = '' } = {}) { return this.choose(await this.open(login(source) + query), account); }
	async choose(at, account) {
		if (!at.page || !/id="choose"/.test(at.page.text)) return at;
		return this.submit(at.page, account ? { account } : { deny: '1' }, 'choose');
	}
}

async function plainly(url, { method, headers, body }) {
	const response = await fetch(url, { method, headers, body, redirect: 'manual' });
	const text = await response.text();
	return { status: response.status, headers: { ...Object.fromEntries(response.headers), 'set-cookie': response.headers.getSetCookie() }, text, url: url.href };
}
