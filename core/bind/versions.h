/* versions.h: what the program is made of. */
#pragma once

#include <stddef.h>

struct library {
	const char *name;
	const char *(*version)(void);
};

/* "tidelock" first. */
extern const struct library libraries[];
extern const size_t library_count;
