/* modules.h: the function `require` of a trusted state. */
#pragma once

struct lua_State;

/* Sets the global. Before globals are locked. */
void modules_open(struct lua_State *L);
/* require itself, for vm_load. */
int modules_require(struct lua_State *L);
