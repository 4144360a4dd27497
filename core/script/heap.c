/* heap.c: one list of free blocks for each small size; larger ones are malloc's. */
#include "script/heap.h"

#define STEP 16u
#define CHUNK (16u * 1024)

/* A free block begins with the next one of its size. */
struct heap_block {
	struct heap_block *next;
};

struct heap_chunk {
	_Alignas(STEP) struct heap_chunk *next;
};

/* Sanitizers follow blocks of malloc's only. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(address_sanitizer) || defined(__SANITIZE_ADDRESS__)
#define SMALL_MAX 0u
#else
#define SMALL_MAX (HEAP_CLASSES * STEP)
#endif

static bool is_small(size_t size)
{
	return size > 0 && size <= SMALL_MAX;
}

static size_t class_of(size_t size)
{
	return (size - 1) / STEP;
}

static bool add_chunk(struct heap *h)
{
	struct heap_chunk *c = malloc(CHUNK);

	if (!c)
		return false;
	c->next = h->chunks;
	h->chunks = c;
	h->at = sizeof(*c);
	h->left = CHUNK - sizeof(*c);
	return true;
}

/* The rest of a chunk that is too small for a block is lost. */
static void *take(struct heap *h, size_t class)
{
	struct heap_block *b = h->freed[class];
	size_t bytes = (class + 1) * STEP;

	if (b) {
		h->freed[class] = b->next;
		return b;
	}
	if (h->left < bytes && !add_chunk(h))
		return NULL;
	h->at += bytes;
	h->left -= bytes;
	return (unsigned char *)h->chunks + h->at - bytes;
}

static void give_back(struct heap *h, void *p, size_t class)
{
	struct heap_block *b = p;

	b->next = h->freed[class];
	h->freed[class] = b;
}

static void drop(struct heap *h, void *p, size_t size)
{
	if (is_small(size))
		give_back(h, p, class_of(size));
	else
		free(p);
}

void *heap_resize(struct heap *h, void *p, size_t old, size_t size)
{
	void *q;

	if (!is_small(old) && !is_small(size)) {
		if (size > 0)
			return realloc(p, size);
		free(p);
		return NULL;
	}
	if (is_small(old) && is_small(size) && class_of(old) == class_of(size))
		return p;
	if (size == 0) {
		drop(h, p, old);
		return NULL;
	}
	q = is_small(size) ? take(h, class_of(size)) : malloc(size);
	if (!q || old == 0)
		return q;
	memcpy(q, p, old < size ? old : size);
	drop(h, p, old);
	return q;
}

void heap_close(struct heap *h)
{
	while (h->chunks) {
		struct heap_chunk *c = h->chunks;

		h->chunks = c->next;
		free(c);
	}
	memset(h, 0, sizeof(*h));
}
