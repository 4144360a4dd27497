// network.mjs: a network of the test's own, where port 443 is free and names resolve to this machine: what foreign clients insist on.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { test } from 'node:test';
import { Broker, configuration } from './broker.mjs';

export const public_url = 'https://sso.test';
export const web = 'https://ghe.test';
export const api = 'https://api.ghe.test';
const NAMES = [public_url, web, api].map((url) => new URL(url).hostname);

// Without root the namespace comes with one of users', where the kernel gives them to everybody; what runs in it is who started it.
const isRoot = process.getuid() === 0;
const unshare = ['--net', '--mount', ...(isRoot ? [] : ['--map-root-user'])];
const setUp = 'ip link set lo up && mount --bind "$0" /etc/hosts && echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start';
const INSIDE = `${setUp} && exec ${isRoot ? '' : `unshare --map-user=${process.getuid()} --map-group=${process.getgid()} `}"$@"`;

function runInside() {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-'));
	const hosts = path.join(dir, 'hosts');
	writeFileSync(hosts, `127.0.0.1 localhost ${NAMES.join(' ')}\n::1 localhost\n`);
	// Its output is this process's: the runner sees the tests as they are.
	const { status } = spawnSync('unshare', [...unshare, 'sh', '-c', INSIDE, hosts, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
		{ stdio: 'inherit', env: { ...process.env, TIDELOCK_NETWORK: 'own' } });
	rmSync(dir, { recursive: true, force: true });
	process.exit(status ?? 1);
}

// To be awaited first in a test file: what follows runs in the network. Where the kernel has none for us, the file is one skipped test
// that says so.
export function enterNetwork() {
	if (process.env.TIDELOCK_NETWORK === 'own') return true;
	const tried = spawnSync('unshare', [...unshare, 'true'], { encoding: 'utf8' });
	if (tried.status === 0) runInside();
	test('real_clients_at_port_443', { skip: `no network namespace: ${(tried.stderr ?? tried.error?.message ?? '').trim()}` }, () => {});
	return false;
}

// A broker at public_url with the github_host ghe.test, both at port 443; this process and its children trust its certificates.
export async function startAtHost({ objects }) {
	const broker = await Broker.start({
		port: 443, url: public_url, tls: true,
		config: ({ dir, options }) => configuration({ port: 443, dir, tls: true, objects: `github_host "ghe.test" {}\n${options.objects}` })
			.replace(/^public_url = .*$/m, `public_url = "${public_url}"`),
		objects,
	});
	tls.setDefaultCACertificates([readFileSync(broker.caFile, 'utf8')]);
	return broker;
}
