/* jailer.h: the jail process (role "jail"): no files, no network, one socket; runs the owner's scripts (D3, S22, S23). */
#pragma once

#include "base/base.h"

/* Serves calls from fd (3 in practice, any works) until the other end closes it; the process's exit status. The assets
 * (base/asset.h) must be known. */
int jail_main(int fd);
