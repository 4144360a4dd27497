/* fuzz_jwk.c: a key that is taken must write itself as a key that is taken and is the same. */
#include "jose/jwk.h"

static struct pk *import(struct slice text)
{
	const char *error = NULL;
	struct json *root;
	struct pk *k = NULL;
	size_t offset;

	if (json_parse(text, &root, &error, &offset))
		return NULL;
	if (jwk_import(root, &k, &error) == ST_BAD && !error)
		abort();
	json_free(root);
	return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pk *k = import(slice_of(data, size)), *again;
	struct buf text = {0};

	if (!k)
		return 0;
	if (pk_is_private(k) || jwk_write(k, &text))
		abort();
	again = import(buf_slice(&text));
	if (!again || memcmp(pk_id(k), pk_id(again), PK_ID_SIZE) != 0)
		abort();
	buf_free(&text);
	pk_unref(again);
	pk_unref(k);
	return 0;
}
