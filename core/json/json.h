/* json.h: strict JSON (RFC 8259, I-JSON): validated first (UTF-8, depth at most 32, no duplicate names, no control
 * characters, no lone surrogates, no \u0000, exact number grammar, nothing after the value), then a cJSON tree. The only
 * place with cJSON. */
#pragma once

#include "base/bytes.h"

struct json; /* one node; a root owns its tree */

enum json_type {
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_INTEGER,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* May an object name a member twice? Repeated ones are all in the tree, in the order of the text. For the one reader of other
 * people's documents that do (lua/config/akkess.lua); everything else is read strictly. */
enum json_names { JSON_NAMES_ONCE, JSON_NAMES_REPEATED };

/* On ST_BAD *error (static text) and *offset say what is wrong and where. Integers outside ±2^53 are refused. */
must_check enum st json_parse(
	struct slice text, struct json **root, const char **error, size_t *offset);
must_check enum st json_parse_names(struct slice text, enum json_names names, struct json **root,
	const char **error, size_t *offset);
/* The validator alone. */
must_check enum st json_validate(struct slice text, const char **error, size_t *offset);
void json_free(struct json *root);

enum json_type json_type(const struct json *j);
bool json_bool(const struct json *j);
int64_t json_integer(const struct json *j);
double json_number(const struct json *j);
struct slice json_string(const struct json *j);
const struct json *json_first(const struct json *container); /* NULL = empty */
const struct json *json_next(const struct json *item);
struct slice json_name(const struct json *member); /* of an object's member */
const struct json *json_member(const struct json *object, const char *name); /* exact case; NULL = absent */
/* The string member, or an empty slice with p NULL when absent or not a string. */
struct slice json_member_string(const struct json *object, const char *name);

/* Appends a quoted, escaped JSON string; ST_BAD when not UTF-8. */
must_check enum st json_write_string(struct buf *out, struct slice text);
/* Shortest text that reads back the same; ST_BAD for NaN and infinities. */
must_check enum st json_write_number(struct buf *out, double value);

const char *json_version(void); /* cJSON's */
