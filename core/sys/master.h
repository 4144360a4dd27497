/* master.h: the process that binds ports, starts and restarts the others, and parses nothing from the network. */
#pragma once

#include "sys/options.h"

/* `tidelock serve`: returns the exit status. */
int master_main(const struct options *options);
