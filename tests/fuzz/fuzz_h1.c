/* fuzz_h1.c: the HTTP/1.1 parser. Fed at once and in pieces it must come to the same end, and what it accepts must keep
 * its promises. */
#include "base/codec.h"
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
	return st;
}

static void check_message(const struct h1_message *m)
{
	struct slice path = m->path;
	size_t i;

	assert(path.n > 0 && path.p[0] == '/' && utf8_valid(path));
	assert(memchr(path.p, 0, path.n) == NULL && memchr(path.p, '\\', path.n) == NULL);
	assert(field_is_token(m->method) && m->field_count <= limits.fields &&
		m->body.n <= limits.body);
	for (i = 0; i < m->field_count; i++)
		assert(field_is_token(m->fields[i].name) && field_is_value(m->fields[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct h1 whole, pieces;
	size_t used, used_in_pieces, step = size > 0 ? 1 + data[size - 1] % 7 : 1;
	enum st st;

	h1_init(&whole, &limits);
	h1_init(&pieces, &limits);
	do {
		st = feed(&whole, in, SIZE_MAX, &used);
		assert(feed(&pieces, in, step, &used_in_pieces) == st);
		if (st == ST_OK) {
			assert(used == used_in_pieces);
			check_message(h1_message(&whole));
			check_message(h1_message(&pieces));
			assert(slice_eq(h1_message(&whole)->body, h1_message(&pieces)->body));
			assert(slice_eq(h1_message(&whole)->host, h1_message(&pieces)->host));
		} else if (st == ST_BAD) {
			assert(h1_status(&whole) == h1_status(&pieces) &&
				h1_error(&whole) == h1_error(&pieces));
		}
		in = slice_sub(in, used, in.n);
		h1_reset(&whole);
		h1_reset(&pieces);
	} while (st == ST_OK && in.n > 0);
	h1_free(&whole);
	h1_free(&pieces);
	return 0;
}
