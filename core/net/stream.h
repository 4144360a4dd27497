/* stream.h: a connected socket, plain or TLS: a descriptor, two events, two buffers and a table of four functions. */
#pragma once

#include "base/bytes.h"
#include "loop/address.h"
#include "net/tls.h"

struct evbuffer;
struct stream;

struct stream_events {
	void (*readable)(struct stream *s,
		void *arg); /* new bytes stand in stream_input, or the peer ended sending */
	void (*drained)(struct stream *s, void *arg); /* all output went to the kernel */
	/* Error or peer gone: nothing more can be read or sent. The owner still calls stream_close. */
	void (*closed)(struct stream *s, void *arg, enum st why);
};

/* Takes ownership of fd (also when it fails). tls NULL = plain. The handshake runs by itself. */
struct stream *stream_accept(
	int fd, struct tls_config *tls, const struct stream_events *events, void *arg);
/* The client's side: connects to the address. Nothing is called back before this returns; what is written meanwhile is sent
 * when the connection stands. With trust, TLS for `host` begins as soon as it does. NULL: errno says why. */
struct stream *stream_connect(const struct address *address, uint16_t port, struct tls_trust *trust,
	const char *host, const struct stream_events *events, void *arg);
/* TLS from here on, over a connection that was plain (a proxy's). */
must_check enum st stream_secure(struct stream *s, struct tls_trust *trust, const char *host);
bool stream_connected(const struct stream *s); /* the peer took the connection; TLS may still fail */
/* After stream_at_end: nothing was cut off. Of a plain connection nobody can say so: true. */
bool stream_ended_well(const struct stream *s);
bool stream_wants_older(const struct stream *s); /* after closed: tls_trust_older would do */
/* After closed, or NULL from stream_connect: in words, "" = unknown. */
const char *stream_why(const struct stream *s);
struct evbuffer *stream_input(struct stream *s);
must_check enum st stream_write(
	struct stream *s, struct slice bytes); /* appends to the output; bounded by the caller */
must_check enum st stream_flush(struct stream *s); /* tries to send now */
/* Sends the pieces now, as one, and keeps what the kernel did not take. */
must_check enum st stream_send(struct stream *s, const struct slice *pieces, size_t count);
/* Reading also pauses by itself at the high-water mark: call with false after taking from stream_input. Cheap when
 * nothing changes. */
void stream_read_pause(struct stream *s, bool pause);
/* The kernel has bytes that were not read yet: an idle connection is not so idle. */
bool stream_has_unread(const struct stream *s);
/* Ends our side once all output is sent; the peer may go on sending. */
void stream_shutdown(struct stream *s);
bool stream_at_end(const struct stream *s);    /* peer sent FIN or close_notify */
size_t stream_pending(const struct stream *s); /* unsent output bytes */
bool stream_is_secure(const struct stream *s);
bool stream_handshaken(const struct stream *s);
const char *stream_sni(const struct stream *s);         /* lower case, "" when none */
const char *stream_tls_version(const struct stream *s); /* "TLSv1.3", "" when plain */
/* Frees at the end of the turn; no callback comes after. linger: half-close and take what the peer has sent so far, so
 * that it sees the answer before the reset. */
void stream_close(struct stream *s, bool linger);
