/* asset.h: the files that are part of the program (trusted Lua, templates, style sheet), by name relative to lua/. sys/
 * says where they come from; script/ and bind/ ask for them. */
#pragma once

#include "base/bytes.h"

struct asset {
	const char *name;          /* "oidc/token.lua" */
	const unsigned char *data; /* borrows; static storage */
	size_t size;
};

/* list stays the caller's and is sorted by name. dir, when not NULL, is a folder that is read instead (development); it is copied. */
void asset_set_source(const struct asset *list, size_t n, const char *dir);
/* The text of one file. Borrowed: embedded ones for ever, those of a folder until the same name is asked again. False
 * when there is no such file, or name is not a plain relative path. Main thread only. */
bool asset_get(const char *name, struct slice *text);
/* The i-th embedded name, NULL behind the last; nothing when a folder is the source. */
const char *asset_name(size_t i);
