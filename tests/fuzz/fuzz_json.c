/* fuzz_json.c: whatever passes the validator must become a tree, and nothing may be read outside of the text. */
#include "json/json.h"

static void walk(const struct json *j, size_t *count)
{
	for (; j; j = json_next(j)) {
		(*count)++;
		if (json_type(j) == JSON_INTEGER &&
			(json_integer(j) > INT64_C(1) << 53 || json_integer(j) < -(INT64_C(1) << 53)))
			abort();
		walk(json_first(j), count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that the sanitizer sees the byte behind it. */
	unsigned char *copy = malloc(size ? size : 1);
	const char *error = NULL;
	struct json *root = NULL;
	size_t offset = 0, count = 0;
	enum st valid, parsed;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	valid = json_validate(slice_of(copy, size), &error, &offset);
	if (offset > size || (valid == ST_BAD) != (error != NULL))
		abort();
	parsed = json_parse(slice_of(copy, size), &root, &error, &offset);
	if (valid != parsed || (parsed == ST_OK) != (root != NULL))
		abort();
	if (root)
		walk(root, &count);
	json_free(root);
	/* What is right is right with names that may be repeated, too. */
	parsed = json_parse_names(slice_of(copy, size), JSON_NAMES_REPEATED, &root, &error, &offset);
	if (valid == ST_OK && parsed != ST_OK)
		abort();
	if (root)
		walk(root, &count);
	json_free(root);
	free(copy);
	return 0;
}
