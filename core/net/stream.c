/* stream.c: the two kinds of connected socket behind one face. Reads end at a short read, not at EAGAIN; writes are
 * tried at once and wait for the descriptor only when the kernel is full: a request costs one wait, one receive, one
 * send. */
#include "net/stream.h"

#include "base/fault.h"
#include "loop/loop.h"
#include "net/tls_trust.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Input above this stays in the kernel, where the peer feels it. */
#define HIGH_WATER (64u * 1024)
#define CHUNK 16384u
/* What one turn takes from one connection before others have theirs. */
#define TURN_MAX (256u * 1024)
#define PIECES_MAX 4
/* A step of a handshake takes milliseconds; who is connected waits for no more of them than this. */
#define HANDSHAKES_PER_TURN 2

/* open: the handshake. read and write set *n to what was done; statuses as in tls.h. end: says good-bye. */
struct stream_ops {
	enum st (*open)(struct stream *s);
	enum st (*read)(struct stream *s, void *p, size_t *n);
	enum st (*write)(struct stream *s, const void *p, size_t *n);
	void (*end)(struct stream *s);
};

struct stream {
	int fd; /* owns */
	const struct stream_ops *ops;
	struct tls_session *tls; /* owns; NULL when plain */
	struct event rd, wr;
	struct evbuffer *in, *out; /* owns */
	const struct stream_events *events;
	void *arg;               /* borrows */
	size_t retry_len;        /* the length an interrupted TLS write must be repeated with */
	bool connecting;         /* a client's, and the peer has not answered */
	struct tls_trust *trust; /* a client's, a reference: what TLS begins with once connected */
	char *host;              /* owns; beside trust */
	int error;               /* errno of what failed */
	bool begins; /* a client's first step of TLS: nothing but us would cause another */
	bool open, at_end, dead, ending, ended;
	bool paused, reading, writing;
	bool broken;  /* TLS failed: its context says nothing more, not even good-bye */
	bool blocked; /* TLS must send before it can read on: more input would only spin */
	struct deferred gone;
};

/* Bytes pass through here on their way into `in`; nothing stays. */
static unsigned char scratch[CHUNK];

/* ---- plain ---- */

static enum st plain_open(struct stream *s)
{
	(void)s;
	return ST_OK;
}

static enum st plain_read(struct stream *s, void *p, size_t *n)
{
	size_t wanted = *n;
	ssize_t r = recv(s->fd, p, wanted, 0);

	*n = r > 0 ? (size_t)r : 0;
	if (r > 0)
		return ST_OK;
	if (r == 0)
		return ST_CLOSED;
	if (errno == EAGAIN || errno == EINTR)
		return ST_MORE;
	s->error = errno;
	return ST_IO;
}

static enum st plain_write(struct stream *s, const void *p, size_t *n)
{
	ssize_t r = send(s->fd, p, *n, MSG_NOSIGNAL);

	*n = r > 0 ? (size_t)r : 0;
	if (r >= 0)
		return ST_OK;
	if (errno == EAGAIN || errno == EINTR)
		return ST_BUSY;
	s->error = errno;
	return ST_IO;
}

static void plain_end(struct stream *s)
{
	(void)s;
}

static const struct stream_ops plain_ops = {plain_open, plain_read, plain_write, plain_end};

/* ---- TLS ---- */

static enum st secure_open(struct stream *s)
{
	return tls_session_handshake(s->tls);
}

static enum st secure_read(struct stream *s, void *p, size_t *n)
{
	return tls_session_read(s->tls, p, *n, n);
}

/* After ST_BUSY the library has a finished record in hand and reports, once that is sent, the length of the call it is
 * in then: the same length must be passed again, whatever was appended meanwhile. */
static enum st secure_write(struct stream *s, const void *p, size_t *n)
{
	size_t wanted = s->retry_len ? s->retry_len : *n;
	enum st st;

	assert(wanted <= *n);
	st = tls_session_write(s->tls, p, wanted, n);
	s->retry_len = st == ST_BUSY ? wanted : 0;
	s->broken = st != ST_OK && st != ST_BUSY;
	return st;
}

static void secure_end(struct stream *s)
{
	tls_session_end(s->tls);
}

static const struct stream_ops secure_ops = {secure_open, secure_read, secure_write, secure_end};

/* ---- events ---- */

static void want_read(struct stream *s, bool want)
{
	if (want == s->reading || s->dead)
		return;
	if (want)
		s->reading = event_add(&s->rd, NULL) == 0;
	else
		s->reading = event_del(&s->rd) != 0;
}

