// keys.mjs: signing keys of an upstream: a set that rotates, self-signed certificates over them (x5c), and tokens signed as told, also wrongly.
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export const base64url = (value) => Buffer.from(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString('base64url');
export const sha256 = (value) => createHash('sha256').update(value).digest();

// The left half of the hash of a token or a code: at_hash, c_hash (OpenID Connect Core 3.1.3.6, 3.3.2.11).
export const halfHash = (value) => sha256(value).subarray(0, 16).toString('base64url');

const curves = { ES256: 'P-256' };

export function newKey({ alg = 'RS256', kid = randomBytes(9).toString('base64url'), ...more } = {}) {
	const pair = curves[alg] ? generateKeyPairSync('ec', { namedCurve: curves[alg] }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
	return { alg, kid, ...pair, jwk: { ...pair.publicKey.export({ format: 'jwk' }), use: 'sig', kid }, ...more };
}

export const hmacKey = (secret, kid) => ({ alg: 'HS256', kid, secret });

// key: of newKey or hmacKey, or nothing: unsigned. transform changes the header that is signed, not the one that is sent.
export function signJwt(key, claims, header = {}, transform = (same) => same) {
	const sent = { typ: 'JWT', alg: key?.alg ?? 'none', ...(key?.kid ? { kid: key.kid } : {}), ...header };
	for (const name of Object.keys(sent)) if (sent[name] === undefined) delete sent[name];
	const input = (from) => `${base64url(from)}.${base64url(claims)}`;
	return `${input(sent)}.${signatureOf(key, input(transform(sent)))}`;
}

function signatureOf(key, input) {
	if (!key) return '';
	if (key.secret) return createHmac('sha256', key.secret).update(input).digest('base64url');
	return sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}

// The same token with one bit of its signature turned.
export function breakSignature(jwt) {
	const at = jwt.lastIndexOf('.') + 1;
	const bytes = Buffer.from(jwt.slice(at), 'base64url');
	bytes[bytes.length >> 1] ^= 1;
	return jwt.slice(0, at) + bytes.toString('base64url');
}

// ---- Certificates ----------------------------------------------------------------------------------------------------

function der(tag, ...parts) {
	const body = Buffer.concat(parts);
	const size = body.length < 128 ? Buffer.from([body.length]) : Buffer.from([0x82, body.length >> 8, body.length & 255]);
	return Buffer.concat([Buffer.from([tag]), size, body]);
}
const sequence = (...parts) => der(0x30, ...parts);
const sha256WithRsa = sequence(Buffer.from('06092a864886f70d01010b', 'hex'), Buffer.from('0500', 'hex'));
const commonName = (name) => sequence(der(0x31, sequence(Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(name)))));
const utcTime = (date) => der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));

// A self-signed certificate over an RSA key, as Entra publishes with each (RFC 5280 4.1).
function certificateOf(key, name) {
	const day = 86400000;
	const body = sequence(
		der(0xa0, Buffer.from('020102', 'hex')), der(0x02, Buffer.from([1]), randomBytes(12)), sha256WithRsa, commonName(name),
		sequence(utcTime(new Date(Date.now() - day)), utcTime(new Date(Date.now() + 3650 * day))), commonName(name),
		key.publicKey.export({ type: 'spki', format: 'der' }));
	return sequence(body, sha256WithRsa, der(0x03, Buffer.from([0]), sign('sha256', body, key.privateKey)));
}

// Adds x5c and x5t to the key's public half (RFC 7517 4.7, 4.8).
export function withCertificate(key, name) {
	const certificate = certificateOf(key, name);
	key.jwk.x5t = createHash('sha1').update(certificate).digest('base64url');
	key.jwk.x5c = [certificate.toString('base64')];
	return key;
}
