/* fuzz_jws.c: parsing of compact tokens; what is taken has an algorithm of the list and decodes to what was written. */
#include "base/codec.h"
#include "jose/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice compact = slice_of(data, size);
	const char *error = NULL;
	struct buf again = {0};
	struct jws j;
	enum st st = jws_parse(compact, &j, &error);

	if (st == ST_BAD && !error)
		abort();
	if (st == ST_OK) {
		/* Strict codecs: there is one spelling only, so writing it again gives the same text. */
		if (j.alg == PK_ALG_NONE ||
			jws_signing_input(buf_slice(&j.header), buf_slice(&j.payload), &again) ||
			!slice_eq(buf_slice(&again), j.signing_input))
			abort();
	}
	buf_free(&again);
	jws_free(&j);
	/* Nobody without the secret makes one that opens. */
	st = jws_open_hmac(compact, SLICE_LIT("a secret that the fuzzer does not know"), &j, &error);
	if (st == ST_OK || (st == ST_BAD && !error))
		abort();
	jws_free(&j);
	return 0;
}
