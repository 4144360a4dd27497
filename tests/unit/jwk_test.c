/* jwk_test.c: JSON Web Keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/codec.h"
#include "jose/jwk.h"
#include "jose_vectors.h"

static enum st import(const char *text, struct pk **out)
{
	const char *error = NULL;
	struct json *root;
	size_t offset;
	enum st st;

	*out = NULL;
	assert_int_equal(json_parse(slice_str(text), &root, &error, &offset), ST_OK);
	st = jwk_import(root, out, &error);
	assert_int_equal(st == ST_BAD, error != NULL);
	json_free(root);
	return st;
}

static void rfc7638_thumbprint(void **state)
{
	unsigned char digest[JWK_THUMBPRINT_SIZE];
	struct buf text = {0};
	struct pk *k;

	(void)state;
	assert_int_equal(import(rfc7638_jwk, &k), ST_OK);
	assert_int_equal(pk_alg(k), PK_RS256);
	assert_int_equal(jwk_thumbprint(k, digest), ST_OK);
	assert_int_equal(base64url_encode(slice_of(digest, sizeof(digest)), &text), ST_OK);
	assert_true(
		slice_eq(buf_slice(&text), SLICE_LIT("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")));
	buf_free(&text);
	pk_unref(k);
}

static void written_keys_read_back_as_the_same(void **state)
{
	static const char *const keys[] = {rsa_jwk, es256_jwk, es384_jwk, es512_jwk};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct pk *a, *b;
		struct buf text = {0};

		assert_int_equal(import(keys[i], &a), ST_OK);
		assert_int_equal(jwk_write(a, &text), ST_OK);
		buf_add_u8(&text, 0);
		assert_int_equal(import((char *)text.p, &b), ST_OK);
		assert_memory_equal(pk_id(a), pk_id(b), PK_ID_SIZE);
		assert_int_equal(pk_alg(a), pk_alg(b));
		buf_free(&text);
		pk_unref(a);
		pk_unref(b);
	}
}

#define P256_X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define P256_Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"

static void refuses_other_keys(void **state)
{
	static const char *const wrong[] = {
		"[]",
		"{}",
		"1",
		"{\"kty\":\"oct\",\"k\":\"AAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_X "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES384\",\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"HS256\",\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"none\",\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":1,\"x\":\"" P256_X "\",\"y\":\"" P256_Y
		"\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":null,\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"key_ops\":[\"sign\"],\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"key_ops\":\"verify\",\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AA\",\"x\":\"" P256_X
		"\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "=\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"A" P256_X "\",\"y\":\"" P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,\"y\":2}",
		"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\"}",
		rsa1024_jwk,
		rsa_e3_jwk,
	};
	struct pk *k;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (import(wrong[i], &k) != ST_BAD)
			fail_msg("accepted: %s", wrong[i]);
	assert_int_equal(
		import("{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"key_ops\":[\"verify\"],"
		       "\"kid\":\"../../x\",\"alg\":\"ES256\","
		       "\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\",\"x5u\":\"http://localhost/\"}",
			&k),
		ST_OK);
	pk_unref(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc7638_thumbprint),
		cmocka_unit_test(written_keys_read_back_as_the_same),
		cmocka_unit_test(refuses_other_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
