/* aead.c: AES-256-GCM by mbedTLS. */
#include "crypto/aead.h"

#include <mbedtls/gcm.h>

#include "base/secret.h"

static bool gcm_begin(mbedtls_gcm_context *gcm, const unsigned char key[AEAD_KEY_SIZE])
{
	mbedtls_gcm_init(gcm);
	return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key, AEAD_KEY_SIZE * 8) == 0;
}

enum st aead_seal(const unsigned char key[AEAD_KEY_SIZE], struct slice plaintext, struct slice aad,
	struct buf *out)
{
	mbedtls_gcm_context gcm;
	unsigned char *nonce, *text, *tag;
	enum st st = ST_NOMEM;

	if (!buf_reserve(out, AEAD_NONCE_SIZE + plaintext.n + AEAD_TAG_SIZE))
		return ST_NOMEM;
	nonce = out->p + out->n;
	text = nonce + AEAD_NONCE_SIZE;
	tag = text + plaintext.n;
	random_bytes(nonce, AEAD_NONCE_SIZE);
	if (gcm_begin(&gcm, key) &&
		mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, plaintext.n, nonce,
			AEAD_NONCE_SIZE, aad.p, aad.n, plaintext.p, text, AEAD_TAG_SIZE, tag) == 0) {
		out->n += AEAD_NONCE_SIZE + plaintext.n + AEAD_TAG_SIZE;
		st = ST_OK;
	}
	mbedtls_gcm_free(&gcm);
	return st;
}

enum st aead_open(const unsigned char key[AEAD_KEY_SIZE], struct slice sealed, struct slice aad,
	struct buf *out)
{
	mbedtls_gcm_context gcm;
	struct slice nonce, text, tag;
	enum st st = ST_BAD;

	if (sealed.n < AEAD_NONCE_SIZE + AEAD_TAG_SIZE)
		return ST_BAD;
	nonce = slice_sub(sealed, 0, AEAD_NONCE_SIZE);
	text = slice_sub(sealed, AEAD_NONCE_SIZE, sealed.n - AEAD_NONCE_SIZE - AEAD_TAG_SIZE);
	tag = slice_sub(sealed, sealed.n - AEAD_TAG_SIZE, AEAD_TAG_SIZE);
	if (!buf_reserve(out, text.n + 1))
		return ST_NOMEM;
	if (gcm_begin(&gcm, key) &&
		mbedtls_gcm_auth_decrypt(&gcm, text.n, nonce.p, nonce.n, aad.p, aad.n, tag.p, tag.n,
			text.p, out->p + out->n) == 0) {
		out->n += text.n;
		st = ST_OK;
	}
	mbedtls_gcm_free(&gcm);
	return st;
}
