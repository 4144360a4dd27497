/* jws_test.c: signed tokens; the attacks of security-minded readers of RFC 8725. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/codec.h"
#include "jose/jwk.h"
#include "jose/jws.h"
#include "jose_vectors.h"

static struct pk *key_of(const char *jwk)
{
	const char *error = NULL;
	struct json *root;
	struct pk *k = NULL;
	size_t offset;

	assert_int_equal(json_parse(slice_str(jwk), &root, &error, &offset), ST_OK);
	assert_int_equal(jwk_import(root, &k, &error), ST_OK);
	json_free(root);
	return k;
}

static enum st check(struct slice compact, struct pk *k)
{
	const char *error = NULL;
	struct jws j;
	enum st st = jws_parse(compact, &j, &error);

	if (!st)
		st = jws_fits(&j, k, &error);
	if (st)
		assert_non_null(error);
	else
		st = jws_verify(&j, k);
	jws_free(&j);
	return st;
}

static void tokens_of_others_verify(void **state)
{
	static const char *const pairs[][2] = {{rsa_jwk, rs256_token}, {rsa_jwk, ps256_token},
		{es256_jwk, es256_token}, {es384_jwk, es384_token}, {es512_jwk, es512_token}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct pk *k = key_of(pairs[i][0]);

		assert_int_equal(check(slice_str(pairs[i][1]), k), ST_OK);
		for (size_t other = 0; other < ARRAY_LEN(pairs); other++)
			if (pairs[other][0] != pairs[i][0])
				assert_int_equal(check(slice_str(pairs[other][1]), k), ST_BAD);
		pk_unref(k);
	}
}

static void a_salt_of_another_length_is_refused(void **state)
{
	struct pk *k = key_of(rsa_jwk);

	(void)state;
	assert_int_equal(check(slice_str(ps256_salt20_token), k), ST_BAD);
	pk_unref(k);
}

static void every_changed_character_is_noticed(void **state)
{
	struct pk *k = key_of(rsa_jwk);
	size_t n = strlen(rs256_token);
	struct buf t = {0};

	(void)state;
	for (size_t i = 0; i < n; i++) {
		buf_clear(&t);
		buf_add_str(&t, rs256_token);
		t.p[i] = t.p[i] == 'A' ? 'B' : 'A';
		assert_int_equal(check(buf_slice(&t), k), ST_BAD);
	}
	for (size_t i = 0; i < n; i += 7)
		assert_int_equal(check(slice_of(rs256_token, i), k), ST_BAD);
	buf_free(&t);
	pk_unref(k);
}

static enum st signed_with_header(struct pk *k, const char *header)
{
	struct buf t = {0};
	enum st st;

	assert_int_equal(jws_signing_input(slice_str(header), SLICE_LIT("{\"sub\":\"x\"}"), &t), ST_OK);
	assert_int_equal(jws_sign(k, pk_alg(k), &t), ST_OK);
	st = check(buf_slice(&t), k);
	buf_free(&t);
	return st;
}

/* All rightly signed by the key: only the header is wrong. */
static void headers_choose_nothing(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"[]",
		"null",
		"\"ES256\"",
		"{\"alg\":\"none\"}",
		"{\"alg\":\"None\"}",
		"{\"alg\":\"nOnE\"}",
		"{\"alg\":\"\"}",
		"{\"alg\":null}",
		"{\"alg\":[\"ES256\"]}",
		"{\"alg\":\"HS256\"}",
		"{\"alg\":\"RS256\"}",
		"{\"alg\":\"ES384\"}",
		"{\"alg\":\"es256\"}",
		"{\"alg\":\"ES256\",\"crit\":[\"exp\"]}",
		"{\"alg\":\"ES256\",\"crit\":[]}",
		"{\"alg\":\"ES256\",\"b64\":false}",
		"{\"alg\":\"ES256\",\"zip\":\"DEF\"}",
		"{\"alg\":\"ES256\",\"enc\":\"A128GCM\"}",
		"{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
		"{\"alg\":\"none\",\"\\u0061lg\":\"ES256\"}",
		"{\"alg\":\"ES256\"} ,",
		"{\"alg\":\"ES256\",}",
		"{\"alg\":\"ES256\"\\u0000}",
	};
	struct pk *k;

	(void)state;
	assert_int_equal(pk_generate(PK_ES256, &k), ST_OK);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (signed_with_header(k, wrong[i]) != ST_BAD)
			fail_msg("accepted: %s", wrong[i]);
	assert_int_equal(signed_with_header(k, "{\"alg\":\"ES256\"}"), ST_OK);
	assert_int_equal(
		signed_with_header(
			k, "{\"alg\":\"ES256\",\"kid\":\"' OR 1=1 --\",\"jku\":\"http://localhost/\",\"jwk\":{},\"x5u\":\"x\"}"),
		ST_OK); /* ignored, and no harm done: the key is the caller's */
	pk_unref(k);
}

