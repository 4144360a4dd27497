/* master.c: `tidelock serve`. One poll loop over signals, the worker's channel and, during a reload, the configuration
 * child. Reload is whole or not at all (D13). */
#include "sys/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/assets.h"
#include "sys/channel.h"
#include "sys/listeners.h"
#include "sys/spawn.h"
#include "sys/worker.h"

#define JAILS_MAX 16
#define DRAIN_US 12000000 /* the worker itself gives open requests 10 s */
#define LOAD_US 60000000  /* first start makes keys on slow machines */
#define BACKOFF_FIRST_US 100000
#define BACKOFF_MAX_US 10000000
#define STEADY_US 60000000 /* after so long a crash counts as the first again */
#define PEM_MAX (1u << 20)
#define ERROR_SIZE 1024

/* Everything that one configuration gives the worker. */
struct generation {
	struct config config;
	struct listeners listeners;
	int bundle; /* memfd; 0 = none (never a valid one here: 0 to 2 are open) */
};

struct master {
	const struct options *options;
	struct identity identity;
	int lock, control, signals;
	struct generation now, next; /* next: of a reload under way */
	struct config_run run;       /* of a reload under way */
	bool loading; /* the worker was given `next` (reload) or `now` (start) and has not answered */
	bool reloading, reload_asked, reload_reported;
	pid_t worker;
	struct channel channel;
	bool was_ready; /* some worker was */
	int64_t load_deadline, started_at, restart_at, backoff;
	pid_t jails[JAILS_MAX];
	bool draining;
	int64_t drain_deadline;
	bool finished;
	int status;
};

/* ---- one configuration into a bundle ------------------------------------------------------------------------------ */

static enum st add_pem(struct buf *bundle, const char *name, const char *path, char *error)
{
	struct buf text = {.max = PEM_MAX};
	enum st st = ST_IO;
	ssize_t n = -1;

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && buf_reserve(&text, 4096) && (n = read(fd, text.p + text.n, 4096)) > 0)
		text.n += (size_t)n;
	if (n == 0)
		st = bundle_add(bundle, name, buf_slice(&text));
	if (st)
		snprintf(error, ERROR_SIZE, "tls: %s: %s", path,
			fd < 0 || n < 0 ? strerror(errno) : "too large");
	if (fd >= 0)
		close(fd);
	buf_wipe(&text);
	return st;
}

/* The two files of `tls`, and what they are called in messages. */
static enum st add_tls(struct buf *bundle, const struct config *config, char *error)
{
	char pair[ERROR_SIZE];
	enum st st;

	if (!*config->certificate)
		return ST_OK;
	snprintf(pair, sizeof(pair), "tls: %s with the key %s", config->certificate, config->key);
	if ((st = bundle_add(bundle, "pair", slice_str(pair))) ||
		(st = add_pem(bundle, "certificate", config->certificate, error)))
		return st;
	return add_pem(bundle, "key", config->key, error);
}

static enum st generation_bundle(struct master *m, struct generation *g, char *error)
{
	struct buf bundle = {0};
	char identity[32];
	enum st st;

	snprintf(identity, sizeof(identity), "%u:%u", (unsigned)m->identity.uid,
		(unsigned)m->identity.gid);
	if ((st = bundle_add(&bundle, "config", buf_slice(&g->config.wire))) ||
		(st = bundle_add(&bundle, "data", slice_str(g->config.data))) ||
		(st = bundle_add(&bundle, "connections", slice_str(g->config.connections))) ||
		(st = bundle_add(&bundle, "identity", slice_str(identity))) ||
		(st = add_tls(&bundle, &g->config, error)))
		goto out;
	if (m->options->lua_dir && (st = assets_bundle(m->options->lua_dir, &bundle))) {
		snprintf(error, ERROR_SIZE, "--lua %s: %s", m->options->lua_dir, strerror(errno));
		goto out;
	}
	g->bundle = bundle_memfd(&bundle);
	if (g->bundle < 0) {
		g->bundle = 0;
		snprintf(error, ERROR_SIZE, "memfd_create: %s", strerror(errno));
		st = ST_IO;
	}
out:
	buf_wipe(&bundle);
	return st;
}

