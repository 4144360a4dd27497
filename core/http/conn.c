/* conn.c: a connection's life: read a request, hand it over, send the answer, again. */
#include "http/conn.h"

#include "base/clock.h"
#include "base/fault.h"

#include <event2/buffer.h>

/* How long a handler goes on for a client that stopped sending: enough for one that half-closed and waits. */
#define ORPHANED_US 2000000
#define LINGER_US 2000000
#define IDLE_BUSY_US 5000000

static void conn_read(struct conn *c);
static void request_again(struct conn *c);

static void move(struct conn *c, enum conn_state state)
{
	c->state = state;
	list_remove(&c->link);
	list_append(&c->server->states[state], &c->link);
}

static void begin(struct conn *c, enum conn_state state)
{
	c->since = clock_mono_us();
	move(c, state);
}

static bool is_reading(const struct conn *c)
{
	return c->state <= CONN_BODY;
}

static void give_inbound(struct conn *c)
{
	if (c->in)
		server_give_inbound(c->server, c->in);
	c->in = NULL;
}

/* ---- answers ---- */

static void written(struct conn *c)
{
	bool more = evbuffer_get_length(stream_input(c->stream)) > 0;

	if (c->keep_alive && !c->server->draining && (more || !stream_at_end(c->stream))) {
		begin(c, CONN_IDLE);
		stream_read_pause(c->stream, false);
		if (more)
			request_again(c);
		return;
	}
	if (stream_at_end(c->stream)) {
		conn_close(c);
		return;
	}
	/* A close with unread bytes in the kernel becomes a reset that can overtake the answer. */
	begin(c, CONN_LINGER);
	(void)evbuffer_drain(stream_input(c->stream), evbuffer_get_length(stream_input(c->stream)));
	stream_shutdown(c->stream);
	stream_read_pause(c->stream, false);
}

static void send_answer(struct conn *c, const struct http_reply *reply)
{
	struct buf *head = &c->server->head;
	bool close = !c->keep_alive;
	struct slice pieces[2];
	enum st st;

	buf_clear(head);
	st = reply_head(reply, server_date(c->server), close, head);
	if (st == ST_BAD) {
		static const struct http_reply broken = {.status = 500};

		reply = &broken;
		buf_clear(head);
		st = reply_head(reply, server_date(c->server), close, head);
	}
	pieces[0] = buf_slice(head);
	pieces[1] = reply->body;
	if (st == ST_OK)
		st = stream_send(
			c->stream, pieces, c->head_only || !reply_has_body(reply->status) ? 1 : 2);
	give_inbound(c);
	if (st != ST_OK)
		conn_close(c);
	else if (stream_pending(c->stream) > 0)
		begin(c, CONN_WRITING);
	else
		written(c);
}

/* What is wrong with the request itself is answered here; the connection cannot be trusted any further. */
static void refuse(struct conn *c, int status, const char *why)
{
	static const struct http_field plain = {
		SLICE_LIT("content-type"), SLICE_LIT("text/plain; charset=utf-8")};
	struct http_reply reply = {.status = status, .fields = &plain, .field_count = 1};
	char text[128];
	int n = snprintf(text, sizeof text, "%d %s: %s\n", status, reply_reason(status), why);

	reply.body = slice_of(text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0);
	c->keep_alive = false;
	c->head_only = c->in && h1_is_head(&c->in->parser);
	send_answer(c, &reply);
}

static struct conn *conn_of(const struct http_exchange *x)
{
	return container_of((struct http_exchange *)(uintptr_t)x, struct conn, exchange);
}

const struct http_request *exchange_request(const struct http_exchange *x)
{
	return &conn_of(x)->in->request;
}

void exchange_on_abort(struct http_exchange *x, void (*aborted)(void *arg), void *arg)
{
	x->aborted = aborted;
	x->arg = arg;
}

void exchange_reply(struct http_exchange *x, const struct http_reply *reply)
{
	struct conn *c = conn_of(x);

	assert(!c->dead && (c->state == CONN_HANDLING || c->state == CONN_ORPHANED));
	x->aborted = NULL;
	if (c->server->draining)
		c->keep_alive = false;
	send_answer(c, reply);
}

