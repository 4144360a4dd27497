/* clock.h: wall and monotonic time; the only place that asks the system. Tests move the wall and monotonic clocks
 * forward together (D10). */
#pragma once

#include "base/base.h"

int64_t clock_wall(void);    /* seconds since 1970 */
int64_t clock_wall_ms(void); /* milliseconds since 1970 */
int64_t clock_mono_us(void); /* microseconds, never goes back */
/* Microseconds of the machine, which tests do not move: for measuring how long work takes. */
int64_t clock_work_us(void);
/* Shifts both clocks of this process; debug builds only reach it through the control socket. */
void clock_advance(int64_t seconds);