static void want_write(struct stream *s, bool want)
{
	if (want == s->writing || s->dead)
		return;
	if (want)
		s->writing = event_add(&s->wr, NULL) == 0;
	else
		s->writing = event_del(&s->wr) != 0;
}

static void block(struct stream *s)
{
	s->blocked = true;
	want_read(s, false);
	want_write(s, true);
}

static void unblock(struct stream *s)
{
	s->blocked = false;
	want_write(s, false);
	if (!s->paused && !s->at_end)
		want_read(s, true);
}

static void fail(struct stream *s, enum st why)
{
	want_read(s, false);
	want_write(s, false);
	s->at_end = s->dead = true;
	if (s->events)
		s->events->closed(s, s->arg, why);
}

static void end_now(struct stream *s)
{
	if (s->ended || s->dead)
		return;
	s->ended = true;
	if (s->open && !s->broken)
		s->ops->end(s);
	(void)shutdown(s->fd, SHUT_WR);
}

/* Sends what stands in `out`, at most a record's length at a time. */
static enum st flush(struct stream *s)
{
	size_t left;

	while ((left = evbuffer_get_length(s->out)) > 0) {
		size_t n = left < CHUNK ? left : CHUNK;
		unsigned char *p = evbuffer_pullup(s->out, (ev_ssize_t)n);
		enum st st;

		if (p == NULL)
			return ST_NOMEM;
		st = s->ops->write(s, p, &n);
		if (st == ST_BUSY) {
			want_write(s, true);
			return ST_OK;
		}
		if (st != ST_OK)
			return st;
		if (evbuffer_drain(s->out, n) != 0)
			return ST_NOMEM;
	}
	want_write(s, false);
	if (s->ending)
		end_now(s);
	return ST_OK;
}

/* Reads until the descriptor is empty or enough stands in `in`. *any: the owner has something to look at. */
static enum st fill(struct stream *s, bool *any)
{
	size_t taken = 0;

	while (!s->paused && evbuffer_get_length(s->in) < HIGH_WATER) {
		size_t n = CHUNK;
		enum st st = s->ops->read(s, scratch, &n);

		if (st == ST_MORE)
			return ST_OK;
		if (st == ST_BUSY) {
			block(s);
			return ST_OK;
		}
		if (st == ST_CLOSED) {
			s->at_end = *any = true;
			want_read(s, false);
			return ST_OK;
		}
		if (st != ST_OK)
			return st;
		if (evbuffer_add(s->in, scratch, n) != 0)
			return ST_NOMEM;
		*any = true;
		taken += n;
		if (s->tls == NULL && n < CHUNK)
			return ST_OK;
		if (taken >= TURN_MAX)
			break;
	}
	if (s->paused || evbuffer_get_length(s->in) >= HIGH_WATER)
		want_read(s, false);
	else if (s->tls && tls_session_buffered(s->tls))
		event_active(&s->rd, EV_READ, 0); /* decrypted bytes wake nobody */
	return ST_OK;
}

static struct {
	unsigned steps; /* of handshakes in this turn */
	struct deferred end;
} turn;

static void turn_ended(struct deferred *d)
{
	(void)d;
	turn.steps = 0;
}

/* False: not in this turn. The descriptor stays ready and is reported again in the next. */
static bool may_shake_hands(void)
{
	if (turn.steps == 0)
		loop_defer(&turn.end, turn_ended);
	return turn.steps++ < HANDSHAKES_PER_TURN;
}

/* True when the handshake is over. */
static bool opened(struct stream *s)
{
	enum st st;

	if (s->open)
		return true;
	st = s->ops->open(s);
	if (st == ST_OK) {
		s->open = true;
		if (s->tls)
			count_add(COUNT_HANDSHAKES, 1);
	} else if (st == ST_BUSY) {
		block(s);
	} else if (st != ST_MORE) {
		fail(s, st);
	}
	return s->open;
}

/* The descriptor of a client became writable: the peer took the connection, or did not. */
static bool connected(struct stream *s)
{
	socklen_t n = sizeof s->error;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &s->error, &n) != 0)
		s->error = errno;
	if (s->error != 0) {
		fail(s, ST_IO);
		return false;
	}
	s->connecting = false;
	want_write(s, false);
	want_read(s, true);
	if (!s->trust || stream_secure(s, s->trust, s->host) == ST_OK)
		return true;
	fail(s, ST_NOMEM);
	return false;
}

