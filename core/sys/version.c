/* version.c: what is inside this program. */
#include "sys/version.h"

#include "bind/versions.h"

int version_print(bool json)
{
	for (size_t i = 0; i < library_count; i++) {
		const char *name = libraries[i].name, *version = libraries[i].version();
		if (json)
			printf("%s\"%s\": \"%s\"", i ? ", " : "{", name, version);
		else
			printf("%-10s %s\n", name, version);
	}
	if (json)
		puts("}");
	return 0;
}
