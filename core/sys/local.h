/* local.h: commands without a running broker: this process takes the data folder's lock, opens store and Lua itself. */
#pragma once

#include "sys/config.h"

/* Runs one command body (see command_body) and appends the JSON answer. Errors are said on standard error. May be called
 * again in the same process. */
must_check enum st local_command(const struct options *options, const struct config *config,
	struct slice body, struct buf *json);