static void generation_close(struct generation *g)
{
	listeners_close(&g->listeners);
	if (g->bundle)
		close(g->bundle);
	config_free(&g->config);
	*g = (struct generation){0};
}

/* ---- worker and jails --------------------------------------------------------------------------------------------- */

static enum st send_load(struct master *m, const struct generation *g, bool reload)
{
	struct message load = {.type = MSG_LOAD, .value = reload};
	unsigned char flags[CHANNEL_FDS_MAX];

	load.fds[load.fd_count++] = g->bundle;
	for (unsigned i = 0; i < g->listeners.n; i++) {
		flags[load.fd_count - 1] = g->listeners.item[i].flags;
		load.fds[load.fd_count++] = g->listeners.item[i].fd;
	}
	flags[load.fd_count - 1] = LISTENER_CONTROL;
	load.fds[load.fd_count++] = m->control;
	load.text = slice_of(flags, load.fd_count - 1);
	m->loading = true;
	m->load_deadline = clock_mono_us() + LOAD_US;
	return channel_send(&m->channel, &load);
}

static void tell(struct master *m, enum message_type type, int64_t value, const char *text)
{
	if (m->worker &&
		channel_send(&m->channel,
			&(struct message){.type = type, .value = value, .text = slice_str(text)}))
		log_line(LOG_WARN, "the worker does not listen");
}

static void worker_start(struct master *m)
{
	const char *extra[] = {m->options->unsealed ? "--unsealed" : NULL, NULL};
	int pair[2];

	m->restart_at = 0;
	m->started_at = clock_mono_us();
	if (channel_pair(pair) == ST_OK) {
		m->worker = spawn_role("worker", extra, pair[1], false);
		close(pair[1]);
		m->channel.fd = pair[0];
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
		if (m->worker > 0 && !send_load(m, &m->now, false))
			return;
		close(pair[0]);
	}
	log_line(LOG_ERROR, "cannot start the worker: %s", strerror(errno));
	spawn_kill(m->worker);
	m->worker = 0;
	m->loading = false;
	m->channel.fd = -1;
	m->restart_at = clock_mono_us() + BACKOFF_MAX_US;
}

static void jail_start(struct master *m)
{
	struct message answer = {.type = MSG_JAIL};
	char uid[40];
	const char *extra[] = {uid, m->options->unsealed ? "--unsealed" : NULL, NULL};
	int pair[2];
	unsigned i = 0;

	snprintf(uid, sizeof(uid), "--uid=%u:%u", (unsigned)m->identity.uid, (unsigned)m->identity.gid);
	while (i < JAILS_MAX && m->jails[i])
		i++;
	if (i == JAILS_MAX) {
		answer.text = SLICE_LIT("too many");
	} else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		answer.text = slice_str(strerror(errno));
	} else {
		m->jails[i] = spawn_role("jail", extra, pair[1], false);
		close(pair[1]);
		if (m->jails[i] > 0) {
			answer.value = m->jails[i];
			answer.fds[answer.fd_count++] = pair[0];
		} else {
			m->jails[i] = 0;
			answer.text = slice_str(strerror(errno));
		}
		if (channel_send(&m->channel, &answer)) {
			spawn_kill(m->jails[i]);
			m->jails[i] = 0;
		}
		close(pair[0]);
		return;
	}
	if (channel_send(&m->channel, &answer))
		log_line(LOG_WARN, "the worker does not listen");
}

/* Only children that this list names are killed: a taken-over worker cannot aim at others. */
static void jail_kill(struct master *m, pid_t pid)
{
	for (unsigned i = 0; i < JAILS_MAX; i++) {
		if (!pid || m->jails[i] != pid)
			continue;
		spawn_kill(pid);
		m->jails[i] = 0;
	}
}

static void jails_kill(struct master *m)
{
	for (unsigned i = 0; i < JAILS_MAX; i++)
		jail_kill(m, m->jails[i]);
}

/* ---- reload ------------------------------------------------------------------------------------------------------- */

