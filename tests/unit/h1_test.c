/* h1_test.c: what the HTTP/1.1 parser accepts, and everything it must not. Each message is fed whole and
 * byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "http/h1.h"

static const struct h1_limits limits = {8192, 32768, 100, 1024 * 1024};

static enum st feed_all(struct h1 *p, struct slice in, size_t step, size_t *used)
{
	enum st st = ST_MORE;

	*used = 0;
	while (st == ST_MORE && *used < in.n) {
		size_t n;

		st = h1_feed(p, slice_sub(in, *used, step), &n);
		if (st == ST_MORE)
			assert_int_equal(n, slice_sub(in, *used, step).n);
		*used += n;
	}
	return st;
}

/* Feeds at once, in threes and byte by byte, which must agree. The parser keeps the last outcome. */
static enum st feed(struct h1 *p, struct slice in)
{
	static const size_t steps[] = {SIZE_MAX, 3, 1};
	size_t used[ARRAY_LEN(steps)], i;
	enum st st[ARRAY_LEN(steps)];
	int status[ARRAY_LEN(steps)];

	h1_init(p, &limits);
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		h1_reset(p);
		st[i] = feed_all(p, in, steps[i], &used[i]);
		status[i] = st[i] == ST_BAD ? h1_status(p) : 0;
		assert_int_equal(st[i], st[0]);
		assert_int_equal(status[i], status[0]);
		if (st[0] == ST_OK)
			assert_int_equal(used[i], used[0]);
	}
	return st[0];
}

static void refused_slice(struct slice in, int status)
{
	struct h1 p;

	if (feed(&p, in) != ST_BAD || h1_status(&p) != status)
		fail_msg("not %d (%d, %s): %.*s", status, h1_status(&p),
			h1_error(&p) ? h1_error(&p) : "no error", (int)in.n, (const char *)in.p);
	assert_non_null(h1_error(&p));
	h1_free(&p);
}

static void refused(const char *text, int status)
{
	refused_slice(slice_str(text), status);
}

static void accepted(const char *text)
{
	struct h1 p;

	if (feed(&p, slice_str(text)) != ST_OK)
		fail_msg("refused (%s): %s", h1_error(&p) ? h1_error(&p) : "incomplete", text);
	h1_free(&p);
}

static void is(struct slice got, const char *wanted)
{
	if (!slice_eq(got, slice_str(wanted)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)got.n, (const char *)got.p, wanted);
}

static void a_request_is_taken_apart(void **state)
{
	struct h1 p;
	const struct h1_message *m;

	(void)state;
	assert_int_equal(
		feed(&p,
			slice_str("POST /a%20b/%C3%A9?q=%2f&r HTTP/1.1\r\nHOST: "
				  "Example.ORG:8443\r\nX-Empty:\r\n"
				  "X-Two:  two words \t\r\ncontent-length: 5\r\n\r\nhello")),
		ST_OK);
	m = h1_message(&p);
	is(m->method, "POST");
	is(m->target, "/a%20b/%C3%A9?q=%2f&r");
	is(m->path, "/a b/\xc3\xa9");
	is(m->query, "q=%2f&r");
	is(m->host, "example.org");
	assert_int_equal(m->port, 8443);
	is(m->body, "hello");
	assert_int_equal(m->field_count, 4);
	is(m->fields[0].name, "host");
	is(m->fields[0].value, "Example.ORG:8443");
	is(m->fields[1].name, "x-empty");
	is(m->fields[1].value, "");
	is(m->fields[2].value, "two words");
	assert_true(m->keep_alive);
	h1_free(&p);
}

static void chunks_are_joined_and_trailers_dropped(void **state)
{
	struct h1 p;

	(void)state;
	assert_int_equal(
		feed(&p,
			slice_str("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
				  "5\r\nhello\r\n001;a=b;c=\"d\"\r\n,\r\nA\r\n0123456789\r\n0\r\n"
				  "Content-Length: 3\r\nX: y\r\n\r\n")),
		ST_OK);
	is(h1_message(&p)->body, "hello,0123456789");
	assert_int_equal(h1_message(&p)->field_count, 2);
	h1_free(&p);
}

