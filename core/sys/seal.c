/* seal.c: no_new_privs, Landlock and seccomp for worker and configuration process.
 *
 * Kernel structures and numbers are spelled out here, because musl comes without kernel headers and Debian's are older
 * than the kernels we run on. */
#include "sys/seal.h"

#include "net/tls_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

/* ---- Landlock ------------------------------------------------------------------------------------------------- */

struct landlock_ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

struct landlock_path {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_REG = 1 << 8,
	FS_TRUNCATE = 1 << 14,
	FS_ALL_V1 = (1 << 13) - 1,
	FS_ALL_V2 = (1 << 14) - 1, /* refer */
	FS_ALL_V3 = (1 << 15) - 1, /* truncate */
	FS_ALL_V5 = (1 << 16) - 1, /* ioctl on devices */
	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ALL = 3, /* abstract sockets, signals */
};

#ifdef SYS_landlock_create_ruleset
#define CALL_LANDLOCK SYS_landlock_create_ruleset
#elif defined(__mips__)
#define CALL_LANDLOCK 4444
#else
#define CALL_LANDLOCK 444
#endif

int seal_landlock_version(void)
{
	long v = syscall(CALL_LANDLOCK, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
	return v > 0 ? (int)v : 0;
}

static enum st add_rule(int ruleset, const char *path, uint64_t allowed)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path rule = {allowed, fd};

	if (fd < 0)
		return ST_NOTFOUND;
	long failed = syscall(CALL_LANDLOCK + 1, ruleset, 1 /* path beneath */, &rule, 0);
	int saved = errno;
	close(fd);
	errno = saved;
	return failed ? ST_IO : ST_OK;
}

/* Reading of one file, wherever its name leads. A file that is replaced is another one: so all of its folder is meant, unless
 * other things stand there. */
static enum st allow_reading(int ruleset, const char *name)
{
	char path[PATH_MAX];
	char *slash = realpath(name, path) ? strrchr(path, '/') : NULL;

	if (!slash)
		return ST_OK; /* there is none */
	*slash = '\0';
	if (path[0] == '\0' || !strcmp(path, "/etc") || !strcmp(path, "/etc/ssl") ||
		!strcmp(path, "/run") || !strcmp(path, "/tmp") || !strcmp(path, "/var"))
		*slash = '/';
	return add_rule(ruleset, path, FS_READ_FILE);
}

/* What the C library reads to find an address, and whom to believe that it is the right one. */
static enum st allow_outgoing(int ruleset)
{
	const char *names[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
		"/etc/gai.conf", "/etc/host.conf", tls_trust_path()};
	enum st st = ST_OK;

	for (size_t i = 0; i < ARRAY_LEN(names) && !st; i++)
		if (names[i])
			st = allow_reading(ruleset, names[i]);
	return st;
}

/* Allows `access` below path and nothing elsewhere; network and what goes with it as told. A kernel without Landlock is not an
 * error. */
static enum st landlock(const char *path, uint64_t access, bool outgoing)
{
	int version = seal_landlock_version();
	struct landlock_ruleset set = {FS_ALL_V1, 0, 0};
	size_t size = sizeof(uint64_t);
	enum st st = ST_IO;

	if (!version)
		return ST_OK;
	if (version >= 2)
		set.handled_access_fs = FS_ALL_V2;
	if (version >= 3)
		set.handled_access_fs = FS_ALL_V3;
	if (version >= 4) {
		set.handled_access_net = NET_BIND_TCP | (outgoing ? 0 : NET_CONNECT_TCP);
		size = 2 * sizeof(uint64_t);
	}
	if (version >= 5)
		set.handled_access_fs = FS_ALL_V5;
	if (version >= 6) {
		set.scoped = SCOPE_ALL;
		size = sizeof(set);
	}
	int ruleset = (int)syscall(CALL_LANDLOCK, &set, size, 0);
	if (ruleset < 0)
		return ST_IO;
	if (!add_rule(ruleset, path, access & set.handled_access_fs) &&
		!(outgoing && allow_outgoing(ruleset)) && !syscall(CALL_LANDLOCK + 2, ruleset, 0))
		st = ST_OK;
	int saved = errno;
	close(ruleset);
	errno = saved;
	return st;
}

