// assertions.mjs: tokens signed the way a client would, and the ways an attacker would.
import { constants, createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
const options = { RS: {}, PS: pss, ES: { dsaEncoding: 'ieee-p1363' } };
const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

export const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// A key pair for an algorithm: { privateKey, jwk = the public half with kid, alg and use }.
export function keyPair(alg, kid = alg, more = { alg, use: 'sig' }) {
	const { privateKey, publicKey } = curves[alg] ? generateKeyPairSync('ec', { namedCurve: curves[alg] }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
	return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, ...more } };
}

// key: a pair of keyPair, or { secret }. header and claims as they shall stand there.
export function signed(key, claims, header = {}) {
	const full = { alg: 'secret' in key ? 'HS256' : key.alg, ...(key.kid ? { kid: key.kid } : {}), ...header };
	const input = `${encode(full)}.${encode(claims)}`;
	const hash = `sha${(key.alg ?? 'HS256').slice(2)}`;
	const signature = 'secret' in key ? createHmac('sha256', key.secret).update(input).digest() : sign(hash, input, { key: key.privateKey, ...options[key.alg.slice(0, 2)] });
	return `${input}.${signature.toString('base64url')}`;
}

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

// The claims of a good assertion (RFC 7523 3); `now` in seconds.
export function assertionClaims(client, audience, more = {}, now = Date.now() / 1000) {
	const iat = Math.floor(now);
	const claims = { iss: client, sub: client, aud: audience, jti: randomUUID(), iat, exp: iat + 60, ...more };
	for (const name of Object.keys(claims)) if (claims[name] === undefined) delete claims[name];
	return claims;
}

export const assertionForm = (assertion) => ({ client_assertion_type: JWT_BEARER, client_assertion: assertion });