static void reload_end(struct master *m, const char *error)
{
	if (error) {
		log_line(LOG_ERROR, "reload refused, the old configuration stays: %s", error);
		generation_close(&m->next);
	} else {
		generation_close(&m->now);
		m->now = m->next;
		m->next = (struct generation){0};
		log_line(LOG_INFO, "configuration reloaded");
	}
	if (m->reload_reported)
		tell(m, MSG_RELOADED, error != NULL, error ? error : "");
	m->reloading = m->reload_reported = false;
}

static void reload_begin(struct master *m)
{
	if (m->draining)
		return;
	if (m->reloading || m->loading || !m->worker) {
		m->reload_asked = true;
		return;
	}
	m->reload_asked = false;
	m->reloading = true;
	if (config_start(&m->run, m->options))
		reload_end(m, "cannot start the configuration process");
}

/* The configuration was evaluated: binds what is new and hands all of it to the worker. */
static enum st reload_prepare(struct master *m, char *error)
{
	enum st st;

	if (strcmp(m->next.config.data, m->now.config.data)) {
		snprintf(error, ERROR_SIZE, "`data` cannot change while the broker runs");
		return ST_BAD;
	}
	if (strcmp(m->next.config.run_as, m->now.config.run_as)) {
		snprintf(error, ERROR_SIZE, "`run_as` cannot change while the broker runs");
		return ST_BAD;
	}
	if ((st = listeners_open(
		     &m->next.config, &m->now.listeners, &m->next.listeners, error, ERROR_SIZE)) ||
		(st = generation_bundle(m, &m->next, error)))
		return st;
	if ((st = send_load(m, &m->next, true))) {
		m->loading = false;
		snprintf(error, ERROR_SIZE, "the worker does not listen");
	}
	return st;
}

static void reload_feed(struct master *m)
{
	struct buf errors = {0};
	char error[ERROR_SIZE] = "out of memory";
	enum st st = config_feed(&m->run, &m->next.config, &errors);

	if (st == ST_MORE)
		return;
	if (st) {
		if (errors.n && errors.p[errors.n - 1] == '\n')
			errors.n--;
		snprintf(error, sizeof(error), "%.*s", (int)errors.n, errors.n ? (char *)errors.p : "");
		reload_end(m, error);
	} else if (reload_prepare(m, error)) {
		reload_end(m, error);
	}
	buf_free(&errors);
}

/* ---- what the worker says ----------------------------------------------------------------------------------------- */

static void finish(struct master *m, int status)
{
	m->finished = true;
	m->status = status;
}

static void worker_ready(struct master *m)
{
	m->loading = false;
	if (m->reloading) {
		reload_end(m, NULL);
		return;
	}
	if (!m->was_ready) {
		for (unsigned i = 0; i < m->now.config.listen_count; i++)
			log_line(LOG_INFO, "listening on %s", m->now.config.listen[i].text);
		log_flush();
		if (*m->now.config.banner) {
			fputs(m->now.config.banner, stdout);
			fflush(stdout);
		}
	}
	m->was_ready = true;
}

static void worker_failed(struct master *m, const struct message *message)
{
	char error[ERROR_SIZE];

	snprintf(error, sizeof(error), "%.*s", (int)message->text.n, (const char *)message->text.p);
	m->loading = false;
	if (m->reloading) {
		reload_end(m, error);
		return;
	}
	log_line(LOG_ERROR, "cannot start: %s", error);
	/* A first start that fails would fail again; damaged data must not be worked on at all. */
	if (!m->was_ready || message->value)
		finish(m, 1);
	else
		kill(m->worker, SIGKILL); /* not reaped here: worker_gone() starts the next one */
}

