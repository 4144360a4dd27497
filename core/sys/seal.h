/* seal.h: what a process gives up before it touches foreign input: new privileges, files (Landlock), system calls
 * (seccomp), resources. Called while the process has one thread. Jails seal themselves (script/). */
#pragma once

#include "base/base.h"

/* The process that runs the configuration file: reads files and writes to what is already open; 5 s of processor time,
 * 64 MiB. ST_IO with errno when the kernel refuses. */
must_check enum st seal_config(void);

/* The worker: files below data_dir only; threads but no processes. With `upstream` connections to others, and reading of what
 * finding them takes: the resolver's files and the machine's list of authorities. */
must_check enum st seal_worker(const char *data_dir, bool upstream);

/* Limits alone, for --unsealed: no core dumps, at least `files` descriptors where the system allows. */
void seal_limits(unsigned files);

/* The Landlock version of this kernel, 0 = none (then the file rules are not in force, which `doctor` says). */
int seal_landlock_version(void);
