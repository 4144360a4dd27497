/* h1_response_test.c: what the parser takes for an answer, and what it does not: nothing that a proxy between could have read
 * as two answers. Each is fed whole, in threes and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "http/h1.h"

static const struct h1_limits limits = {200, 2000, 20, 1000};

static enum st feed_all(struct h1 *p, struct slice in, size_t step, size_t *used)
{
	enum st st = ST_MORE;

	*used = 0;
	while (st == ST_MORE && *used < in.n) {
		size_t n;

		st = h1_feed(p, slice_sub(in, *used, step), &n);
		*used += n;
	}
	return st;
}

/* then_end: the connection ends after it. The parser keeps the last outcome. */
static enum st feed(struct h1 *p, struct slice in, enum h1_asked asked, bool then_end, size_t *used)
{
	static const size_t steps[] = {SIZE_MAX, 3, 1};
	enum st st[ARRAY_LEN(steps)];
	size_t n[ARRAY_LEN(steps)];

	h1_init_response(p, &limits);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		h1_reset(p);
		h1_expect(p, asked);
		st[i] = feed_all(p, in, steps[i], &n[i]);
		if (st[i] == ST_MORE && then_end)
			st[i] = h1_end(p);
		assert_int_equal(st[i], st[0]);
		if (st[i] == ST_OK)
			assert_int_equal(n[i], n[0]);
	}
	*used = n[0];
	return st[0];
}

struct row {
	const char *text;
	enum h1_asked asked;
	const char *body;
	int status;
	bool keep, end;
	const char *left; /* what belongs to the next answer */
};

static void answers_are_taken_apart(void **state)
{
	static const struct row rows[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, "hello", 200, true, false, ""},
		{"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1", 0, "hello", 200, true,
			false, "HTTP/1.1"},
		{"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 0, "", 200, true, false, ""},
		{"HTTP/1.1 404 Not  Found (really)\r\nTransfer-Encoding: "
		 "Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n",
			0, "abc", 404, true, false, ""},
		{"HTTP/1.1 200 OK\r\n\r\nuntil the end", 0, "until the end", 200, false, true, ""},
		{"HTTP/1.1 200 OK\r\n\r\n", 0, "", 200, false, true, ""},
		{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0, "hi", 200, false, false, ""},
		{"HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nhi", 0, "hi",
			200, false, false, ""},
		{"HTTP/1.1 204 No Content\r\n\r\nHTTP", 0, "", 204, true, false, "HTTP"},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 0, "", 204, true, false, ""},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 99999999\r\n\r\n", 0, "", 304, true,
			false, ""},
		{"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
			0, "", 302, true, false, ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", H1_ASKED_HEAD, "", 200,
			true, false, ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", H1_ASKED_HEAD, "", 200,
			true, false, ""},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
		 "OK\r\nContent-Length: 1\r\n\r\nx",
			0, "x", 200, true, false, ""},
		{"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03", H1_ASKED_CONNECT, "", 200,
			true, false, "\x16\x03"},
		{"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno", H1_ASKED_CONNECT, "no", 407,
			true, false, ""},
		{"HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nExpect: x\r\nContent-Length: 0\r\n\r\n",
			0, "", 200, true, false, ""},
	};
	const struct h1_message *m;
	struct h1 p;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (feed(&p, slice_str(r->text), r->asked, r->end, &used) != ST_OK)
			fail_msg("row %zu refused (%s)", i, h1_error(&p) ? h1_error(&p) : "incomplete");
		m = h1_message(&p);
		assert_int_equal(m->status, r->status);
		assert_true(slice_eq(m->body, slice_str(r->body)));
		assert_int_equal(m->keep_alive, r->keep);
		assert_string_equal(r->text + used, r->left);
		h1_free(&p);
	}
}

static void fields_are_as_sent(void **state)
{
	struct h1 p;
	size_t used;

	(void)state;
	assert_int_equal(
		feed(&p, SLICE_LIT("HTTP/1.1 200 OK\r\nContent-TYPE: text/plain\r\nX:\r\nContent-Length: 0\r\n\r\n"),
			H1_ASKED, false, &used),
		ST_OK);
	assert_int_equal(h1_message(&p)->field_count, 3);
	assert_true(slice_eq(h1_message(&p)->fields[0].name, SLICE_LIT("content-type")));
	assert_true(slice_eq(h1_message(&p)->fields[0].value, SLICE_LIT("text/plain")));
	assert_int_equal(h1_message(&p)->fields[1].value.n, 0);
	h1_free(&p);
}

