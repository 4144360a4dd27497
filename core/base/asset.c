/* asset.c: a sorted table of the program's own files. */
#include "base/asset.h"

struct asset {
	const char *name;  /* borrows */
	struct slice text; /* borrows */
};

static struct asset *assets; /* owns; sorted by name */
static size_t count, room;

/* Where name is, or belongs. */
static size_t place(const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(assets[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool found(size_t at, const char *name)
{
	return at < count && strcmp(assets[at].name, name) == 0;
}

void asset_set(const char *name, const void *data, size_t n)
{
	size_t at = place(name);

	if (!found(at, name)) {
		if (count == room) {
			room = room ? room * 2 : 128;
			assets = realloc(assets, room * sizeof(*assets));
			if (!assets)
				abort();
		}
		memmove(assets + at + 1, assets + at, (count - at) * sizeof(*assets));
		count++;
	}
	assets[at] = (struct asset){name, slice_of(data, n)};
}

bool asset_get(const char *name, struct slice *text)
{
	size_t at = place(name);

	if (!found(at, name))
		return false;
	*text = assets[at].text;
	return true;
}