static void bytes_of_the_next_request_are_left(void **state)
{
	static const char two[] =
		"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
	struct h1 p;
	size_t used, again;

	(void)state;
	h1_init(&p, &limits);
	assert_int_equal(h1_feed(&p, SLICE_LIT(two), &used), ST_OK);
	is(h1_message(&p)->path, "/1");
	assert_int_equal(used, (sizeof two - 1) / 2);
	assert_int_equal(h1_feed(&p, slice_sub(SLICE_LIT(two), used, SIZE_MAX), &again), ST_OK);
	assert_int_equal(again, 0);
	h1_reset(&p);
	assert_false(h1_started(&p));
	assert_int_equal(h1_feed(&p, slice_sub(SLICE_LIT(two), used, SIZE_MAX), &again), ST_OK);
	is(h1_message(&p)->path, "/2");
	h1_free(&p);
}

static void an_absolute_target_gives_the_host(void **state)
{
	struct h1 p;

	(void)state;
	assert_int_equal(
		feed(&p, slice_str("GET HTTPS://One.example:444/x?y HTTP/1.1\r\nHost: two.example\r\n\r\n")),
		ST_OK);
	is(h1_message(&p)->host, "one.example");
	assert_int_equal(h1_message(&p)->port, 444);
	is(h1_message(&p)->path, "/x");
	is(h1_message(&p)->query, "y");
	is(h1_message(&p)->fields[0].value, "One.example:444");
	h1_free(&p);
	assert_int_equal(
		feed(&p, slice_str("GET http://[::1]?y HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n")),
		ST_OK);
	is(h1_message(&p)->host, "::1");
	is(h1_message(&p)->path, "/");
	h1_free(&p);
	refused("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	refused("GET http://u@one/x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	refused("GET http://one/x HTTP/1.1\r\n\r\n", 400);
	refused("GET ftp://one/x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

static void old_clients_are_answered_and_closed(void **state)
{
	struct h1 p;

	(void)state;
	assert_int_equal(feed(&p, slice_str("GET / HTTP/1.0\r\n\r\n")), ST_OK);
	assert_false(h1_message(&p)->keep_alive);
	is(h1_message(&p)->host, "");
	h1_free(&p);
	assert_int_equal(
		feed(&p, slice_str("GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\n\r\n")),
		ST_OK);
	assert_false(h1_message(&p)->keep_alive);
	h1_free(&p);
	assert_int_equal(
		feed(&p, slice_str("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n")),
		ST_OK);
	assert_false(h1_message(&p)->keep_alive);
	h1_free(&p);
	refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400);
	refused("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

static void bad_request_lines_are_refused(void **state)
{
	static const char *const lines[] = {"GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
		"GET /", "GET", "GET / ", "G@T / HTTP/1.1", "GET\t/ HTTP/1.1", "GET / http/1.1",
		"GET / HTTP/1.10", "GET / HTTP/11", "GET / HTTP/1,1", "GET x HTTP/1.1",
		"GET * HTTP/1.1", "GET /a b HTTP/1.1", "GET /# HTTP/1.1", "GET /\\ HTTP/1.1",
		"GET /\xc3\xa9 HTTP/1.1", "GET /? q HTTP/1.1", "GET /?# HTTP/1.1", "GET / HTTP/x.1",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", "GET /\x01 HTTP/1.1",
		"GET /\x7f HTTP/1.1"};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(lines); i++) {
		snprintf(text, sizeof text, "%s\r\nHost: a\r\n\r\n", lines[i]);
		refused(text, 400);
	}
	refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	refused("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505);
	refused("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505);
	refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
	refused("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501);
	refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	accepted("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
	accepted("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	accepted("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void doubtful_paths_are_refused(void **state)
{
	static const char *const paths[] = {"/%00", "/a%2fb", "/a%2Fb", "/a%5cb", "/%", "/%4",
		"/%zz", "/%c3", "/%ff", "/%c0%af", "/%ed%a0%80", "/.", "/..", "/a/../b", "/a/./b",
		"/a/..", "/%2e%2e/b", "/.%2E", "/%0d%0a", "/%7f", "/a%"};
	static const char *const good[] = {"/...", "/.a", "/a.", "/..a/b..", "//", "/%e2%82%ac",
		"/~a;b=c,d:@!$&'()*+", "/%20"};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(paths); i++) {
		snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
		refused(text, 400);
	}
	for (i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof text,
			"GET %s?%%00=%%2f/../&[]{}|^` HTTP/1.1\r\nHost: a\r\n\r\n", good[i]);
		accepted(text);
	}
}

static void bad_fields_are_refused(void **state)
{
	static const char *const fields[] = {"Host : a", "Host: a\r\nX : y", "Host: a\r\n folded",
		"Host: a\r\nX: y\r\n\tfolded", " Host: a", "Host: a\r\n: y", "Host: a\r\nX",
		"Host: a\r\nX\x01: y", "Host: a\r\nX: y\x01", "Host: a\r\nX: \x7f", "Host: a\nX: y",
		"Host: a\r\nX: y\rz", "Host: a\r\nX: y\r\r", "Host: a\r\nX(: y",
		"Host: a\r\nX\xc3\xa9: y"};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(fields); i++) {
		snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\n\r\n", fields[i]);
		refused(text, 400);
	}
	refused_slice(SLICE_LIT("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"), 400);
	refused_slice(SLICE_LIT("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"), 400);
	refused("GET / HTTP/1.1\nHost: a\n\n", 400);
	accepted("GET / HTTP/1.1\r\nHost: a\r\nX: a\tb \xff\r\nx:z\r\nX:\r\n\r\n");
}

static void one_good_host_is_required(void **state)
{
	static const char *const hosts[] = {"Host:", "Host: a b", "Host: a,b", "Host: a/b",
		"Host: a:", "Host: a:0", "Host: a:65536", "Host: a:1x", "Host: u@a", "Host: [::1",
		"Host: []", "Host: [::1]x", "Host: ::1", "Host: a%41", "Host: a\r\nHost: a", "X: y",
		"Host: \xc3\xa9"};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(hosts); i++) {
		snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\n\r\n", hosts[i]);
		refused(text, 400);
	}
	accepted("GET / HTTP/1.1\r\nHost: a-b.c_d.example.:65535\r\n\r\n");
	accepted("GET / HTTP/1.1\r\nHost: [fe80::1]\r\n\r\n");
}

static void doubtful_lengths_are_refused(void **state)
{
	static const struct {
		const char *fields;
		int status;
	} rows[] = {
		{"Content-Length: 5\r\nContent-Length: 5", 400},
		{"Content-Length: 5\r\nContent-Length: 6", 400},
		{"Content-Length: +5", 400},
		{"Content-Length: -5", 400},
		{"Content-Length: 5,5", 400},
		{"Content-Length: 5 5", 400},
		{"Content-Length: 0x5", 400},
		{"Content-Length:", 400},
		{"Content-Length: 1048577", 413},
		{"Content-Length: 99999999999999999999999999999999", 413},
		{"Transfer-Encoding: xchunked", 501},
		{"Transfer-Encoding: gzip, chunked", 501},
		{"Transfer-Encoding: chunked, chunked", 501},
		{"Transfer-Encoding: identity", 501},
		{"Transfer-Encoding:", 501},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400},
		{"Transfer-Encoding: chunked\r\nContent-Length: 5", 400},
		{"Content-Length: 5\r\nTransfer-Encoding: chunked", 400},
		{"Content-Length: 0\r\nTransfer-Encoding: chunked", 400},
		{"Expect: 100-continue, foo\r\nContent-Length: 5", 417},
		{"Expect: bar", 417},
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\nhello",
			rows[i].fields);
		refused(text, rows[i].status);
	}
}

static void bad_chunks_are_refused(void **state)
{
	static const char *const bodies[] = {"0x5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n",
		"-5\r\n", "\r\n", "g\r\n", " 5\r\n", "5 \r\nhello\r\n", "5 ;a\r\nhello\r\n",
		"5\nhello\r\n", "5\r\nhelloo\r\n", "5\r\nhello0\r\n", "5\r\nhello\n0\r\n\r\n",
		"5\r\nhello\r0\r\n", "5;a\x01\r\nhello\r\n", "5;\nhello", "00000000000000005\r\n",
		"0\r\nX : y\r\n\r\n", "0\r\n y\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\n\n"};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bodies); i++) {
		snprintf(text, sizeof text,
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s",
			bodies[i]);
		refused(text, 400);
	}
	refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", 413);
	refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		"chunked\r\n\r\nffffffffffffffff\r\n",
		413);
	refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		"chunked\r\n\r\n1\r\nx\r\n100000\r\n",
		413);
}

