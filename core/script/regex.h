/* regex.h: PCRE2 for scripts: regex_match(value, pattern), regex_replace(value, pattern, replacement), bounded. */
#pragma once

#include "base/base.h"

struct lua_State;

/* Sets the two globals. Once, before the sandbox is saved: its contexts are part of what is put back. */
void regex_open(struct lua_State *L);

const char *regex_version(void); /* PCRE2's */