static void stream_io(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	bool waiting, fresh, any = false;
	enum st st;

	(void)fd;
	if (s->dead || (s->connecting && !connected(s)))
		return;
	if (!s->open && !s->begins && !may_shake_hands())
		return;
	s->begins = false;
	if (s->tls)
		tls_session_readable(s->tls);
	if (s->blocked && what & EV_WRITE)
		unblock(s);
	fresh = !s->open;
	if (!opened(s))
		return;
	waiting = evbuffer_get_length(s->out) > 0;
	/* A client has written before it was connected. */
	st = what & EV_WRITE || (fresh && waiting) ? flush(s) : ST_OK;
	if (st == ST_OK && !s->at_end)
		st = fill(s, &any);
	/* What came before the failure may still be a whole request, but nobody is left to answer. */
	if (st != ST_OK) {
		fail(s, st);
		return;
	}
	if (any && s->events)
		s->events->readable(s, s->arg);
	if (waiting && s->events && evbuffer_get_length(s->out) == 0)
		s->events->drained(s, s->arg);
}

/* ---- making and ending ---- */

static void release(struct stream *s)
{
	tls_session_free(s->tls);
	tls_trust_unref(s->trust);
	free(s->host);
	if (s->in)
		evbuffer_free(s->in);
	if (s->out)
		evbuffer_free(s->out);
	free(s);
}

/* Takes the descriptor also when it fails. */
static struct stream *stream_new(int fd, const struct stream_events *events, void *arg)
{
	struct stream *s = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *s);

	if (s == NULL)
		goto out;
	s->fd = fd;
	s->ops = &plain_ops;
	s->events = events;
	s->arg = arg;
	s->in = evbuffer_new();
	s->out = evbuffer_new();
	if (s->in == NULL || s->out == NULL)
		goto out;
	if (event_assign(&s->rd, loop_base(), fd, EV_READ | EV_PERSIST, stream_io, s) == 0 &&
		event_assign(&s->wr, loop_base(), fd, EV_WRITE | EV_PERSIST, stream_io, s) == 0)
		return s;
out:
	close(fd);
	if (s)
		release(s);
	return NULL;
}

struct stream *stream_accept(
	int fd, struct tls_config *tls, const struct stream_events *events, void *arg)
{
	struct stream *s = stream_new(fd, events, arg);

	if (s == NULL)
		return NULL;
	s->open = tls == NULL;
	if (tls) {
		s->ops = &secure_ops;
		s->tls = tls_session_new(tls, fd);
	}
	if (s->open || s->tls)
		want_read(s, true);
	if (s->reading)
		return s;
	close(fd);
	release(s);
	return NULL;
}

/* ---- a client's ---- */

static socklen_t socket_address(
	const struct address *address, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;

	memset(out, 0, sizeof *out);
	if (address->v6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, address->bytes, 16);
		return sizeof *v6;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	memcpy(&v4->sin_addr, address->bytes, 4);
	return sizeof *v4;
}

static int open_socket(const struct address *address, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t n = socket_address(address, port, &to);
	int one = 1, saved;
	int fd = socket(
		address->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&to, n) == 0 || errno == EINPROGRESS)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

struct stream *stream_connect(const struct address *address, uint16_t port, struct tls_trust *trust,
	const char *host, const struct stream_events *events, void *arg)
{
	int fd = open_socket(address, port);
	struct stream *s = fd < 0 ? NULL : stream_new(fd, events, arg);

	if (s == NULL)
		return NULL;
	s->connecting = true;
	s->open = trust == NULL;
	s->trust = tls_trust_ref(trust);
	if (trust)
		s->host = strdup(host);
	if (!trust || s->host)
		want_write(s, true);
	if (s->writing)
		return s;
	close(fd);
	release(s);
	errno = ENOMEM;
	return NULL;
}

enum st stream_secure(struct stream *s, struct tls_trust *trust, const char *host)
{
	assert(s->tls == NULL);
	s->tls = tls_session_connect(trust, host, s->fd);
	if (s->tls == NULL)
		return ST_NOMEM;
	s->ops = &secure_ops;
	s->open = false;
	s->begins = true;
	event_active(&s->rd, EV_READ, 0); /* the client speaks first */
	return ST_OK;
}

bool stream_connected(const struct stream *s)
{
	return !s->connecting;
}

bool stream_ended_well(const struct stream *s)
{
	return s->tls == NULL || tls_session_ended_well(s->tls);
}

bool stream_wants_older(const struct stream *s)
{
	return s->tls && tls_session_wants_older(s->tls);
}

