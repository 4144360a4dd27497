/* password_test.c: argon2id and Django's hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/password.h"

static const struct password_cost cheap = {.memory_kib = 64, .passes = 1};

static enum st verify(const char *text, const char *encoded)
{
	return password_verify(slice_str(text), slice_str(encoded));
}

static void hashes_and_verifies(void **state)
{
	struct buf a = {0}, b = {0};

	(void)state;
	assert_int_equal(password_hash(SLICE_LIT("correct horse"), &cheap, &a), ST_OK);
	assert_int_equal(password_hash(SLICE_LIT("correct horse"), &cheap, &b), ST_OK);
	assert_false(slice_eq(buf_slice(&a), buf_slice(&b)));
	assert_true(slice_has_prefix(buf_slice(&a), SLICE_LIT("$argon2id$v=19$m=64,t=1,p=1$")));
	assert_int_equal(password_verify(SLICE_LIT("correct horse"), buf_slice(&a)), ST_OK);
	assert_int_equal(password_verify(SLICE_LIT("correct horsf"), buf_slice(&a)), ST_REFUSED);
	assert_int_equal(password_verify(SLICE_LIT(""), buf_slice(&a)), ST_REFUSED);
	assert_false(password_outdated(buf_slice(&a), &cheap));
	assert_true(password_outdated(buf_slice(&a), &password_default_cost));
	buf_free(&a);
	buf_free(&b);
}

/* From libargon2's own tests (test.c): version 19, id. */
static void verifies_the_hashes_of_others(void **state)
{
	(void)state;
	assert_int_equal(
		verify("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
		ST_OK);
	assert_int_equal(
		verify("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
		ST_OK);
	assert_int_equal(
		verify("passwore", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
		ST_REFUSED);
}

static void verifies_djangos_pbkdf2(void **state)
{
	/* make_password("lètmein", "seasalt") of Django 1.8 */
	const char *encoded =
		"pbkdf2_sha256$20000$seasalt$oBSd886ysm3AqYun62DOdin8YcfbU1z9cksZSuLP9r0=";
	const char *small = "pbkdf2_sha256$1$salt$EgOkFZ5WnIZj4rT9bpXSOGZrT1cYYxQGCPNZ3yQzBRY=";

	(void)state;
	assert_int_equal(verify("l\xc3\xa8tmein", encoded), ST_OK);
	assert_int_equal(verify("l\xc3\xa8tmeinz", encoded), ST_REFUSED);
	assert_int_equal(
		verify("passwd", "pbkdf2_sha256$1$salt$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw="),
		ST_OK);
	assert_int_equal(
		verify("passwe", "pbkdf2_sha256$1$salt$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw="),
		ST_REFUSED);
	assert_int_equal(verify("passwd", small), ST_REFUSED);
	assert_true(password_outdated(slice_str(small), &password_default_cost));
}

static void refuses_what_it_does_not_know_or_what_costs_too_much(void **state)
{
	static const char *const wrong[] = {
		"",
		"x",
		"$argon2id$",
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/"
		"4",
		"$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=2000000,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=99999999999999999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=65,p=1$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=17$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=0256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
		"$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/"
		"uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4$x",
		"pbkdf2_sha256$",
		"pbkdf2_sha256$0$salt$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw=",
		"pbkdf2_sha256$99999999$salt$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw=",
		"pbkdf2_sha256$1$$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw=",
		"pbkdf2_sha256$1$salt$VawE",
		"pbkdf2_sha256$1$salt$",
		"pbkdf2_sha1$1$salt$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw=",
		"!unusable",
	};
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (verify("password", wrong[i]) != ST_BAD)
			fail_msg("not refused: %s", wrong[i]);
	assert_int_equal(password_hash(SLICE_LIT("x"),
				 &(struct password_cost){.memory_kib = 4, .passes = 1}, &out),
		ST_BAD);
	assert_int_equal(password_hash(SLICE_LIT("x"),
				 &(struct password_cost){.memory_kib = 64, .passes = 65}, &out),
		ST_BAD);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_and_verifies),
		cmocka_unit_test(verifies_the_hashes_of_others),
		cmocka_unit_test(verifies_djangos_pbkdf2),
		cmocka_unit_test(refuses_what_it_does_not_know_or_what_costs_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
