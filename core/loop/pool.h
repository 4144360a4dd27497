/* pool.h: a few threads for work that takes over a millisecond: password hashes, private keys, key generation, name
 * resolution. A job is an op; its work runs on a thread, then it lands on the loop. */
#pragma once

#include "loop/op.h"

/* Lanes have threads and queues of their own: what waits for a slow name server keeps no password waiting. */
enum lane { LANE_WORK, LANE_NAMES, LANES };

struct job {
	struct op op; /* op.push and op.free are the caller's; op.cancel is set by pool_submit */
	void (*work)(struct job *job); /* on a pool thread; touches nothing but the job */
	enum lane lane;                /* LANE_WORK where nothing is said */
	struct job *next;
};

/* Threads start on the first job and number at most `threads`. queue_max bounds waiting jobs. */
must_check enum st pool_open(enum lane lane, unsigned threads, unsigned queue_max);
/* ST_BUSY when the queue is full (the job stays the caller's). */
must_check enum st pool_submit(struct job *job);
/* All lanes: waits for running jobs, drops the queues. A look-up that does not end within a second is left behind; its op.free
 * is then called on its thread. */
void pool_close(void);

/* A way back to the loop for threads of others (the store): completed jobs are handed over through one eventfd. */
struct landing {
	int fd;
	struct landing_private *private_; /* owns */
};
must_check enum st landing_open(struct landing *l);
void landing_post(struct landing *l, struct job *job); /* any thread; op_land follows on the loop */
void landing_close(struct landing *l);
