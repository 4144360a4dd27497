/* store.c: the queue, the db thread, and the group commit. */
#include "store/store.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/reserve.h"
#include "store/sqlite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define QUEUE_MAX 2000
#define LOG_PAGES_MAX 1000 /* 4 MB: then the log moves into the database at once */
#define LOG_PAGES_IDLE 200 /* when nothing is asked for IDLE_SECONDS, so many are enough */
#define IDLE_SECONDS 5

/* Requests in order, linked through job.next. */
struct chain {
	struct store_request *first, *last;
	size_t n;
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct chain queue; /* under mutex, like the next three */
	bool sleeping, closing, started;
	pthread_t thread;
	struct landing landing;
	struct sqlite *db; /* owns; the thread's while it runs */
} store = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- Chains ---- */

static void push(struct chain *c, struct store_request *r)
{
	r->job.next = NULL;
	if (c->last)
		c->last->job.next = &r->job;
	else
		c->first = r;
	c->last = r;
	c->n++;
}

static struct store_request *next(const struct store_request *r)
{
	return r->job.next ? container_of(r->job.next, struct store_request, job) : NULL;
}

static struct store_request *pop(struct chain *c)
{
	struct store_request *r = c->first;

	if (!r)
		return NULL;
	c->first = next(r);
	if (!c->first)
		c->last = NULL;
	c->n--;
	r->job.next = NULL;
	return r;
}

/* ---- Requests ---- */

static void drop_results(struct store_request *r)
{
	buf_clear(&r->results);
	buf_clear(&r->cells);
	buf_clear(&r->cell_texts);
}

static void land(struct store_request *r)
{
	if (r->st)
		drop_results(r);
	landing_post(&store.landing, &r->job);
}

static void land_all(struct chain *c)
{
	for (struct store_request *r; (r = pop(c));)
		land(r);
}

static void fail_all(struct chain *c, enum st st)
{
	for (struct store_request *r = c->first; r; r = next(r))
		r->st = st;
	land_all(c);
}

/* ---- The group commit ---- */

/* Failures that say something about the disk, not about one batch. */
static bool concerns_all(enum st st)
{
	return st == ST_FULL || st == ST_IO || st == ST_CORRUPT;
}

static void rollback(void)
{
	if (sqlite_in_transaction(store.db) && sqlite_control(store.db, SQL_ROLLBACK))
		log_line(LOG_ERROR, "database rollback failed");
}

/* Undoes one batch of several and lets the others go on. */
static enum st undo_one(void)
{
	enum st st = sqlite_control(store.db, SQL_UNDO);

	return st ? st : sqlite_control(store.db, SQL_RELEASE);
}

/* Runs one batch inside the open transaction. What it returns is about the whole transaction; r->st about the batch. When
 * the transaction was lost through r alone, *culprit is set. */
static enum st run_one(struct store_request *r, bool alone, struct store_request **culprit)
{
	enum st st = alone ? ST_OK : sqlite_control(store.db, SQL_SAVEPOINT);

	if (st)
		return st;
	drop_results(r);
	r->st = sqlite_run(store.db, r);
	if (!r->st)
		return alone ? ST_OK : sqlite_control(store.db, SQL_RELEASE);
	if (concerns_all(r->st))
		return r->st;
	if (!sqlite_in_transaction(store.db)) {
		*culprit = r;
		return r->st;
	}
	if (!alone)
		return undo_one();
	rollback();
	return ST_OK;
}

/* One transaction over all of them. On failure nothing of it is stored. */
static enum st try_group(struct chain *c, struct store_request **culprit)
{
	bool alone = c->n == 1, any = false;
	enum st st = sqlite_control(store.db, SQL_BEGIN);

	*culprit = NULL;
	for (struct store_request *r = c->first; r && !st; r = next(r)) {
		st = run_one(r, alone, culprit);
		any |= !r->st;
	}
	if (!st && any) {
		st = sqlite_control(store.db, SQL_COMMIT);
		count_add(COUNT_COMMITS, !st);
	}
	rollback();
	return st;
}

static void take_out(struct chain *c, struct store_request *wanted)
{
	struct chain rest = {0};

	for (struct store_request *r; (r = pop(c));)
		if (r != wanted)
			push(&rest, r);
	*c = rest;
}

/* Keeps the urgent ones of c, lets the others fail. */
static void keep_urgent(struct chain *c)
{
	struct chain urgent = {0}, others = {0};

	for (struct store_request *r; (r = pop(c));)
		push(r->urgent ? &urgent : &others, r);
	fail_all(&others, ST_FULL);
	*c = urgent;
}

static bool any_urgent(const struct chain *c)
{
	for (struct store_request *r = c->first; r; r = next(r))
		if (r->urgent)
			return true;
	return false;
}

static void commit_group(struct chain *c);

static void commit_each(struct chain *c)
{
	for (struct store_request *r; (r = pop(c));) {
		struct chain one = {0};

		push(&one, r);
		commit_group(&one);
	}
}

/* What was freed for sign-outs and revocations is not for others to fill. */
static void hold_back(struct chain *c)
{
	if (!reserve_is_spent())
		return;
	reserve_restore();
	if (reserve_is_spent())
		keep_urgent(c);
}

