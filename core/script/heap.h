/* heap.h: small blocks for a Lua state, which tells the size of what it gives back. What it takes it keeps until the state
 * closes: a trusted state lives as long as its generation. */
#pragma once

#include "base/base.h"

#define HEAP_CLASSES 20u /* multiples of 16 bytes: up to 320 */

struct heap {
	struct heap_block *freed[HEAP_CLASSES]; /* own */
	struct heap_chunk *chunks;              /* owns */
	size_t at, left;                        /* what is unused of the first chunk */
};

/* realloc, with the block's size before (p NULL: 0). Size 0 frees. NULL = no memory; the block is as it was. */
void *heap_resize(struct heap *h, void *p, size_t old, size_t size);
/* Frees all chunks: every block must have been given back, or be forgotten. */
void heap_close(struct heap *h);
