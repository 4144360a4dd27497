/* broker.c: opens what trusted Lua works on. */
#include "sys/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "bind/bind.h"
#include "bind/l_sys.h"
#include "crypto/master.h"
#include "http/client.h"
#include "loop/dns.h"
#include "loop/pool.h"
#include "script/jail.h"
#include "script/vm.h"
#include "store/store.h"

#define POOL_THREADS 2
#define POOL_QUEUE 64
/* They wait for name servers and cost nothing meanwhile. */
#define NAME_THREADS 8
#define NAME_QUEUE 56

static enum st fail(const char *path, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s", path, strerror(errno));
	return ST_IO;
}

/* Writes a new key so that it is there whole or not at all: beside, flushed, then linked to its name, which never
 * replaces one that is there. */
static enum st key_make(const char *data, const char *path, unsigned char key[MASTER_KEY_SIZE])
{
	char beside[4200];

	random_bytes(key, MASTER_KEY_SIZE);
	snprintf(beside, sizeof(beside), "%s/master.key.new", data);
	unlink(beside);
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ST_IO;
	bool ok = write(fd, key, MASTER_KEY_SIZE) == MASTER_KEY_SIZE && fsync(fd) == 0;
	close(fd);
	if (!ok || rename(beside, path))
		return ST_IO;
	int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = folder >= 0 && fsync(folder) == 0;
	if (folder >= 0)
		close(folder);
	return ok ? ST_OK : ST_IO;
}

static enum st key_read(const char *path, unsigned char key[MASTER_KEY_SIZE + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? ST_NOTFOUND : ST_IO;
	ssize_t n = read(fd, key, MASTER_KEY_SIZE + 1);
	close(fd);
	return n == MASTER_KEY_SIZE ? ST_OK : n < 0 ? ST_IO : ST_CORRUPT;
}

static enum st key_open(const char *data, const char *database, char *error, size_t error_size)
{
	unsigned char key[MASTER_KEY_SIZE + 1];
	char path[4200];
	struct stat s;

	snprintf(path, sizeof(path), "%s/master.key", data);
	enum st st = key_read(path, key);
	if (st == ST_NOTFOUND && stat(database, &s) == 0 && s.st_size > 0) {
		snprintf(error,
			error_size, "%s is missing, and the database cannot be read without it: restore the key from a backup",
			path);
		return ST_CORRUPT;
	}
	if (st == ST_NOTFOUND)
		st = key_make(data, path, key);
	if (st == ST_CORRUPT)
		snprintf(error, error_size, "%s is not a key of %d bytes: restore it from a backup",
			path, MASTER_KEY_SIZE);
	else if (st)
		st = fail(path, error, error_size);
	else if ((st = crypto_master_set(key)))
		snprintf(error, error_size, "%s: %s", path, st_name(st));
	secret_wipe(key, sizeof(key));
	return st;
}

static enum st key_forget(void)
{
	unsigned char key[MASTER_KEY_SIZE];

	random_bytes(key, sizeof(key));
	enum st st = crypto_master_set(key);
	secret_wipe(key, sizeof(key));
	return st;
}

enum st broker_open(const char *data, char *error, size_t error_size)
{
	char database[4200];
	enum st st;

	snprintf(database, sizeof(database), "%s%s", data ? data : "",
		data ? "/tidelock.db" : ":memory:");
	if ((st = data ? key_open(data, database, error, error_size) : key_forget()))
		return st;
	if ((st = pool_open(LANE_WORK, POOL_THREADS, POOL_QUEUE)) ||
		(st = pool_open(LANE_NAMES, NAME_THREADS, NAME_QUEUE)) || (st = jail_open())) {
		snprintf(error, error_size, "cannot start: %s", st_name(st));
		return st;
	}
	bind_sys_data_dir(data);
	return store_open(database, error, error_size);
}

void broker_close(void)
{
	jail_close();
	store_close();
	http_client_close();
	pool_close();
	dns_close();
}

struct vm *broker_vm(char *error, size_t error_size)
{
	struct vm *vm = vm_new(NULL, VM_MEMORY_DEFAULT, bind_open, NULL, error, error_size);

	if (vm && vm_load(vm, "boot", error, error_size)) {
		vm_free(vm);
		vm = NULL;
	}
	return vm;
}
