// TLS as curl and openssl see it: versions, the private CA, resumption, ALPN, SNI.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Broker, eventually } from '../harness/broker.mjs';

function run(program, args, input = '') {
	return new Promise((resolve) => {
		const child = execFile(program, args, { timeout: 20000 }, (error, out, err) => resolve({ status: error ? (error.code ?? 1) : 0, out, err }));
		child.stdin.on('error', () => {});
		child.stdin.end(input);
	});
}

const broker = await Broker.start({ tls: true });

function temporaryFolder() {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-'));
	after(() => rmSync(dir, { recursive: true, force: true }));
	return dir;
}

const client = (...args) => run('openssl', ['s_client', '-connect', `127.0.0.1:${broker.port}`, '-servername', 'localhost', '-CAfile', broker.caFile, ...args], 'Q\n');

for (const version of ['1.2', '1.3']) {
	test(`curl_reads_discovery_over_tls_${version}_with_the_private_ca`, async () => {
		const answer = await run('curl', ['-sS', '--cacert', broker.caFile, `--tlsv${version}`, '--tls-max', version, '-w', '\n%{http_code} %{http_version}', broker.issuer('web') + '.well-known/openid-configuration']);
		assert.equal(answer.status, 0, answer.err);
		const [body, status] = [answer.out.slice(0, answer.out.lastIndexOf('\n')), answer.out.split('\n').at(-1)];
		assert.equal(status, '200 1.1');
		assert.equal(JSON.parse(body).issuer, broker.issuer('web'));
	});

	test(`a_session_is_resumed_over_tls_${version}`, async () => {
		const file = path.join(temporaryFolder(), 'session');
		const flag = version === '1.2' ? '-tls1_2' : '-tls1_3';
		const request = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
		const talk = (more) => run('openssl', ['s_client', '-connect', `127.0.0.1:${broker.port}`, '-servername', 'localhost', '-CAfile', broker.caFile, flag, '-ign_eof', ...more], request);
		const first = await talk(['-sess_out', file]);
		assert.match(first.out, /^New, /m);
		const second = await talk(['-sess_in', file]);
		assert.match(second.out, /^Reused, /m);
	});
}

for (const [name, flag] of [['1.0', '-tls1'], ['1.1', '-tls1_1']]) {
	test(`tls_${name}_is_refused`, async () => {
		const answer = await client(flag, '-cipher', 'ALL:@SECLEVEL=0');
		assert.notEqual(answer.status, 0);
		assert.doesNotMatch(answer.out, /Cipher is (?!\(NONE\))/);
	});
}

test('a_cipher_without_forward_secrecy_or_with_cbc_is_refused', async () => {
	for (const cipher of ['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA256']) {
		const answer = await client('-tls1_2', '-cipher', cipher);
		assert.notEqual(answer.status, 0, cipher);
	}
});

test('alpn_chooses_http_1_1_and_refuses_a_client_that_only_offers_others', async () => {
	const both = await client('-alpn', 'h2,http/1.1');
	assert.match(both.out, /ALPN protocol: http\/1\.1/);
	const other = await client('-alpn', 'h2');
	assert.notEqual(other.status, 0);
});

test('the_lab_ca_is_constrained_to_the_configured_names_S36', async () => {
	const answer = await run('openssl', ['x509', '-in', broker.caFile, '-noout', '-text']);
	assert.match(answer.out, /CA:TRUE, pathlen:0/);
	assert.match(answer.out, /X509v3 Name Constraints:\s*\n/);
	assert.match(answer.out, /DNS:localhost/);
	const chain = await client('-verify_return_error');
	assert.match(chain.out, /Verify return code: 0 \(ok\)/);
});

test('an_undeclared_server_name_or_host_is_misdirected_S17', async () => {
	const sni = await run('curl', ['-sS', '-k', '--resolve', `evil.example.org:${broker.port}:127.0.0.1`, '-o', '/dev/null', '-w', '%{http_code}', `https://evil.example.org:${broker.port}/signin`]);
	assert.equal(sni.out, '421');
	const host = await run('curl', ['-sS', '--cacert', broker.caFile, '-H', 'Host: evil.example.org', '-o', '/dev/null', '-w', '%{http_code}', `${broker.url}/signin`]);
	assert.equal(host.out, '421');
	const health = await run('curl', ['-sS', '-k', '--resolve', `evil.example.org:${broker.port}:127.0.0.1`, '-o', '/dev/null', '-w', '%{http_code}', `https://evil.example.org:${broker.port}/healthz`]);
	assert.equal(health.out, '200');
});

test('plain_http_on_the_tls_port_is_closed_without_an_answer_in_clear', async () => {
	const answer = await run('curl', ['-sS', '--max-time', '5', `http://127.0.0.1:${broker.port}/healthz`]);
	assert.notEqual(answer.status, 0);
	assert.equal(answer.out, '');
});

test('own_certificate_files_are_served_and_replaced_by_a_reload', async () => {
	const dir = temporaryFolder();
	const make = (name) => run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`, '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']);
	assert.equal((await make('first')).status, 0);
	const own = await Broker.start({ tls: true, settings: `tls = { certificate = "${dir}/cert.pem", key = "${dir}/key.pem" }` });
	const subject = async () => (await run('openssl', ['s_client', '-connect', `127.0.0.1:${own.port}`, '-servername', 'localhost'], 'Q\n')).out.match(/subject=(.*)/)?.[1];
	assert.match(await subject(), /first/);
	await make('second');
	own.signal('SIGHUP');
	await eventually(async () => /second/.test(await subject()), 5);
	writeFileSync(`${dir}/cert.pem`, 'not a certificate');
	own.signal('SIGHUP');
	await eventually(() => /cert\.pem/.test(own.log), 5).catch((error) => { throw new Error(own.log, { cause: error }); });
	assert.match(await subject(), /second/);
});
