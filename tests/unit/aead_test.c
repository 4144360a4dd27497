/* aead_test.c: hashes, derived keys and sealing against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "crypto/master.h"

static void is_hex(const unsigned char *p, size_t n, const char *hex)
{
	struct buf out = {0};

	assert_int_equal(hex_encode(slice_of(p, n), &out), ST_OK);
	assert_true(slice_eq(buf_slice(&out), slice_str(hex)));
	buf_free(&out);
}

static void hashes(void **state)
{
	unsigned char d[HASH_SIZE_MAX];

	(void)state;
	hash_bytes(HASH_SHA1, SLICE_LIT("abc"), d);
	is_hex(d, 20, "a9993e364706816aba3e25717850c26c9cd0d89d");
	hash_bytes(HASH_SHA256, SLICE_LIT("abc"), d);
	is_hex(d, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_bytes(HASH_SHA384, SLICE_LIT("abc"), d);
	is_hex(d, 48, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
	hash_bytes(HASH_SHA512, SLICE_LIT(""), d);
	is_hex(d, 64,
		"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}

/* RFC 4231, cases 2 and 6. */
static void hmac_of_short_and_long_keys(void **state)
{
	unsigned char d[HASH_HMAC_SIZE], key[131];

	(void)state;
	hash_hmac_sha256(SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"), d);
	is_hex(d, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(slice_of(key, sizeof(key)),
		SLICE_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), d);
	is_hex(d, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 5869, case 1, its first 32 bytes; RFC 7914 11 for PBKDF2. */
static void derives_keys(void **state)
{
	unsigned char ikm[22], salt[13], info[10], out[KDF_KEY_SIZE];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm));
	for (unsigned i = 0; i < sizeof(salt); i++)
		salt[i] = (unsigned char)i;
	for (unsigned i = 0; i < sizeof(info); i++)
		info[i] = (unsigned char)(0xf0 + i);
	assert_int_equal(
		kdf_hkdf(slice_of(ikm, 22), slice_of(salt, 13), slice_of(info, 10), out), ST_OK);
	is_hex(out, 32, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
	assert_int_equal(kdf_pbkdf2(SLICE_LIT("passwd"), SLICE_LIT("salt"), 1, out), ST_OK);
	is_hex(out, 32, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
}

static void master_gives_a_key_for_each_label(void **state)
{
	static const unsigned char key[MASTER_KEY_SIZE] = {1, 2, 3};
	unsigned char a[32], b[32], c[32];

	(void)state;
	assert_int_equal(crypto_master_derive(SLICE_LIT("a"), a), ST_NOTFOUND);
	assert_int_equal(crypto_master_set(key), ST_OK);
	assert_true(crypto_master_is_set());
	assert_int_equal(crypto_master_derive(SLICE_LIT("a"), a), ST_OK);
	assert_int_equal(crypto_master_derive(SLICE_LIT("b"), b), ST_OK);
	assert_int_equal(crypto_master_derive(SLICE_LIT("a"), c), ST_OK);
	assert_memory_equal(a, c, 32);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(crypto_master_derive(SLICE_LIT(""), a), ST_BAD);
}

static void sealed_bytes_open_only_whole_and_in_place(void **state)
{
	static const unsigned char key[AEAD_KEY_SIZE] = {7}, other[AEAD_KEY_SIZE] = {8};
	struct slice aad = SLICE_LIT("grants.token");
	struct buf sealed = {0}, plain = {0};

	(void)state;
	assert_int_equal(aead_seal(key, SLICE_LIT("secret"), aad, &sealed), ST_OK);
	assert_int_equal(sealed.n, 6 + AEAD_NONCE_SIZE + AEAD_TAG_SIZE);
	assert_int_equal(aead_open(key, buf_slice(&sealed), aad, &plain), ST_OK);
	assert_true(slice_eq(buf_slice(&plain), SLICE_LIT("secret")));
	buf_clear(&plain);
	assert_int_equal(aead_open(key, buf_slice(&sealed), SLICE_LIT("grants.other"), &plain), ST_BAD);
	assert_int_equal(aead_open(other, buf_slice(&sealed), aad, &plain), ST_BAD);
	for (size_t n = 0; n < sealed.n; n++)
		assert_int_equal(aead_open(key, slice_of(sealed.p, n), aad, &plain), ST_BAD);
	for (size_t i = 0; i < sealed.n; i++) {
		sealed.p[i] ^= 1;
		assert_int_equal(aead_open(key, buf_slice(&sealed), aad, &plain), ST_BAD);
		sealed.p[i] ^= 1;
	}
	assert_int_equal(plain.n, 0);
	buf_clear(&sealed);
	assert_int_equal(aead_seal(key, slice_of(NULL, 0), slice_of(NULL, 0), &sealed), ST_OK);
	assert_int_equal(aead_open(key, buf_slice(&sealed), slice_of(NULL, 0), &plain), ST_OK);
	assert_int_equal(plain.n, 0);
	buf_free(&sealed);
	buf_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes),
		cmocka_unit_test(hmac_of_short_and_long_keys),
		cmocka_unit_test(derives_keys),
		cmocka_unit_test(master_gives_a_key_for_each_label),
		cmocka_unit_test(sealed_bytes_open_only_whole_and_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
