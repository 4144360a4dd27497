
// OpenID Connect Session Management 1.0, 3.2: "unchanged", "changed" or "error" for an application's "client_id session_state". Who is
// not an application of ours gets no answer, and nothing that is sent here costs more than one hash (CVE-2024-1249).
(() => {
	'use strict';
	const { origins, cookie } = document.body.dataset;
	const known = new Set(origins.split(' '));
	// Native applications and developers come from any port of their own machine.
	const portless = (origin) => origin.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)):\d+$/, '$1:*');
	const state = () => (document.cookie.split('; ').find((one) => one.startsWith(`${cookie}=`)) ?? '').slice(cookie.length + 1);
	// A browser that keeps our cookie from us cannot be asked whether somebody is signed in.
	const blind = async () => state() === '' && document.hasStorageAccess !== undefined && !(await document.hasStorageAccess());
	const expected = async (client, origin, salt) => {
		const bytes = new TextEncoder().encode(`${client} ${origin} ${state()} ${salt}`);
		const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
		return `${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}.${salt}`;
	};
	let busy = 0;
	addEventListener('message', async ({ data, origin, source }) => {
		if (!source || (!known.has(origin) && !known.has(portless(origin))) || busy >= 8) return;
		const [client, sent, ...more] = typeof data === 'string' && data.length <= 500 ? data.split(' ') : [];
		const salt = sent?.split('.')[1];
		busy++;
		try {
			if (!client || !salt || more.length || !crypto.subtle || (await blind())) source.postMessage('error', origin);
			else source.postMessage((await expected(client, origin, salt)) === sent ? 'unchanged' : 'changed', origin);
		} finally {
			busy--;
		}
	});
})();
