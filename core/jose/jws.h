/* jws.h: the compact serialization of JSON Web Signatures (RFC 7515) by allow-list. The header chooses nothing: the caller
 * brings the key and the algorithms; "jwk", "jku", "x5u", "x5c" and "kid" are never looked at here. */
#pragma once

#include "base/bytes.h"
#include "crypto/pk.h"
#include "json/json.h"

enum { JWS_COMPACT_MAX = 64 * 1024 };

/* A parsed token. Zero-initialised is empty. */
struct jws {
	enum pk_alg alg;
	struct slice signing_input;            /* borrows from the compact text */
	struct buf header, payload, signature; /* owns; decoded */
	struct json *fields;                   /* owns; the header's members */
};

/* ST_BAD, with *error a static text: not three parts, not strict base64url, a header that is not an object or names a member
 * twice, "alg" missing, "none", HMAC or unknown, "crit" or "b64" or "zip" present, no signature. jws_free afterwards always. */
must_check enum st jws_parse(struct slice compact, struct jws *out, const char **error);
void jws_free(struct jws *j);
/* Whether this key may have made this token: ST_OK or ST_BAD with *error. The signature itself is jws_verify's. */
must_check enum st jws_fits(const struct jws *j, const struct pk *k, const char **error);
/* ST_OK: the signature is right. Slow for ECDSA (pk_alg_is_slow). */
must_check enum st jws_verify(const struct jws *j, struct pk *k);

/* The same for a token that the holder of a shared secret made: "HS256" and nothing else, its signature checked in constant
 * time. ST_BAD with *error: one of jws_parse's reasons, or a wrong signature. A secret is never a key: the two kinds of token
 * are told apart by which function is called, not by the header (RFC 8725 3.1). jws_free afterwards always. */
must_check enum st jws_open_hmac(
	struct slice compact, struct slice secret, struct jws *out, const char **error);

/* Appends BASE64URL(header) "." BASE64URL(payload). */
must_check enum st jws_signing_input(struct slice header, struct slice payload, struct buf *out);
/* Signs what stands in compact (a signing input) and appends "." and the signature. */
must_check enum st jws_sign(struct pk *k, enum pk_alg alg, struct buf *compact);

/* Remembers tokens whose signature was right, so that our own are checked once. 1,024 entries; a full row forgets one of
 * its own. Only the signature is remembered, never whether a token is still good. One thread. */
struct jws_cache;
struct jws_cache *jws_cache_new(void); /* NULL = out of memory */
void jws_cache_free(struct jws_cache *c);
bool jws_cache_has(const struct jws_cache *c, const struct pk *k, struct slice compact);
void jws_cache_add(struct jws_cache *c, const struct pk *k, struct slice compact);
