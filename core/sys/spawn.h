/* spawn.h: starting this same program in another role by fork and exec, so that nothing the parent has read is in the
 * child (S22). The file is opened once, so that a replaced program on disk does not mix versions. */
#pragma once

#include <sys/types.h>

#include "base/base.h"

/* Opens our own executable; called once at start. */
must_check enum st spawn_open(void);

/* Starts `--role=ROLE` and the extra arguments (NULL-terminated, may be NULL) with fd as descriptor 3. The child gets the
 * environment only when asked; it dies with this process. -1 = failed. fd stays the caller's. */
pid_t spawn_role(const char *role, const char *const *extra, int fd, bool environment);

/* Ends, and waits for, a child that was started here. */
void spawn_kill(pid_t pid);