static struct buf repeated(const char *before, const char *piece, size_t times, const char *after)
{
	struct buf b = {0};
	size_t i;

	buf_add_str(&b, before);
	for (i = 0; i < times; i++)
		buf_add_str(&b, piece);
	buf_add_str(&b, after);
	assert_false(b.failed);
	return b;
}

static void repeated_is_refused(
	const char *before, const char *piece, size_t times, const char *after, int status)
{
	struct buf b = repeated(before, piece, times, after);

	refused_slice(buf_slice(&b), status);
	buf_free(&b);
}

static void repeated_is_accepted(const char *before, const char *piece, size_t times, const char *after)
{
	struct buf b = repeated(before, piece, times, after);
	struct h1 p;

	assert_int_equal(feed(&p, buf_slice(&b)), ST_OK);
	h1_free(&p);
	buf_free(&b);
}

static void everything_has_a_cap(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n";
	static const char chunked[] =
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
	/* "GET /" and " HTTP/1.1" are 14 of the 8192. */
	const char *rest = " HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	repeated_is_accepted("GET /", "a", 8192 - 14, rest);
	repeated_is_refused("GET /", "a", 8192 - 13, rest, 414);
	repeated_is_refused("", "a", 100000, "", 414);
	/* "Host: a", "X: " and the ends of lines are 16 of the 32768. */
	repeated_is_accepted("GET / HTTP/1.1\r\nHost: a\r\nX: ", "a", 32768 - 16, "\r\n\r\n");
	repeated_is_refused("GET / HTTP/1.1\r\nHost: a\r\nX: ", "a", 32768 - 15, "\r\n\r\n", 431);
	repeated_is_accepted(head, "X: y\r\n", 99, "\r\n");
	repeated_is_refused(head, "X: y\r\n", 100, "\r\n", 431);
	repeated_is_accepted("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n",
		"0123456789abcdef", 65536, "");
	repeated_is_refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
		"X: y\r\n", 100, "\r\n", 431);
	repeated_is_refused(
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", "y",
		33000, "\r\n", 431);
	repeated_is_refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
		"y", 300, "\r\n", 400);
	repeated_is_accepted(chunked, "1;abcdefg\r\nx\r\n", 1000, "0\r\n\r\n");
	repeated_is_refused(chunked, "1;abcdefghi\r\nx\r\n", 1000, "0\r\n\r\n", 400);
}

