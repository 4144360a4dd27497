/* confine.h: what a jail gives up before it reads its first script: descriptors, files, network, memory, new processes,
 * and all system calls but the few that reading, writing and memory need (S22). */
#pragma once

#include "base/base.h"

/* Closes every descriptor but fd (and standard error in sanitizer builds), sets the limits and dies with the parent. */
must_check enum st confine_process(int fd);
/* no_new_privs, Landlock where the kernel has it, seccomp. From here on every other system call ends the process. */
must_check enum st confine_seal(int fd);
