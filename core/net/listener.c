/* listener.c: accept without spinning. When descriptors run out, a level-triggered listener would wake the loop for
 * ever: the reserve descriptor is given up to refuse one client, then accepting rests a moment. */
#include "net/listener.h"

#include "base/log.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* A handshake costs milliseconds; whoever is connected has his turn in between. */
#define ACCEPT_PER_TURN 16
#define REST_US 100000

struct listener {
	struct watch watch;
	struct timer rest;
	int fd, reserve; /* owns */
	bool dead;
	const struct listener_events *events;
	void *arg; /* borrows */
	struct deferred gone;
};

static void rested(struct timer *t)
{
	listener_resume(container_of(t, struct listener, rest));
}

static void take_a_rest(struct listener *l)
{
	/* Without a timer nothing would resume: rather spin than sleep for ever. */
	if (timer_start(&l->rest, REST_US, rested) == ST_OK && watch_want(&l->watch, 0) != ST_OK)
		log_line(LOG_WARN, "listener cannot pause");
}

/* A copy of what we have anyway: a sealed process may not open files. */
static int spare(const struct listener *l)
{
	return fcntl(l->fd, F_DUPFD_CLOEXEC, 3);
}

static void out_of_descriptors(struct listener *l)
{
	int fd;

	if (l->reserve >= 0)
		close(l->reserve);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	l->reserve = spare(l);
	take_a_rest(l);
}

static void refused_by_system(struct listener *l, int why)
{
	if (why == EMFILE || why == ENFILE) {
		log_line(LOG_WARN, "accept: no descriptors left");
		out_of_descriptors(l);
	} else if (why == ENOBUFS || why == ENOMEM) {
		log_line(LOG_WARN, "accept: no memory left");
		take_a_rest(l);
	}
	/* Anything else concerns that one connection, which is gone. */
}

static void listener_ready(struct watch *w, int what)
{
	struct listener *l = container_of(w, struct listener, watch);
	int i;

	(void)what;
	for (i = 0; i < ACCEPT_PER_TURN && !l->dead; i++) {
		struct sockaddr_storage from = {0};
		socklen_t size = sizeof from;
		int fd;

		if (!l->events->room(l->arg)) {
			if (watch_want(&l->watch, 0) != ST_OK)
				log_line(LOG_WARN, "listener cannot pause");
			return;
		}
		fd = accept4(l->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			l->events->accepted(l->arg, fd, &from);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR && errno != ECONNABORTED) {
			refused_by_system(l, errno);
			return;
		}
	}
}

static void release(struct listener *l)
{
	watch_close(&l->watch);
	timer_free(&l->rest);
	if (l->fd >= 0)
		close(l->fd);
	if (l->reserve >= 0)
		close(l->reserve);
}

struct listener *listener_new(int fd, const struct listener_events *events, void *arg)
{
	struct listener *l = calloc(1, sizeof *l);
	int flags = fcntl(fd, F_GETFL), one = 1;

	if (l == NULL) {
		close(fd);
		return NULL;
	}
	l->fd = fd;
	l->events = events;
	l->arg = arg;
	l->reserve = spare(l);
	/* Accepted sockets inherit this (not on the control socket, which knows no delay). */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
		watch_open(&l->watch, fd, listener_ready) == ST_OK &&
		watch_want(&l->watch, WATCH_READ) == ST_OK)
		return l;
	release(l);
	free(l);
	return NULL;
}

void listener_resume(struct listener *l)
{
	if (!l->dead && watch_want(&l->watch, WATCH_READ) != ST_OK)
		log_line(LOG_WARN, "listener cannot resume");
}

static void run_gone(struct deferred *d)
{
	free(container_of(d, struct listener, gone));
}

void listener_free(struct listener *l)
{
	if (l == NULL || l->dead)
		return;
	l->dead = true;
	release(l);
	l->fd = l->reserve = -1;
	loop_defer(&l->gone, run_gone);
}