static void worker_says(struct master *m)
{
	struct message message;
	enum st st;

	while (m->worker && !m->finished && (st = channel_receive(&m->channel, &message)) != ST_MORE) {
		if (st) {
			/* SIGCHLD tells the rest; until then do not spin on a closed channel. */
			close(m->channel.fd);
			m->channel.fd = -1;
			kill(m->worker, SIGKILL);
			return;
		}
		message_close(&message); /* it has no descriptors to give */
		switch (message.type) {
		case MSG_READY:
			worker_ready(m);
			break;
		case MSG_FAILED:
			worker_failed(m, &message);
			break;
		case MSG_WANT_JAIL:
			jail_start(m);
			break;
		case MSG_KILL_JAIL:
			jail_kill(m, (pid_t)message.value);
			break;
		case MSG_WANT_RELOAD:
			m->reload_reported = true;
			reload_begin(m);
			break;
		default:
			log_line(LOG_WARN, "the worker said something unknown (%d)", (int)message.type);
		}
	}
}

static void worker_gone(struct master *m, int status)
{
	m->worker = 0;
	m->loading = false;
	if (m->channel.fd >= 0)
		close(m->channel.fd);
	m->channel.fd = -1;
	jails_kill(m);
	if (m->draining) {
		bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
		if (!clean)
			log_line(LOG_ERROR, "the worker did not end well");
		finish(m, clean ? 0 : 1);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_CORRUPT) {
		log_line(LOG_ERROR, "the database is damaged; the broker stays down until it is restored from a backup");
		finish(m, 1);
		return;
	}
	if (WIFSIGNALED(status))
		log_line(LOG_ERROR, "the worker was ended by signal %d", WTERMSIG(status));
	else
		log_line(LOG_ERROR, "the worker ended with status %d", WEXITSTATUS(status));
	if (!m->was_ready) {
		finish(m, 1);
		return;
	}
	if (m->reloading && !m->run.pid)
		reload_end(m, "the worker ended while it loaded the configuration");
	if (clock_mono_us() - m->started_at > STEADY_US)
		m->backoff = 0;
	m->backoff = m->backoff ? m->backoff * 2 : BACKOFF_FIRST_US;
	if (m->backoff > BACKOFF_MAX_US)
		m->backoff = BACKOFF_MAX_US;
	m->restart_at = clock_mono_us() + m->backoff;
}

/* ---- signals ------------------------------------------------------------------------------------------------------ */

static void child_gone(struct master *m, pid_t pid, int status)
{
	if (pid == m->worker) {
		worker_gone(m, status);
		return;
	}
	for (unsigned i = 0; i < JAILS_MAX; i++) {
		if (m->jails[i] != pid)
			continue;
		m->jails[i] = 0;
		if (WIFSIGNALED(status))
			log_line(LOG_WARN, "a jail was ended by signal %d", WTERMSIG(status));
		else if (WEXITSTATUS(status))
			log_line(LOG_WARN, "a jail ended with status %d", WEXITSTATUS(status));
	}
}

/* As the first process of a machine or container we inherit everybody's orphans; but the configuration child is waited
 * for where it is fed. */
static void reap(struct master *m)
{
	int status;
	pid_t pid;

	if (!m->run.pid) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			child_gone(m, pid, status);
		return;
	}
	if (m->worker && (pid = waitpid(m->worker, &status, WNOHANG)) > 0)
		child_gone(m, pid, status);
	for (unsigned i = 0; i < JAILS_MAX; i++)
		if (m->jails[i] && (pid = waitpid(m->jails[i], &status, WNOHANG)) > 0)
			child_gone(m, pid, status);
}

static void drain(struct master *m)
{
	if (m->draining || !m->worker || (m->loading && !m->reloading)) {
		finish(m, m->draining ? 1 : 0); /* asked twice, or nothing to finish */
		return;
	}
	if (m->run.pid) { /* a reload that the worker knows nothing of yet */
		config_abandon(&m->run);
		reload_end(m, "the broker stops");
	}
	log_line(LOG_INFO, "stopping");
	m->draining = true;
	m->drain_deadline = clock_mono_us() + DRAIN_US;
	listeners_close(&m->now.listeners);
	tell(m, MSG_DRAIN, 0, "");
}

static void signals_read(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload_begin(m);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			drain(m);
		/* SIGCHLD: reap() runs every turn */
	}
}

static enum st signals_open(struct master *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return ST_IO;
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signals < 0 ? ST_IO : ST_OK;
}