/* ---- seccomp -------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define NATIVE_ARCH 0xC000003Eu
#elif defined(__aarch64__)
#define NATIVE_ARCH 0xC00000B7u
#elif defined(__arm__)
#define NATIVE_ARCH 0x40000028u
#elif defined(__mips__) && defined(__MIPSEL__) && _MIPS_SIM == _ABIO32
#define NATIVE_ARCH 0x40000008u
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH 0xC00000F3u
#else
#error "seal.c: name this architecture's AUDIT_ARCH"
#endif

struct bpf {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

struct bpf_program {
	unsigned short n;
	struct bpf *code;
};

enum {
	BPF_LOAD = 0x20,
	BPF_JEQ = 0x15,
	BPF_JGE = 0x35,
	BPF_JSET = 0x45,
	BPF_AND = 0x54,
	BPF_RET = 0x06
};
enum {
	AT_NR = 0,
	AT_ARCH = 4,
	AT_ARGS = 16
}; /* offsets in struct seccomp_data; arguments are 8 bytes, little endian */
#define RET_ALLOW 0x7fff0000u
#define RET_KILL 0x80000000u
#define RET_ERRNO(e) (0x00050000u | (uint32_t)(e))

struct filter {
	struct bpf code[512];
	unsigned short n;
};

static void emit(struct filter *f, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	assert(f->n < ARRAY_LEN(f->code));
	f->code[f->n++] = (struct bpf){code, jt, jf, k};
}

static void on_call(struct filter *f, long nr, uint32_t verdict)
{
	emit(f, BPF_JEQ, 0, 1, (uint32_t)nr);
	emit(f, BPF_RET, 0, 0, verdict);
}

/* Call nr passes unless argument `arg` has one of `bits`; then it fails with error e. */
static void allow_without_bits(struct filter *f, long nr, unsigned arg, uint32_t bits, int e)
{
	emit(f, BPF_JEQ, 0, 4, (uint32_t)nr);
	emit(f, BPF_LOAD, 0, 0, AT_ARGS + 8 * arg);
	emit(f, BPF_JSET, 0, 1, bits);
	emit(f, BPF_RET, 0, 0, RET_ERRNO(e));
	emit(f, BPF_RET, 0, 0, RET_ALLOW);
}

static void allow_with_bits(struct filter *f, long nr, unsigned arg, uint32_t bits, int e)
{
	emit(f, BPF_JEQ, 0, 4, (uint32_t)nr);
	emit(f, BPF_LOAD, 0, 0, AT_ARGS + 8 * arg);
	emit(f, BPF_JSET, 1, 0, bits);
	emit(f, BPF_RET, 0, 0, RET_ERRNO(e));
	emit(f, BPF_RET, 0, 0, RET_ALLOW);
}

/* Internet sockets only: TCP, and UDP for name servers. Other protocols are kernel that nothing here needs. */
static void allow_internet_sockets(struct filter *f)
{
	emit(f, BPF_JEQ, 0, 13, SYS_socket);
	emit(f, BPF_LOAD, 0, 0, AT_ARGS);
	emit(f, BPF_JEQ, 1, 0, AF_INET);
	emit(f, BPF_JEQ, 0, 9, AF_INET6);
	emit(f, BPF_LOAD, 0, 0, AT_ARGS + 8);
	emit(f, BPF_AND, 0, 0, 0xf); /* the type without SOCK_CLOEXEC and SOCK_NONBLOCK */
	emit(f, BPF_JEQ, 1, 0, SOCK_STREAM);
	emit(f, BPF_JEQ, 0, 5, SOCK_DGRAM);
	emit(f, BPF_LOAD, 0, 0, AT_ARGS + 16);
	emit(f, BPF_JEQ, 2, 0, 0);
	emit(f, BPF_JEQ, 1, 0, IPPROTO_TCP);
	emit(f, BPF_JEQ, 0, 1, IPPROTO_UDP);
	emit(f, BPF_RET, 0, 0, RET_ALLOW);
	emit(f, BPF_RET, 0, 0, RET_ERRNO(EACCES));
}

static void allow_all(struct filter *f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		on_call(f, calls[i], RET_ALLOW);
}

/* Every filter begins so: another architecture or the x32 bit would renumber the calls below (S22). */
static void filter_begin(struct filter *f)
{
	f->n = 0;
	emit(f, BPF_LOAD, 0, 0, AT_ARCH);
	emit(f, BPF_JEQ, 1, 0, NATIVE_ARCH);
	emit(f, BPF_RET, 0, 0, RET_KILL);
	emit(f, BPF_LOAD, 0, 0, AT_NR);
#ifdef __x86_64__
	emit(f, BPF_JGE, 0, 1, 0x40000000u);
	emit(f, BPF_RET, 0, 0, RET_KILL);
#endif
}

