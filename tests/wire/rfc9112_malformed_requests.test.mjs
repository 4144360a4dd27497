// What two parsers could read differently is refused, and the connection ends with it (RFC 9112; study: request smuggling).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { rawExchange, statusOf } from '../harness/browser.mjs';

const host = 'Host: 127.0.0.1';
const get = (...fields) => ['GET /healthz HTTP/1.1', host, ...fields, '', ''].join('\r\n');
const post = (fields, body) => [`POST /application/o/token/ HTTP/1.1`, host, ...fields, '', body].join('\r\n');
const marker = 'GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

// Sends the bytes and a second request behind them; answers all status lines that come back.
async function statuses(broker, bytes, behind = '') {
	const text = await rawExchange(broker, Buffer.from(bytes + behind, 'latin1'), { milliseconds: 1500 });
	return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));
}

async function allRefused(broker, table) {
	await Promise.all(table.map(async ([name, bytes, ...allowed]) => {
		const got = await statuses(broker, bytes, marker);
		assert.equal(got.length, 1, `${name}: answered ${got}`);
		assert.ok((allowed.length ? allowed : [400]).includes(got[0]), `${name}: answered ${got}`);
	}));
	assert.equal(statusOf(await rawExchange(broker, get('Connection: close'))), 200);
}

