/* local.c: a broker for the length of one command. */
#include "sys/local.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "bind/l_http.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "script/jail.h"
#include "script/vm.h"
#include "sys/assets.h"
#include "sys/broker.h"
#include "sys/privileges.h"
#include "sys/spawn.h"

#define ERROR_SIZE 1024

struct local {
	const struct options *options;
	struct identity identity;
	struct slice body;
	struct buf *json; /* borrows */
	struct vm *vm;
	struct deferred starting;
	bool jail_due;
	char error[ERROR_SIZE];
	enum st st;
};

static struct local local; /* the spawner's deferred answer needs a place that stays */

static void jail_spawn(struct deferred *d)
{
	char uid[40];
	const char *extra[] = {uid, local.options->unsealed ? "--unsealed" : NULL, NULL};
	int pair[2];
	pid_t pid = -1;

	(void)d;
	local.jail_due = false;
	snprintf(uid, sizeof(uid), "--uid=%u:%u", (unsigned)local.identity.uid,
		(unsigned)local.identity.gid);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		jail_give(-1, 0);
		return;
	}
	pid = spawn_role("jail", extra, pair[1], false);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		pair[0] = -1;
	}
	jail_give(pair[0], pid);
}

/* The answer must not come inside the question. */
static enum st jail_wanted(void *arg)
{
	(void)arg;
	if (local.jail_due)
		return ST_BUSY;
	local.jail_due = true;
	loop_defer(&local.starting, jail_spawn);
	return ST_OK;
}

static void jail_unwanted(int64_t handle, void *arg)
{
	(void)arg;
	spawn_kill((pid_t)handle);
}

static void end(enum st st, const char *error)
{
	local.st = st;
	if (st)
		snprintf(local.error, sizeof(local.error), "%s", error ? error : st_name(st));
	loop_stop();
}

static void answered(void *arg, struct slice json, const char *error)
{
	(void)arg;
	buf_add_slice(local.json, json);
	end(error ? ST_BAD : ST_OK, error);
}

static void started(void *arg, enum st st, const char *error, struct tls_config *tls)
{
	(void)arg;
	tls_config_unref(tls);
	if (st) {
		end(st, error);
		return;
	}
	st = bridge_command(local.vm, local.body, answered, NULL);
	if (st)
		end(st, NULL);
}

/* Everything is open: start, then the command, then the end of the loop. */
static enum st run(const struct config *config)
{
	enum st st;

	local.vm = broker_vm(local.error, sizeof(local.error));
	if (!local.vm)
		return ST_BAD;
	local.st = ST_MORE;
	st = bridge_start(local.vm, buf_slice(&config->wire),
		local.options->detached ? "detached" : "command", started, NULL);
	if (st)
		return st;
	if (local.st == ST_MORE)
		loop_run();
	return local.st;
}

/* The folder and its lock; nothing is made when there is no folder yet: then the command works on an empty store that
 * vanishes, which is what `check` before the first start wants. */
static enum st open_data(const struct config *config, int *lock, const char **data)
{
	struct stat s;

	*lock = -1;
	*data = NULL;
	if (stat(config->data, &s) && errno == ENOENT && local.options->dry)
		return ST_OK;
	*data = config->data;
	enum st st = privileges_prepare(
		config->data, config->run_as, &local.identity, local.error, sizeof(local.error));
	if (st)
		return st;
	*lock = data_lock(config->data, &local.identity, local.error, sizeof(local.error));
	return *lock < 0 ? ST_IO : ST_OK;
}

enum st local_command(const struct options *options, const struct config *config, struct slice body,
	struct buf *json)
{
	static const struct jail_spawner spawner = {jail_wanted, jail_unwanted, NULL};
	const char *data;
	int lock;

	local = (struct local){
		.options = options, .body = body, .json = json, .identity = {getuid(), getgid()}};
	log_set_level(LOG_WARN); /* what a broker would log at its start is no answer to a command */
	umask(077);
	assets_open(options->lua_dir);
	enum st st = spawn_open();
	if (!st && !(st = open_data(config, &lock, &data))) {
		if ((st = privileges_drop(&local.identity)))
			snprintf(local.error, sizeof(local.error),
				"cannot become the data folder's owner: %s", strerror(errno));
		if (!st && !(st = loop_open())) {
			jail_set_spawner(&spawner);
			if (!(st = broker_open(data, local.error, sizeof(local.error))))
				st = run(config);
			vm_free(local.vm);
			broker_close();
			loop_close();
		}
		if (lock >= 0)
			close(lock);
	}
	log_flush();
	if (st)
		fprintf(stderr, "tidelock: %s\n", *local.error ? local.error : st_name(st));
	return st;
}
