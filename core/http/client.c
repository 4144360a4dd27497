/* client.c: a request of ours from its start to its answer:
 *
 *   QUEUED -> WAITING -> RESOLVING -> CONNECTING -> ASKED -> DONE
 *
 * A kept connection leads from the queue to ASKED at once; a failure that may be tried again leads back through PAUSED. One
 * timer runs over all of it. */
#include "http/client_private.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/secret.h"

#include <errno.h>
#include <event2/buffer.h>

#define LINE_MAX_BYTES 8192
#define HEADER_MAX 32768
#define FIELDS_MAX 100
/* How long one of several addresses is waited for before the next is tried. */
#define ATTEMPT_US (3 * INT64_C(1000000))
#define BACK_OFF_US 250000
#define BACK_OFF_MAX_US (4 * INT64_C(1000000))

const char *http_failure_name(enum http_failure failure)
{
	static const char *const names[] = {
		[HTTP_FINE] = "ok",
		[HTTP_BAD_URL] = "bad_url",
		[HTTP_BLOCKED] = "blocked",
		[HTTP_DNS] = "dns",
		[HTTP_CONNECT] = "connect",
		[HTTP_TLS] = "tls",
		[HTTP_TIMEOUT] = "timeout",
		[HTTP_TOO_LARGE] = "too_large",
		[HTTP_PROTOCOL] = "protocol",
		[HTTP_CLOSED] = "closed",
		[HTTP_BUSY] = "busy",
	};

	return names[failure];
}

/* ---- the end ---- */

static void let_go(struct http_call *call)
{
	list_remove(&call->link);
	timer_stop(&call->deadline);
	timer_stop(&call->pause);
	dns_forget(&call->waiter);
	conn_end(call->conn);
}

static void finish(struct http_call *call, enum http_failure failure, const char *detail)
{
	let_go(call);
	call->state = CALL_DONE;
	call->failure = failure;
	snprintf(call->detail, sizeof call->detail, "%s", detail);
	count_add(COUNT_CALLS, -1);
	call->done(call, call->arg);
}

static void destroy(struct http_call *call)
{
	timer_free(&call->deadline);
	timer_free(&call->pause);
	h1_free(&call->answer);
	buf_wipe(&call->request); /* it may have held a secret */
	tls_trust_unref(call->trust);
	free(call->allow);
	free(call);
}

void http_call_free(struct http_call *call)
{
	if (!call)
		return;
	if (call->state != CALL_DONE) {
		let_go(call);
		call->state = CALL_DONE;
		count_add(COUNT_CALLS, -1);
	}
	call->dead = true;
	if (!call->queued)
		destroy(call);
}

/* ---- trying again ---- */

static int64_t left(const struct http_call *call)
{
	return call->ends - clock_work_us();
}

static void pause_over(struct timer *t)
{
	call_go(container_of(t, struct http_call, pause));
}

/* True: a pause began. The time to wait doubles and is spread, so that many who failed together do not come back together. */
static bool try_later(struct http_call *call)
{
	int64_t wait = (int64_t)BACK_OFF_US << (call->tried < 8 ? call->tried : 8);
	unsigned char spread;

	if (call->tried >= call->retries || !call->idempotent)
		return false;
	random_bytes(&spread, 1);
	if (wait > BACK_OFF_MAX_US)
		wait = BACK_OFF_MAX_US;
	wait += wait * spread / 512;
	if (wait >= left(call))
		return false;
	if (timer_start(&call->pause, wait, pause_over) != ST_OK)
		return false;
	conn_end(call->conn);
	call->tried++;
	call->state = CALL_PAUSED;
	h1_free(&call->answer);
	return true;
}

/* ---- connecting ---- */

static void connect_next(struct http_call *call, const char *why);

static void attempt_over(struct timer *t)
{
	struct http_call *call = container_of(t, struct http_call, pause);

	if (stream_connected(call->conn->stream))
		return;
	call->address_at++;
	connect_next(call, "no answer");
}

