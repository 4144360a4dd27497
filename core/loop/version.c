/* version.c: which libevent is in the program. */
#include "loop/version.h"

#include <event2/event.h>

const char *loop_version(void)
{
	return event_get_version();
}
