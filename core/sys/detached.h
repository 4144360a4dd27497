/* detached.h: commands over files alone, which ask no broker and read no configuration: try rules, check --rules, rules. */
#pragma once

#include "sys/command.h"

bool detached(const struct arguments *a);
int detached_run(const struct arguments *a);
