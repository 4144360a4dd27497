/* jail.c: the pool of jails. A jail is STARTING (asked for), IDLE, BUSY or PAUSED: it has asked and waits for the reply. A call goes to an idle jail or waits; when it has
 * waited a little, another jail is asked for. What dies is replaced; what idles beyond the first is let go. */
#include "script/jail.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop.h"
#include "script/jail_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_US 100000
#define PATIENCE_US 5000 /* scripts take far less; whoever waits longer stands behind a slow one */
#define IDLE_TICKS 100
#define DEATHS_MAX 3 /* in a row, without an answer: then a second's rest */
#define REST_TICKS 10

struct jail {
	struct list link;
	int fd;
	int64_t handle;
	struct watch watch;
	struct jail_call *call; /* borrows; NULL = idle */
	size_t sent;
	struct buf in;   /* owns */
	unsigned ticks;  /* since the call or the idling began */
	unsigned waited; /* ticks of this call in PAUSED */
	uint64_t ticket; /* in PAUSED */
	struct deferred deferred;
};

static struct {
	bool open, spawner_set, rested;
	struct jail_spawner spawner;
	struct list idle, busy, paused, waiting; /* jails, jails, jails, calls */
	unsigned starting, count, paused_count, queued, deaths, rest;
	uint64_t tickets;
	struct timer tick, patience;
	bool ticking, impatient;
	struct list ended; /* calls that land at the end of the turn */
	struct deferred landing;
	bool landing_set;
} pool;

static void dispatch(void);

/* ---- Ending calls ------------------------------------------------------------------------------------------------------ */

static void land_ended(struct deferred *d)
{
	(void)d;
	pool.landing_set = false;
	while (!list_empty(&pool.ended)) {
		struct jail_call *call = list_item(pool.ended.next, struct jail_call, link);

		list_remove(&call->link);
		op_land(&call->op);
	}
}

/* Never lands on the stack of submit or of a spawner. */
static void end_later(struct jail_call *call, enum jail_end end)
{
	call->end = end;
	call->jail = NULL;
	list_append(&pool.ended, &call->link);
	if (!pool.landing_set) {
		pool.landing_set = true;
		loop_defer(&pool.landing, land_ended);
	}
}

static void enqueue(struct jail_call *call)
{
	call->waiting = true;
	list_append(&pool.waiting, &call->link);
	pool.queued++;
}

static void unqueue(struct jail_call *call)
{
	call->waiting = false;
	list_remove(&call->link);
	pool.queued--;
}

static void fail_waiting(enum jail_end end)
{
	while (!list_empty(&pool.waiting)) {
		struct jail_call *call = list_item(pool.waiting.next, struct jail_call, link);

		unqueue(call);
		end_later(call, end);
	}
}

/* ---- Starting and ending jails ----------------------------------------------------------------------------------------- */

static void start_one(void)
{
	if (pool.rest > 0 || pool.count + pool.starting >= JAILS_MAX)
		return;
	pool.starting++;
	if (pool.spawner.request(pool.spawner.arg) != ST_OK)
		jail_give(-1, 0);
}

static void jail_release(struct deferred *d)
{
	struct jail *j = container_of(d, struct jail, deferred);

	buf_wipe(&j->in);
	free(j);
}

static void jail_end(struct jail *j)
{
	list_remove(&j->link);
	if (j->ticket)
		pool.paused_count--;
	pool.count--;
	watch_close(&j->watch);
	close(j->fd);
	pool.spawner.kill(j->handle, pool.spawner.arg);
	loop_defer(&j->deferred, jail_release); /* we may be in its watch's callback */
}

/* The jail is dead, or about to be: its call is answered, another takes its place. */
static void jail_lost(struct jail *j)
{
	struct jail_call *call = j->call;

	count_add(COUNT_JAIL_KILLS, 1);
	jail_end(j);
	if (++pool.deaths >= DEATHS_MAX) {
		log_line(LOG_ERROR, "jails keep dying; trying again in a second");
		pool.rest = REST_TICKS;
	}
	if (call && call->tried) {
		end_later(call, JAIL_KILLED);
	} else if (call) { /* it died before it was given anything: not this call's doing */
		call->jail = NULL;
		enqueue(call);
	}
	if (pool.rest > 0 && pool.count == 0)
		fail_waiting(JAIL_KILLED);
	else if (pool.count + pool.starting == 0)
		start_one();
	dispatch();
}

/* ---- Talking ----------------------------------------------------------------------------------------------------------- */

