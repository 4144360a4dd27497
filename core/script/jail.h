/* jail.h: the worker's side of the jails: a small pool of sealed processes, one call at a time on each. A call that asks
 * lands with a ticket; its jail waits until another call brings the reply, or is left. */
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "loop/op.h"
#include "script/jail_call.h"

#define JAILS_MAX 16
#define JAIL_QUEUE_MAX 64
#define JAIL_WALL_MS \
	1000 /* a jail that does not answer at all; its own timer ends a script long before */

/* How jails are started and ended. */
struct jail_spawner {
	/* Asks for one; jail_give answers, later or before this returns. */
	enum st (*request)(void *arg);
	/* Ends and reaps one that was given; its descriptor is closed already. */
	void (*kill)(int64_t handle, void *arg);
	void *arg;
};

/* NULL: start this program's own file with --role=jail, as a child of this process (commands, tests). Copied. */
void jail_set_spawner(const struct jail_spawner *spawner);
/* Answers one request: a connected stream socket (ownership given) and what kill needs; -1 = could not. */
void jail_give(int fd, int64_t handle);

/* After loop_open. */
must_check enum st jail_open(void);
/* Starts the first jail now, so that the first call need not wait. */
void jail_warm(void);
/* Ends all jails; calls that wait are answered as killed, from the end of the turn. */
void jail_close(void);

/* One call. The caller embeds it, sets op.push and op.free, fills request with a frame (jail_frame_begin …) and submits. It
 * lands when it is answered; a cancelled call lands too, ownerless. */
struct jail_call {
	struct op op;
	struct buf request; /* owns; a whole frame */
	struct buf answer;  /* owns; without its length; empty unless end is JAIL_FINE */
	enum jail_end end;  /* JAIL_FINE: read answer; else JAIL_KILLED or JAIL_BUSY */
	/* Landed with an answer that asks: who holds it answers with a call of this ticket whose request is a reply, or
	 * leaves the jail. Set before jail_submit: such a call. 0 = neither. */
	uint64_t ticket;
	/* private */
	struct list link;
	struct jail *jail;
	bool tried, waiting;
};

/* Begins a frame: verb 'r', 'x' or 'c' (jail_call.h). Append the wire value given, then jail_frame_end. */
void jail_frame_begin(struct buf *frame, char verb, uint32_t instructions, uint32_t memory,
	struct slice chunk, struct slice source);
must_check enum st jail_frame_end(struct buf *frame);

/* ST_BUSY when too many wait, or every jail waits for a reply (the call stays the caller's). */
must_check enum st jail_submit(struct jail_call *call);
void jail_call_free(struct jail_call *call); /* the buffers */
/* Nobody will answer what the jail of this ticket asked: it is ended. */
void jail_leave(uint64_t ticket);

/* What is known of an answer before its wire values. */
struct jail_answer {
	enum jail_end end;
	uint32_t instructions, memory, microseconds;
	struct slice rest;
};
must_check bool jail_answer_read(struct slice answer, struct jail_answer *out);
