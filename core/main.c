/* main.c: the command table. */
#include "bind/lua_test.h"
#include "script/jailer.h"
#include "sys/assets.h"
#include "sys/channel.h"
#include "sys/command.h"
#include "sys/config.h"
#include "sys/detached.h"
#include "sys/master.h"
#include "sys/privileges.h"
#include "sys/version.h"
#include "sys/worker.h"

static int serve(const struct arguments *a)
{
	if (a->n > 1) {
		fprintf(stderr, "tidelock: serve takes no \"%s\"\n", a->word[1]);
		return EXIT_USAGE;
	}
	return master_main(&a->options);
}

static int version(const struct arguments *a)
{
	return version_print(a->n > 1 && !strcmp(a->word[1], "--json"));
}

static int help(const struct arguments *a)
{
	(void)a;
	command_usage(stdout);
	return EXIT_DONE;
}

/* Hidden: specifications of trusted Lua, run inside the program. */
static int lua_test(const struct arguments *a)
{
	if (a->n < 2)
		return EXIT_USAGE;
	assets_open(a->options.lua_dir);
	return bind_lua_test(a->word[1], a->n > 2 ? a->word[2] : NULL);
}

static const struct {
	const char *name;
	int (*run)(const struct arguments *a);
} commands[] = {
	{"serve", serve},
	{"check", command_check},
	{"user", command_run},
	{"group", command_run},
	{"app", command_run},
	{"source", command_run},
	{"token", command_run},
	{"key", command_run},
	{"try", command_run},
	{"events", command_run},
	{"version", version},
	{"--version", version},
	{"help", help},
	{"--help", help},
	{"-h", help},
	{"lua-test", lua_test},
};

/* Hidden: what the master starts this program as. Descriptor 3 is the channel. */
static int role(const char *name, struct arguments *a)
{
	if (!strcmp(name, "config"))
		return config_child(&a->options);
	if (!strcmp(name, "worker"))
		return worker_main(a->options.unsealed);
	if (!strcmp(name, "jail")) {
		struct identity id;
		if (a->n < 2 || sscanf(a->word[1], "--uid=%u:%u", &id.uid, &id.gid) != 2 ||
			privileges_drop(&id))
			return EXIT_REFUSED;
		assets_open(NULL);
		return jail_main(CHANNEL_FD);
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct arguments a;

	if (!arguments_parse(&a, argc, argv))
		return EXIT_USAGE;
	if (a.n && !strncmp(a.word[0], "--role=", 7))
		return role(a.word[0] + 7, &a);
	if (detached(&a))
		return detached_run(&a);
	for (size_t i = 0; a.n && i < ARRAY_LEN(commands); i++)
		if (!strcmp(a.word[0], commands[i].name))
			return commands[i].run(&a);
	if (a.n)
		fprintf(stderr, "tidelock: there is no command \"%s\"\n", a.word[0]);
	command_usage(stderr);
	return EXIT_USAGE;
}