test('the_length_of_a_body_has_one_reading', async () => {
	const broker = await Broker.start();
	await allRefused(broker, [
		['two lengths', post(['Content-Length: 5', 'Content-Length: 6'], 'hello!')],
		['the same length twice', post(['Content-Length: 5', 'Content-Length: 5'], 'hello')],
		['a list of lengths', post(['Content-Length: 5, 5'], 'hello')],
		['+5', post(['Content-Length: +5'], 'hello')],
		['-5', post(['Content-Length: -5'], 'hello')],
		['0x5', post(['Content-Length: 0x5'], 'hello')],
		['an empty length', post(['Content-Length:'], 'hello')],
		['5 5', post(['Content-Length: 5 5'], 'hello')],
		['a length beyond 64 bits', post(['Content-Length: 18446744073709551621'], 'hello'), 400, 413],
		['length and chunks', post(['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n')],
		['xchunked', post(['Transfer-Encoding: xchunked'], '0\r\n\r\n'), 400, 501],
		['gzip, chunked', post(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'), 400, 501],
		['chunked, chunked', post(['Transfer-Encoding: chunked, chunked'], '0\r\n\r\n'), 400, 501],
		['chunked twice', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'), 400, 501],
		['identity', post(['Transfer-Encoding: identity'], ''), 400, 501],
		['chunked in HTTP/1.0', post(['Transfer-Encoding: chunked'], '0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0')],
	]);
});

test('chunks_are_read_to_the_letter', async () => {
	const broker = await Broker.start();
	const chunked = (body) => post(['Transfer-Encoding: chunked'], body);
	await allRefused(broker, [
		['0x5', chunked('0x5\r\nhello\r\n0\r\n\r\n')], ['+5', chunked('+5\r\nhello\r\n0\r\n\r\n')], ['-1', chunked('-1\r\n\r\n')],
		['a space in front', chunked(' 5\r\nhello\r\n0\r\n\r\n')], ['no size', chunked('\r\nhello\r\n0\r\n\r\n')],
		['no CRLF after the data', chunked('5\r\nhelloXX0\r\n\r\n')], ['a bare LF after the size', chunked('5\nhello\r\n0\r\n\r\n')],
		['a bare LF after the data', chunked('5\r\nhello\n0\r\n\r\n')], ['a size beyond 64 bits', chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'), 400, 413],
		['NUL in an extension', chunked('5;a=\0\r\nhello\r\n0\r\n\r\n')],
	]);
	// An extension is read over, and trailers are no headers.
	const good = chunked('5;a=b\r\ngrant\r\n0\r\nHost: evil.example\r\nContent-Type: text/plain\r\n\r\n').replace(host, `${host}\r\nConnection: close`);
	assert.deepEqual(await statuses(broker, good), [400]);
	const text = await rawExchange(broker, good);
	assert.match(text, /"error":\s*"invalid_request"/, 'the request reached the token endpoint');
});

test('headers_are_read_to_the_letter', async () => {
	const broker = await Broker.start();
	const line = (text) => get(text);
	await allRefused(broker, [
		['no Host', 'GET /healthz HTTP/1.1\r\n\r\n'], ['two Hosts', line('Host: 127.0.0.1')], ['two different Hosts', line('Host: evil.example')],
		['Host :', 'GET /healthz HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n'], ['an empty Host', 'GET /healthz HTTP/1.1\r\nHost:\r\n\r\n'],
		['a Host with a path', 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n'], ['a Host with userinfo', 'GET /healthz HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n'],
		['a folded field', line('X-A: b\r\n c')], ['a field that begins with a space', 'GET /healthz HTTP/1.1\r\n X: y\r\nHost: 127.0.0.1\r\n\r\n'],
		['a bare LF', 'GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n'], ['a bare CR', line('X-A: b\rc')], ['NUL in a value', line('X-A: b\0c')], ['NUL in a name', line('X\0A: b')],
		['a field without colon', line('nonsense')], ['a field without name', line(': x')], ['a space in a name', line('X A: b')], ['a control character', line('X-A: b\x01c')],
		['a byte above 127 in a name', line('X\xe9: b')],
	]);
});

test('request_lines_are_read_to_the_letter', async () => {
	const broker = await Broker.start();
	const line = (text) => `${text}\r\n${host}\r\n\r\n`;
	await allRefused(broker, [
		['HTTP/9.9', line('GET /healthz HTTP/9.9'), 400, 505], ['HTTP/1.2x', line('GET /healthz HTTP/1.2x')], ['lower case', line('GET /healthz http/1.1')],
		['HTTP/0.9', 'GET /healthz\r\n\r\n'], ['two spaces', line('GET  /healthz HTTP/1.1')], ['a tab', line('GET\t/healthz HTTP/1.1')], ['a space in the target', line('GET /a b HTTP/1.1')],
		['no target', line('GET HTTP/1.1')], ['a fragment', line('GET /healthz#x HTTP/1.1')], ['a bad method', line('G@T /healthz HTTP/1.1')], ['NUL in the target', line('GET /health\0z HTTP/1.1')],
		['%00', line('GET /healthz%00 HTTP/1.1')], ['an encoded slash', line('GET /a%2fb HTTP/1.1')],
		['half an escape', line('GET /a%2 HTTP/1.1')], ['broken UTF-8', line('GET /%ff%fe HTTP/1.1')], ['an overlong slash', line('GET /%c0%af HTTP/1.1')], ['a relative target', line('GET healthz HTTP/1.1')],
		['CONNECT', line('CONNECT example.org:443 HTTP/1.1'), 400, 405, 501], ['a raw byte above 127', line('GET /\xe9 HTTP/1.1')],
		['the start of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(80, '\x01') + '\r\n\r\n'],
	]);
	// TRACE would mirror cookies; unknown methods are no reason to end a connection.
	for (const method of ['TRACE', 'BREW', 'DELETE']) assert.ok([405, 501].includes(statusOf(await rawExchange(broker, line(`${method} /healthz HTTP/1.1`).replace(host, `${host}\r\nConnection: close`)))), method);
});

test('an_absolute_target_wins_over_the_host_field_and_dot_segments_reach_nothing', async () => {
	const broker = await Broker.start();
	const ask = async (line, field = host) => statusOf(await rawExchange(broker, `${line}\r\n${field}\r\nConnection: close\r\n\r\n`));
	assert.equal(await ask(`GET http://127.0.0.1:${broker.port}/signin HTTP/1.1`, 'Host: evil.example'), 200);
	assert.equal(await ask('GET http://evil.example/signin HTTP/1.1'), 421);
	for (const path of ['/./signin', '/static/../signin', '/static/%2e%2e/signin', '//signin', '/signin/', '/signin;x', '/..;/signin', '/SIGNIN']) {
		assert.ok([400, 404].includes(await ask(`GET ${path} HTTP/1.1`)), path);
	}
});
