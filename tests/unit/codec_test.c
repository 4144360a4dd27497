/* codec_test.c: base64, hex, UTF-8, percent encoding, the Cookie field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/secret.h"

typedef enum st (*codec)(struct slice in, struct buf *out);

static void gives(codec f, const char *in, const char *want)
{
	struct buf out = {0};

	assert_int_equal(f(slice_str(in), &out), ST_OK);
	assert_true(slice_eq(buf_slice(&out), slice_str(want)));
	buf_free(&out);
}

static void refuses(codec f, const char *in)
{
	struct buf out = {0};

	buf_add_str(&out, "kept");
	assert_int_equal(f(slice_str(in), &out), ST_BAD);
	assert_true(slice_eq(buf_slice(&out), SLICE_LIT("kept")));
	buf_free(&out);
}

static void base64_has_one_spelling(void **state)
{
	static const char *const bad_url[] = {
		"Z", "Zg==", "Zh", "Zm9vZh", "Zm9v=", "Zm+v", "Zm/v", "Zm v", "Zg\n", "_"};
	static const char *const bad[] = {"Zg", "Zg=", "Zh==", "Zm9=", "Zm9v====", "Zm-v",
		"====", "Z===", "Zg==Zg==", "\nZg="};

	(void)state;
	/* RFC 4648 section 10 */
	gives(base64url_encode, "foob", "Zm9vYg");
	gives(base64_encode, "foob", "Zm9vYg==");
	gives(base64_encode, "fooba", "Zm9vYmE=");
	gives(base64_encode, "foobar", "Zm9vYmFy");
	gives(base64_encode, "", "");
	gives(base64_decode, "Zm9vYmE=", "fooba");
	gives(base64url_decode, "Zm9vYmE", "fooba");
	gives(base64url_decode, "", "");
	gives(base64url_encode, "\xfb\xff\xfe", "-__-");
	gives(base64url_decode, "-__-", "\xfb\xff\xfe");
	gives(base64_encode, "\xfb\xff\xfe", "+//+");
	for (size_t i = 0; i < ARRAY_LEN(bad_url); i++)
		refuses(base64url_decode, bad_url[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refuses(base64_decode, bad[i]);
}

static void base64_gives_back_random_bytes(void **state)
{
	unsigned char bytes[80];

	(void)state;
	for (size_t n = 0; n < sizeof(bytes); n++) {
		struct buf text = {0}, back = {0};

		random_bytes(bytes, n);
		assert_int_equal(base64url_encode(slice_of(bytes, n), &text), ST_OK);
		assert_int_equal(base64url_decode(buf_slice(&text), &back), ST_OK);
		assert_true(slice_eq(buf_slice(&back), slice_of(bytes, n)));
		buf_free(&text);
		buf_free(&back);
	}
}

static void hex_and_percent(void **state)
{
	static const char *const bad[] = {"%", "%4", "%4g", "a%", "%%41", "%-1"};
	struct buf out = {0};

	(void)state;
	gives(hex_encode, "\x01\xab", "01ab");
	gives(hex_decode, "01aBCd", "\x01\xab\xcd");
	refuses(hex_decode, "0");
	refuses(hex_decode, "0g");
	gives(percent_encode, "a-b._~ /\xc3\xa9+", "a-b._~%20%2F%C3%A9%2B");
	assert_int_equal(percent_decode(SLICE_LIT("a+%2b%2B%c3%A9"), true, &out), ST_OK);
	assert_true(slice_eq(buf_slice(&out), SLICE_LIT("a ++\xc3\xa9")));
	buf_clear(&out);
	assert_int_equal(percent_decode(SLICE_LIT("a+"), false, &out), ST_OK);
	assert_true(slice_eq(buf_slice(&out), SLICE_LIT("a+")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(percent_decode(slice_str(bad[i]), true, &out), ST_BAD);
	buf_free(&out);
}

static void utf8_is_well_formed_or_not(void **state)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x20",
		"\xe0\x9f\xbf", "\xe1\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xf0\x90\x80", "a\xe1\x80\xc0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(utf8_valid(slice_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(utf8_valid(slice_str(bad[i])));
	/* A slice need not end in NUL: the next byte is not ours. */
	assert_false(utf8_valid(slice_of("\xc3\xa9", 1)));
}

static enum st cookie(const char *header, const char *want)
{
	struct slice value = {0};
	enum st st = cookie_find(slice_str(header), SLICE_LIT("sid"), &value);

	if (!st)
		assert_true(slice_eq(value, slice_str(want)));
	return st;
}

static void a_cookie_is_found_once_or_not_at_all(void **state)
{
	(void)state;
	assert_int_equal(cookie("sid=abc", "abc"), ST_OK);
	assert_int_equal(cookie("a=1; sid=abc; b=2", "abc"), ST_OK);
	assert_int_equal(cookie("a=1;sid=abc", "abc"), ST_OK);
	assert_int_equal(cookie("sid=", ""), ST_OK);
	assert_int_equal(cookie("sid=a=b", "a=b"), ST_OK);
	assert_int_equal(cookie("theme={\"x\": 1, \"y\"}; \xff; =; ;; sid=abc", "abc"), ST_OK);
	assert_int_equal(cookie("", ""), ST_NOTFOUND);
	assert_int_equal(cookie("Sid=abc; sid", ""), ST_NOTFOUND);
	assert_int_equal(cookie("xsid=1; sidx=2", ""), ST_NOTFOUND);
	assert_int_equal(cookie("sid=a; sid=a", ""), ST_BAD);
	assert_int_equal(cookie("sid=\"a\"", ""), ST_BAD);
	assert_int_equal(cookie("sid=a b", ""), ST_BAD);
	assert_int_equal(cookie("sid=a,b", ""), ST_BAD);
	assert_int_equal(cookie("sid=a\x01", ""), ST_BAD);
}

/* Microseconds of CPU: what others do on the machine does not count. */
static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* n cookies, then ours. */
static int64_t time_to_find(size_t n)
{
	struct buf header = {0};
	struct slice value;
	int64_t begun, best = INT64_MAX;

	for (size_t i = 0; i < n; i++)
		buf_printf(&header, "c%zu=v; ", i);
	buf_add_str(&header, "sid=abc");
	for (int i = 0; i < 20; i++) {
		begun = cpu_us();
		assert_int_equal(cookie_find(buf_slice(&header), SLICE_LIT("sid"), &value), ST_OK);
		if (cpu_us() - begun < best)
			best = cpu_us() - begun;
	}
	buf_free(&header);
	return best;
}

static void ten_times_the_cookies_take_ten_times_as_long(void **state)
{
	int64_t few = time_to_find(1000), many = time_to_find(10000);

	(void)state;
	assert_true(many <= 15 * (few ? few : 1) + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_has_one_spelling),
		cmocka_unit_test(base64_gives_back_random_bytes),
		cmocka_unit_test(hex_and_percent),
		cmocka_unit_test(utf8_is_well_formed_or_not),
		cmocka_unit_test(a_cookie_is_found_once_or_not_at_all),
		cmocka_unit_test(ten_times_the_cookies_take_ten_times_as_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
