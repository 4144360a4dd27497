/* arena.c: size classes over a bump pointer; the bookkeeping lives in the region itself, so that it is saved with it. */
#include "script/arena.h"

#include <sys/mman.h>

#define REFUSALS_MAX 6
#define SMALL_MAX 512u
#define SMALL_CLASSES (SMALL_MAX / 16u)    /* multiples of 16 */
#define CLASSES (SMALL_CLASSES + 4u * 16u) /* then four sizes to each doubling, up to 32 MiB */

/* A freed block begins with the next one of its class. */
struct block {
	struct block *next;
};

struct arena {
	size_t size, top, used, peak, limit;
	unsigned refusals;
	struct block *freed[CLASSES];
	/* Not part of what is put back: */
	unsigned char *saved; /* owns */
	size_t saved_size, high;
};

#define HEADER ((sizeof(struct arena) + 63u) & ~(size_t)63u)

/* The class of a size, and the bytes that blocks of this class have. */
static unsigned class_of(size_t size, size_t *bytes)
{
	unsigned doubling = 0;
	size_t base = SMALL_MAX;

	if (size <= SMALL_MAX) {
		unsigned c = (unsigned)((size + 15) / 16);

		*bytes = c * (size_t)16;
		return c - 1;
	}
	while (base * 2 < size) {
		base *= 2;
		doubling++;
	}
	for (unsigned quarter = 0; quarter < 3; quarter++) {
		*bytes = base + base / 4 * (quarter + 1);
		if (size <= *bytes)
			return SMALL_CLASSES + doubling * 4 + quarter;
	}
	*bytes = base * 2;
	return SMALL_CLASSES + doubling * 4 + 3;
}

static void *take(struct arena *a, size_t size)
{
	size_t bytes;
	unsigned c;
	struct block *b;

	if (size > a->size)
		return NULL;
	c = class_of(size, &bytes);
	assert(c < CLASSES);
	b = a->freed[c];
	if (b) {
		a->freed[c] = b->next;
		return b;
	}
	if (bytes > a->size - a->top)
		return NULL;
	b = (void *)((unsigned char *)a + a->top);
	a->top += bytes;
	if (a->top > a->high)
		a->high = a->top;
	return b;
}

static void give_back(struct arena *a, void *p, size_t size)
{
	size_t bytes;
	unsigned c = class_of(size, &bytes);
	struct block *b = p;

	b->next = a->freed[c];
	a->freed[c] = b;
}

void *arena_alloc(void *ud, void *p, size_t old, size_t size)
{
	struct arena *a = ud;
	size_t bytes;
	void *q;

	if (!p)
		old = 0;
	if (size == 0) {
		if (p && old)
			give_back(a, p, old);
		a->used -= old;
		return NULL;
	}
	if (old && class_of(size, &bytes) == class_of(old, &bytes) &&
		(size <= old || a->used + (size - old) <= a->limit)) {
		a->used = a->used - old + size;
	} else {
		q = size > old && a->used + (size - old) > a->limit ? NULL : take(a, size);
		if (!q && size <= old)
			return p; /* Lua expects shrinking to work; the block stays as large as it was */
		if (!q) {
			/* Near the limit every little thing costs a full collection. Enough is enough. */
			if (++a->refusals > REFUSALS_MAX)
				a->limit = 0;
			return NULL;
		}
		if (old) {
			memcpy(q, p, size < old ? size : old);
			give_back(a, p, old);
		}
		a->used = a->used - old + size;
		p = q;
	}
	if (a->used > a->peak)
		a->peak = a->used;
	return p;
}

struct arena *arena_open(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct arena *a = p;

	if (p == MAP_FAILED)
		return NULL;
	a->size = size;
	a->top = a->high = HEADER;
	a->limit = size;
	return a;
}

void arena_set_limit(struct arena *a, size_t bytes)
{
	a->limit = bytes < a->size - a->used ? a->used + bytes : a->size;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

size_t arena_peak(const struct arena *a)
{
	return a->peak;
}

enum st arena_save(struct arena *a)
{
	a->peak = a->used;
	a->saved_size = a->top;
	a->saved = malloc(a->saved_size);
	if (!a->saved)
		return ST_NOMEM;
	memcpy(a->saved, a, a->saved_size);
	return ST_OK;
}

void arena_restore(struct arena *a)
{
	unsigned char *saved = a->saved;
	size_t saved_size = a->saved_size, high = a->high;

	memset((unsigned char *)a + saved_size, 0, high - saved_size);
	memcpy(a, saved, saved_size);
	/* The copy was made before these were known. */
	a->saved = saved;
	a->saved_size = a->high = saved_size;
}