/* False: the jail is gone. */
static bool send_some(struct jail *j)
{
	struct buf *out = &j->call->request;

	while (j->sent < out->n) {
		ssize_t n = send(j->fd, out->p + j->sent, out->n - j->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return watch_want(&j->watch, WATCH_READ | WATCH_WRITE) == ST_OK;
		if (n <= 0)
			return false;
		j->sent += (size_t)n;
		j->call->tried = true;
	}
	return watch_want(&j->watch, WATCH_READ) == ST_OK;
}

/* ST_OK: one whole answer is in `in`; ST_MORE; else the jail is gone or talks nonsense. */
static enum st receive(struct jail *j)
{
	for (;;) {
		struct slice s = buf_slice(&j->in);
		uint32_t n;
		ssize_t got;

		if (read_u32(&s, &n)) {
			if (n > JAIL_FRAME_MAX || s.n > n)
				return ST_BAD;
			if (s.n == n)
				return ST_OK;
		}
		if (!buf_reserve(&j->in, 16384))
			return ST_NOMEM;
		got = recv(j->fd, j->in.p + j->in.n, 16384, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return ST_MORE;
		if (got <= 0)
			return ST_CLOSED;
		j->in.n += (size_t)got;
	}
}

/* Its call lands and holds the ticket. */
static void pause_call(struct jail *j)
{
	struct jail_call *call = j->call;

	j->call = NULL;
	call->jail = NULL;
	call->end = JAIL_FINE;
	call->ticket = j->ticket = ++pool.tickets;
	list_remove(&j->link);
	list_append(&pool.paused, &j->link);
	if (++pool.paused_count == JAILS_MAX)
		fail_waiting(JAIL_BUSY);
	dispatch();
	op_land(&call->op);
}

static void finish_call(struct jail *j)
{
	struct jail_call *call = j->call;
	struct jail_answer answer;

	buf_drain(&j->in, 4);
	call->answer = j->in;
	memset(&j->in, 0, sizeof j->in);
	if (!jail_answer_read(buf_slice(&call->answer), &answer)) {
		jail_lost(j);
		return;
	}
	pool.deaths = 0;
	if (answer.end == JAIL_ASKS) {
		pause_call(j);
		return;
	}
	call->ticket = 0;
	j->call = NULL;
	j->ticks = 0;
	call->jail = NULL;
	call->end = JAIL_FINE;
	list_remove(&j->link);
	list_append(&pool.idle, &j->link);
	if (answer.end == JAIL_TIMEOUT) { /* it has ended itself */
		count_add(COUNT_JAIL_KILLS, 1);
		jail_end(j);
		if (pool.count + pool.starting == 0)
			start_one();
	}
	dispatch();
	op_land(&call->op);
}

static void jail_ready(struct watch *w, int what)
{
	struct jail *j = container_of(w, struct jail, watch);
	enum st st;

	if ((what & WATCH_WRITE) && j->call && !send_some(j)) {
		jail_lost(j);
		return;
	}
	if (!(what & WATCH_READ))
		return;
	st = receive(j);
	if (st == ST_MORE)
		return;
	if (st == ST_OK && j->call && j->sent == j->call->request.n)
		finish_call(j);
	else
		jail_lost(j);
}

static void give(struct jail *j, struct jail_call *call)
{
	list_remove(&j->link);
	list_append(&pool.busy, &j->link);
	j->call = call;
	j->sent = 0;
	j->ticks = 0;
	call->jail = j;
	if (!send_some(j))
		jail_lost(j);
}

static void give_call(struct jail *j, struct jail_call *call)
{
	count_add(COUNT_JAIL_CALLS, 1);
	j->waited = 0;
	give(j, call);
}

static struct jail *paused_with(uint64_t ticket)
{
	for (struct list *i = pool.paused.next; i != &pool.paused; i = i->next) {
		struct jail *j = list_item(i, struct jail, link);

		if (j->ticket == ticket)
			return j;
	}
	return NULL;
}

/* The reply; when the jail is gone meanwhile, the call is answered as killed. */
static void give_reply(struct jail_call *call)
{
	struct jail *j = paused_with(call->ticket);

	call->tried = true; /* nobody else can go on with it */
	if (!j) {
		end_later(call, JAIL_KILLED);
		return;
	}
	j->ticket = 0;
	pool.paused_count--;
	give(j, call);
}

static void impatient(struct timer *t)
{
	(void)t;
	pool.impatient = false;
	if (list_empty(&pool.waiting))
		return;
	if (pool.starting == 0)
		start_one();
	dispatch();
}

static void dispatch(void)
{
	while (!list_empty(&pool.waiting) && !list_empty(&pool.idle)) {
		struct jail_call *call = list_item(pool.waiting.next, struct jail_call, link);

		unqueue(call);
		give_call(list_item(pool.idle.next, struct jail, link), call);
	}
	if (list_empty(&pool.waiting))
		return;
	if (pool.starting == 0 && list_empty(&pool.busy)) /* none that will be idle soon */
		start_one();
	if (!pool.impatient)
		pool.impatient = timer_start(&pool.patience, PATIENCE_US, impatient) == ST_OK;
}

/* ---- Time -------------------------------------------------------------------------------------------------------------- */

static void kill_overdue(void)
{
	for (struct list *i = pool.busy.next; i != &pool.busy; i = i->next) {
		struct jail *j = list_item(i, struct jail, link);

		if (++j->ticks > JAIL_WALL_MS * 1000 / TICK_US) {
			log_line(LOG_WARN, "a jail did not answer in time and is ended");
			j->call->tried = true;
			jail_lost(j);
			return; /* the next one in the next tick: the list has changed */
		}
	}
}

static void end_paused(struct jail *j)
{
	count_add(COUNT_JAIL_KILLS, 1);
	jail_end(j);
	dispatch();
}

static void end_forgotten(void)
{
	for (struct list *i = pool.paused.next; i != &pool.paused; i = i->next) {
		struct jail *j = list_item(i, struct jail, link);

		if (++j->waited > JAIL_WAITING_MS * 1000 / TICK_US) {
			end_paused(j);
			return;
		}
	}
}

static void retire_idle(void)
{
	for (struct list *i = pool.idle.next; i != &pool.idle; i = i->next) {
		struct jail *j = list_item(i, struct jail, link);

		if (++j->ticks > IDLE_TICKS && pool.count > 1) {
			jail_end(j);
			return;
		}
	}
}

static void keep_ticking(void);

static void tick(struct timer *t)
{
	(void)t;
	pool.ticking = false;
	kill_overdue();
	end_forgotten();
	retire_idle();
	if (pool.rest > 0 && --pool.rest == 0) {
		pool.deaths = 0;
		start_one();
	}
	if (!list_empty(&pool.busy) || !list_empty(&pool.paused) || pool.count > 1 || pool.rest > 0)
		keep_ticking();
}

static void keep_ticking(void)
{
	if (!pool.ticking)
		pool.ticking = timer_start(&pool.tick, TICK_US, tick) == ST_OK;
}

/* ---- Outside ----------------------------------------------------------------------------------------------------------- */

void jail_give(int fd, int64_t handle)
{
	struct jail *j = fd >= 0 && pool.open ? calloc(1, sizeof *j) : NULL;

	if (pool.starting > 0)
		pool.starting--;
	if (!j) {
		if (fd >= 0) {
			close(fd);
			pool.spawner.kill(handle, pool.spawner.arg);
		}
		if (pool.open && pool.count + pool.starting == 0)
			fail_waiting(JAIL_BUSY);
		return;
	}
	j->fd = fd;
	j->handle = handle;
	list_init(&j->link);
	list_append(&pool.idle, &j->link);
	pool.count++;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || watch_open(&j->watch, fd, jail_ready) != ST_OK ||
		watch_want(&j->watch, WATCH_READ) != ST_OK) {
		jail_lost(j);
		return;
	}
	keep_ticking();
	dispatch();
}

static void cancelled(struct op *op)
{
	struct jail_call *call = container_of(op, struct jail_call, op);

	if (!call->waiting) /* on its way: lands late */
		return;
	unqueue(call);
	op->free(op);
}

enum st jail_submit(struct jail_call *call)
{
	call->op.cancel = cancelled;
	call->jail = NULL;
	call->tried = call->waiting = false;
	if (pool.open && call->ticket) {
		give_reply(call);
		return ST_OK;
	}
	if (!pool.open || pool.queued >= JAIL_QUEUE_MAX || pool.rest > 0 ||
		pool.paused_count == JAILS_MAX)
		return ST_BUSY;
	enqueue(call);
	keep_ticking();
	dispatch();
	return ST_OK;
}

void jail_leave(uint64_t ticket)
{
	struct jail *j = pool.open ? paused_with(ticket) : NULL;

	if (j)
		end_paused(j);
}

void jail_set_spawner(const struct jail_spawner *spawner)
{
	pool.spawner = spawner ? *spawner : jail_direct_spawner;
	pool.spawner_set = true;
}

enum st jail_open(void)
{
	assert(!pool.open);
	if (!pool.spawner_set)
		jail_set_spawner(NULL);
	list_init(&pool.idle);
	list_init(&pool.busy);
	list_init(&pool.paused);
	list_init(&pool.waiting);
	list_init(&pool.ended);
	pool.open = true;
	return ST_OK;
}

void jail_warm(void)
{
	if (pool.open && pool.count + pool.starting == 0)
		start_one();
}

static void end_all(struct list *jails)
{
	while (!list_empty(jails)) {
		struct jail *j = list_item(jails->next, struct jail, link);

		if (j->call)
			end_later(j->call, JAIL_KILLED);
		jail_end(j);
	}
}

void jail_close(void)
{
	if (!pool.open)
		return;
	pool.open = false;
	fail_waiting(JAIL_KILLED);
	end_all(&pool.busy);
	end_all(&pool.paused);
	end_all(&pool.idle);
	timer_free(&pool.tick);
	timer_free(&pool.patience);
	pool.ticking = pool.impatient = false;
	pool.starting = pool.deaths = pool.rest = 0;
}
