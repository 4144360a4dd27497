/* pk.h: public and private keys behind an opaque, reference-counted handle, and signatures in the form that JOSE wants
 * them (RFC 7518: RSA as is, ECDSA as r and s of fixed width). A private key leaves this file only sealed or on its way
 * into TLS. All functions may be called from any thread; one key may sign on several threads at once. */
#pragma once

#include "base/bytes.h"

struct pk;
struct mbedtls_pk_context;

/* RSA signs with RS256 alone; the others are for checking what clients and upstreams sign. The numbers stand in sealed keys: new
 * ones come last. */
enum pk_alg {
	PK_ALG_NONE,
	PK_RS256,
	PK_PS256,
	PK_ES256,
	PK_ES384,
	PK_ES512,
	PK_RS384,
	PK_RS512,
	PK_PS384,
	PK_PS512
};

enum {
	PK_RSA_BITS_MIN = 2048,
	PK_RSA_BITS_MAX = 8192,
	PK_SIGNATURE_MAX = PK_RSA_BITS_MAX / 8,
	PK_ID_SIZE = 32
};

/* "RS256", …; exact case. PK_ALG_NONE for all that is not in the list, among them "none" and every HMAC. */
enum pk_alg pk_alg_of(struct slice name);
const char *pk_alg_name(enum pk_alg alg); /* "" for PK_ALG_NONE */
const char *pk_curve(enum pk_alg alg);    /* "P-256", …; NULL for RSA */
bool pk_alg_signs(enum pk_alg alg);       /* not only verified */
bool pk_alg_is_slow(enum pk_alg alg); /* verification takes over a millisecond: belongs on the pool */

/* A new private key: RS256 (2048 bits), ES256, ES384, ES512. Takes up to a second for RSA. */
must_check enum st pk_generate(enum pk_alg alg, struct pk **out);
/* Public keys from big-endian numbers. ST_BAD with a static text in *error. alg of an RSA key may be PK_ALG_NONE (the key
 * names none): it then verifies every RSA algorithm. */
must_check enum st pk_import_rsa(
	enum pk_alg alg, struct slice n, struct slice e, struct pk **out, const char **error);
must_check enum st pk_import_ec(
	enum pk_alg alg, struct slice x, struct slice y, struct pk **out, const char **error);

struct pk *pk_ref(struct pk *k);
void pk_unref(struct pk *k); /* accepts NULL */

enum pk_alg pk_alg(const struct pk *k);
bool pk_is_private(const struct pk *k);
bool pk_is_rsa(const struct pk *k);
/* Whether the key may be used with alg: its kind, its curve and the algorithm that it names. */
bool pk_fits(const struct pk *k, enum pk_alg alg);
/* SHA-256 over the public key: what tells keys apart in caches. PK_ID_SIZE bytes. */
const unsigned char *pk_id(const struct pk *k);

/* Appends the signature of message. ST_BAD when the key is public or does not fit. */
must_check enum st pk_sign(struct pk *k, enum pk_alg alg, struct slice message, struct buf *signature);
/* ST_OK: good. ST_BAD: everything else but ST_NOMEM. */
must_check enum st pk_verify(
	struct pk *k, enum pk_alg alg, struct slice message, struct slice signature);

/* The public numbers, appended: modulus and exponent without leading zeros, or coordinates of the curve's width. */
must_check enum st pk_public(const struct pk *k, struct buf *first, struct buf *second);

/* The private key as bytes for sealing, and back. The caller wipes the buffer. */
must_check enum st pk_private_bytes(const struct pk *k, struct buf *out);
must_check enum st pk_from_private_bytes(struct slice bytes, struct pk **out);
/* The private key as PEM with a final NUL outside of n, for tls_config_add inside C; the caller wipes. Never bound to Lua. */
must_check enum st pk_private_pem(const struct pk *k, struct buf *out);
/* A copy for mbedTLS's own use (x509.c); private when k is. The caller frees it with mbedtls_pk_free, also on failure. */
must_check enum st pk_copy(const struct pk *k, struct mbedtls_pk_context *out);
