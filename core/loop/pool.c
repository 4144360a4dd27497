/* pool.c: worker threads over bounded queues, one for each lane. */
#include "loop/pool.h"

#include "base/fault.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define THREADS_MAX 64
/* musl's default would do for our jobs, glibc's reserves 8 MiB each: say it. */
#define THREAD_STACK (512u * 1024)

/* How long pool_close waits for a thread that asks a name server; nothing can interrupt it. */
#define LEAVE_BEHIND_S 1

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct job *first, **last; /* waiting jobs, guarded by mutex */
	unsigned waiting, queue_max;
	unsigned idle; /* threads in pthread_cond_wait, guarded by mutex */
	unsigned epoch; /* of this opening, guarded by mutex: a thread that was left behind sees another */
	bool stopping; /* guarded by mutex */
	pthread_t threads[THREADS_MAX];
	unsigned started, threads_max; /* loop thread only */
	struct landing landing;
	bool open;
};

static struct pool pools[LANES] = {
	[LANE_WORK] = {.mutex = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER},
	[LANE_NAMES] = {.mutex = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER},
};

/* *epoch 0: becomes the current one. */
static struct job *take_job(struct pool *pool, unsigned *epoch)
{
	struct job *job = NULL;

	pthread_mutex_lock(&pool->mutex);
	if (*epoch == 0)
		*epoch = pool->epoch;
	while (pool->first == NULL && !pool->stopping && *epoch == pool->epoch) {
		pool->idle++;
		pthread_cond_wait(&pool->work, &pool->mutex);
		pool->idle--;
	}
	if (!pool->stopping && *epoch == pool->epoch)
		job = pool->first;
	if (job) {
		pool->first = job->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
		pool->waiting--;
	}
	pthread_mutex_unlock(&pool->mutex);
	return job;
}

/* False: the pool was closed over our head, and nobody is there to hand the job to. */
static bool hand_over(struct pool *pool, unsigned epoch, struct job *job)
{
	bool current;

	pthread_mutex_lock(&pool->mutex);
	current = epoch == pool->epoch;
	if (current) {
		count_add(COUNT_JOBS, -1);
		landing_post(&pool->landing, job);
	}
	pthread_mutex_unlock(&pool->mutex);
	return current;
}

static void *thread_main(void *arg)
{
	struct pool *pool = arg;
	unsigned epoch = 0;
	struct job *job;

	while ((job = take_job(pool, &epoch)) != NULL) {
		job->work(job);
		if (!hand_over(pool, epoch, job)) {
			job->op.free(&job->op);
			break;
		}
	}
	return NULL;
}

static enum st start_thread(struct pool *pool)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int failed;

	if (pthread_attr_init(&attr) != 0)
		return ST_NOMEM;
	/* Signals belong to the loop; a new thread inherits the mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_attr_setstacksize(&attr, THREAD_STACK);
	if (!failed)
		failed = pthread_create(&pool->threads[pool->started], &attr, thread_main, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (failed)
		return ST_IO;
	pool->started++;
	return ST_OK;
}

enum st pool_open(enum lane lane, unsigned threads, unsigned queue_max)
{
	struct pool *pool = &pools[lane];
	enum st st;

	assert(!pool->open && threads > 0);
	pthread_mutex_lock(&pool->mutex);
	pool->first = NULL;
	pool->last = &pool->first;
	pool->waiting = pool->idle = pool->started = 0;
	pool->stopping = false;
	pool->epoch++;
	pthread_mutex_unlock(&pool->mutex);
	pool->threads_max = threads < THREADS_MAX ? threads : THREADS_MAX;
	pool->queue_max = queue_max;
	st = landing_open(&pool->landing);
	pool->open = st == ST_OK;
	return st;
}

/* Takes a job out of the queue when no thread has begun it. */
static bool unqueue(struct pool *pool, struct job *job)
{
	struct job **at;
	bool found;

	pthread_mutex_lock(&pool->mutex);
	for (at = &pool->first; *at && *at != job; at = &(*at)->next)
		;
	found = *at != NULL;
	if (found) {
		*at = job->next;
		if (*at == NULL)
			pool->last = at;
		pool->waiting--;
	}
	pthread_mutex_unlock(&pool->mutex);
	return found;
}

/* The owner left: work that has not begun is not begun, work that runs lands ownerless. */
static void job_cancel(struct op *op)
{
	struct job *job = container_of(op, struct job, op);

	if (unqueue(&pools[job->lane], job)) {
		count_add(COUNT_JOBS, -1);
		op->free(op);
	}
}

enum st pool_submit(struct job *job)
{
	struct pool *pool = &pools[job->lane];
	bool need_thread;

	assert(pool->open);
	pthread_mutex_lock(&pool->mutex);
	if (pool->waiting >= pool->queue_max) {
		pthread_mutex_unlock(&pool->mutex);
		return ST_BUSY;
	}
	need_thread = pool->idle <= pool->waiting && pool->started < pool->threads_max;
	pthread_mutex_unlock(&pool->mutex);
	/* Without a new thread the ones that run will come to it; without any thread nobody would. */
	if (need_thread && start_thread(pool) != ST_OK && pool->started == 0)
		return ST_BUSY;
	job->op.cancel = job_cancel;
	job->next = NULL;
	count_add(COUNT_JOBS, 1);
	pthread_mutex_lock(&pool->mutex);
	*pool->last = job;
	pool->last = &job->next;
	pool->waiting++;
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	return ST_OK;
}

/* Waits for the threads. A look-up that hangs is left behind with its job: the process is about to end. */
static void join_threads(struct pool *pool, bool patient)
{
	struct timespec end;
	unsigned i;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LEAVE_BEHIND_S;
	for (i = 0; i < pool->started; i++) {
		if (patient) {
			pthread_join(pool->threads[i], NULL);
		} else if (pthread_timedjoin_np(pool->threads[i], NULL, &end) != 0) {
			pthread_detach(pool->threads[i]);
			count_add(COUNT_JOBS, -1);
		}
	}
}

static void lane_close(struct pool *pool, bool patient)
{
	struct job *job, *next;

	if (!pool->open)
		return;
	pthread_mutex_lock(&pool->mutex);
	pool->stopping = true;
	job = pool->first;
	pool->first = NULL;
	pool->last = &pool->first;
	pool->waiting = 0;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	join_threads(pool, patient);
	pthread_mutex_lock(&pool->mutex);
	pool->epoch++;
	pthread_mutex_unlock(&pool->mutex);
	for (; job; job = next) {
		next = job->next;
		count_add(COUNT_JOBS, -1);
		job->op.free(&job->op);
	}
	landing_close(&pool->landing);
	pool->started = 0;
	pool->open = false;
}

void pool_close(void)
{
	lane_close(&pools[LANE_NAMES], false);
	lane_close(&pools[LANE_WORK], true);
}
