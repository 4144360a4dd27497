/* guard.h: a handler that never ends fails, and the worker lives. Trusted Lua runs without hooks; only when one slice of a
 * task has kept the processor for a second is one set, which raises with a traceback. */
#pragma once

#include "base/base.h"

struct lua_State;

/* Once, in a process whose other threads block signals. Without it entering and leaving do nothing that is seen. */
must_check enum st guard_open(void);
/* Around every slice: co runs now; it returned. */
void guard_enter(struct lua_State *co);
void guard_leave(struct lua_State *co);