/* Memory without execution, and what any C program does. */
static void allow_base(struct filter *f)
{
	static const int calls[] = {
		SYS_read,
		SYS_write,
		SYS_readv,
		SYS_writev,
		SYS_close,
		SYS_lseek,
		SYS_fstat,
		SYS_fcntl,
		SYS_brk,
		SYS_munmap,
		SYS_mremap,
		SYS_madvise,
		SYS_futex,
		SYS_clock_gettime,
		SYS_gettimeofday,
		SYS_getrandom,
		SYS_rt_sigaction,
		SYS_rt_sigprocmask,
		SYS_rt_sigreturn,
		SYS_sigaltstack,
		SYS_restart_syscall,
		SYS_exit,
		SYS_exit_group,
		SYS_getpid,
		SYS_gettid,
		SYS_getuid,
		SYS_geteuid,
		SYS_getgid,
		SYS_getegid,
		SYS_nanosleep,
		SYS_clock_nanosleep,
		SYS_sched_yield,
		SYS_pread64,
		SYS_dup,
		SYS_getcwd,
		SYS_uname,
		SYS_set_robust_list,
		SYS_sysinfo,
#ifdef SYS_rseq
		SYS_rseq,
#endif
#ifdef SYS_newfstatat
		SYS_newfstatat,
#endif
#ifdef SYS_fstatat64
		SYS_fstatat64,
#endif
#ifdef SYS_stat
		SYS_stat,
		SYS_lstat,
		SYS_access,
		SYS_readlink,
#endif
#ifdef SYS_stat64
		SYS_stat64,
		SYS_lstat64,
		SYS_fstat64,
		SYS_fcntl64,
		SYS__llseek,
#endif
#ifdef SYS_statx
		SYS_statx,
#endif
		SYS_faccessat,
		SYS_readlinkat,
#ifdef SYS_clock_gettime64
		SYS_clock_gettime64,
		SYS_clock_nanosleep_time64,
		SYS_futex_time64,
#endif
#ifdef SYS_set_thread_area
		SYS_set_thread_area,
#endif
#ifdef SYS_sigreturn
		SYS_sigreturn,
#endif
#ifdef SYS_cacheflush
		SYS_cacheflush,
#endif
	};

	allow_all(f, calls, ARRAY_LEN(calls));
	allow_without_bits(f, SYS_mprotect, 2, PROT_EXEC, EPERM);
#ifdef SYS_mmap
	allow_without_bits(f, SYS_mmap, 2, PROT_EXEC, EPERM);
#endif
#ifdef SYS_mmap2
	allow_without_bits(f, SYS_mmap2, 2, PROT_EXEC, EPERM);
#endif
	/* glibc falls back to the older call on ENOSYS, and only then. */
#ifdef SYS_clone3
	on_call(f, SYS_clone3, RET_ERRNO(ENOSYS));
#else
	on_call(f, 435, RET_ERRNO(ENOSYS));
#endif
#ifdef SYS_faccessat2
	on_call(f, SYS_faccessat2, RET_ERRNO(ENOSYS));
#endif
	/* Nobody here does these by mistake. */
	on_call(f, SYS_execve, RET_KILL);
	on_call(f, SYS_execveat, RET_KILL);
	on_call(f, SYS_ptrace, RET_KILL);
	on_call(f, SYS_process_vm_readv, RET_KILL);
	on_call(f, SYS_process_vm_writev, RET_KILL);
}

/* Everything that was not named fails with EPERM: a C library that tries something newer goes on without it. */
static enum st filter_install(struct filter *f)
{
	struct bpf_program program = {0, f->code};

	emit(f, BPF_RET, 0, 0, RET_ERRNO(EPERM));
	program.n = f->n;
	return prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, &program, 0, 0) ? ST_IO : ST_OK;
}

/* ---- the two processes ---------------------------------------------------------------------------------------- */

static void limit(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit now;

	if (getrlimit(which, &now))
		return;
	if (now.rlim_max != RLIM_INFINITY && (hard == RLIM_INFINITY || hard > now.rlim_max))
		hard = now.rlim_max;
	if (hard != RLIM_INFINITY && soft > hard)
		soft = hard;
	(void)setrlimit(which, &(struct rlimit){soft, hard});
}

void seal_limits(unsigned files)
{
	limit(RLIMIT_CORE, 0, 0);
	if (files)
		limit(RLIMIT_NOFILE, files, files);
}

