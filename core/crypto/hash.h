/* hash.h: SHA-1, SHA-2 and HMAC-SHA-256. Nothing here can fail or allocate. */
#pragma once

#include "base/bytes.h"

enum hash_alg { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512 };

enum { HASH_SIZE_MAX = 64, HASH_HMAC_SIZE = 32 };

size_t hash_size(enum hash_alg alg);
/* Writes hash_size(alg) bytes. SHA-1 is for protocols that name it, never for signatures. */
void hash_bytes(enum hash_alg alg, struct slice in, unsigned char *out);
void hash_hmac_sha256(struct slice key, struct slice in, unsigned char out[HASH_HMAC_SIZE]);
