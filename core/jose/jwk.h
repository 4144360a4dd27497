/* jwk.h: JSON Web Keys (RFC 7517) to and from key handles: public RSA and EC signing keys, nothing else. */
#pragma once

#include "base/bytes.h"
#include "crypto/pk.h"
#include "json/json.h"

enum { JWK_THUMBPRINT_SIZE = 32 };

/* A public key from a JWK object. ST_BAD, with *error a static text: another kind of key, a private or symmetric one, "use"
 * or "key_ops" that do not allow verification, "alg" that we do not know or that does not fit, wrong numbers. */
must_check enum st jwk_import(const struct json *jwk, struct pk **out, const char **error);
/* Appends the public JWK with kty, the numbers, use and (when the key has one) alg; no kid. */
must_check enum st jwk_write(const struct pk *k, struct buf *out);
/* RFC 7638, SHA-256. */
must_check enum st jwk_thumbprint(const struct pk *k, unsigned char out[JWK_THUMBPRINT_SIZE]);
