/* pk_test.c: keys and signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "crypto/pk.h"

static const struct slice message = {(const unsigned char *)"message", 7};

static struct pk *generate(enum pk_alg alg)
{
	struct pk *k = NULL;

	assert_int_equal(pk_generate(alg, &k), ST_OK);
	return k;
}

/* The public half as a key of its own. */
static struct pk *public_of(const struct pk *k)
{
	struct buf a = {0}, b = {0};
	const char *error = NULL;
	struct pk *out = NULL;
	enum st st;

	assert_int_equal(pk_public(k, &a, &b), ST_OK);
	if (pk_is_rsa(k))
		st = pk_import_rsa(pk_alg(k), buf_slice(&a), buf_slice(&b), &out, &error);
	else
		st = pk_import_ec(pk_alg(k), buf_slice(&a), buf_slice(&b), &out, &error);
	assert_int_equal(st, ST_OK);
	assert_memory_equal(pk_id(k), pk_id(out), PK_ID_SIZE);
	buf_free(&a);
	buf_free(&b);
	return out;
}

static void sign_and_verify(enum pk_alg alg, size_t length)
{
	struct pk *k = generate(alg), *p = public_of(k);
	struct buf s = {0}, again = {0};

	assert_int_equal(pk_sign(k, alg, message, &s), ST_OK);
	assert_int_equal(s.n, length);
	assert_int_equal(pk_verify(p, alg, message, buf_slice(&s)), ST_OK);
	assert_int_equal(pk_verify(k, alg, message, buf_slice(&s)), ST_OK);
	assert_int_equal(pk_verify(p, alg, SLICE_LIT("massage"), buf_slice(&s)), ST_BAD);
	assert_int_equal(pk_verify(p, alg, message, slice_of(s.p, s.n - 1)), ST_BAD);
	assert_int_equal(pk_verify(p, alg, message, slice_of(NULL, 0)), ST_BAD);
	/* Deterministic: RFC 6979 and PKCS #1 v1.5. */
	assert_int_equal(pk_sign(k, alg, message, &again), ST_OK);
	assert_true(slice_eq(buf_slice(&s), buf_slice(&again)));
	s.p[s.n / 2] ^= 1;
	assert_int_equal(pk_verify(p, alg, message, buf_slice(&s)), ST_BAD);
	buf_add_u8(&again, 0);
	assert_int_equal(pk_verify(p, alg, message, buf_slice(&again)), ST_BAD);
	/* A public key signs nothing. */
	assert_int_equal(pk_sign(p, alg, message, &s), ST_BAD);
	buf_free(&s);
	buf_free(&again);
	pk_unref(p);
	pk_unref(k);
}

static void signs_and_verifies(void **state)
{
	(void)state;
	sign_and_verify(PK_RS256, 256);
	sign_and_verify(PK_ES256, 64);
	sign_and_verify(PK_ES384, 96);
	sign_and_verify(PK_ES512, 132);
}

static void the_numbers_that_stand_in_sealed_keys_stay(void **state)
{
	(void)state;
	assert_int_equal(PK_RS256, 1);
	assert_int_equal(PK_ES256, 3);
	assert_int_equal(PK_ES384, 4);
	assert_int_equal(PK_ES512, 5);
}

static void a_key_serves_its_own_algorithm_only(void **state)
{
	struct pk *rsa = generate(PK_RS256), *ec = generate(PK_ES256);
	struct buf s = {0};

	(void)state;
	assert_true(pk_fits(rsa, PK_RS256));
	assert_false(pk_fits(rsa, PK_PS256));
	assert_false(pk_fits(rsa, PK_ES256));
	assert_false(pk_fits(rsa, PK_ALG_NONE));
	assert_false(pk_fits(ec, PK_ES384));
	assert_false(pk_fits(ec, PK_RS256));
	assert_int_equal(pk_sign(ec, PK_ES384, message, &s), ST_BAD);
	assert_int_equal(pk_sign(rsa, PK_ES256, message, &s), ST_BAD);
	for (enum pk_alg alg = PK_RS384; alg <= PK_PS512; alg++) {
		assert_false(pk_alg_signs(alg));
		assert_int_equal(pk_sign(rsa, alg, message, &s), ST_BAD);
	}
	assert_int_equal(pk_alg_of(SLICE_LIT("none")), PK_ALG_NONE);
	assert_int_equal(pk_alg_of(SLICE_LIT("HS256")), PK_ALG_NONE);
	assert_int_equal(pk_alg_of(SLICE_LIT("rs256")), PK_ALG_NONE);
	assert_int_equal(pk_alg_of(SLICE_LIT("")), PK_ALG_NONE);
	buf_free(&s);
	pk_unref(rsa);
	pk_unref(ec);
}

