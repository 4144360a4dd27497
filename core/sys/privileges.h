/* privileges.h: who owns the data folder, and becoming that user. Works without /etc/passwd. */
#pragma once

#include <sys/types.h>

#include "base/base.h"

struct identity {
	uid_t uid;
	gid_t gid;
};

/* Makes the data folder (0700, with missing parents 0755) when it is missing, decides who owns it (run_as: a name from
 * /etc/passwd, "uid" or "uid:gid"; "" = the owner it has) and, as root, gives the folder and its files to that user. */
must_check enum st privileges_prepare(
	const char *data, const char *run_as, struct identity *id, char *error, size_t error_size);

/* Becomes id for good, with no supplementary groups and no capabilities; nothing to do but dropping capabilities when
 * this process is that user already. */
must_check enum st privileges_drop(const struct identity *id);

/* Takes data/lock, which belongs to id, for the life of the returned descriptor; -1 with `error` naming the holder. */
int data_lock(const char *data, const struct identity *id, char *error, size_t error_size);
