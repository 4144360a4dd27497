/* channel.h: what master and worker say to each other over fd 3: one packet of a SOCK_SEQPACKET pair a message, with
 * descriptors attached. Large texts (configuration, certificates) travel as one memfd. */
#pragma once

#include "base/bytes.h"

#define CHANNEL_FD 3           /* where a child finds its end */
#define CHANNEL_TEXT_MAX 16384 /* longer texts are cut */
#define CHANNEL_FDS_MAX 40

enum message_type {
	/* master to worker */
	MSG_LOAD = 1, /* fds[0] the bundle, then listeners; value 0 first start, 1 reload; text: listener flags, one byte each */
	MSG_JAIL, /* fds[0] a jail's socket, value its pid; without a descriptor: none to be had, text says why */
	MSG_DRAIN,
	/* worker to master */
	MSG_READY,  /* MSG_LOAD succeeded */
	MSG_FAILED, /* MSG_LOAD failed, text says why; value 1: stored data is damaged */
	MSG_WANT_JAIL,
	MSG_KILL_JAIL,   /* value is the pid */
	MSG_WANT_RELOAD, /* somebody asked over the control socket; answered by MSG_RELOADED */
	MSG_RELOADED,    /* master to worker: value 0 done, 1 refused; text says why */
};

/* Flags of a listener in MSG_LOAD. */
enum { LISTENER_TLS = 1, LISTENER_CONTROL = 2, LISTENER_LOOPBACK = 4 };

struct message {
	enum message_type type;
	int64_t value;
	struct slice text; /* borrows */
	int fds[CHANNEL_FDS_MAX];
	unsigned fd_count;
};

struct channel {
	int fd;                               /* owns */
	unsigned char text[CHANNEL_TEXT_MAX]; /* of the message received last */
};

/* A pair with CLOEXEC on both ends. */
must_check enum st channel_pair(int fds[2]);
/* Sends without waiting longer than the peer needs to read; descriptors stay the caller's. ST_CLOSED: peer gone. */
must_check enum st channel_send(struct channel *c, const struct message *m);
/* Receives one message; ST_MORE when none waits (non-blocking descriptor). Descriptors become the caller's; text borrows
 * from c until the next call. */
must_check enum st channel_receive(struct channel *c, struct message *m);
void message_close(struct message *m); /* closes descriptors that nobody took (set taken ones to -1) */

/* A bundle is named texts in one memfd: how configuration, PEM texts and Lua files reach the worker. */
must_check enum st bundle_add(struct buf *b, const char *name, struct slice bytes);
/* Makes a sealed memfd of b; -1 on failure. */
int bundle_memfd(const struct buf *b);
/* Reads a memfd whole (closes it). */
must_check enum st bundle_read(int fd, struct buf *out);
/* Takes the next entry off the front; false at the end or on malformed bytes (then *in is not empty). */
must_check bool bundle_next(struct slice *in, struct slice *name, struct slice *bytes);
