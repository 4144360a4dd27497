/* fault.c: counters, and in debug builds the faults that tests arm. */
#include "base/fault.h"

#include <stdatomic.h>

static _Atomic int64_t counters[COUNT_MAX];

void count_add(enum counter which, int64_t n)
{
	atomic_fetch_add_explicit(&counters[which], n, memory_order_relaxed);
}

int64_t count_get(enum counter which)
{
	return atomic_load_explicit(&counters[which], memory_order_relaxed);
}

const char *count_name(enum counter which)
{
	static const char *const names[COUNT_MAX] = {
		[COUNT_TASKS] = "tasks",
		[COUNT_OPS] = "ops",
		[COUNT_CONNECTIONS] = "connections",
		[COUNT_JOBS] = "jobs",
		[COUNT_LATE] = "late",
		[COUNT_CANCELLED] = "cancelled",
		[COUNT_HANDSHAKES] = "handshakes",
		[COUNT_COMMITS] = "commits",
		[COUNT_WRITES] = "writes",
		[COUNT_FSYNCS] = "fsyncs",
		[COUNT_JAIL_CALLS] = "jail_calls",
		[COUNT_JAIL_KILLS] = "jail_kills",
		[COUNT_CALLS] = "calls",
		[COUNT_UPSTREAMS] = "upstreams",
	};

	assert(which < COUNT_MAX);
	return names[which] ? names[which] : "unnamed";
}

#ifdef TIDELOCK_DEBUG

static _Atomic int64_t left[FAULT_MAX];  /* passes until the failing one; 0 = disarmed */
static _Atomic int64_t value[FAULT_MAX]; /* as armed */
static _Atomic bool lasting[FAULT_MAX];

void fault_arm(enum fault which, int64_t n, bool forever)
{
	atomic_store(&lasting[which], forever);
	atomic_store(&value[which], n);
	atomic_store(&left[which], n);
}

bool fault_hit(enum fault which)
{
	int64_t before = atomic_load_explicit(&left[which], memory_order_relaxed);

	if (before == 0)
		return false;
	do {
		if (before == 0)
			return false;
		if (before == 1 && atomic_load(&lasting[which]))
			return true;
	} while (!atomic_compare_exchange_weak(&left[which], &before, before - 1));
	return before == 1;
}

int64_t fault_value(enum fault which)
{
	return atomic_load_explicit(&value[which], memory_order_relaxed);
}

bool fault_named(const char *name, enum fault *which)
{
	static const char *const names[FAULT_MAX] = {
		[FAULT_ALLOC] = "alloc",
		[FAULT_DISK_WRITE] = "disk_write",
		[FAULT_DISK_FULL] = "disk_full",
		[FAULT_FLUSH_DELAY_MS] = "flush_delay_ms",
	};

	for (size_t i = 0; i < FAULT_MAX; i++)
		if (strcmp(names[i], name) == 0) {
			*which = (enum fault)i;
			return true;
		}
	return false;
}

#endif
