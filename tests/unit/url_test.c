/* url_test.c: absolute URLs and form bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/url.h"

static void is(struct slice got, const char *want)
{
	assert_true(slice_eq(got, slice_str(want)));
}

static void the_parts_of_a_url(void **state)
{
	struct url u;

	(void)state;
	assert_int_equal(
		url_parse(SLICE_LIT("HTTPS://us%20er:p@Example.com:8443/a/b%2f?x=1&y=/?#f/?"), &u),
		ST_OK);
	is(u.scheme, "HTTPS");
	is(u.userinfo, "us%20er:p");
	is(u.host, "Example.com");
	is(u.port, "8443");
	is(u.path, "/a/b%2f");
	is(u.query, "x=1&y=/?");
	is(u.fragment, "f/?");
	assert_true(u.has_userinfo && u.has_authority && u.has_port && u.has_query &&
		u.has_fragment && !u.host_is_ipv6);
	assert_int_equal(url_parse(SLICE_LIT("http://[2001:db8::1]:80?"), &u), ST_OK);
	is(u.host, "2001:db8::1");
	is(u.path, "");
	assert_true(u.host_is_ipv6 && u.has_query && u.query.n == 0 && !u.has_fragment);
	assert_int_equal(url_parse(SLICE_LIT("com.example.app:/callback"), &u), ST_OK);
	assert_false(u.has_authority);
	is(u.path, "/callback");
	assert_int_equal(
		url_parse(SLICE_LIT("urn:ietf:params:oauth:grant-type:device_code"), &u), ST_OK);
	is(u.path, "ietf:params:oauth:grant-type:device_code");
}

static void doubtful_urls_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"//host/",
		"/path",
		":x",
		"1http://a",
		"ht_tp://a",
		"http:",
		"http:a",
		"http:///a",
		"http://",
		"https:/a",
		"http://a b/",
		"http://a/\\b",
		"http://a\\@b/",
		"http://a@b@c/",
		"http://user@/",
		"http://:80/",
		"http://a:/",
		"http://a:0/",
		"http://a:080/",
		"http://a:65536/",
		"http://a:8o/",
		"http://a:80:80/",
		"http://[::1/",
		"http://[::1]x/",
		"http://[::1%25eth0]/",
		"http://[]/",
		"http://[1.2.3.4]/",
		"http://a%2eb/",
		"http://\xc3\xa9/",
		"http://a/%",
		"http://a/%4",
		"http://a/%zz",
		"http://a/\n",
		"http://a/\x7f",
		"http://a/<b>",
		"http://a/#x#y",
		"http://a/?a[]=1",
		" http://a/",
		"http://a/ ",
		"http://a?b\"c",
	};
	struct url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (url_parse(slice_str(bad[i]), &u) != ST_BAD)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(url_parse(slice_of("http://a/\0b", 11), &u), ST_BAD);
}

static enum st write_pair(void *ctx, struct slice name, struct slice value)
{
	struct buf *out = ctx;

	if (slice_eq(name, SLICE_LIT("stop")))
		return ST_REFUSED;
	buf_printf(out, "[%.*s|%.*s]", (int)name.n, (const char *)name.p, (int)value.n,
		(const char *)value.p);
	return ST_OK;
}

static enum st form(const char *text, const char *want)
{
	struct buf out = {0};
	enum st st = form_parse(slice_str(text), 4, write_pair, &out);

	if (!st)
		assert_true(slice_eq(buf_slice(&out), slice_str(want)));
	buf_free(&out);
	return st;
}

static void forms(void **state)
{
	(void)state;
	assert_int_equal(form("", ""), ST_OK);
	assert_int_equal(form("a=1&b=&c&=d", "[a|1][b|][c|][|d]"), ST_OK);
	assert_int_equal(form("&&a=b=c&", "[a|b=c]"), ST_OK);
	assert_int_equal(form("a+b=%26%3D+%2B", "[a b|&= +]"), ST_OK);
	assert_int_equal(form("a=1&a=2", "[a|1][a|2]"), ST_OK);
	assert_int_equal(form("a=%c3%a9", "[a|\xc3\xa9]"), ST_OK);
	assert_int_equal(form("a=%", ""), ST_BAD);
	assert_int_equal(form("%zz=1", ""), ST_BAD);
	assert_int_equal(form("a=%00", ""), ST_BAD);
	assert_int_equal(form("a=%ff", ""), ST_BAD);
	assert_int_equal(form("a=%c3&b=%a9", ""), ST_BAD);
	assert_int_equal(form("a&b&c&d", "[a|][b|][c|][d|]"), ST_OK);
	assert_int_equal(form("a&b&c&d&e", ""), ST_BAD);
	assert_int_equal(form("a&stop&b", ""), ST_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_of_a_url),
		cmocka_unit_test(doubtful_urls_are_refused),
		cmocka_unit_test(forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