static void refused(struct slice text, int status)
{
	struct h1 p;
	size_t used;

	if (feed(&p, text, H1_ASKED, true, &used) != ST_BAD || h1_status(&p) != status)
		fail_msg("not %d (%d): %.*s", status, h1_status(&p), (int)text.n,
			(const char *)text.p);
	assert_non_null(h1_error(&p));
	h1_free(&p);
}

static void what_could_be_read_two_ways_is_refused(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		" HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 200OK\r\n\r\n",
		"HTTP/1.1\r\n\r\n",
		"HTTP/11 200 OK\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"<html>not found</html>\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		refused(slice_str(texts[i]), 400);
	refused(SLICE_LIT("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"), 400);
	refused(SLICE_LIT("HTTP/1.1 200 O\0K\r\n\r\n"), 400);
	refused(SLICE_LIT("HTTP/2.0 200 OK\r\n\r\n"), 505);
	refused(SLICE_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501);
	refused(SLICE_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n"), 501);
}

static void what_is_cut_off_is_no_answer(void **state)
{
	static const char *const texts[] = {"", "HTTP/1.1", "HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\r\nX: y\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		refused(slice_str(texts[i]), 400);
}

static void repeated(const char *before, const char *piece, size_t times, const char *after, int status)
{
	struct buf text = {0};

	buf_add_str(&text, before);
	for (size_t i = 0; i < times; i++)
		buf_add_str(&text, piece);
	buf_add_str(&text, after);
	assert_false(text.failed);
	refused(buf_slice(&text), status);
	buf_free(&text);
}

static void everything_has_a_cap(void **state)
{
	(void)state;
	repeated("HTTP/1.1 200 ", "x", 200, "\r\n\r\n", 400);
	repeated("HTTP/1.1 200 OK\r\nX: ", "y", 2000, "\r\n\r\n", 431);
	repeated("HTTP/1.1 200 OK\r\n", "X: y\r\n", 21, "\r\n", 431);
	repeated("HTTP/1.1 200 OK\r\n\r\n", "x", 1001, "", 413);
	repeated("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 1001,
		"0\r\n\r\n", 413);
	refused(SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), 413);
	refused(SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 413);
	/* Informational answers share the header's limit: no peer keeps us listening for ever. */
	repeated("", "HTTP/1.1 100 Continue\r\nX: 0123456789\r\n\r\n", 200, "", 431);
}

/* ---- growth: ten times the input, at most fifteen times the work ---- */

static double seconds_to_parse(const char *before, const char *piece, size_t times, size_t step)
{
	struct h1_limits wide = {SIZE_MAX / 4, SIZE_MAX / 4, SIZE_MAX / 4, SIZE_MAX / 4};
	struct timespec a, b;
	struct buf text = {0};
	double best = 1e9;

	buf_add_str(&text, before);
	for (size_t i = 0; i < times; i++)
		buf_add_str(&text, piece);
	for (int round = 0; round < 5; round++) {
		struct h1 p;
		size_t used;
		double s;

		h1_init_response(&p, &wide);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		assert_int_equal(feed_all(&p, buf_slice(&text), step, &used), ST_MORE);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		h1_free(&p);
		s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		best = s < best ? s : best;
	}
	buf_free(&text);
	return best;
}

static void work_grows_with_the_input(void **state)
{
	static const struct {
		const char *before, *piece;
	} rows[] = {{"HTTP/1.1 200 ", "x"}, {"", "HTTP/1.1 100 Continue\r\n\r\n"},
		{"HTTP/1.1 200 OK\r\n", "X: y\r\n"}, {"HTTP/1.1 200 OK\r\n\r\n", "x"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int bytes = 0; bytes < 2; bytes++) {
			size_t step = bytes ? 1 : SIZE_MAX;
			double a = seconds_to_parse(rows[i].before, rows[i].piece, 5000, step),
			       b = seconds_to_parse(rows[i].before, rows[i].piece, 50000, step);

			if (b > a * 15 + 0.002)
				fail_msg("%s: %.6f s, ten times as much %.6f s", rows[i].piece, a, b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_taken_apart),
		cmocka_unit_test(fields_are_as_sent),
		cmocka_unit_test(what_could_be_read_two_ways_is_refused),
		cmocka_unit_test(what_is_cut_off_is_no_answer),
		cmocka_unit_test(everything_has_a_cap),
		cmocka_unit_test(work_grows_with_the_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