static enum st give_up_privileges(void)
{
	/* Not dumpable: a process of the same user cannot attach or read our memory through /proc. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return ST_IO;
	return ST_OK;
}

enum st seal_config(void)
{
	static const int calls[] = {
		SYS_getdents64,
	};
	static struct filter f;
	enum st st;

	seal_limits(64);
	limit(RLIMIT_CPU, 5, 6);
#ifndef SANITIZED                               /* the sanitizer maps terabytes */
	limit(RLIMIT_AS, 96u << 20, 96u << 20); /* 64 MiB for Lua and what is mapped anyway */
#endif
	limit(RLIMIT_FSIZE, 0, 0);
	if ((st = give_up_privileges()) || (st = landlock("/", FS_READ_FILE | FS_READ_DIR, false)))
		return st;
	filter_begin(&f);
	allow_base(&f);
	allow_all(&f, calls, ARRAY_LEN(calls));
	allow_without_bits(&f, SYS_openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, EACCES);
#ifdef SYS_open
	allow_without_bits(&f, SYS_open, 1, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, EACCES);
#endif
	return filter_install(&f);
}

static void allow_worker(struct filter *f, bool upstream)
{
	static const int calls[] = {
		/* the loop and its sockets */
		SYS_epoll_ctl,
		SYS_epoll_pwait,
		SYS_ppoll,
		SYS_eventfd2,
		SYS_accept4,
		SYS_accept,
		SYS_recvfrom,
		SYS_recvmsg,
		SYS_sendto,
		SYS_sendmsg,
		SYS_shutdown,
		SYS_getsockname,
		SYS_getpeername,
		SYS_getsockopt,
		SYS_setsockopt,
		SYS_timerfd_create,
		SYS_timerfd_settime,
		SYS_epoll_create1,
		SYS_pipe2,
#ifdef SYS_epoll_wait
		SYS_epoll_wait,
		SYS_poll,
#endif
#ifdef SYS_epoll_pwait2
		SYS_epoll_pwait2,
#endif
#ifdef SYS_ppoll_time64
		SYS_ppoll_time64,
		SYS_timerfd_settime64,
#endif
		/* SQLite and the files beside it */
		SYS_openat,
		SYS_pwrite64,
		SYS_ftruncate,
		SYS_fsync,
		SYS_fdatasync,
		SYS_unlinkat,
		SYS_renameat2,
		SYS_fallocate,
		SYS_fchmod,
		SYS_fstatfs,
#ifdef SYS_renameat
		SYS_renameat,
#endif
#ifdef SYS_open
		SYS_open,
		SYS_unlink,
		SYS_rename,
#endif
#ifdef SYS_ftruncate64
		SYS_ftruncate64,
#endif
		/* threads and their end */
		SYS_tgkill,
		SYS_sched_getaffinity,
		SYS_sched_getparam,
		SYS_sched_getscheduler,
		SYS_set_tid_address,
		SYS_membarrier,
		SYS_getrusage,
	};

	allow_all(f, calls, ARRAY_LEN(calls));
	allow_with_bits(f, SYS_clone, 0, 0x00010000 /* CLONE_THREAD */, EPERM);
	/* prlimit64 may read; SYS_prlimit64(pid, what, new, old) with new = NULL */
	emit(f, BPF_JEQ, 0, 4, SYS_prlimit64);
	emit(f, BPF_LOAD, 0, 0, AT_ARGS + 16);
	emit(f, BPF_JEQ, 1, 0, 0);
	emit(f, BPF_RET, 0, 0, RET_ERRNO(EPERM));
	emit(f, BPF_RET, 0, 0, RET_ALLOW);
	/* FIONREAD and FIONBIO are all that libevent asks of ioctl */
	emit(f, BPF_JEQ, 0, 5, SYS_ioctl);
	emit(f, BPF_LOAD, 0, 0, AT_ARGS + 8);
	emit(f, BPF_JEQ, 2, 0, FIONREAD);
	emit(f, BPF_JEQ, 1, 0, FIONBIO);
	emit(f, BPF_RET, 0, 0, RET_ERRNO(ENOTTY));
	emit(f, BPF_RET, 0, 0, RET_ALLOW);
	if (upstream) {
		allow_internet_sockets(f);
		on_call(f, SYS_connect, RET_ALLOW);
		/* musl's resolver binds its datagram socket; without listen nobody can come in that way. */
		on_call(f, SYS_bind, RET_ALLOW);
		on_call(f, SYS_sendmmsg, RET_ALLOW);
	}
}

enum st seal_worker(const char *data_dir, bool upstream)
{
	static struct filter f;
	enum st st;

	if ((st = give_up_privileges()))
		return st;
	st = landlock(data_dir,
		FS_READ_FILE | FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE,
		upstream);
	if (st)
		return st;
	filter_begin(&f);
	allow_base(&f);
	allow_worker(&f, upstream);
	return filter_install(&f);
}
