/* asset.c: looks up embedded files, or reads them from the developer's folder. */
#include "base/asset.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define ASSET_MAX (4u << 20)

struct loaded {
	struct loaded *next;
	char *name;      /* owns */
	struct buf text; /* owns */
};

static const struct asset *assets;
static size_t asset_count;
static char *folder;          /* owns */
static struct loaded *loaded; /* owns; only with a folder */

static void forget_loaded(void)
{
	while (loaded) {
		struct loaded *next = loaded->next;

		buf_free(&loaded->text);
		free(loaded->name);
		free(loaded);
		loaded = next;
	}
}

void asset_set_source(const struct asset *list, size_t n, const char *dir)
{
	forget_loaded();
	free(folder);
	folder = dir ? strdup(dir) : NULL;
	if (dir && !folder)
		abort(); /* start-up */
	assets = list;
	asset_count = n;
}

/* Letters, digits, "_", "-", "." and "/" with no empty part and no part that begins with a dot. */
static bool plain_path(const char *name)
{
	bool part_begins = true;

	for (const char *c = name; *c; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9');

		if (!letter && *c != '_' && *c != '-' && *c != '.' && *c != '/')
			return false;
		if (part_begins && (*c == '/' || *c == '.'))
			return false;
		part_begins = *c == '/';
	}
	return !part_begins;
}

static bool read_whole(const char *name, struct buf *text)
{
	char path[PATH_MAX];
	ssize_t got = -1;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	buf_clear(text);
	while (text->n < ASSET_MAX && buf_reserve(text, 4096)) {
		got = read(fd, text->p + text->n, 4096);
		if (got <= 0)
			break;
		text->n += (size_t)got;
	}
	close(fd);
	return got == 0;
}

static bool get_from_folder(const char *name, struct slice *text)
{
	struct loaded *l = loaded;

	while (l && strcmp(l->name, name) != 0)
		l = l->next;
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l || !(l->name = strdup(name))) {
			free(l);
			return false;
		}
		l->next = loaded;
		loaded = l;
	}
	if (!read_whole(name, &l->text))
		return false;
	*text = buf_slice(&l->text);
	return true;
}

static int by_name(const void *name, const void *item)
{
	return strcmp(name, ((const struct asset *)item)->name);
}

bool asset_get(const char *name, struct slice *text)
{
	const struct asset *found;

	if (!plain_path(name))
		return false;
	if (folder)
		return get_from_folder(name, text);
	found = asset_count ? bsearch(name, assets, asset_count, sizeof(*assets), by_name) : NULL;
	if (!found)
		return false;
	*text = slice_of(found->data, found->size);
	return true;
}

const char *asset_name(size_t i)
{
	return !folder && i < asset_count ? assets[i].name : NULL;
}