/* Stores every batch of c and answers it. Each turn of the loop answers at least one, or frees the reserve. */
static void commit_group(struct chain *c)
{
	hold_back(c);
	while (c->n) {
		struct store_request *culprit;
		enum st st = try_group(c, &culprit);

		if (!st) {
			land_all(c);
			reserve_restore();
		} else if (culprit) {
			take_out(c, culprit);
			land(culprit);
		} else if (st == ST_FULL && any_urgent(c) && reserve_release()) {
			keep_urgent(c);
		} else if (c->n > 1 && !concerns_all(st)) {
			/* A reference that is checked at commit only: somebody's, but whose? */
			commit_each(c);
		} else {
			fail_all(c, st);
		}
	}
}

/* ---- The thread ---- */

static void work(struct chain *taken)
{
	struct chain writes = {0};

	/* Reads first: they see no batch of this group, whose commit may still fail. */
	for (struct store_request *r; (r = pop(taken));) {
		bool readonly = false;

		if (r->kind == STORE_MIGRATE) {
			r->st = sqlite_migrate(store.db, r);
			land(r);
			continue;
		}
		r->st = sqlite_prepare(store.db, r, &readonly);
		if (!r->st && !readonly) {
			push(&writes, r);
			continue;
		}
		if (!r->st)
			r->st = sqlite_run(store.db, r);
		land(r);
	}
	commit_group(&writes);
	if (sqlite_log_pages(store.db) >= LOG_PAGES_MAX)
		sqlite_checkpoint(store.db);
}

/* Waits, under the mutex, until there is something to do; false at the end. */
static bool wait_for_work(void)
{
	while (!store.queue.n && !store.closing) {
		bool busy_log = sqlite_log_pages(store.db) >= LOG_PAGES_IDLE;
		struct timespec until;
		int rc;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += IDLE_SECONDS;
		store.sleeping = true;
		rc = busy_log ? pthread_cond_timedwait(&store.wake, &store.mutex, &until)
			      : pthread_cond_wait(&store.wake, &store.mutex);
		store.sleeping = false;
		if (rc == ETIMEDOUT && !store.queue.n) {
			pthread_mutex_unlock(&store.mutex);
			sqlite_checkpoint(store.db);
			pthread_mutex_lock(&store.mutex);
		}
	}
	return store.queue.n > 0;
}

static void *db_thread(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&store.mutex);
	while (wait_for_work()) {
		struct chain taken = store.queue;

		store.queue = (struct chain){0};
		pthread_mutex_unlock(&store.mutex);
		work(&taken);
		pthread_mutex_lock(&store.mutex);
	}
	pthread_mutex_unlock(&store.mutex);
	return NULL;
}

/* The thread starts with the first request: after the process has given up its privileges. */
static enum st start_thread(void)
{
	pthread_condattr_t monotonic;
	pthread_attr_t small;
	sigset_t all, before;
	int rc;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store.wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 512 * 1024);
	/* Signals belong to the loop; a new thread inherits the mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&store.thread, &small, db_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&small);
	if (rc != 0) {
		pthread_cond_destroy(&store.wake);
		return ST_NOMEM;
	}
	store.started = true;
	return ST_OK;
}

static bool built(const struct store_request *r)
{
	return !r->statements.failed && !r->params.failed && !r->texts.failed;
}

/* The waiter is gone: the batch runs all the same, and is freed when it lands. */
static void leave_to_land(struct op *op)
{
	(void)op;
}

enum st store_submit(struct store_request *r)
{
	enum st st = ST_OK;
	bool wake = false;

	if (!built(r))
		return ST_NOMEM;
	r->job.op.cancel = leave_to_land;
	pthread_mutex_lock(&store.mutex);
	if (!store.db || store.closing)
		st = ST_CLOSED;
	else if (store.queue.n >= QUEUE_MAX)
		st = ST_BUSY;
	else if (!store.started)
		st = start_thread();
	if (!st) {
		push(&store.queue, r);
		wake = store.sleeping;
		/* One wake-up is enough, however many come before the thread has the mutex. */
		store.sleeping = false;
	}
	pthread_mutex_unlock(&store.mutex);
	if (wake)
		pthread_cond_signal(&store.wake);
	return st;
}

/* ---- Opening and closing ---- */

enum st store_open(const char *path, char *error, size_t error_size)
{
	enum st st;

	assert(!store.db);
	st = sqlite_open(&store.db, path, error, error_size);
	if (st)
		return st;
	st = landing_open(&store.landing);
	if (st) {
		snprintf(error, error_size, "the database has no way back to the loop");
		sqlite_close(store.db);
		store.db = NULL;
		return st;
	}
	store.closing = false;
	reserve_open(path);
	return ST_OK;
}

void store_close(void)
{
	if (!store.db)
		return;
	pthread_mutex_lock(&store.mutex);
	store.closing = true;
	if (store.started)
		pthread_cond_signal(&store.wake);
	pthread_mutex_unlock(&store.mutex);
	if (store.started) {
		pthread_join(store.thread, NULL);
		pthread_cond_destroy(&store.wake);
	}
	store.started = false;
	sqlite_close(store.db);
	store.db = NULL;
	landing_close(&store.landing);
}
