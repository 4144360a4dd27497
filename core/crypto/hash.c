/* hash.c: over mbedTLS's one-shot functions; HMAC is written out (RFC 2104) because mbedTLS's allocates. */
#include "crypto/hash.h"

#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

#include "base/secret.h"

enum { BLOCK = 64 };

size_t hash_size(enum hash_alg alg)
{
	static const unsigned char sizes[] = {20, 32, 48, 64};
	return sizes[alg];
}

/* The software implementations have no way to fail; if one ever did, a wrong digest must not leave this file. */
static void must(int result)
{
	if (result != 0)
		abort();
}

void hash_bytes(enum hash_alg alg, struct slice in, unsigned char *out)
{
	switch (alg) {
	case HASH_SHA1:
		must(mbedtls_sha1(in.p, in.n, out));
		return;
	case HASH_SHA256:
		must(mbedtls_sha256(in.p, in.n, out, 0));
		return;
	case HASH_SHA384:
		must(mbedtls_sha512(in.p, in.n, out, 1));
		return;
	case HASH_SHA512:
		must(mbedtls_sha512(in.p, in.n, out, 0));
		return;
	}
	abort();
}

static void two_parts(
	const unsigned char pad[BLOCK], struct slice in, unsigned char out[HASH_HMAC_SIZE])
{
	mbedtls_sha256_context c;

	mbedtls_sha256_init(&c);
	must(mbedtls_sha256_starts(&c, 0));
	must(mbedtls_sha256_update(&c, pad, BLOCK));
	must(mbedtls_sha256_update(&c, in.p, in.n));
	must(mbedtls_sha256_finish(&c, out));
	mbedtls_sha256_free(&c);
}

void hash_hmac_sha256(struct slice key, struct slice in, unsigned char out[HASH_HMAC_SIZE])
{
	unsigned char inner[BLOCK] = {0}, outer[BLOCK], digest[HASH_HMAC_SIZE];

	if (key.n > BLOCK)
		hash_bytes(HASH_SHA256, key, inner);
	else if (key.n)
		memcpy(inner, key.p, key.n);
	for (size_t i = 0; i < BLOCK; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	two_parts(inner, in, digest);
	two_parts(outer, slice_of(digest, sizeof(digest)), out);
	secret_wipe(inner, sizeof(inner));
	secret_wipe(outer, sizeof(outer));
	secret_wipe(digest, sizeof(digest));
}