/* ---- requests ---- */

static void describe(struct conn *c, struct http_request *r)
{
	const struct h1_message *m = h1_message(&c->in->parser);

	*r = (struct http_request){.method = m->method,
		.target = m->target,
		.path = m->path,
		.query = m->query,
		.host = m->host,
		.port = m->port,
		.fields = m->fields,
		.field_count = m->field_count,
		.body = m->body,
		.peer = c->origin.peer,
		.listener_port = c->origin.listener_port,
		.secure = stream_is_secure(c->stream),
		.sni = stream_sni(c->stream),
		.tls_version = stream_tls_version(c->stream),
		.control = c->origin.control,
		.control_uid = c->origin.control_uid};
	server_make_id(c->server, r->id);
}

static void handle(struct conn *c)
{
	describe(c, &c->in->request);
	c->head_only = h1_is_head(&c->in->parser);
	c->keep_alive = h1_message(&c->in->parser)->keep_alive;
	c->exchange = (struct http_exchange){0};
	begin(c, stream_at_end(c->stream) ? CONN_ORPHANED : CONN_HANDLING);
	c->server->handler(&c->exchange, c->server->arg);
}

/* A header came that announces a body. RFC 9110 section 10.1.1: a client may wait to be told to send it. */
static void body_awaited(struct conn *c)
{
	static const struct slice go_on = SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n");

	if (c->state != CONN_BODY)
		begin(c, CONN_BODY);
	if (c->continued || !h1_expects_continue(&c->in->parser))
		return;
	c->continued = true;
	if (stream_send(c->stream, &go_on, 1) != ST_OK)
		conn_close(c);
}

/* The next piece of input, or an empty slice. */
static struct slice peek(struct conn *c)
{
	struct evbuffer_iovec piece;

	if (evbuffer_peek(stream_input(c->stream), -1, NULL, &piece, 1) < 1)
		return slice_of(NULL, 0);
	return slice_of(piece.iov_base, piece.iov_len);
}

static enum st parse(struct conn *c)
{
	struct slice piece;
	enum st st = ST_MORE;
	size_t used;

	while (st == ST_MORE && (piece = peek(c)).n > 0) {
		st = h1_feed(&c->in->parser, piece, &used);
		if (evbuffer_drain(stream_input(c->stream), used) != 0)
			st = ST_NOMEM;
	}
	return st;
}

static void begin_request(struct conn *c)
{
	c->in = server_take_inbound(c->server);
	c->continued = false;
	/* From OPENING the clock runs on: handshake and header share one deadline. */
	if (c->state == CONN_OPENING)
		move(c, CONN_HEAD);
	else
		begin(c, CONN_HEAD);
}

static void conn_read(struct conn *c)
{
	enum st st;

	if (evbuffer_get_length(stream_input(c->stream)) > 0) {
		if (c->in == NULL)
			begin_request(c);
		st = c->in ? parse(c) : ST_NOMEM;
		stream_read_pause(c->stream, false);
		if (st == ST_OK) {
			handle(c);
			return;
		}
		if (st == ST_BAD) {
			refuse(c, h1_status(&c->in->parser), h1_error(&c->in->parser));
			return;
		}
		if (st != ST_MORE || !server_has_memory(c->server, c->in)) {
			refuse(c, 503, "too many large requests at once");
			return;
		}
	}
	if (stream_at_end(c->stream))
		conn_close(c);
	else if (c->in && h1_in_body(&c->in->parser))
		body_awaited(c);
}

static void run_again(struct deferred *d)
{
	struct conn *c = container_of(d, struct conn, again);

	c->again_queued = false;
	if (!c->dead && is_reading(c))
		conn_read(c);
}

/* Bytes of the next request are here already: no event will tell, and this stack is somebody else's. */
static void request_again(struct conn *c)
{
	if (c->again_queued)
		return;
	c->again_queued = true;
	loop_defer(&c->again, run_again);
}

/* ---- the stream's events ---- */

