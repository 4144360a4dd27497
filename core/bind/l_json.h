/* l_json.h: Lua values to and from JSON, for other bindings. */
#pragma once

#include "base/bytes.h"
#include "json/json.h"

struct lua_State;

/* Pushes a value: objects and arrays as tables with their marks, null as json.null. May throw for memory. */
void json_push(struct lua_State *L, const struct json *j);
/* Parses and pushes; as json_parse otherwise (nothing pushed); of members
 * of one name the last counts. The text must not move meanwhile. */
must_check enum st json_push_text(struct lua_State *L, struct slice text, enum json_names names,
	const char **error, size_t *offset);
/* Appends the value at index to out, which Lua must own (scratch.h): raises on what JSON cannot say. */
void json_encode(struct lua_State *L, int index, struct buf *out);
