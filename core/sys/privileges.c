/* privileges.c: the data folder's owner, dropping to it, the data folder's lock. */
#include "sys/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Looks a name up in /etc/passwd. Not getpwnam: a static program must not load name services. */
static bool passwd_find(const char *name, struct identity *id)
{
	char line[512];
	FILE *f = fopen("/etc/passwd", "re");
	size_t n = strlen(name);
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned uid, gid;
		if (strncmp(line, name, n) || line[n] != ':')
			continue;
		char *ids = strchr(line + n + 1, ':');
		if (ids && sscanf(ids, ":%u:%u:", &uid, &gid) == 2) {
			*id = (struct identity){uid, gid};
			found = true;
		}
	}
	if (f)
		fclose(f);
	return found;
}

static bool identity_parse(const char *text, struct identity *id)
{
	char *end;

	if (*text < '0' || *text > '9')
		return passwd_find(text, id);
	unsigned long uid = strtoul(text, &end, 10), gid = uid;
	if (*end == ':' && end[1] >= '0' && end[1] <= '9')
		gid = strtoul(end + 1, &end, 10);
	*id = (struct identity){(uid_t)uid, (gid_t)gid};
	return !*end && uid < UINT32_MAX && gid < UINT32_MAX;
}

static int make_folder(const char *path)
{
	char part[4096];
	size_t n = strlen(path);

	if (n >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(part, path, n + 1);
	for (size_t i = 1; i < n; i++) {
		if (part[i] != '/')
			continue;
		part[i] = 0;
		if (mkdir(part, 0755) && errno != EEXIST && errno != EROFS)
			return -1;
		part[i] = '/';
	}
	return mkdir(part, 0700) && errno != EEXIST ? -1 : 0;
}

/* Hands the folder's plain files over. They lie flat; links are left alone, so that nobody can aim us elsewhere. */
static void give_files(int folder, const struct identity *id)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;

	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat s;
		if (fstatat(folder, e->d_name, &s, AT_SYMLINK_NOFOLLOW) || !S_ISREG(s.st_mode) ||
			s.st_nlink != 1)
			continue;
		if (s.st_uid != id->uid &&
			fchownat(folder, e->d_name, id->uid, id->gid, AT_SYMLINK_NOFOLLOW))
			continue;
	}
	if (d)
		closedir(d);
	else if (copy >= 0)
		close(copy);
}

enum st privileges_prepare(
	const char *data, const char *run_as, struct identity *id, char *error, size_t error_size)
{
	struct stat s;
	int fd = -1;
	enum st st = ST_IO;

	if (make_folder(data) || (fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
		fstat(fd, &s)) {
		snprintf(error, error_size, "data folder %s: %s", data, strerror(errno));
		goto out;
	}
	*id = (struct identity){s.st_uid, s.st_gid};
	if (*run_as && !identity_parse(run_as, id)) {
		snprintf(error,
			error_size, "run_as: there is no user \"%s\" (a number, or \"uid:gid\", works everywhere)",
			run_as);
		goto out;
	}
	if (geteuid() != 0) {
		if (id->uid != geteuid()) {
			snprintf(error,
				error_size, "%s belongs to user %u, and this is user %u: start as that user or as root",
				data, (unsigned)id->uid, (unsigned)geteuid());
			goto out;
		}
	} else {
		if ((s.st_uid != id->uid || s.st_gid != id->gid) && fchown(fd, id->uid, id->gid)) {
			snprintf(error, error_size, "data folder %s: %s", data, strerror(errno));
			goto out;
		}
		give_files(fd, id);
	}
	if (s.st_mode & 07 && fchmod(fd, 0700)) {
		snprintf(error, error_size, "data folder %s may be read by anybody: %s", data,
			strerror(errno));
		goto out;
	}
	st = ST_OK;
out:
	if (fd >= 0)
		close(fd);
	return st;
}

/* capset(2) with empty sets; the structures are the kernel's version 3. */
static int drop_capabilities(void)
{
	struct {
		uint32_t version;
		int pid;
	} head = {0x20080522, 0};
	struct {
		uint32_t effective, permitted, inheritable;
	} none[2] = {{0, 0, 0}, {0, 0, 0}};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (int)syscall(SYS_capset, &head, none);
}

enum st privileges_drop(const struct identity *id)
{
	if (geteuid() == 0) {
		if (setgroups(0, NULL) || setresgid(id->gid, id->gid, id->gid) ||
			setresuid(id->uid, id->uid, id->uid))
			return ST_IO;
		/* The way back must be closed, or nothing was given up. */
		if (id->uid != 0 && (setuid(0) == 0 || geteuid() != id->uid))
			abort();
	} else if (geteuid() != id->uid) {
		errno = EPERM;
		return ST_IO;
	}
	return drop_capabilities() ? ST_IO : ST_OK;
}

int data_lock(const char *data, const struct identity *id, char *error, size_t error_size)
{
	char path[4200], holder[32] = "";

	snprintf(path, sizeof(path), "%s/lock", data);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);
		if (n > 0)
			holder[n] = 0;
		holder[strspn(holder, "0123456789")] = 0;
		snprintf(error, error_size, "%s is in use by another tidelock (process %s)", data,
			*holder ? holder : "unknown");
		close(fd);
		return -1;
	}
	int n = snprintf(holder, sizeof(holder), "%d\n", (int)getpid());
	if ((geteuid() == 0 && fchown(fd, id->uid, id->gid)) || ftruncate(fd, 0) ||
		pwrite(fd, holder, (size_t)n, 0) != n) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}
