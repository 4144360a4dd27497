/* worker.h: the unprivileged, sealed process with the event loop, the trusted Lua, HTTP and TLS. */
#pragma once

#include "base/base.h"

enum { WORKER_EXIT_CORRUPT = 65 }; /* the database is damaged: the master must not start another */

/* --role=worker. */
int worker_main(bool unsealed);
