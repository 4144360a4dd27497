/* config.c: the configuration child and its parent's side. */
#include "sys/config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bind/config_state.h"
#include "sys/assets.h"
#include "sys/channel.h"
#include "sys/seal.h"
#include "sys/spawn.h"

#define EVALUATION_US 5000000
#define OUTPUT_MAX (20u << 20)

/* ---- the child ---------------------------------------------------------------------------------------------------- */

static int write_all(struct slice s)
{
	while (s.n) {
		ssize_t n = write(CHANNEL_FD, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 1;
		s = slice_sub(s, (size_t)n, s.n);
	}
	return 0;
}

int config_child(const struct options *options)
{
	struct config_result result = {0};
	struct buf out = {0};
	enum st st;

	assets_open(options->lua_dir);
	if (!options->unsealed && seal_config()) {
		fprintf(stderr, "tidelock: cannot seal the configuration process: %s\n",
			strerror(errno));
		return 1;
	}
	if (config_evaluate(options->config, &result))
		st = bundle_add(&out, "error", buf_slice(&result.errors));
	else if (!(st = bundle_add(&out, "wire", buf_slice(&result.wire))))
		st = bundle_add(&out, "master", buf_slice(&result.master));
	int status = st ? 1 : write_all(buf_slice(&out));
	config_result_free(&result);
	buf_wipe(&out);
	return status;
}

/* ---- the parent --------------------------------------------------------------------------------------------------- */

enum st config_start(struct config_run *run, const struct options *options)
{
	const char *extra[6] = {"-c", options->config};
	size_t n = 2;
	int pair[2];

	if (options->unsealed)
		extra[n++] = "--unsealed";
	if (options->lua_dir) {
		extra[n++] = "--lua";
		extra[n++] = options->lua_dir;
	}
	*run = (struct config_run){.output = {.max = OUTPUT_MAX}};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return ST_IO;
	run->pid = spawn_role("config", extra, pair[1], true);
	close(pair[1]);
	if (run->pid < 0) {
		close(pair[0]);
		run->pid = 0;
		return ST_IO;
	}
	run->fd = pair[0];
	fcntl(run->fd, F_SETFL, O_NONBLOCK);
	run->deadline = clock_mono_us() + EVALUATION_US;
	return ST_OK;
}

void config_abandon(struct config_run *run)
{
	if (!run->pid)
		return;
	spawn_kill(run->pid);
	close(run->fd);
	buf_wipe(&run->output);
	run->pid = 0;
}

static bool copy_text(char *to, size_t size, struct slice from)
{
	if (from.n >= size)
		return false;
	memcpy(to, from.p, from.n);
	to[from.n] = 0;
	return true;
}

/* "https 127.0.0.1 8443" */
static enum st parse_listen(struct config *config, const char *value)
{
	struct slice s = slice_str(value);
	size_t a = slice_find(s, ' ');
	struct slice scheme = slice_sub(s, 0, a), rest = slice_sub(s, a + 1, s.n);
	size_t b = slice_find(rest, ' ');
	struct slice host = slice_sub(rest, 0, b);
	struct listen_address *l = &config->listen[config->listen_count];
	unsigned long port = b < rest.n ? strtoul((const char *)rest.p + b + 1, NULL, 10) : 0;

	if (config->listen_count == LISTENERS_MAX || !port || port > 65535 ||
		!copy_text(l->host, sizeof(l->host), host))
		return ST_BAD;
	l->tls = slice_eq(scheme, SLICE_LIT("https"));
	l->port = (uint16_t)port;
	bool v6 = strchr(l->host, ':') != NULL;
	snprintf(l->text, sizeof(l->text), v6 ? "%s://[%s]:%u" : "%s://%s:%u",
		l->tls ? "https" : "http", l->host, (unsigned)l->port);
	config->listen_count++;
	return ST_OK;
}

/* "key=value" texts, each ended by NUL. Unknown keys are for others. */
static enum st parse_master(struct config *config)
{
	struct {
		const char *key;
		const char **to;
	} texts[] = {
		{"data=", &config->data},
		{"run_as=", &config->run_as},
		{"certificate=", &config->certificate},
		{"key=", &config->key},
		{"public_url=", &config->public_url},
		{"banner=", &config->banner},
		{"connections=", &config->connections},
	};
	struct slice rest = buf_slice(&config->raw);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i].to = "";
	while (rest.n) {
		size_t n = slice_find(rest, 0);
		const char *entry = (const char *)rest.p;
		if (n == rest.n)
			return ST_BAD;
		if (!strncmp(entry, "listen=", 7) && parse_listen(config, entry + 7))
			return ST_BAD;
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			if (!strncmp(entry, texts[i].key, strlen(texts[i].key)))
				*texts[i].to = entry + strlen(texts[i].key);
		if (!strcmp(entry, "lab=true"))
			config->lab = true;
		rest = slice_sub(rest, n + 1, rest.n);
	}
	return *config->data ? ST_OK : ST_BAD;
}

static enum st parse_output(struct slice in, struct config *config, struct buf *error)
{
	struct slice name, bytes;
	bool complete = false;

	while (bundle_next(&in, &name, &bytes)) {
		if (slice_eq(name, SLICE_LIT("error"))) {
			buf_add_slice(error, bytes);
			return ST_BAD;
		}
		if (slice_eq(name, SLICE_LIT("wire")))
			buf_add_slice(&config->wire, bytes);
		if (slice_eq(name, SLICE_LIT("master"))) {
			buf_add_slice(&config->raw, bytes);
			complete = true;
		}
	}
	if (complete && !in.n && !config->wire.failed && !config->raw.failed && !parse_master(config))
		return ST_OK;
	return ST_BAD;
}

/* The child has ended (or must): reaps it and reads what it said. */
static enum st finish(struct config_run *run, struct config *config, struct buf *error)
{
	int status = 0;
	enum st st;

	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	run->pid = 0;
	close(run->fd);
	*config = (struct config){0};
	st = parse_output(buf_slice(&run->output), config, error);
	if (st && !error->n)
		buf_printf(error,
			WIFSIGNALED(status) ? "the configuration process was ended by signal %d\n"
					    : "the configuration process failed with status %d\n",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	buf_wipe(&run->output);
	if (st)
		config_free(config);
	return st;
}

enum st config_feed(struct config_run *run, struct config *config, struct buf *error)
{
	for (;;) {
		if (!buf_reserve(&run->output, 4096)) {
			config_abandon(run);
			buf_add_str(error, "the configuration is too large\n");
			return ST_BAD;
		}
		ssize_t n = read(run->fd, run->output.p + run->output.n, 4096);
		if (n > 0) {
			run->output.n += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (clock_mono_us() < run->deadline)
				return ST_MORE;
			config_abandon(run);
			buf_add_str(error,
				"the configuration took longer than 5 seconds to evaluate\n");
			return ST_BAD;
		}
		return finish(run, config, error);
	}
}

enum st config_load(const struct options *options, struct config *config, struct buf *error)
{
	struct config_run run;
	enum st st;

	if (config_start(&run, options)) {
		buf_printf(error, "cannot start the configuration process: %s\n", strerror(errno));
		return ST_IO;
	}
	while ((st = config_feed(&run, config, error)) == ST_MORE) {
		struct pollfd p = {run.fd, POLLIN, 0};
		poll(&p, 1, 100);
	}
	return st;
}

void config_free(struct config *config)
{
	buf_wipe(&config->wire);
	buf_wipe(&config->raw);
	*config = (struct config){0};
}
