/* landing.c: how other threads hand finished jobs to the loop: a queue under a mutex and one eventfd. */
#include "loop/loop.h"
#include "loop/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct landing_private {
	struct watch watch;
	pthread_mutex_t mutex;
	struct job *first, **last; /* guarded by mutex; owns until landed */
};

static struct job *take_all(struct landing_private *p)
{
	struct job *jobs;

	pthread_mutex_lock(&p->mutex);
	jobs = p->first;
	p->first = NULL;
	p->last = &p->first;
	pthread_mutex_unlock(&p->mutex);
	return jobs;
}

static void landing_ready(struct watch *w, int what)
{
	struct landing_private *p = container_of(w, struct landing_private, watch);
	uint64_t ignored;
	struct job *job, *next;

	(void)what;
	/* The counter is read before the queue is taken: a job posted in between raises it again. */
	if (read(w->fd, &ignored, sizeof ignored) < 0 && errno != EAGAIN && errno != EINTR)
		return;
	for (job = take_all(p); job; job = next) {
		next = job->next;
		op_land(&job->op);
	}
}

enum st landing_open(struct landing *l)
{
	struct landing_private *p = calloc(1, sizeof *p);
	enum st st = ST_NOMEM;

	l->private_ = NULL;
	l->fd = -1;
	if (p == NULL)
		return ST_NOMEM;
	p->last = &p->first;
	l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->fd < 0) {
		free(p);
		return ST_IO;
	}
	if (pthread_mutex_init(&p->mutex, NULL) != 0)
		goto out;
	st = watch_open(&p->watch, l->fd, landing_ready);
	if (st == ST_OK)
		st = watch_want(&p->watch, WATCH_READ);
	if (st == ST_OK)
		l->private_ = p;
	else
		pthread_mutex_destroy(&p->mutex);
out:
	if (st != ST_OK) {
		watch_close(&p->watch);
		close(l->fd);
		l->fd = -1;
		free(p);
	}
	return st;
}

void landing_post(struct landing *l, struct job *job)
{
	struct landing_private *p = l->private_;
	uint64_t one = 1;
	bool first;

	job->next = NULL;
	pthread_mutex_lock(&p->mutex);
	first = p->first == NULL;
	*p->last = job;
	p->last = &job->next;
	pthread_mutex_unlock(&p->mutex);
	/* One write wakes the loop for everything that queues up until it looks. */
	while (first && write(l->fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void landing_close(struct landing *l)
{
	struct landing_private *p = l->private_;
	struct job *job, *next;

	if (p == NULL)
		return;
	watch_close(&p->watch);
	for (job = take_all(p); job; job = next) {
		next = job->next;
		op_land(&job->op);
	}
	pthread_mutex_destroy(&p->mutex);
	close(l->fd);
	free(p);
	l->private_ = NULL;
	l->fd = -1;
}