static void zero_and_overlarge_ecdsa_numbers_are_refused(void **state)
{
	static const unsigned char order[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3,
		0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	struct pk *k = generate(PK_ES256);
	unsigned char s[64] = {0};

	(void)state;
	assert_int_equal(pk_verify(k, PK_ES256, message, slice_of(s, 64)), ST_BAD);
	s[31] = 1;
	assert_int_equal(pk_verify(k, PK_ES256, message, slice_of(s, 64)), ST_BAD);
	memcpy(s, order, 32);
	memcpy(s + 32, order, 32);
	assert_int_equal(pk_verify(k, PK_ES256, message, slice_of(s, 64)), ST_BAD);
	pk_unref(k);
}

static void wrong_public_numbers_are_refused(void **state)
{
	unsigned char n[PK_RSA_BITS_MAX / 8 + 1], x[66] = {1}, y[66] = {2};
	const char *error = NULL;
	struct pk *k = NULL;

	(void)state;
	memset(n, 0xff, sizeof(n));
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, 255), SLICE_LIT("\1\0\1"), &k, &error), ST_BAD);
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, sizeof(n)), SLICE_LIT("\1\0\1"), &k, &error),
		ST_BAD);
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, 256), SLICE_LIT("\3"), &k, &error), ST_BAD);
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, 256), SLICE_LIT("\1\0\2"), &k, &error), ST_BAD);
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, 256), SLICE_LIT("\1\0\0\0\1"), &k, &error), ST_BAD);
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, 256), SLICE_LIT("\0\1\0\1"), &k, &error), ST_BAD);
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(NULL, 0), slice_of(NULL, 0), &k, &error), ST_BAD);
	assert_int_equal(
		pk_import_rsa(PK_ES256, slice_of(n, 256), SLICE_LIT("\1\0\1"), &k, &error), ST_BAD);
	n[0] = 0x7f; /* 2047 bits */
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, 256), SLICE_LIT("\1\0\1"), &k, &error), ST_BAD);
	n[0] = 0xff;
	n[255] = 0xfe; /* even */
	assert_int_equal(
		pk_import_rsa(PK_RS256, slice_of(n, 256), SLICE_LIT("\1\0\1"), &k, &error), ST_BAD);
	assert_int_equal(pk_import_ec(PK_ES256, slice_of(x, 32), slice_of(y, 32), &k, &error), ST_BAD);
	assert_int_equal(pk_import_ec(PK_ES512, slice_of(x, 66), slice_of(y, 66), &k, &error), ST_BAD);
	assert_int_equal(pk_import_ec(PK_ES256, slice_of(x, 31), slice_of(y, 32), &k, &error), ST_BAD);
	assert_int_equal(pk_import_ec(PK_RS256, slice_of(x, 32), slice_of(y, 32), &k, &error), ST_BAD);
	memset(x, 0, sizeof(x)); /* the point at infinity has no coordinates, and (0, 0) is not on the curve */
	assert_int_equal(pk_import_ec(PK_ES256, slice_of(x, 32), slice_of(x, 32), &k, &error), ST_BAD);
	assert_null(k);
	assert_non_null(error);
}

static void stored_bytes_bring_the_key_back(void **state)
{
	static const enum pk_alg algs[] = {PK_RS256, PK_ES256, PK_ES384, PK_ES512};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		struct pk *k = generate(algs[i]), *back = NULL, *p = public_of(k);
		struct buf bytes = {0}, s = {0}, pem = {0};

		assert_int_equal(pk_private_bytes(p, &bytes), ST_BAD);
		assert_int_equal(pk_private_pem(p, &pem), ST_BAD);
		assert_int_equal(pk_private_bytes(k, &bytes), ST_OK);
		assert_int_equal(pk_from_private_bytes(buf_slice(&bytes), &back), ST_OK);
		assert_int_equal(pk_alg(back), algs[i]);
		assert_memory_equal(pk_id(k), pk_id(back), PK_ID_SIZE);
		assert_int_equal(pk_sign(back, algs[i], message, &s), ST_OK);
		assert_int_equal(pk_verify(p, algs[i], message, buf_slice(&s)), ST_OK);
		assert_int_equal(pk_private_pem(k, &pem), ST_OK);
		assert_true(slice_has_prefix(buf_slice(&pem), SLICE_LIT("-----BEGIN ")));
		assert_int_equal(pem.p[pem.n], 0);
		bytes.p[1] = (unsigned char)(algs[i] == PK_ES256
				? PK_ES384
				: PK_ES256); /* another algorithm than the key's */
		assert_int_equal(pk_from_private_bytes(buf_slice(&bytes), &back), ST_BAD);
		assert_int_equal(pk_from_private_bytes(slice_of(bytes.p, 1), &back), ST_BAD);
		buf_wipe(&bytes);
		buf_wipe(&pem);
		buf_free(&s);
		pk_unref(back);
		pk_unref(p);
		pk_unref(k);
	}
}

static void *sign_many(void *arg)
{
	struct pk *k = arg;
	struct buf s = {0};
	intptr_t good = 0;

	for (int i = 0; i < 5; i++) {
		buf_clear(&s);
		good += pk_sign(k, pk_alg(k), message, &s) == ST_OK &&
			pk_verify(k, pk_alg(k), message, buf_slice(&s)) == ST_OK;
	}
	buf_free(&s);
	return (void *)good;
}

static void one_key_signs_on_many_threads(void **state)
{
	static const enum pk_alg algs[] = {PK_RS256, PK_ES256};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		struct pk *k = generate(algs[i]);
		pthread_t threads[8];

		for (size_t t = 0; t < ARRAY_LEN(threads); t++)
			assert_int_equal(pthread_create(&threads[t], NULL, sign_many, k), 0);
		for (size_t t = 0; t < ARRAY_LEN(threads); t++) {
			void *good;

			assert_int_equal(pthread_join(threads[t], &good), 0);
			assert_int_equal((intptr_t)good, 5);
		}
		pk_unref(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_and_verifies),
		cmocka_unit_test(the_numbers_that_stand_in_sealed_keys_stay),
		cmocka_unit_test(a_key_serves_its_own_algorithm_only),
		cmocka_unit_test(zero_and_overlarge_ecdsa_numbers_are_refused),
		cmocka_unit_test(wrong_public_numbers_are_refused),
		cmocka_unit_test(stored_bytes_bring_the_key_back),
		cmocka_unit_test(one_key_signs_on_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
