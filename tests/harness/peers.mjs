// peers.mjs: servers that the broker asks: with certificates of an authority of their own, good and bad ones, and a proxy.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

const DAY = 86400;
const stamp = (seconds) => new Date(seconds * 1000).toISOString().replace(/[-:T]/g, '').replace(/\..*$/, 'Z');

// An authority: { pem, certificate(names, { from, until, type }) → { key, cert } }; from and until in days from now.
export function authority(name = 'Authority of the tests') {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-peers-'));
	after(() => rmSync(dir, { recursive: true, force: true }));
	const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] });
	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', `/CN=${name}`);
	let serial = 0;
	writeFileSync(path.join(dir, 'ca.cnf'), '[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n[p]\ncommonName=supplied\n');
	writeFileSync(path.join(dir, 'index'), '');
	writeFileSync(path.join(dir, 'serial'), '1000');
	return {
		pem: readFileSync(path.join(dir, 'ca.pem'), 'utf8'),
		certificate(names, { from = -1, until = 10, type = 'ec' } = {}) {
			const id = `peer-${++serial}`;
			const kind = type === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'rsa:2048'];
			const alternatives = names.map((one) => `${net.isIP(one) ? 'IP' : 'DNS'}:${one}`).join(',');
			openssl('req', ...kind, '-nodes', '-keyout', `${id}.key`, '-out', `${id}.csr`, '-subj', `/CN=${id}`, '-addext', `subjectAltName=${alternatives}`);
			const now = Date.now() / 1000;
			openssl('ca', '-batch', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-in', `${id}.csr`, '-out', `${id}.pem`, '-notext', '-startdate', stamp(now + from * DAY), '-enddate', stamp(now + until * DAY));
			return { key: readFileSync(path.join(dir, `${id}.key`)), cert: readFileSync(path.join(dir, `${id}.pem`)) };
		},
	};
}

async function listening(server) {
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	after(() => { server.closeAllConnections?.(); server.close(); });
	return { server, port: server.address().port };
}

// handler: as of http.createServer. secure: { key, cert, … } makes it TLS.
export const peer = (handler, secure) => listening(secure ? https.createServer(secure, handler) : http.createServer(handler));

// Says these bytes to whoever connects and asks; a function of the socket decides when.
export const rawPeer = (talk) => {
	const sockets = new Set();
	const server = net.createServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => {}).on('close', () => sockets.delete(socket));
		socket.once('data', () => talk(socket));
	});
	after(() => sockets.forEach((socket) => socket.destroy()));
	return listening(server);
};

// An HTTP proxy that leads a request to the port that target(what was asked for) says; what it was asked for stands in `seen`.
export async function proxy(target, { refuse } = {}) {
	const seen = [];
	const server = http.createServer((request, response) => {
		seen.push(`${request.method} ${request.url}`);
		const onward = http.request({ host: '127.0.0.1', port: target(request.url), method: request.method, path: request.url.replace(/^http:\/\/[^/]*/, ''), headers: request.headers }, (answer) => {
			response.writeHead(answer.statusCode, answer.headers);
			answer.pipe(response);
		});
		onward.on('error', () => response.destroy());
		request.pipe(onward);
	});
	server.on('connect', (request, socket) => {
		seen.push(`CONNECT ${request.url}`);
		socket.on('error', () => {});
		if (refuse?.(request.url)) { socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'); return; }
		const onward = net.connect(target(request.url), '127.0.0.1', () => {
			socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
			socket.pipe(onward).pipe(socket);
		});
		onward.on('error', () => socket.destroy());
	});
	return { ...(await listening(server)), seen };
}
