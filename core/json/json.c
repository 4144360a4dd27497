/* json.c: validated text into a cJSON tree. cJSON alone would take duplicate names, NULs, broken UTF-8, depth 999 and
 * numbers of any size, so it only ever sees text that json_check has passed. */
#include "json/json.h"

#include <math.h>
#include <pthread.h>

#include <cjson/cJSON.h>

#include "base/codec.h"
#include "base/fault.h"
#include "json/validate.h"

/* cJSON keeps a number as a double and forgets its text: a bit of `type` that cJSON does not use remembers integers. */
enum { INTEGER_BIT = 1 << 16 };

struct json {
	cJSON node; /* a struct json is a cJSON by another name */
};

static const cJSON *node_of(const struct json *j)
{
	return &j->node;
}

static struct json *json_of(cJSON *node)
{
	return container_of(node, struct json, node);
}

static void *allocate(size_t n)
{
	return fault_hit(FAULT_ALLOC) ? NULL : malloc(n);
}

static void install_hooks(void)
{
	cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = free};

	cJSON_InitHooks(&hooks);
}

/* Walks the tree in the order of the text, giving every number the next mark. At most 32 levels. */
static void mark_integers(cJSON *item, struct slice *marks)
{
	for (; item; item = item->next) {
		uint8_t integer = 0;

		if ((item->type & 0xff) == cJSON_Number && read_u8(marks, &integer) && integer)
			item->type |= INTEGER_BIT;
		if (item->child)
			mark_integers(item->child, marks);
	}
}

enum st json_parse_names(struct slice text, enum json_names names, struct json **root,
	const char **error, size_t *offset)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct buf numbers = {0};
	struct slice marks;
	cJSON *tree = NULL;
	enum st st;

	*root = NULL;
	st = json_check(text, names, &numbers, error, offset);
	if (st)
		goto out;
	pthread_once(&once, install_hooks);
	tree = cJSON_ParseWithLengthOpts((const char *)text.p, text.n, NULL, false);
	if (!tree) { /* the text is right, so only memory can be missing */
		st = ST_NOMEM;
		goto out;
	}
	marks = buf_slice(&numbers);
	mark_integers(tree, &marks);
	*root = json_of(tree);
out:
	buf_free(&numbers);
	return st;
}

enum st json_parse(struct slice text, struct json **root, const char **error, size_t *offset)
{
	return json_parse_names(text, JSON_NAMES_ONCE, root, error, offset);
}

enum st json_validate(struct slice text, const char **error, size_t *offset)
{
	return json_check(text, JSON_NAMES_ONCE, NULL, error, offset);
}

void json_free(struct json *root)
{
	if (root)
		cJSON_Delete(&root->node);
}

enum json_type json_type(const struct json *j)
{
	switch (node_of(j)->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return JSON_BOOLEAN;
	case cJSON_Number:
		return node_of(j)->type & INTEGER_BIT ? JSON_INTEGER : JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

bool json_bool(const struct json *j)
{
	return (node_of(j)->type & 0xff) == cJSON_True;
}

int64_t json_integer(const struct json *j)
{
	return json_type(j) == JSON_INTEGER ? (int64_t)node_of(j)->valuedouble : 0;
}

double json_number(const struct json *j)
{
	return node_of(j)->valuedouble;
}

struct slice json_string(const struct json *j)
{
	return json_type(j) == JSON_STRING ? slice_str(node_of(j)->valuestring) : slice_of(NULL, 0);
}

const struct json *json_first(const struct json *container)
{
	cJSON *child = node_of(container)->child;

	return child ? json_of(child) : NULL;
}

const struct json *json_next(const struct json *item)
{
	cJSON *next = node_of(item)->next;

	return next ? json_of(next) : NULL;
}

struct slice json_name(const struct json *member)
{
	return node_of(member)->string ? slice_str(node_of(member)->string) : slice_of(NULL, 0);
}

const struct json *json_member(const struct json *object, const char *name)
{
	cJSON *member = cJSON_GetObjectItemCaseSensitive(node_of(object), name);

	return member ? json_of(member) : NULL;
}

struct slice json_member_string(const struct json *object, const char *name)
{
	const struct json *member = json_member(object, name);

	return member ? json_string(member) : slice_of(NULL, 0);
}

/* ---- Writing ---- */

static void write_escaped(struct buf *out, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = c ? strchr(from, c) : NULL;

	if (found) {
		buf_add_u8(out, '\\');
		buf_add_u8(out, (uint8_t)to[found - from]);
	} else {
		buf_printf(out, "\\u%04x", c);
	}
}

/* What of a string is not copied as it is: 1 is escaped, 2 is no ASCII. */
static const unsigned char special[256] = {
	[0 ... 0x1f] = 1, ['"'] = 1, ['\\'] = 1, [0x7f] = 1, [0x80 ... 0xff] = 2};

enum st json_write_string(struct buf *out, struct slice text)
{
	size_t start = 0, original = out->n;
	bool ascii = true;

	buf_add_u8(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = text.p[i];

		if (!special[c])
			continue;
		if (special[c] == 2) {
			ascii = false;
			continue;
		}
		buf_add_slice(out, slice_sub(text, start, i - start));
		write_escaped(out, c);
		start = i + 1;
	}
	buf_add_slice(out, slice_sub(text, start, text.n - start));
	buf_add_u8(out, '"');
	if (!ascii && !utf8_valid(text)) {
		out->n = original;
		return ST_BAD;
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

enum st json_write_number(struct buf *out, double value)
{
	char text[32];

	if (!isfinite(value))
		return ST_BAD;
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return buf_add_str(out, text) ? ST_OK : ST_NOMEM;
}

const char *json_version(void)
{
	return cJSON_Version();
}
