/* kdf.c: HKDF's only needed case (32 bytes, one block) is two HMACs; PBKDF2 is mbedTLS's. */
#include "crypto/kdf.h"

#include <mbedtls/pkcs5.h>

#include "base/secret.h"
#include "crypto/hash.h"

enum { LABEL_MAX = 128 };

enum st kdf_hkdf(
	struct slice key, struct slice salt, struct slice label, unsigned char out[KDF_KEY_SIZE])
{
	unsigned char extracted[HASH_HMAC_SIZE], info[LABEL_MAX + 1];

	if (label.n > LABEL_MAX)
		return ST_BAD;
	hash_hmac_sha256(salt, key, extracted);
	if (label.n)
		memcpy(info, label.p, label.n);
	info[label.n] = 1; /* RFC 5869 2.3: T(1) = HMAC(PRK, info | 0x01) */
	hash_hmac_sha256(slice_of(extracted, sizeof(extracted)), slice_of(info, label.n + 1), out);
	secret_wipe(extracted, sizeof(extracted));
	return ST_OK;
}

enum st kdf_pbkdf2(struct slice password, struct slice salt, unsigned iterations,
	unsigned char out[KDF_KEY_SIZE])
{
	if (mbedtls_pkcs5_pbkdf2_hmac_ext(MBEDTLS_MD_SHA256, password.p, password.n, salt.p, salt.n,
		    iterations, KDF_KEY_SIZE, out) != 0)
		return ST_NOMEM;
	return ST_OK;
}