static void the_shape_is_strict(void **state)
{
	static const char *const wrong[] = {
		"",
		".",
		"..",
		"...",
		"a.b",
		"a.b.c",
		"....",
		"e30.e30.",
		"e30..AA",
		".e30.AA",
		"eyJhbGciOiJub25lIn0.e30.",
		"e30.e30.AA.AA.AA",
		"eyJhbGciOiJFUzI1NiJ9.e30=.AAAA",
		"eyJhbGciOiJFUzI1NiJ9.e30.AA==",
		"eyJhbGciOiJFUzI1NiJ9.e3 0.AAAA",
		"eyJhbGciOiJFUzI1NiJ9.e30.AB",
		" eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
		"eyJhbGciOiJFUzI1NiJ9.e30.AAAA\n",
		"eyJhbGciOiJFUzI1NiJ9.e30.+/AA",
	};
	struct pk *k = key_of(es256_jwk);
	struct buf big = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (check(slice_str(wrong[i]), k) != ST_BAD)
			fail_msg("accepted: %s", wrong[i]);
	while (big.n <= JWS_COMPACT_MAX)
		buf_add_str(&big, "AAAA.AAAA.AAAA");
	assert_int_equal(check(buf_slice(&big), k), ST_BAD);
	buf_free(&big);
	pk_unref(k);
}

static void the_payload_may_be_empty(void **state)
{
	struct buf t = {0};
	struct pk *k;

	(void)state;
	assert_int_equal(pk_generate(PK_ES256, &k), ST_OK);
	assert_int_equal(
		jws_signing_input(SLICE_LIT("{\"alg\":\"ES256\"}"), slice_of(NULL, 0), &t), ST_OK);
	assert_int_equal(jws_sign(k, PK_ES256, &t), ST_OK);
	assert_int_equal(check(buf_slice(&t), k), ST_OK);
	buf_free(&t);
	pk_unref(k);
}

static void the_cache_knows_key_and_text(void **state)
{
	struct jws_cache *c = jws_cache_new();
	struct pk *a = key_of(rsa_jwk), *b = key_of(es256_jwk);
	struct slice token = slice_str(rs256_token);

	(void)state;
	assert_false(jws_cache_has(c, a, token));
	jws_cache_add(c, a, token);
	assert_true(jws_cache_has(c, a, token));
	assert_false(jws_cache_has(c, b, token));
	assert_false(jws_cache_has(c, a, slice_of(token.p, token.n - 1)));
	for (unsigned i = 0; i < 20000; i++) /* bounded: old ones are forgotten, nothing grows */
		jws_cache_add(c, a, slice_of(&i, sizeof(i)));
	assert_false(jws_cache_has(c, a, token));
	jws_cache_free(c);
	pk_unref(a);
	pk_unref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_others_verify),
		cmocka_unit_test(a_salt_of_another_length_is_refused),
		cmocka_unit_test(every_changed_character_is_noticed),
		cmocka_unit_test(headers_choose_nothing),
		cmocka_unit_test(the_shape_is_strict),
		cmocka_unit_test(the_payload_may_be_empty),
		cmocka_unit_test(the_cache_knows_key_and_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