static void on_readable(struct stream *stream, void *arg)
{
	struct conn *c = arg;

	switch (c->state) {
	case CONN_HANDLING:
		if (stream_at_end(stream))
			begin(c, CONN_ORPHANED);
		return;
	case CONN_ORPHANED:
	case CONN_WRITING:
		return;
	case CONN_LINGER:
		(void)evbuffer_drain(stream_input(stream), evbuffer_get_length(stream_input(stream)));
		if (stream_at_end(stream))
			conn_close(c);
		return;
	default:
		conn_read(c);
	}
}

static void on_drained(struct stream *stream, void *arg)
{
	struct conn *c = arg;

	(void)stream;
	if (!c->dead && c->state == CONN_WRITING)
		written(c);
}

static void on_closed(struct stream *stream, void *arg, enum st why)
{
	(void)stream;
	(void)why;
	conn_close(arg);
}

static const struct stream_events events = {on_readable, on_drained, on_closed};

/* ---- beginning and end ---- */

void conn_open(struct http_server *s, int fd, struct tls_config *tls, const struct conn_origin *origin)
{
	struct conn *c = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *c);

	/* stream_accept closes fd when it fails. */
	struct stream *stream = stream_accept(fd, tls, &events, c);

	if (c == NULL || stream == NULL) {
		stream_close(stream, false);
		free(c);
		return;
	}
	c->server = s;
	c->stream = stream;
	c->origin = *origin;
	list_init(&c->link);
	list_init(&c->neighbour);
	list_append(server_bucket(s, origin), &c->neighbour);
	begin(c, CONN_OPENING);
	*(origin->control ? &s->control_count : &s->count) += 1;
	count_add(COUNT_CONNECTIONS, 1);
}

static void run_gone(struct deferred *d)
{
	free(container_of(d, struct conn, gone));
}

void conn_close(struct conn *c)
{
	struct http_server *s = c->server;

	if (c->dead)
		return;
	c->dead = true;
	if ((c->state == CONN_HANDLING || c->state == CONN_ORPHANED) && c->exchange.aborted)
		c->exchange.aborted(c->exchange.arg);
	give_inbound(c);
	list_remove(&c->link);
	list_remove(&c->neighbour);
	stream_close(c->stream, c->state == CONN_LINGER);
	c->stream = NULL;
	*(c->origin.control ? &s->control_count : &s->count) -= 1;
	count_add(COUNT_CONNECTIONS, -1);
	/* If `again` is queued it stands before `gone` and finds the connection dead. */
	loop_defer(&c->gone, run_gone);
	server_conn_ended(s);
}

bool conn_close_idle(struct conn *c)
{
	if (evbuffer_get_length(stream_input(c->stream)) > 0 || stream_has_unread(c->stream))
		return false;
	conn_close(c);
	return true;
}

static int64_t idle_us(const struct http_server *s)
{
	return server_is_busy(s) && s->limits.idle_us > IDLE_BUSY_US ? IDLE_BUSY_US
								     : s->limits.idle_us;
}

static void deadline_passed(struct conn *c)
{
	switch (c->state) {
	case CONN_HEAD:
		refuse(c, 408, "the header took too long");
		break;
	case CONN_BODY:
		refuse(c, 408, "the body took too long");
		break;
	case CONN_IDLE:
		(void)conn_close_idle(c);
		break;
	default:
		conn_close(c);
	}
}

void conn_check_deadline(struct conn *c, int64_t now)
{
	const struct http_server *s = c->server;
	const int64_t allowed[CONN_STATES] = {
		[CONN_OPENING] = s->limits.header_us,
		[CONN_IDLE] = idle_us(s),
		[CONN_HEAD] = s->limits.header_us,
		[CONN_BODY] = s->limits.body_us,
		[CONN_HANDLING] = INT64_MAX,
		[CONN_ORPHANED] = ORPHANED_US,
		[CONN_WRITING] = s->limits.write_us,
		[CONN_LINGER] = LINGER_US,
	};

	if (now - c->since > allowed[c->state])
		deadline_passed(c);
}
