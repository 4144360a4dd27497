/* assets.c: hands embedded files, or those of a developer's folder, to base/asset. */
#include "sys/assets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/asset.h"
#include "sys/channel.h"
#include "sys/embedded.h"

#define ASSETS_MAX 1024
#define NAME_SIZE 96
#define DEPTH_MAX 6

/* The names of files that came from a folder, which base/asset borrows for ever. */
static char (*names)[NAME_SIZE];
static size_t name_count;

static const char *intern(struct slice name)
{
	for (size_t i = 0; i < name_count; i++)
		if (slice_eq(slice_str(names[i]), name))
			return names[i];
	if (!names)
		names = calloc(ASSETS_MAX, NAME_SIZE);
	if (!names || name_count == ASSETS_MAX || name.n >= NAME_SIZE)
		return NULL;
	memcpy(names[name_count], name.p, name.n);
	return names[name_count++];
}

static void use_embedded(void)
{
	for (size_t i = 0; i < embedded_count; i++)
		asset_set(embedded_files[i].name, embedded_files[i].data, embedded_files[i].len);
}

static enum st add_file(int folder, const char *entry, const char *name, struct buf *bundle)
{
	char full[NAME_SIZE + 8];
	struct buf text = {.max = 4u << 20};
	enum st st = ST_IO;
	ssize_t n = 0;

	int fd = openat(folder, entry, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ST_IO;
	while (buf_reserve(&text, 8192) && (n = read(fd, text.p + text.n, 8192)) > 0)
		text.n += (size_t)n;
	close(fd);
	if (n == 0 && !text.failed) {
		snprintf(full, sizeof(full), "lua/%.*s", NAME_SIZE, name);
		st = bundle_add(bundle, full, buf_slice(&text));
	}
	buf_free(&text);
	return st;
}

/* Takes ownership of folder. */
static enum st add_folder(int folder, const char *prefix, unsigned depth, struct buf *bundle)
{
	DIR *d = folder >= 0 ? fdopendir(folder) : NULL;
	enum st st = ST_OK;

	if (!d)
		return ST_IO;
	for (struct dirent *e; !st && (e = readdir(d));) {
		char name[512];
		struct stat s;
		if (e->d_name[0] == '.' || fstatat(folder, e->d_name, &s, 0))
			continue;
		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "/" : "", e->d_name);
		if (S_ISDIR(s.st_mode) && depth)
			st = add_folder(openat(folder, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				name, depth - 1, bundle);
		else if (S_ISREG(s.st_mode) && strlen(name) < NAME_SIZE)
			st = add_file(folder, e->d_name, name, bundle);
	}
	closedir(d);
	return st;
}

enum st assets_bundle(const char *lua_dir, struct buf *bundle)
{
	return add_folder(open(lua_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", DEPTH_MAX, bundle);
}

bool assets_use_bundle(struct slice bundle)
{
	struct slice name, bytes;
	bool any = false;

	use_embedded();
	while (bundle_next(&bundle, &name, &bytes)) {
		if (!slice_has_prefix(name, SLICE_LIT("lua/")))
			continue;
		const char *kept = intern(slice_sub(name, 4, name.n));
		if (kept)
			asset_set(kept, bytes.p, bytes.n);
		any = true;
	}
	return any;
}

void assets_open(const char *lua_dir)
{
	static struct buf folder; /* owns, for ever */

	if (lua_dir && !assets_bundle(lua_dir, &folder))
		assets_use_bundle(buf_slice(&folder));
	else
		use_embedded();
}
