/* embedded.h: the files of lua/ that the build puts into the program (D9). Names are relative to lua/. */
#pragma once

#include <stddef.h>

struct embedded_file {
	const char *name; /* "boot.lua", "pages/style.css" */
	const unsigned char *data;
	size_t len;
};

extern const struct embedded_file embedded_files[];
extern const size_t embedded_count;
