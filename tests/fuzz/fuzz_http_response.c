/* fuzz_http_response.c: answers of peers. Fed at once and in pieces they must come to the same end, and what is accepted must keep
 * its promises. The last byte says what was asked. */
#include "http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = {200, 400, 8, 300};

static enum st feed(struct h1 *p, struct slice in, size_t step, size_t *used)
{
	enum st st = ST_MORE;

	*used = 0;
	while (st == ST_MORE && *used < in.n) {
		size_t n;

		st = h1_feed(p, slice_sub(in, *used, step), &n);
		*used += n;
	}
	/* Nothing more comes. */
	return st == ST_MORE ? h1_end(p) : st;
}

static void check_message(const struct h1_message *m)
{
	assert(m->status >= 200 && m->status <= 599);
	assert(m->field_count <= limits.fields && m->body.n <= limits.body);
	assert(m->status != 204 || m->body.n == 0);
	for (size_t i = 0; i < m->field_count; i++)
		assert(field_is_token(m->fields[i].name) && field_is_value(m->fields[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size ? size - 1 : 0);
	enum h1_asked asked = size ? (enum h1_asked)(data[size - 1] % 3) : H1_ASKED;
	size_t used, used_in_pieces, step = size > 0 ? 1 + data[size - 1] % 7 : 1;
	struct h1 whole, pieces;
	enum st st;

	h1_init_response(&whole, &limits);
	h1_init_response(&pieces, &limits);
	do {
		h1_expect(&whole, asked);
		h1_expect(&pieces, asked);
		st = feed(&whole, in, SIZE_MAX, &used);
		assert(feed(&pieces, in, step, &used_in_pieces) == st);
		if (st == ST_OK) {
			assert(used == used_in_pieces);
			check_message(h1_message(&whole));
			assert(slice_eq(h1_message(&whole)->body, h1_message(&pieces)->body));
			assert(h1_message(&whole)->status == h1_message(&pieces)->status);
			assert(h1_message(&whole)->keep_alive == h1_message(&pieces)->keep_alive);
			assert(asked != H1_ASKED_HEAD || h1_message(&whole)->body.n == 0);
		} else {
			assert(st == ST_BAD && h1_error(&whole) == h1_error(&pieces));
		}
		in = slice_sub(in, used, in.n);
		h1_reset(&whole);
		h1_reset(&pieces);
	} while (st == ST_OK && in.n > 0);
	h1_free(&whole);
	h1_free(&pieces);
	return 0;
}