/* ---- the loop ----------------------------------------------------------------------------------------------------- */

static void sooner(int64_t *next, int64_t when)
{
	if (when && when < *next)
		*next = when;
}

static int wait_ms(const struct master *m)
{
	int64_t now = clock_mono_us(), next = now + 60000000;

	if (m->run.pid)
		sooner(&next, m->run.deadline);
	if (m->loading)
		sooner(&next, m->load_deadline);
	if (m->draining)
		sooner(&next, m->drain_deadline);
	sooner(&next, m->restart_at);
	return next <= now ? 0 : (int)((next - now) / 1000 + 1);
}

static void deadlines(struct master *m)
{
	int64_t now = clock_mono_us();

	if (m->restart_at && now >= m->restart_at && !m->worker)
		worker_start(m);
	if (m->loading && now >= m->load_deadline) {
		m->loading = false;
		log_line(LOG_ERROR, "the worker did not load the configuration in time");
		if (m->worker > 0)
			kill(m->worker, SIGKILL);
	}
	if (m->draining && now >= m->drain_deadline)
		finish(m, 0);
	if (m->reload_asked && !m->loading && m->worker)
		reload_begin(m);
}

static void turn(struct master *m)
{
	struct pollfd fds[3] = {{m->signals, POLLIN, 0}, {m->worker ? m->channel.fd : -1, POLLIN, 0},
		{m->run.pid ? m->run.fd : -1, POLLIN, 0}};

	if (poll(fds, 3, wait_ms(m)) < 0 && errno != EINTR)
		finish(m, 1);
	if (fds[0].revents)
		signals_read(m);
	if (fds[1].revents && !m->finished)
		worker_says(m);
	if (m->run.pid)
		reload_feed(m);
	if (!m->finished)
		reap(m);
	if (!m->finished)
		deadlines(m);
	log_flush();
}

/* The first configuration: everything that can go wrong says so and ends the start. */
static enum st open_first(struct master *m, char *error)
{
	struct buf errors = {0};
	const struct config *config = &m->now.config;
	enum st st = config_load(m->options, &m->now.config, &errors);

	if (st) {
		fwrite(errors.p, 1, errors.n, stderr);
		snprintf(error, ERROR_SIZE, "not started: the configuration is wrong");
		buf_free(&errors);
		return st;
	}
	buf_free(&errors);
	if ((st = privileges_prepare(config->data, config->run_as, &m->identity, error, ERROR_SIZE)))
		return st;
	if ((m->lock = data_lock(config->data, &m->identity, error, ERROR_SIZE)) < 0)
		return ST_IO;
	if ((st = listeners_open(config, NULL, &m->now.listeners, error, ERROR_SIZE)))
		return st;
	if ((m->control = control_listen(config->data, &m->identity, error, ERROR_SIZE)) < 0)
		return ST_IO;
	return generation_bundle(m, &m->now, error);
}

static void close_all(struct master *m)
{
	config_abandon(&m->run);
	spawn_kill(m->worker);
	jails_kill(m);
	if (m->control >= 0) {
		char path[4200];
		snprintf(path, sizeof(path), "%s/control.sock", m->now.config.data);
		unlink(path);
		close(m->control);
	}
	generation_close(&m->next);
	generation_close(&m->now);
	if (m->lock >= 0)
		close(m->lock);
}

int master_main(const struct options *options)
{
	static struct master m;
	char error[ERROR_SIZE] = "out of memory";

	m.options = options;
	m.lock = m.control = m.channel.fd = -1;
	umask(077);
	if (spawn_open() || signals_open(&m)) {
		fprintf(stderr, "tidelock: cannot start: %s\n", strerror(errno));
		return 1;
	}
	if (open_first(&m, error)) {
		fprintf(stderr, "tidelock: %s\n", error);
		close_all(&m);
		return 1;
	}
	worker_start(&m);
	while (!m.finished)
		turn(&m);
	close_all(&m);
	log_line(LOG_INFO, "stopped");
	log_flush();
	return m.status;
}
