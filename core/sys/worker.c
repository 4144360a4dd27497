/* worker.c: --role=worker. Seals itself, then opens the data and serves. */
#include "sys/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "bind/l_http.h"
#include "http/server.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "net/tls_trust.h"
#include "script/guard.h"
#include "script/jail.h"
#include "script/vm.h"
#include "sys/assets.h"
#include "sys/broker.h"
#include "sys/channel.h"
#include "sys/privileges.h"
#include "sys/seal.h"

#define FILES_MAX 16384 /* the setting `connections` stays below */
#define TICK_US 60000000
#define DRAIN_US 10000000
#define RETIRE_US 30000000
#define ERROR_SIZE 1024

/* What MSG_LOAD brought, while its boot.start runs. */
struct loading {
	bool active, reload;
	struct buf bundle;                /* owns */
	bool keep_bundle;                 /* asset names and texts borrow from it */
	struct slice config, connections; /* borrow from bundle */
	struct vm *vm;                    /* owns until it is served */
	struct tls_config *tls;           /* owns; from certificate files, NULL = start() says */
	int fds[CHANNEL_FDS_MAX];
	unsigned char flags[CHANNEL_FDS_MAX];
	unsigned fd_count;
};

struct worker {
	struct channel channel;
	struct watch watch;
	struct loading loading;
	struct vm *vm; /* the one that serves */
	struct bridge *bridge;
	struct http_server *server;
	struct timer tick, drain;
	struct http_exchange *reload_asker; /* borrows; NULL = nobody waits */
	bool draining, looping;
	int status;
};

static struct worker worker;

static void stop(int status)
{
	worker.status = status;
	if (worker.looping)
		loop_stop();
}

