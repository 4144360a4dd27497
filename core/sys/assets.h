/* assets.h: where the trusted Lua of this process comes from: the program itself, a folder (--lua), or the bundle that
 * the master read from that folder for a sealed worker. */
#pragma once

#include "base/bytes.h"

/* Embedded files, or those of lua_dir when not NULL. */
void assets_open(const char *lua_dir);

/* Adds every file below lua_dir to a bundle as "lua/NAME". */
must_check enum st assets_bundle(const char *lua_dir, struct buf *bundle);

/* Lets the "lua/" entries of a bundle replace the embedded files. True when there were any: then the bundle's bytes must
 * live as long as the process. */
bool assets_use_bundle(struct slice bundle);
