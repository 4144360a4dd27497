/* l_key.h: key handles of Lua, for the other bindings and for TLS. */
#pragma once

#include "crypto/pk.h"

struct lua_State;

/* The key at index, borrowed from its handle; raises when it is none. */
struct pk *key_check(struct lua_State *L, int index);
/* The same, NULL when it is none. */
struct pk *key_test(struct lua_State *L, int index);
/* Pushes a handle with a reference of its own. May throw for memory. */
void key_push(struct lua_State *L, struct pk *k);
