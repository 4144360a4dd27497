/* command.h: the command line: usage, options, and commands that a running broker (over data/control.sock) or, with none
 * running, this process itself carries out. What commands mean is lua/command's. */
#pragma once

#include "sys/options.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct arguments {
	const char *word[1024]; /* the command's own, options of the program taken out */
	unsigned n;
	struct options options;
};

/* Takes -c, --lua and --unsealed out. False: wrong usage, said on standard error. */
must_check bool arguments_parse(struct arguments *a, int argc, char **argv);

/* user, group, app, …: word[0] is the command. */
int command_run(const struct arguments *a);
/* `check`: the same, after the files that only the master reads. */
int command_check(const struct arguments *given);

void command_usage(FILE *to);
