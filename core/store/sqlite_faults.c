/* sqlite_faults.c: debug builds only: SQLite's file layer, wrapped, so that writes fail, the disk fills up and flushes
 * take long when a test says so; and so that writes and flushes are counted. */
#ifdef TIDELOCK_DEBUG

#include "base/fault.h"
#include "store/sqlite.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

struct faulty {
	sqlite3_file base;
	sqlite3_file *real; /* borrows: right behind this struct */
};

static sqlite3_vfs layer;
static sqlite3_vfs *beneath;
static _Atomic int64_t allowance;

static sqlite3_file *real(sqlite3_file *f)
{
	return ((struct faulty *)(void *)f)->real;
}

static int on_close(sqlite3_file *f)
{
	return real(f)->pMethods->xClose(real(f));
}

static int on_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real(f)->pMethods->xRead(real(f), p, n, at);
}

static bool disk_full(int n)
{
	if (!fault_hit(FAULT_DISK_FULL))
		return false;
	return atomic_fetch_sub(&allowance, n) < n;
}

static int on_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	count_add(COUNT_WRITES, 1);
	if (fault_hit(FAULT_DISK_WRITE))
		return SQLITE_IOERR_WRITE;
	if (disk_full(n))
		return SQLITE_FULL;
	return real(f)->pMethods->xWrite(real(f), p, n, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return real(f)->pMethods->xTruncate(real(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
	int64_t delay = fault_value(FAULT_FLUSH_DELAY_MS);

	count_add(COUNT_FSYNCS, 1);
	if (delay > 0)
		usleep((useconds_t)(delay * 1000));
	return real(f)->pMethods->xSync(real(f), flags);
}

static int on_file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real(f)->pMethods->xFileSize(real(f), size);
}

static int on_lock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xLock(real(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xUnlock(real(f), level);
}

static int on_check_lock(sqlite3_file *f, int *held)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), held);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int on_sector_size(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int on_device(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

/* Version 1: no shared memory and no memory mapping, which the driver does without. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_file_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_device,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
	struct faulty *file = (struct faulty *)(void *)f;
	int rc;

	(void)vfs;
	file->base.pMethods = NULL;
	file->real = (sqlite3_file *)(void *)(file + 1);
	rc = beneath->xOpen(beneath, name, file->real, flags, out_flags);
	if (file->real->pMethods)
		file->base.pMethods = &methods;
	return rc;
}

const char *sqlite_faults(void)
{
	if (beneath)
		return layer.zName;
	beneath = sqlite3_vfs_find(NULL);
	if (!beneath)
		return NULL;
	layer = *beneath;
	layer.zName = "faults";
	layer.szOsFile = (int)sizeof(struct faulty) + beneath->szOsFile;
	layer.xOpen = on_open;
	layer.pNext = NULL;
	return sqlite3_vfs_register(&layer, 0) == SQLITE_OK ? layer.zName : NULL;
}

void sqlite_faults_allow(int64_t bytes)
{
	atomic_store(&allowance, bytes);
}

#else
typedef int sqlite_faults_are_for_debug_builds;
#endif