/* A new stream for the same connection: the failed one is closed. */
static void connect_next(struct http_call *call, const char *why)
{
	char detail[HTTP_DETAIL];

	snprintf(detail, sizeof detail, "%s", why);
	timer_stop(&call->pause);
	for (; call->address_at < call->address_count; call->address_at++) {
		bool last = call->address_at + 1 == call->address_count;
		int64_t patience = left(call) / 2 < ATTEMPT_US ? left(call) / 2 : ATTEMPT_US;

		stream_close(call->conn->stream, false);
		call->conn->stream = NULL;
		errno = 0;
		if (conn_connect(call->conn) &&
			(last || timer_start(&call->pause, patience, attempt_over) == ST_OK))
			return;
		snprintf(detail, sizeof detail, "%s", errno ? strerror(errno) : "out of memory");
	}
	if (!try_later(call))
		finish(call, HTTP_CONNECT, detail);
}

/* Every address is judged; those that pass are tried in order, and nothing else is ever connected to. */
static void judge(struct http_call *call, const struct address *addresses, unsigned count)
{
	call->address_count = call->address_at = 0;
	for (unsigned i = 0; i < count; i++)
		if (call->proxied || request_may_connect(call, &addresses[i]))
			call->addresses[call->address_count++] = addresses[i];
	if (call->address_count == 0) {
		finish(call, HTTP_BLOCKED, "the name leads to private addresses only");
		return;
	}
	call->state = CALL_CONNECTING;
	connect_next(call, "");
}

static void looked_up(struct http_call *call, enum st st)
{
	switch (st) {
	case ST_OK:
		judge(call, call->waiter.addresses, call->waiter.count);
		return;
	case ST_BUSY:
		finish(call, HTTP_BUSY, "too many names are being looked up");
		return;
	case ST_NOMEM:
		finish(call, HTTP_BUSY, "out of memory");
		return;
	case ST_TIMEOUT:
		finish(call, HTTP_DNS, "no name server answers");
		return;
	default:
		finish(call, HTTP_DNS, "the name has no address");
	}
}

static void name_found(struct dns_waiter *w, enum st st)
{
	looked_up(container_of(w, struct http_call, waiter), st);
}

static void resolve(struct http_call *call)
{
	const struct place *to = call->proxied ? &call->proxy : &call->place;
	enum st st;

	call->state = CALL_RESOLVING;
	if (to->literal) {
		judge(call, &to->address, 1);
		return;
	}
	call->waiter.done = name_found;
	st = dns_resolve(slice_str(to->host), &call->waiter);
	if (st != ST_MORE)
		looked_up(call, st);
}

void call_go(struct http_call *call)
{
	struct http_conn *conn;
	bool nomem;

	if ((conn = pool_take(call)) != NULL) {
		call->state = CALL_ASKED;
		if (!conn_ask(conn))
			call_broken(call, HTTP_CLOSED, "the kept connection is gone");
	} else if (pool_new(call, &nomem) != NULL) {
		resolve(call);
	} else if (nomem) {
		finish(call, HTTP_BUSY, "out of memory");
	} else if (call->state != CALL_WAITING && !pool_may_wait(call)) {
		finish(call, HTTP_BUSY, "too many requests wait");
	} else {
		call->state = CALL_WAITING;
		pool_wait(call);
	}
}

/* ---- what the connection says ---- */

void call_answered(struct http_call *call)
{
	struct http_conn *conn = call->conn;
	bool keep;

	timer_stop(&call->pause);
	call->answer = conn->h1;
	h1_init_response(&conn->h1, &call->limits);
	keep = h1_message(&call->answer)->keep_alive && stream_pending(conn->stream) == 0 &&
		!stream_at_end(conn->stream) && evbuffer_get_length(stream_input(conn->stream)) == 0;
	if (keep)
		pool_keep(conn);
	else
		conn_end(conn);
	if (h1_message(&call->answer)->status == 503 && try_later(call))
		return;
	finish(call, HTTP_FINE, "");
}

