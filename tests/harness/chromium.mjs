// chromium.mjs: a real browser without a window, through the pages as a person meets them. Screenshots are kept under build/.
import { chromium } from 'playwright-core';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { root } from './broker.mjs';

const folder = path.join(root, 'build', 'screenshots');

// rules: of upstreams(), so that the names of other providers lead to their stand-ins.
export async function launch({ rules } = {}) {
	const browser = await chromium.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
			'--disable-component-update', '--disable-sync', `--host-resolver-rules=MAP *.example.org ~NOTFOUND${rules ? `, ${rules}` : ''}`],
	});
	after(() => browser.close());
	return browser;
}

export async function screenshot(page, name) {
	mkdirSync(folder, { recursive: true });
	await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

// An application's redirect URI that answers in the browser: every request to `origin` gets a small page.
export async function standInFor(context, origin) {
	await context.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<title>application</title><h1 id="arrived">Arrived</h1>' }));
}
