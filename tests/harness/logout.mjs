// logout.mjs: an application that signs its people out: where it sends them, and what happens on the way.
import { randomBytes } from 'node:crypto';
import { Browser, authorizeUrl, obtainTokens } from './browser.mjs';

export const goodbye = 'https://web.example.org/goodbye';
export const endSession = (parameters, slug = 'web') => `/application/o/${slug ? `${slug}/` : ''}end-session/?${new URLSearchParams(Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined)))}`;
export const longState = () => randomBytes(96).toString('base64url'); // 128 characters, as the suite's

// The application "web" again, with what a sign-out needs. `more` is further settings, `objects` further objects.
export const leaving = (more = '', objects = '') => ({ objects: `
application "leaving" { name = "Leaving application", client_id = "leaving", client_secret = "leaving-secret", consent = "implicit",
	redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "profile", "email", "offline_access" },
	post_logout_redirect_uris = { "${goodbye}", "https://web.example.org/bye?kept=1", { regex = "https://web\\\\.example\\\\.org/left/[a-z]+" } }, ${more} }
${objects}` });

export const signedIn = (broker, parameters = {}, options = {}) => obtainTokens(broker, { client_id: 'leaving', redirect_uri: 'https://web.example.org/callback', scope: 'openid profile', ...parameters },
	{ ...options });

// What an application asks after a sign-out: is anybody there?
export async function isSignedOut(broker, browser, client_id = 'leaving') {
	const { away } = await browser.open(authorizeUrl(broker, { client_id, redirect_uri: 'https://web.example.org/callback', prompt: 'none' }));
	const error = away?.searchParams.get('error');
	if (!error && !away?.searchParams.get('code')) throw new Error(`neither code nor error: ${away}`);
	return error === 'login_required';
}

export const asked = (at) => at.page?.status === 200 && /id="signout"/.test(at.page.text) && /<h1>Sign out\?<\/h1>/.test(at.page.text);
export const saidGoodbye = (at) => at.page?.status === 200 && /id="signed-out"/.test(at.page.text);
export const confirm = (browser, at) => browser.submit(at.page, {}, 'signout');
export const anew = (broker) => new Browser(broker);
