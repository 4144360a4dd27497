/* asset.h: the files that are part of the program (trusted Lua, templates, style sheet), by name relative to lua/. sys/
 * puts them here at start; script/ and bind/ ask for them. */
#pragma once

#include "base/bytes.h"

/* Adds or replaces one file. Name and data stay the caller's and must live as long as the process. Start-up only: out
 * of memory ends the process. */
void asset_set(const char *name, const void *data, size_t n);
/* The text of one file ("auth/session.lua"). Borrowed. False when there is none. */
bool asset_get(const char *name, struct slice *text);
