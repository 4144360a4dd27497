// device.mjs: the device flow (RFC 8628) step by step: what the device sends and what the person does.
import { Browser, basic, tokenRequest } from './browser.mjs';

export const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

// tv authenticates by a secret; agent is public.
export const objects = `
local device = "${GRANT}"
application "tv" {
  name = "Television", client_secret = "tv-secret", grant_types = { device, "refresh_token" },
  scopes = { "openid", "profile", "email", "offline_access" }, consent = "implicit",
  audiences = { "https://films.example.org/", "https://music.example.org/" },
}
application "agent" {
  name = "Agent", client_type = "public", grant_types = { device, "refresh_token" },
  scopes = { "openid", "profile", "email", "offline_access" },
}
application "lenient" { client_secret = "lenient-secret", grant_types = { device }, authentik_errors = true }
application "sign-on" { client_id = "sign:on", client_secret = "se+cret:1", grant_types = { device } }
`;
const headersOf = (client) => (client === 'tv' ? basic('tv', 'tv-secret') : undefined);
const named = (client, form) => (client === 'agent' ? { client_id: client, ...form } : form);

// from: the address that the device asks from.
export const start = (broker, client, form = {}, { from } = {}) => new Browser(broker).post('/application/o/device/', named(client, form),
	{ headers: client === 'agent' ? {} : headersOf(client) ?? basic(client), from });
export const poll = (broker, client, device_code, more = {}) => tokenRequest(broker, client, { grant_type: GRANT, device_code, ...more }, headersOf(client));

export async function signedIn(broker, username = 'alice', password = 'wonderland') {
	const browser = new Browser(broker);
	await browser.signIn(await browser.get('/signin'), username, password);
	return browser;
}

// Types a code at /device; the page that comes.
export async function enter(browser, code) {
	const { page } = await browser.submit((await browser.open('/device')).page, { code }, 'device');
	return page;
}
export const answer = async (browser, page, word) => (await browser.submit(page, { answer: word }, 'answer')).page;

// The whole of it: the answer to the poll that gets the tokens.
export async function connect(broker, client, form = {}, { browser, polled } = {}) {
	const { device_code, user_code } = (await start(broker, client, form)).json;
	browser ??= await signedIn(broker);
	await answer(browser, await enter(browser, user_code), 'allow');
	return poll(broker, client, device_code, polled);
}
