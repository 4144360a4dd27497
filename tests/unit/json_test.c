/* json_test.c: the strict validator, the tree, and writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "json/json.h"

static enum st check(const char *text)
{
	const char *error = NULL;
	size_t offset = 0;
	enum st st = json_validate(slice_str(text), &error, &offset);

	assert_int_equal(st == ST_BAD, error != NULL);
	return st;
}

static void accepts_what_the_rfc_allows(void **state)
{
	static const char *const good[] = {
		"null",
		" true ",
		"\t[\n]\r",
		"{}",
		"0",
		"-0",
		"1.0",
		"-0.5e+10",
		"1E5",
		"9007199254740992",
		"-9007199254740992",
		"\"\"",
		"\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\xc3\xa9\xf0\x9f\x98\x80\"",
		"[1,[2,[3]],{\"a\":{}}]",
		"{\"a\":1,\"A\":2,\"\":3}",
		"{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}",
		"[{\"a\":1},{\"a\":1}]",
		"\"\x7f\"",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (check(good[i]) != ST_OK)
			fail_msg("refused: %s", good[i]);
}

static void refuses_everything_else(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"nul",
		"nullx",
		"True",
		"NaN",
		"Infinity",
		"-",
		"+1",
		"01",
		"-01",
		"1.",
		".5",
		"1e",
		"1e+",
		"0x1",
		"1 2",
		"9007199254740993",
		"-9007199254740993",
		"100000000000000000000",
		"1e999",
		"-1e400",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"{",
		"}",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"{1:1}",
		"{\"a\" 1}",
		"{\"a\":1 \"b\":2}",
		"[}",
		"{]",
		"\"",
		"\"\\\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\u0041\"",
		"\"\\ud800x\"",
		"\"\n\"",
		"\"\x01\"",
		"\"\xff\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\xef\xbb\xbf{}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"{\"\xc3\xa9\":1,\"\\u00E9\":2}",
		"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
		"{\"\":1,\"\":2}",
		"/**/1",
		"'a'",
		"[1]x",
		"{}{}",
		"1,",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
		"0.00000000000000000000000000000000000000000000000000000000000000000001",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (check(wrong[i]) != ST_BAD)
			fail_msg("accepted: %s", wrong[i]);
}

static void refuses_a_nul_in_the_text(void **state)
{
	const char *error;
	size_t offset;

	(void)state;
	assert_int_equal(json_validate(SLICE_LIT("1\0"), &error, &offset), ST_BAD);
	assert_int_equal(json_validate(SLICE_LIT("\"\0\""), &error, &offset), ST_BAD);
	assert_int_equal(json_validate(SLICE_LIT("\0"), &error, &offset), ST_BAD);
}

static void says_where_it_went_wrong(void **state)
{
	const char *error;
	size_t offset;

	(void)state;
	assert_int_equal(
		json_validate(SLICE_LIT("{\"a\":1,\"b\":2,\"a\":3}"), &error, &offset), ST_BAD);
	assert_string_equal(error, "duplicate member name");
	assert_int_equal(offset, 13);
}

static void names_may_be_repeated_where_that_is_asked_for(void **state)
{
	struct json *root;
	const char *error;
	size_t offset;

	(void)state;
	assert_int_equal(json_parse_names(SLICE_LIT("{\"a\":1,\"b\":[{\"c\":2,\"c\":3}],\"a\":4}"),
				 JSON_NAMES_REPEATED, &root, &error, &offset),
		ST_OK);
	const struct json *first = json_first(root), *last = json_next(json_next(first));
	assert_int_equal(json_integer(first), 1);
	assert_int_equal(json_integer(last), 4);
	assert_null(json_next(last));
	json_free(root);
	/* Everything else is as strict as ever. */
	assert_int_equal(json_parse_names(SLICE_LIT("{\"a\":1,\"a\":01}"), JSON_NAMES_REPEATED,
				 &root, &error, &offset),
		ST_BAD);
}

static void text_decides_integer_or_float(void **state)
{
	struct json *root;
	const char *error;
	size_t offset;
	const struct json *i;

	(void)state;
	assert_int_equal(
		json_parse(
			SLICE_LIT("[1,1.0,{\"a\":-0,\"b\":[1e2,9007199254740992]},\"x\\u0041\"]"),
			&root, &error, &offset),
		ST_OK);
	i = json_first(root);
	assert_int_equal(json_type(i), JSON_INTEGER);
	i = json_next(i);
	assert_int_equal(json_type(i), JSON_NUMBER);
	i = json_next(i);
	assert_int_equal(json_type(json_member(i, "a")), JSON_INTEGER);
	assert_null(json_member(i, "A"));
	assert_int_equal(json_type(json_first(json_member(i, "b"))), JSON_NUMBER);
	assert_true(json_integer(json_next(json_first(json_member(i, "b")))) ==
		INT64_C(9007199254740992));
	assert_true(slice_eq(json_string(json_next(i)), SLICE_LIT("xA")));
	json_free(root);
}

static void writes_what_reads_back_the_same(void **state)
{
	static const double values[] = {0, 1, -1.5, 0.1, 1e300, 5e-324, 1.7976931348623157e308,
		1.0 / 3, 123456789.123456789};
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		buf_clear(&out);
		assert_int_equal(json_write_number(&out, values[i]), ST_OK);
		buf_add_u8(&out, 0);
		assert_true(strtod((char *)out.p, NULL) == values[i]);
	}
	assert_int_equal(json_write_number(&out, 1.0 / 0.0), ST_BAD);
	buf_clear(&out);
	assert_int_equal(json_write_string(&out, SLICE_LIT("a\"\\\n\x01\x7f\xc3\xa9\0")), ST_OK);
	assert_true(slice_eq(
		buf_slice(&out), SLICE_LIT("\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\\u0000\"")));
	assert_int_equal(json_write_string(&out, SLICE_LIT("\xff")), ST_BAD);
	buf_free(&out);
}

static double seconds_for(size_t members)
{
	struct buf text = {0};
	struct timespec a, b;
	const char *error;
	size_t offset;

	buf_add_u8(&text, '{');
	for (size_t i = 0; i < members; i++)
		buf_printf(&text, "%s\"k%zu\":[%zu,\"v\"]", i ? "," : "", i, i);
	buf_add_u8(&text, '}');
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	assert_int_equal(json_validate(buf_slice(&text), &error, &offset), ST_OK);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	buf_free(&text);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void ten_times_the_members_take_at_most_fifteen_times_the_work(void **state)
{
	double small, large;

	(void)state;
	/* The best of three: other programs run on this machine too. */
	for (int i = 0; i < 3; i++) {
		small = seconds_for(5000);
		large = seconds_for(50000);
		if (large <= 15 * small)
			return;
	}
	fail_msg("%f s for 5,000 members, %f s for 50,000", small, large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_rfc_allows),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(refuses_a_nul_in_the_text),
		cmocka_unit_test(says_where_it_went_wrong),
		cmocka_unit_test(names_may_be_repeated_where_that_is_asked_for),
		cmocka_unit_test(text_decides_integer_or_float),
		cmocka_unit_test(writes_what_reads_back_the_same),
		cmocka_unit_test(ten_times_the_members_take_at_most_fifteen_times_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