static void continue_is_expected_only_before_a_body(void **state)
{
	struct h1 p;
	size_t used;

	(void)state;
	h1_init(&p, &limits);
	assert_int_equal(
		h1_feed(&p, SLICE_LIT("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"),
			&used),
		ST_MORE);
	assert_true(h1_expects_continue(&p));
	assert_int_equal(h1_feed(&p, SLICE_LIT("h"), &used), ST_MORE);
	assert_false(h1_expects_continue(&p));
	h1_reset(&p);
	assert_int_equal(
		h1_feed(&p, SLICE_LIT("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
			&used),
		ST_OK);
	assert_false(h1_expects_continue(&p));
	h1_free(&p);
}

static void a_failed_parser_stays_failed(void **state)
{
	struct h1 p;
	size_t used;

	(void)state;
	h1_init(&p, &limits);
	assert_int_equal(h1_feed(&p, SLICE_LIT("\n"), &used), ST_BAD);
	assert_int_equal(h1_feed(&p, SLICE_LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &used), ST_BAD);
	assert_int_equal(used, 0);
	assert_int_equal(h1_status(&p), 400);
	h1_free(&p);
}

/* ---- growth: ten times the input, at most fifteen times the work ---- */

static double seconds_to_parse(struct slice in, size_t step)
{
	struct timespec a, b;
	double best = 1e9;
	int round;

	for (round = 0; round < 5; round++) {
		struct h1_limits wide = {SIZE_MAX / 4, SIZE_MAX / 4, SIZE_MAX / 4, SIZE_MAX / 4};
		struct h1 p;
		size_t used;
		double s;

		h1_init(&p, &wide);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		assert_int_equal(feed_all(&p, in, step, &used), ST_OK);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		h1_free(&p);
		s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		best = s < best ? s : best;
	}
	return best;
}

static void grows_in_line(
	const char *before, const char *piece, size_t times, const char *after, size_t step)
{
	struct buf one = repeated(before, piece, times, after),
		   ten = repeated(before, piece, times * 10, after);
	double a = seconds_to_parse(buf_slice(&one), step),
	       b = seconds_to_parse(buf_slice(&ten), step);

	if (b > a * 15 + 0.002)
		fail_msg("%s: %.6f s, ten times as much %.6f s", piece, a, b);
	buf_free(&one);
	buf_free(&ten);
}

static void work_grows_with_the_input(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\n";
	static const char chunked[] =
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const size_t steps[] = {SIZE_MAX, 1};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		grows_in_line("GET /", "a", 20000, " HTTP/1.1\r\nHost: a\r\n\r\n", steps[i]);
		grows_in_line("GET /", "%41/", 10000, " HTTP/1.1\r\nHost: a\r\n\r\n", steps[i]);
		grows_in_line(head, "X: y\r\n", 5000, "\r\n", steps[i]);
		grows_in_line("POST / HTTP/1.1\r\nHost: a\r\nX:", " ", 20000, "\r\n\r\n", steps[i]);
		grows_in_line("POST / HTTP/1.1\r\nHost: a\r\nConnection:", ",", 20000, "\r\n\r\n",
			steps[i]);
		grows_in_line(chunked, "1\r\nx\r\n", 5000, "0\r\n\r\n", steps[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_taken_apart),
		cmocka_unit_test(chunks_are_joined_and_trailers_dropped),
		cmocka_unit_test(bytes_of_the_next_request_are_left),
		cmocka_unit_test(an_absolute_target_gives_the_host),
		cmocka_unit_test(old_clients_are_answered_and_closed),
		cmocka_unit_test(bad_request_lines_are_refused),
		cmocka_unit_test(doubtful_paths_are_refused),
		cmocka_unit_test(bad_fields_are_refused),
		cmocka_unit_test(one_good_host_is_required),
		cmocka_unit_test(doubtful_lengths_are_refused),
		cmocka_unit_test(bad_chunks_are_refused),
		cmocka_unit_test(everything_has_a_cap),
		cmocka_unit_test(continue_is_expected_only_before_a_body),
		cmocka_unit_test(a_failed_parser_stays_failed),
		cmocka_unit_test(work_grows_with_the_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
