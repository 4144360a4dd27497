/* clock.c: the system's clocks plus the shift of tests. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t shift; /* seconds; read by the db and pool threads too */

static int64_t unshifted(clockid_t which)
{
	struct timespec now;

	if (clock_gettime(which, &now) != 0)
		abort(); /* cannot happen for these two clocks */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t nanoseconds(clockid_t which)
{
	return unshifted(which) + atomic_load_explicit(&shift, memory_order_relaxed) * 1000000000;
}

int64_t clock_wall(void)
{
	return nanoseconds(CLOCK_REALTIME) / 1000000000;
}

int64_t clock_wall_ms(void)
{
	return nanoseconds(CLOCK_REALTIME) / 1000000;
}

int64_t clock_mono_us(void)
{
	return nanoseconds(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_work_us(void)
{
	return unshifted(CLOCK_MONOTONIC) / 1000;
}

void clock_advance(int64_t seconds)
{
	atomic_fetch_add_explicit(&shift, seconds, memory_order_relaxed);
}
