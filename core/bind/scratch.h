/* scratch.h: a buffer that belongs to the Lua state. Lua may throw between filling it and pushing the result, and then nobody
 * has to free it. */
#pragma once

#include "base/bytes.h"

struct lua_State;

/* Empty; valid until the next scratch_take, so within one C function only. May throw for memory. */
struct buf *scratch_take(struct lua_State *L);
/* Pushes b's bytes as a string; raises when an append has failed. */
void scratch_push(struct lua_State *L, struct buf *b);
