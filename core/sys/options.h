/* options.h: what the command line says before the command's own words. */
#pragma once

#include "base/base.h"

struct options {
	char config[4096];   /* absolute path; -c, else $TIDELOCK_CONFIG, else /etc/tidelock.lua */
	const char *lua_dir; /* --lua: the trusted Lua from a folder; NULL = embedded */
	bool unsealed;       /* --unsealed: no seccomp, no Landlock (debuggers, sanitizers) */
	bool detached;       /* a command that reads no configuration */
	bool dry;            /* `check`: leave no trace where there is no data folder yet */
};
