/* arena.h: the memory of a jail's Lua state: one region at a fixed place whose contents can be saved once and put back
 * before every call, byte for byte. That is how nothing survives a call (S23) without building a state anew. */
#pragma once

#include "base/base.h"

struct arena;

/* NULL = no memory. */
struct arena *arena_open(size_t size);
/* A lua_Alloc; ud is the arena. Refuses what brings the counted bytes over the limit. */
void *arena_alloc(void *ud, void *p, size_t old, size_t size);
/* At most `bytes` more than now from here on. */
void arena_set_limit(struct arena *a, size_t bytes);
size_t arena_used(const struct arena *a);
size_t arena_peak(const struct arena *a); /* since the last restore */
/* Keeps a copy of all that is allocated now. Once. */
must_check enum st arena_save(struct arena *a);
/* Makes everything as it was saved and wipes what was used beyond. */
void arena_restore(struct arena *a);
