/* broker.h: what worker and local commands have in common: the store, the master key, the thread pool, jails and a state
 * of trusted Lua. */
#pragma once

#include "base/bytes.h"

struct vm;

/* After loop_open, in the process that may open data/tidelock.db. On failure error is a sentence for people; ST_CORRUPT:
 * damaged data. NULL data: an empty store in memory under a key that nobody keeps. The master key is made when the folder holds neither key nor database. */
must_check enum st broker_open(const char *data, char *error, size_t error_size);
void broker_close(void);

/* A fresh state with boot loaded. NULL with error. */
struct vm *broker_vm(char *error, size_t error_size);
