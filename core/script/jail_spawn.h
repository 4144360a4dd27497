/* jail_spawn.h: starts jails as children of this very process, for commands that run without a broker and for tests. */
#pragma once

#include "script/jail.h"

extern const struct jail_spawner jail_direct_spawner;
