/* fuzz_base64url.c: what decodes encodes to the same text: there is one spelling only. */
#include "base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct buf bytes = {0}, again = {0};

	if (base64url_decode(text, &bytes) == ST_OK) {
		if (base64url_encode(buf_slice(&bytes), &again) || !slice_eq(buf_slice(&again), text))
			abort();
	} else if (bytes.n) {
		abort();
	}
	buf_clear(&bytes);
	buf_clear(&again);
	if (base64_decode(text, &bytes) == ST_OK &&
		(base64_encode(buf_slice(&bytes), &again) || !slice_eq(buf_slice(&again), text)))
		abort();
	buf_free(&bytes);
	buf_free(&again);
	return 0;
}
