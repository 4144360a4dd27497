/* lua_test.h: runs specifications written in Lua inside the program, with all bindings and an empty store in memory. */
#pragma once

/* Runs DIR/…_spec.lua; `only` (may be NULL) must be part of the file's name. A file returns { ["what holds"] = function };
 * each runs as a task, the files each in a state and a store of their own. Prints results; 0 = all passed. The assets
 * must be known. */
int bind_lua_test(const char *dir, const char *only);
