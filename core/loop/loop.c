/* loop.c: one libevent base per process, turned by hand so that deferred work has a place of its own: after all
 * callbacks of a turn, before the next wait. */
#include "loop/loop.h"

#include "base/log.h"

#include <event2/event.h>

#define SIGNALS_MAX 8

struct signal_handler {
	struct event *ev; /* owns */
	void (*fn)(int signo);
};

static struct {
	struct event_base *base; /* owns */
	struct list deferred;
	struct signal_handler signals[SIGNALS_MAX];
	size_t signal_count;
	bool stopping;
} loop;

enum st loop_open(void)
{
	struct event_config *config = event_config_new();

	assert(loop.base == NULL);
	if (config == NULL)
		return ST_NOMEM;
	/* The base is touched by one thread; others come back through an eventfd (landing). */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop.base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop.base == NULL)
		return ST_NOMEM;
	list_init(&loop.deferred);
	loop.signal_count = 0;
	loop.stopping = false;
	return ST_OK;
}

/* Runs what stands in the queue now. What these queue in turn waits for the next turn, so that no chain of deferred
 * work can keep sockets waiting. */
static void run_deferred(void)
{
	struct list now;

	if (list_empty(&loop.deferred))
		return;
	now = loop.deferred;
	now.next->prev = now.prev->next = &now;
	list_init(&loop.deferred);
	while (!list_empty(&now)) {
		struct deferred *d = list_item(now.next, struct deferred, link);

		list_remove(&d->link);
		d->run(d);
	}
}

void loop_close(void)
{
	size_t i;

	if (loop.base == NULL)
		return;
	while (!list_empty(&loop.deferred))
		run_deferred();
	for (i = 0; i < loop.signal_count; i++)
		event_free(loop.signals[i].ev);
	event_base_free(loop.base);
	loop.base = NULL;
}

struct event_base *loop_base(void)
{
	assert(loop.base != NULL);
	return loop.base;
}

void loop_run(void)
{
	loop.stopping = false;
	run_deferred();
	while (!loop.stopping) {
		int flags = EVLOOP_ONCE | (list_empty(&loop.deferred) ? 0 : EVLOOP_NONBLOCK);

		/* 1: nothing is registered, so nothing could ever happen. */
		if (event_base_loop(loop.base, flags) != 0 && list_empty(&loop.deferred))
			break;
		run_deferred();
		log_flush();
	}
}

void loop_stop(void)
{
	loop.stopping = true;
}

void loop_defer(struct deferred *d, void (*run)(struct deferred *))
{
	d->run = run;
	list_append(&loop.deferred, &d->link);
}

/* ---- timers ---- */

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->fired(t);
}

enum st timer_start(struct timer *t, int64_t us, void (*fired)(struct timer *))
{
	struct timeval tv;

	if (us < 0)
		us = 0;
	tv = (struct timeval){
		.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
	if (t->ev == NULL)
		t->ev = evtimer_new(loop_base(), timer_fired, t);
	if (t->ev == NULL)
		return ST_NOMEM;
	t->fired = fired;
	return evtimer_add(t->ev, &tv) ? ST_NOMEM : ST_OK;
}

void timer_stop(struct timer *t)
{
	if (t->ev)
		evtimer_del(t->ev);
}

void timer_free(struct timer *t)
{
	if (t->ev)
		event_free(t->ev);
	t->ev = NULL;
}

/* ---- descriptors ---- */

static void watch_fired(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	w->ready(w, (what & EV_READ ? WATCH_READ : 0) | (what & EV_WRITE ? WATCH_WRITE : 0));
}

enum st watch_open(struct watch *w, int fd, void (*ready)(struct watch *, int what))
{
	w->fd = fd;
	w->ready = ready;
	w->rd = event_new(loop_base(), fd, EV_READ | EV_PERSIST, watch_fired, w);
	w->wr = event_new(loop_base(), fd, EV_WRITE | EV_PERSIST, watch_fired, w);
	if (w->rd && w->wr)
		return ST_OK;
	watch_close(w);
	return ST_NOMEM;
}

enum st watch_want(struct watch *w, int what)
{
	int failed = 0;

	if (what & WATCH_READ)
		failed |= event_add(w->rd, NULL);
	else
		event_del(w->rd);
	if (what & WATCH_WRITE)
		failed |= event_add(w->wr, NULL);
	else
		event_del(w->wr);
	return failed ? ST_IO : ST_OK;
}

void watch_close(struct watch *w)
{
	if (w->rd)
		event_free(w->rd);
	if (w->wr)
		event_free(w->wr);
	w->rd = w->wr = NULL;
}

/* ---- signals ---- */

static void signal_fired(evutil_socket_t signo, short what, void *arg)
{
	struct signal_handler *handler = arg;

	(void)what;
	handler->fn((int)signo);
}

enum st loop_on_signal(int signo, void (*fn)(int signo))
{
	struct signal_handler *handler;

	if (loop.signal_count == SIGNALS_MAX)
		return ST_FULL;
	handler = &loop.signals[loop.signal_count];
	handler->fn = fn;
	handler->ev = evsignal_new(loop_base(), signo, signal_fired, handler);
	if (handler->ev == NULL)
		return ST_NOMEM;
	loop.signal_count++;
	return event_add(handler->ev, NULL) ? ST_IO : ST_OK;
}
