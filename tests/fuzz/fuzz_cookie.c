/* fuzz_cookie.c: a value that is found lies inside the field and has nothing that could end it. */
#include "base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice value;
	enum st st = cookie_find(slice_of(data, size), SLICE_LIT("sid"), &value);

	if (st != ST_OK && st != ST_BAD && st != ST_NOTFOUND)
		abort();
	if (st != ST_OK)
		return 0;
	if (value.n && (value.p < data || value.p + value.n > data + size))
		abort();
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] <= ' ' || value.p[i] >= 0x7f || value.p[i] == ';' ||
			value.p[i] == ',' || value.p[i] == '"')
			abort();
	return 0;
}
