/* master.h: the installation's master key (data/master.key) and the keys derived from it, one label per purpose. */
#pragma once

#include "base/bytes.h"

enum { MASTER_KEY_SIZE = 32 };

/* Given once at start by the worker (or by a command that works on the data folder itself); the caller wipes its copy. */
must_check enum st crypto_master_set(const unsigned char key[MASTER_KEY_SIZE]);
bool crypto_master_is_set(void);
/* The key for a purpose. ST_NOTFOUND before crypto_master_set, ST_BAD for an empty or overlong label. */
must_check enum st crypto_master_derive(struct slice label, unsigned char out[MASTER_KEY_SIZE]);