const char *stream_why(const struct stream *s)
{
	if (s->tls && tls_session_why(s->tls)[0])
		return tls_session_why(s->tls);
	return s->error ? strerror(s->error) : "";
}

static void run_gone(struct deferred *d)
{
	release(container_of(d, struct stream, gone));
}

/* Unread bytes at close make the kernel send a reset, which can overtake our answer. */
static void discard_received(struct stream *s)
{
	size_t taken = 0;
	ssize_t r;

	while (taken < TURN_MAX && (r = recv(s->fd, scratch, sizeof scratch, 0)) > 0)
		taken += (size_t)r;
}

void stream_close(struct stream *s, bool linger)
{
	if (s == NULL)
		return;
	end_now(s);
	if (linger)
		discard_received(s);
	event_del(&s->rd);
	event_del(&s->wr);
	s->reading = s->writing = false;
	s->dead = true;
	s->events = NULL;
	close(s->fd);
	s->fd = -1;
	loop_defer(&s->gone, run_gone);
}

void stream_shutdown(struct stream *s)
{
	s->ending = true;
	if (evbuffer_get_length(s->out) == 0)
		end_now(s);
}

/* ---- the owner's side ---- */

struct evbuffer *stream_input(struct stream *s)
{
	return s->in;
}

enum st stream_write(struct stream *s, struct slice bytes)
{
	if (s->dead || s->ending)
		return ST_CLOSED;
	return evbuffer_add(s->out, bytes.p, bytes.n) == 0 ? ST_OK : ST_NOMEM;
}

enum st stream_flush(struct stream *s)
{
	if (s->dead)
		return ST_CLOSED;
	return s->open && !s->connecting ? flush(s) : ST_OK;
}

/* Straight to the kernel. *sent: how much it took, over all pieces. */
static enum st send_pieces(struct stream *s, const struct slice *pieces, size_t count, size_t *sent)
{
	struct iovec parts[PIECES_MAX];
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t r;
	size_t i;

	for (i = 0; i < count; i++)
		parts[i] = (struct iovec){(void *)(uintptr_t)pieces[i].p, pieces[i].n};
	r = sendmsg(s->fd, &message, MSG_NOSIGNAL);
	*sent = r > 0 ? (size_t)r : 0;
	return r < 0 && errno != EAGAIN && errno != EINTR ? ST_IO : ST_OK;
}

enum st stream_send(struct stream *s, const struct slice *pieces, size_t count)
{
	size_t sent = 0, i;
	enum st st;

	assert(count <= PIECES_MAX);
	if (s->dead || s->ending)
		return ST_CLOSED;
	if (s->tls == NULL && !s->connecting && evbuffer_get_length(s->out) == 0) {
		st = send_pieces(s, pieces, count, &sent);
		if (st != ST_OK)
			return st;
	}
	for (i = 0; i < count; i++) {
		size_t skip = sent < pieces[i].n ? sent : pieces[i].n;
		struct slice rest = slice_sub(pieces[i], skip, pieces[i].n);

		sent -= skip;
		if (rest.n > 0 && evbuffer_add(s->out, rest.p, rest.n) != 0)
			return ST_NOMEM;
	}
	return evbuffer_get_length(s->out) > 0 ? stream_flush(s) : ST_OK;
}

void stream_read_pause(struct stream *s, bool pause)
{
	s->paused = pause;
	if (s->dead || s->at_end || s->blocked)
		return;
	if (pause) {
		want_read(s, false);
	} else if (!s->reading && evbuffer_get_length(s->in) < HIGH_WATER) {
		want_read(s, true);
		if (s->tls && tls_session_buffered(s->tls))
			event_active(&s->rd, EV_READ, 0);
	}
}

bool stream_has_unread(const struct stream *s)
{
	int n = 0;

	return !s->dead && ioctl(s->fd, FIONREAD, &n) == 0 && n > 0;
}

bool stream_at_end(const struct stream *s)
{
	return s->at_end;
}

size_t stream_pending(const struct stream *s)
{
	return evbuffer_get_length(s->out);
}

bool stream_is_secure(const struct stream *s)
{
	return s->tls != NULL;
}

bool stream_handshaken(const struct stream *s)
{
	return s->open;
}

const char *stream_sni(const struct stream *s)
{
	return s->tls ? tls_session_sni(s->tls) : "";
}

const char *stream_tls_version(const struct stream *s)
{
	return s->tls ? tls_session_version(s->tls) : "";
}
