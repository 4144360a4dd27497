// github.mjs: GitHub's OAuth endpoints as clients speak to them.
import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';

export const objects = `
application "forge" {
  name = "Forge", client_id = "0123456789abcdef0123", client_secret = "fedcba9876543210fedcba9876543210fedcba98",
  redirect_uris = { "https://forge.example.org/users/auth", "https://forge.example.org/second?tenant=1" },
  consent = "implicit", github = { device_flow = true },
}
application "asking" {
  name = "Asking", client_id = "asking", client_secret = "asking-secret", redirect_uris = { "https://asking.example.org/callback" },
  github = { send_iss = true, scope_echo = true },
}
application "jenkins" {
  name = "Jenkins", client_id = "jenkins", client_secret = "jenkins-secret", consent = "implicit",
  redirect_uris = { "https://jenkins.example.org/securityRealm/finishLogin" }, github = { query_secret = true },
}
application "tool" {
  name = "Tool", client_type = "public", client_id = "tool", redirect_uris = { "http://127.0.0.1/callback" },
  github = { device_flow = true },
}
`;

export const clients = {
	forge: { client_id: '0123456789abcdef0123', client_secret: 'fedcba9876543210fedcba9876543210fedcba98', redirect_uri: 'https://forge.example.org/users/auth' },
	asking: { client_id: 'asking', client_secret: 'asking-secret', redirect_uri: 'https://asking.example.org/callback' },
	jenkins: { client_id: 'jenkins', client_secret: 'jenkins-secret', redirect_uri: 'https://jenkins.example.org/securityRealm/finishLogin' },
	tool: { client_id: 'tool', redirect_uri: 'http://127.0.0.1:4711/callback' },
};

export const authorizeUrl = (client, parameters = {}) => {
	const query = { client_id: clients[client].client_id, redirect_uri: clients[client].redirect_uri, scope: 'read:user', state: 'st-1', ...parameters };
	for (const name of Object.keys(query)) if (query[name] === undefined) delete query[name];
	return `/login/oauth/authorize?${new URLSearchParams(query)}`;
};

// Where the browser is sent after signing in and agreeing.
export async function authorize(broker, client, parameters, { browser = new Browser(broker), username, password } = {}) {
	let at = await browser.open(authorizeUrl(client, parameters));
	if (at.page && /id="signin"/.test(at.page.text)) at = await browser.signIn(at.page, username, password);
	if (at.page && /id="consent"/.test(at.page.text)) at = await browser.submit(at.page, { answer: 'allow' }, 'consent');
	assert.ok(at.away, `not sent back: ${at.page?.status}\n${at.page?.text}`);
	return { away: at.away, answered: Object.fromEntries(at.away.searchParams), code: at.away.searchParams.get('code'), browser };
}

export const json = { accept: 'application/json' };

export const exchange = (broker, form, headers = json) => new Browser(broker).post('/login/oauth/access_token', form, { headers });

// Signs in and exchanges: the token's answer.
export async function connect(broker, client, parameters, options) {
	const { code, browser } = await authorize(broker, client, parameters, options);
	const { client_id, client_secret } = clients[client];
	const answer = await exchange(broker, { client_id, client_secret, code });
	assert.match(answer.json?.access_token ?? '', /^gho_/, answer.text);
	return { ...answer.json, code, browser };
}

export const basic = (id, secret) => ({ authorization: 'Basic ' + Buffer.from(`${id}:${secret}`).toString('base64') });

// GitHub's check digits: CRC-32 in base 62.
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
export function checksum(text) {
	let crc = 0xffffffff;
	for (const byte of Buffer.from(text)) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
	}
	let number = (crc ^ 0xffffffff) >>> 0;
	let out = '';
	for (let place = 0; place < 6; place++, number = Math.floor(number / 62)) out = digits[number % 62] + out;
	return out;
}

// What a person does whom a program has told to type `code` at `address`.
export async function approve(broker, address, code, { username = 'alice', password = 'wonderland', answer = 'allow', browser = new Browser(broker) } = {}) {
	let at = await browser.open(address);
	if (/id="signin"/.test(at.page.text)) at = await browser.signIn(at.page, username, password);
	at = await browser.submit(at.page, { code }, 'device');
	at = await browser.submit(at.page, { answer }, 'answer');
	assert.equal(at.page.status, 200, at.page.text);
	return at.page;
}
