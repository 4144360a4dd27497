/* fuzz_form.c: decoded names and values are UTF-8 without NUL, and no more than allowed. */
#include "base/codec.h"
#include "base/url.h"

#define FIELDS_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum st each(void *ctx, struct slice name, struct slice value)
{
	size_t *count = ctx;

	if (++*count > FIELDS_MAX || !utf8_valid(name) || !utf8_valid(value) ||
		slice_find(name, 0) < name.n || slice_find(value, 0) < value.n)
		abort();
	return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count = 0;
	enum st st = form_parse(slice_of(data, size), FIELDS_MAX, each, &count);

	if (st != ST_OK && st != ST_BAD)
		abort();
	return 0;
}
