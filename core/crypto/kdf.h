/* kdf.h: keys from keys (HKDF-SHA-256, RFC 5869) and, for passwords of other programs, PBKDF2-HMAC-SHA-256. */
#pragma once

#include "base/bytes.h"

enum { KDF_KEY_SIZE = 32 };

/* One block of HKDF: extract with `salt`, expand with `label` (at most 128 bytes, longer is ST_BAD). */
must_check enum st kdf_hkdf(
	struct slice key, struct slice salt, struct slice label, unsigned char out[KDF_KEY_SIZE]);
must_check enum st kdf_pbkdf2(struct slice password, struct slice salt, unsigned iterations,
	unsigned char out[KDF_KEY_SIZE]);
