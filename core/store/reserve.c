/* reserve.c: the reserve file. Used by the db thread, and by store_open before that thread runs. */
#include "store/reserve.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/secret.h"
#include "store/sqlite.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESERVE_BYTES (1 << 20)
#define RETRY_US (30 * 1000000)
#define RETRY_SPENT_US (3 * 1000000)

static char reserve[PATH_MAX]; /* empty = none */
static bool present, spent;
static int64_t tried; /* clock_work_us */

/* Random bytes, so that a compressing file system keeps the space too. */
static bool fill(int fd)
{
	unsigned char block[16384];

	for (size_t done = 0; done < RESERVE_BYTES; done += sizeof(block)) {
		random_bytes(block, sizeof(block));
		if (fault_hit(FAULT_DISK_FULL) ||
			write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			return false;
	}
	return fsync(fd) == 0;
}

static void make(void)
{
	struct stat info;
	int fd;

	tried = clock_work_us();
	fd = open(reserve, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	present = (fstat(fd, &info) == 0 && info.st_size == RESERVE_BYTES) ||
		(ftruncate(fd, 0) == 0 && fill(fd));
	close(fd);
	/* Half a reserve would only take what is left from the others. */
	if (!present)
		unlink(reserve);
}

void reserve_open(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	int folder = slash ? (int)(slash - path) + 1 : 0;

	reserve[0] = 0;
	present = spent = false;
	if (!path || strcmp(path, ":memory:") == 0)
		return;
	if (snprintf(reserve, sizeof(reserve), "%.*sreserve", folder, path) < (int)sizeof(reserve))
		make();
}

bool reserve_release(void)
{
	if (!present)
		return false;
	present = false;
	tried = clock_work_us();
	if (unlink(reserve) != 0)
		return false;
	spent = true;
	sqlite_faults_allow(RESERVE_BYTES);
	log_line(LOG_WARN, "disk full: the reserve is freed for sign-outs and revocations");
	return true;
}

bool reserve_is_spent(void)
{
	return spent;
}

void reserve_restore(void)
{
	if (present || !reserve[0] || clock_work_us() - tried < (spent ? RETRY_SPENT_US : RETRY_US))
		return;
	sqlite_faults_allow(0);
	make();
	if (present) {
		spent = false;
		log_line(LOG_INFO, "the disk has room again: the reserve is back");
	} else if (spent) {
		sqlite_faults_allow(RESERVE_BYTES); /* it was not taken after all */
	}
}
