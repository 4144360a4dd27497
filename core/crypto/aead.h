/* aead.h: sealing with AES-256-GCM. A sealed value is nonce (12 random bytes), ciphertext, tag (16 bytes). With random
 * nonces a key is good for 2^32 seals; keys come per purpose from master.h. */
#pragma once

#include "base/bytes.h"

enum { AEAD_KEY_SIZE = 32, AEAD_NONCE_SIZE = 12, AEAD_TAG_SIZE = 16 };

/* Appends the sealed plaintext to out. */
must_check enum st aead_seal(const unsigned char key[AEAD_KEY_SIZE], struct slice plaintext,
	struct slice aad, struct buf *out);
/* Appends the plaintext; ST_BAD (nothing appended) when the bytes are not ours or not for this aad. */
must_check enum st aead_open(const unsigned char key[AEAD_KEY_SIZE], struct slice sealed,
	struct slice aad, struct buf *out);