static void tell(enum message_type type, int64_t value, const char *text)
{
	struct message m = {.type = type, .value = value, .text = slice_str(text)};

	if (channel_send(&worker.channel, &m))
		stop(1);
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static void reply_text(struct http_exchange *x, int status, const char *text)
{
	static const struct http_field fields[] = {
		{SLICE_LIT("content-type"), SLICE_LIT("text/plain; charset=utf-8")},
		{SLICE_LIT("cache-control"), SLICE_LIT("no-store")},
	};
	exchange_reply(x, &(struct http_reply){status, fields, ARRAY_LEN(fields), slice_str(text)});
}

static void reload_asker_gone(void *arg)
{
	(void)arg;
	worker.reload_asker = NULL;
}

static void ask_reload(struct http_exchange *x)
{
	if (worker.reload_asker) {
		reply_text(x, 503, "another reload is under way\n");
		return;
	}
	worker.reload_asker = x;
	exchange_on_abort(x, reload_asker_gone, NULL);
	tell(MSG_WANT_RELOAD, 0, "");
}

static void reload_answered(const struct message *m)
{
	char text[ERROR_SIZE];

	if (!worker.reload_asker)
		return;
	snprintf(text, sizeof(text), "%.*s%s", (int)m->text.n, (const char *)m->text.p,
		m->text.n ? "\n" : "");
	struct http_exchange *x = worker.reload_asker;
	worker.reload_asker = NULL;
	reply_text(x, m->value ? 409 : 200, text);
}

static void handle(struct http_exchange *x, void *arg)
{
	const struct http_request *r = exchange_request(x);

	/* The socket's mode says so already; the peer's credentials say it again. */
	if (r->control && r->control_uid != 0 && r->control_uid != (int64_t)geteuid())
		reply_text(x, 403, "this socket is for the owner of the data folder\n");
	else if (r->control && slice_eq(r->path, SLICE_LIT("/reload")) &&
		slice_eq(r->method, SLICE_LIT("POST")))
		ask_reload(x);
	else
		bridge_handler(x, arg);
}

/* ---- loading a configuration -------------------------------------------------------------------------------------- */

static void loading_close(struct loading *l)
{
	for (unsigned i = 0; i < l->fd_count; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	tls_config_unref(l->tls);
	if (!l->keep_bundle)
		buf_wipe(&l->bundle);
	*l = (struct loading){0};
}

static void load_failed(enum st st, const char *error)
{
	bool reload = worker.loading.reload;
	struct vm *vm = worker.loading.vm;

	worker.loading.vm = NULL;
	if (vm)
		vm_retire(vm, 0);
	loading_close(&worker.loading);
	tell(MSG_FAILED, st == ST_CORRUPT, error);
	if (!reload)
		stop(st == ST_CORRUPT ? WORKER_EXIT_CORRUPT : 1);
}

/* Listens on the descriptors; each is the server's from here. */
static enum st listen_all(struct loading *l, struct tls_config *tls)
{
	for (unsigned i = 0; i < l->fd_count; i++) {
		int fd = l->fds[i];
		bool is_tls = l->flags[i] & LISTENER_TLS;
		l->fds[i] = -1;
		if (http_server_listen(
			    worker.server, fd, is_tls ? tls : NULL, l->flags[i] & LISTENER_CONTROL))
			return ST_IO;
	}
	return ST_OK;
}

/* "total per_address" */
static void set_limits(struct slice text)
{
	struct http_limits limits = http_default_limits;
	char copy[40];

	snprintf(copy, sizeof(copy), "%.*s", (int)text.n, (const char *)text.p);
	if (sscanf(copy, "%u %u", &limits.connections, &limits.per_address) == 2)
		http_server_set_limits(worker.server, &limits);
}

static void serve(struct loading *l, struct tls_config *tls)
{
	struct vm *old = worker.vm;
	bool wants_tls = false;

	if (worker.draining) { /* no new listeners now */
		load_failed(ST_CLOSED, "the broker stops");
		return;
	}
	for (unsigned i = 0; i < l->fd_count; i++)
		wants_tls |= (l->flags[i] & LISTENER_TLS) != 0;
	if (wants_tls && !tls) {
		load_failed(ST_BAD, "there is an https listener and no certificate for it");
		return;
	}
	worker.vm = l->vm;
	l->vm = NULL;
	bridge_set_vm(worker.bridge, worker.vm);
	set_limits(l->connections);
	if (l->reload) {
		http_server_unlisten(worker.server);
		tls_trust_forget(); /* the machine's authorities may be others by now */
	}
	if (tls)
		http_server_set_tls(worker.server, tls);
	if (listen_all(l, tls)) {
		/* Out of memory or descriptors; the old ones are gone. A fresh worker gets all of them again. */
		tell(MSG_FAILED, 0, "cannot listen");
		stop(1);
		return;
	}
	if (old) {
		bridge_tick(old); /* what it has counted is written */
		vm_retire(old, RETIRE_US);
	}
	loading_close(l);
	tell(MSG_READY, 0, "");
}

static void started(void *arg, enum st st, const char *error, struct tls_config *tls)
{
	struct loading *l = &worker.loading;

	(void)arg;
	if (st) {
		tls_config_unref(tls);
		load_failed(st, error ? error : st_name(st));
		return;
	}
	serve(l, l->tls ? l->tls : tls);
	tls_config_unref(tls);
}

/* Takes apart what came, first for the process itself (data, identity), then for this load. */
struct bundle_parts {
	struct slice config, data, identity, certificate, key, pair, connections;
};

static void bundle_parts(struct slice in, struct bundle_parts *p)
{
	struct slice name, bytes;

	*p = (struct bundle_parts){0};
	while (bundle_next(&in, &name, &bytes)) {
		if (slice_eq(name, SLICE_LIT("config")))
			p->config = bytes;
		else if (slice_eq(name, SLICE_LIT("data")))
			p->data = bytes;
		else if (slice_eq(name, SLICE_LIT("identity")))
			p->identity = bytes;
		else if (slice_eq(name, SLICE_LIT("certificate")))
			p->certificate = bytes;
		else if (slice_eq(name, SLICE_LIT("key")))
			p->key = bytes;
		else if (slice_eq(name, SLICE_LIT("pair")))
			p->pair = bytes; /* what the two files are called in messages */
		else if (slice_eq(name, SLICE_LIT("connections")))
			p->connections = bytes;
	}
}

/* Takes the message's descriptors. */
static enum st loading_take(struct loading *l, struct message *m, struct bundle_parts *parts)
{
	enum st st = ST_BAD;

	*l = (struct loading){.active = true, .reload = m->value != 0};
	if (!m->fd_count || m->text.n != m->fd_count - 1)
		goto out;
	for (unsigned i = 1; i < m->fd_count; i++) {
		l->flags[l->fd_count] = m->text.p[i - 1];
		l->fds[l->fd_count++] = m->fds[i];
		m->fds[i] = -1;
	}
	int fd = m->fds[0];
	m->fds[0] = -1;
	if ((st = bundle_read(fd, &l->bundle)))
		goto out;
	bundle_parts(buf_slice(&l->bundle), parts);
	l->config = parts->config;
	l->connections = parts->connections;
out:
	message_close(m);
	return st;
}

/* The certificate and key from files; none is fine. */
static enum st load_tls(struct loading *l, const struct bundle_parts *parts, char *error)
{
	char why[256] = "out of memory";
	enum st st;

	if (!parts->certificate.n)
		return ST_OK;
	l->tls = tls_config_new();
	st = l->tls
		? tls_config_add(l->tls, parts->certificate, parts->key, NULL, 0, why, sizeof(why))
		: ST_NOMEM;
	if (st)
		snprintf(error,
			ERROR_SIZE, "%.*s: %s. Put the server's certificate first, its issuers after it, both files in PEM",
			(int)parts->pair.n, (const char *)parts->pair.p, why);
	return st;
}

static void load(struct loading *l, const struct bundle_parts *parts)
{
	char error[ERROR_SIZE] = "out of memory";
	enum st st;

	if ((st = load_tls(l, parts, error))) {
		load_failed(st, error);
		return;
	}
	l->keep_bundle = assets_use_bundle(buf_slice(&l->bundle));
	l->vm = broker_vm(error, sizeof(error));
	if (!l->vm) {
		load_failed(ST_BAD, error);
		return;
	}
	if ((st = bridge_start(l->vm, l->config, l->reload ? "reload" : "serve", started, NULL)))
		load_failed(st, st_name(st));
}

static void reload(struct message *m)
{
	struct bundle_parts parts;

	if (worker.loading.active) {
		message_close(m);
		tell(MSG_FAILED, 0, "busy");
		return;
	}
	if (loading_take(&worker.loading, m, &parts))
		load_failed(ST_BAD, "the configuration did not arrive");
	else
		load(&worker.loading, &parts);
}

/* ---- the master --------------------------------------------------------------------------------------------------- */

static void drained(void *arg)
{
	(void)arg;
	stop(0);
}

static void drain_late(struct timer *t)
{
	(void)t;
	stop(0);
}

static void drain(void)
{
	if (worker.draining)
		return;
	worker.draining = true;
	if (worker.vm)
		bridge_tick(worker.vm); /* what it has counted is written */
	http_server_drain(worker.server, drained, NULL);
	if (timer_start(&worker.drain, DRAIN_US, drain_late))
		stop(0);
}

static void master_says(struct watch *w, int what)
{
	struct message m;
	enum st st;

	(void)w;
	(void)what;
	while ((st = channel_receive(&worker.channel, &m)) == ST_OK) {
		switch (m.type) {
		case MSG_LOAD:
			reload(&m);
			break;
		case MSG_JAIL:
			jail_give(m.fd_count ? m.fds[0] : -1, m.value);
			m.fds[0] = -1;
			message_close(&m);
			break;
		case MSG_RELOADED:
			message_close(&m);
			reload_answered(&m);
			break;
		case MSG_DRAIN:
			message_close(&m);
			drain();
			break;
		default:
			message_close(&m);
		}
	}
	if (st != ST_MORE)
		stop(1); /* the master is gone */
}

static enum st jail_wanted(void *arg)
{
	(void)arg;
	tell(MSG_WANT_JAIL, 0, "");
	return ST_OK;
}

static void jail_unwanted(int64_t handle, void *arg)
{
	(void)arg;
	tell(MSG_KILL_JAIL, handle, "");
}

static void tick(struct timer *t)
{
	if (worker.vm)
		bridge_tick(worker.vm);
	if (timer_start(t, TICK_US, tick))
		log_line(LOG_ERROR, "housekeeping stops: out of memory");
}

/* ---- start -------------------------------------------------------------------------------------------------------- */

/* Gives up everything that serving does not need. Before the data is opened and before any thread exists. */
static enum st give_up(const char *data, const struct identity *id, bool unsealed, char *error)
{
	seal_limits(FILES_MAX);
	if (guard_open()) { /* the seal allows no timer */
		snprintf(error, ERROR_SIZE, "no timer: %s", strerror(errno));
		return ST_IO;
	}
	if (privileges_drop(id)) {
		snprintf(error, ERROR_SIZE, "cannot become user %u: %s", (unsigned)id->uid,
			strerror(errno));
		return ST_IO;
	}
	/* changing the user clears it */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	bool landlock = seal_landlock_version() > 0; /* sealed, we could not ask any more */
	if (unsealed) {
		log_line(LOG_WARN, "the worker is not sealed (--unsealed)");
		return ST_OK;
	}
	if (seal_worker(data, true)) {
		snprintf(error, ERROR_SIZE, "cannot seal the worker: %s", strerror(errno));
		return ST_IO;
	}
	if (!landlock)
		log_line(LOG_WARN,
			"this kernel has no Landlock: files are guarded by their modes alone");
	return ST_OK;
}

static enum st open_services(const char *data, char *error)
{
	static const struct jail_spawner spawner = {jail_wanted, jail_unwanted, NULL};
	enum st st;

	if ((st = loop_open())) {
		snprintf(error, ERROR_SIZE, "the event loop: %s", strerror(errno));
		return st;
	}
	worker.looping = true;
	jail_set_spawner(&spawner);
	if ((st = broker_open(data, error, ERROR_SIZE)))
		return st;
	jail_warm(); /* it starts while this process loads its Lua, which then has it compile the scripts */
	worker.bridge = bridge_new();
	worker.server = worker.bridge ? http_server_new(&http_default_limits, handle, worker.bridge)
				      : NULL;
	fcntl(worker.channel.fd, F_SETFL, O_NONBLOCK);
	if (!worker.server || (st = watch_open(&worker.watch, worker.channel.fd, master_says)) ||
		(st = watch_want(&worker.watch, WATCH_READ)) ||
		(st = timer_start(&worker.tick, TICK_US, tick))) {
		snprintf(error, ERROR_SIZE, "out of memory");
		return st ? st : ST_NOMEM;
	}
	return ST_OK;
}

static void close_services(void)
{
	/* Its start is cancelled by this, which is told as a load that failed. */
	struct vm *unfinished = worker.loading.vm;

	worker.loading.vm = NULL;
	vm_free(unfinished);
	loading_close(&worker.loading);
	http_server_free(worker.server);
	vm_free(worker.vm);
	bridge_free(worker.bridge);
	broker_close();
	timer_free(&worker.tick);
	timer_free(&worker.drain);
	watch_close(&worker.watch);
	loop_close();
}

static enum st receive_first(struct message *m)
{
	enum st st = channel_receive(&worker.channel, m); /* the descriptor still waits */

	if (!st && m->type != MSG_LOAD) {
		message_close(m);
		st = ST_BAD;
	}
	return st;
}

int worker_main(bool unsealed)
{
	struct bundle_parts parts;
	struct identity id;
	struct message m;
	char error[ERROR_SIZE] = "the configuration did not arrive", data[4096], ids[32];
	enum st st;

	signal(SIGPIPE, SIG_IGN);
	worker.channel.fd = CHANNEL_FD;
	fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC);
	if (receive_first(&m))
		return 1;
	if (!(st = loading_take(&worker.loading, &m, &parts))) {
		snprintf(data, sizeof(data), "%.*s", (int)parts.data.n, (const char *)parts.data.p);
		snprintf(ids, sizeof(ids), "%.*s", (int)parts.identity.n,
			(const char *)parts.identity.p);
		st = sscanf(ids, "%u:%u", &id.uid, &id.gid) == 2 ? give_up(data, &id, unsealed, error)
								 : ST_BAD;
	}
	if (!st)
		st = open_services(data, error);
	if (st)
		load_failed(st, error);
	else
		load(&worker.loading, &parts);
	if (!worker.status)
		loop_run();
	if (!st)
		close_services();
	log_flush();
	return worker.status;
}
