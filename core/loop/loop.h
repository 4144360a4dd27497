/* loop.h: the event loop (one per process, made after fork), deferred work, timers, signals. Only loop/, net/ and http/
 * see libevent. */
#pragma once

#include "base/base.h"
#include "base/list.h"

struct event_base;
struct event;

must_check enum st loop_open(void);
void loop_close(void);
struct event_base *loop_base(void);
void loop_run(void); /* until loop_stop */
void loop_stop(void);

/* Work for the end of this turn of the loop, after every callback on the stack has returned: closed objects are freed
 * here. Embed and forget: d belongs to the loop until run is called. */
struct deferred {
	struct list link;
	void (*run)(struct deferred *);
};
void loop_defer(struct deferred *d, void (*run)(struct deferred *));

/* A one-shot timer, embedded. timer_stop on a stopped timer is nothing. Microseconds. */
struct timer {
	struct event *ev; /* owns; made on first start */
	void (*fired)(struct timer *);
};
must_check enum st timer_start(struct timer *t, int64_t us, void (*fired)(struct timer *));
void timer_stop(struct timer *t);
void timer_free(struct timer *t); /* stops and releases */

/* Watches a descriptor (borrowed) for reading and/or writing, level-triggered, until stopped. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch {
	struct event *rd, *wr; /* owns */
	int fd;
	void (*ready)(struct watch *, int what);
};
must_check enum st watch_open(struct watch *w, int fd, void (*ready)(struct watch *, int what));
must_check enum st watch_want(struct watch *w, int what); /* what to wait for from now on, 0 = nothing */
void watch_close(struct watch *w);                        /* accepts zeroed */

/* Calls fn(signo) on the loop when the signal comes. */
must_check enum st loop_on_signal(int signo, void (*fn)(int signo));
