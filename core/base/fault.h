/* fault.h: lets debug builds fail the n-th allocation, write or flush, and counts what must be zero at rest. In release
 * builds every function is an inline no-op. */
#pragma once

#include "base/base.h"

enum counter {
	COUNT_TASKS,
	COUNT_OPS,
	COUNT_CONNECTIONS,
	COUNT_JOBS,
	COUNT_LATE,
	COUNT_CANCELLED,
	COUNT_HANDSHAKES,
	COUNT_COMMITS,
	COUNT_WRITES,
	COUNT_FSYNCS,
	COUNT_JAIL_CALLS,
	COUNT_JAIL_KILLS,
	COUNT_CALLS,     /* requests of ours to others */
	COUNT_UPSTREAMS, /* connections for them, idle ones too */
	COUNT_MAX
};

/* Relaxed atomics; kept in every build (they are cheap and feed the metrics). */
void count_add(enum counter which, int64_t n);
int64_t count_get(enum counter which);
const char *count_name(enum counter which);

/* FAULT_FLUSH_DELAY_MS is no failure: its n is how long each flush of the disk takes, 0 = as long as it takes. */
enum fault { FAULT_ALLOC, FAULT_DISK_WRITE, FAULT_DISK_FULL, FAULT_FLUSH_DELAY_MS, FAULT_MAX };

#ifdef TIDELOCK_DEBUG
/* Arms: the n-th next pass of this kind fails (0 disarms; forever keeps failing). */
void fault_arm(enum fault which, int64_t n, bool forever);
bool fault_hit(enum fault which);      /* called at the place that may fail */
int64_t fault_value(enum fault which); /* the n it was armed with */
/* "alloc", "disk_write", "disk_full", "flush_delay_ms" → *which. */
bool fault_named(const char *name, enum fault *which);
#else
static inline bool fault_hit(enum fault which)
{
	(void)which;
	return false;
}
static inline int64_t fault_value(enum fault which)
{
	(void)which;
	return 0;
}
#endif
