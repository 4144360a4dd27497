/* wire.h: plain Lua data as bytes and back: nil, booleans, integers, floats, strings and tables of them. What crosses a
 * process border (jail, configuration) is this and nothing else.
 *
 * nil 'n', true 't', false 'f', integer 'i' u64, float 'd' u64 (bits), string 's' u32 bytes, table 'T' u32 items
 * u32 pairs, then the values 1..items, then key and value of each pair. Numbers big endian. */
#pragma once

#include "base/bytes.h"

struct lua_State;

#define WIRE_DEPTH_MAX 64u

struct wire_limits {
	unsigned depth; /* at most WIRE_DEPTH_MAX */
	size_t bytes;
	const char *root; /* how messages call the value itself; NULL = "result" */
};
extern const struct wire_limits wire_script_limits; /* 16 levels, 256 KiB */
extern const struct wire_limits wire_config_limits; /* 32 levels, 16 MiB */

/* Appends the value at index. A function, userdata, thread, cycle, number that is not finite, key that is neither string nor
 * integer, too deep or too large: ST_BAD, and a message with the path ("result.groups[3] is a function") is left in
 * error. A null light userdata (JSON's null) counts as nil. Metatables are not looked at. Never throws. */
must_check enum st wire_encode(struct lua_State *L, int index, const struct wire_limits *limits,
	struct buf *out, char *error, size_t error_size);
/* Pushes one value; ST_BAD (nothing pushed) on malformed bytes or limits. Takes it off the front of in. May throw for
 * memory only. */
must_check enum st wire_decode(struct lua_State *L, struct slice *in, const struct wire_limits *limits);
