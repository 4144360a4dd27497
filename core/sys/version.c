/* version.c: what is inside this program. */
#include "sys/version.h"

#include "bind/versions.h"

int version_print(bool json)
{
	size_t n = 0;
	const struct library *list = versions(&n);

	(void)list;
	(void)json;
	return 0;
}