/* A kept connection may have been closed while our request was on its way: when nothing of an answer came, a request that may
 * be repeated is, once, and so is one that never left. */
static bool stale(const struct http_call *call, enum http_failure failure)
{
	const struct http_conn *conn = call->conn;

	return failure == HTTP_CLOSED && conn->reused && !call->fresh && !h1_started(&conn->h1) &&
		(call->idempotent || conn->unsent);
}

/* Once more, with what the peer can: TLS 1.2 with our ciphers is as good. */
static bool try_older(struct http_call *call)
{
	struct tls_trust *older = stream_wants_older(call->conn->stream)
		? tls_trust_older(call->trust)
		: NULL;

	if (!older)
		return false;
	tls_trust_unref(call->trust);
	call->trust = older;
	conn_end(call->conn);
	call_go(call);
	return true;
}

void call_broken(struct http_call *call, enum http_failure failure, const char *detail)
{
	char copy[HTTP_DETAIL];

	snprintf(copy, sizeof copy, "%s", detail);
	if (failure == HTTP_CONNECT && !stream_connected(call->conn->stream)) {
		call->address_at++;
		connect_next(call, copy);
	} else if (stale(call, failure)) {
		conn_end(call->conn);
		call->fresh = true;
		call_go(call);
	} else if (failure == HTTP_TLS && try_older(call)) {
		return;
	} else if ((failure != HTTP_CONNECT && failure != HTTP_CLOSED) || !try_later(call)) {
		finish(call, failure, copy);
	}
}

/* ---- the beginning ---- */

static void too_late(struct timer *t)
{
	static const char *const during[] = {
		[CALL_QUEUED] = "before it began",
		[CALL_WAITING] = "while waiting for a free connection",
		[CALL_RESOLVING] = "while looking up the name",
		[CALL_CONNECTING] = "while connecting",
		[CALL_ASKED] = "while waiting for the answer",
		[CALL_PAUSED] = "before trying again",
	};
	struct http_call *call = container_of(t, struct http_call, deadline);
	bool asked = call->state == CALL_CONNECTING && call->conn && call->conn->stream &&
		stream_connected(call->conn->stream);

	finish(call, HTTP_TIMEOUT, during[asked ? CALL_ASKED : call->state]);
}

static void begin(struct deferred *d)
{
	struct http_call *call = container_of(d, struct http_call, deferred);

	call->queued = false;
	if (call->dead)
		destroy(call);
	else if (call->state == CALL_QUEUED)
		call_go(call);
}

enum http_failure http_call_start(const struct http_call_options *options,
	void (*done)(struct http_call *call, void *arg), void *arg, struct http_call **out,
	char detail[static HTTP_DETAIL])
{
	struct http_call *call = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *call);
	enum http_failure failure;

	snprintf(detail, HTTP_DETAIL, "out of memory");
	if (!call)
		return HTTP_BUSY;
	list_init(&call->link);
	list_init(&call->waiter.link);
	call->limits = (struct h1_limits){LINE_MAX_BYTES, HEADER_MAX, FIELDS_MAX, options->max};
	call->retries = options->retries;
	call->done = done;
	call->arg = arg;
	call->ends = clock_work_us() + options->timeout_us;
	failure = request_prepare(call, options, detail);
	if (failure == HTTP_FINE &&
		timer_start(&call->deadline, options->timeout_us, too_late) != ST_OK) {
		snprintf(detail, HTTP_DETAIL, "out of memory");
		failure = HTTP_BUSY;
	}
	if (failure != HTTP_FINE) {
		destroy(call);
		return failure;
	}
	count_add(COUNT_CALLS, 1);
	call->queued = true;
	loop_defer(&call->deferred, begin);
	*out = call;
	return HTTP_FINE;
}

enum http_failure http_call_failure(const struct http_call *call)
{
	return call->failure;
}

const char *http_call_detail(const struct http_call *call)
{
	return call->detail;
}

const struct h1_message *http_call_answer(const struct http_call *call)
{
	return h1_message(&call->answer);
}
