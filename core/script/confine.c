/* confine.c: limits, Landlock and the system call filter of a jail. */
#include "script/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define ADDRESS_SPACE (32u << 20)

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define OUR_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define OUR_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#elif defined(__mips__) && defined(__MIPSEL__) && _MIPS_SIM == _ABIO32
#define OUR_ARCH AUDIT_ARCH_MIPSEL
#elif defined(__mips__) && _MIPS_SIM == _ABIO32
#define OUR_ARCH AUDIT_ARCH_MIPS
#else
#error "the system call filter does not know this architecture"
#endif

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

/* ---- Limits ---------------------------------------------------------------------------------------------------------- */

static bool limit(int what, rlim_t value)
{
	struct rlimit l = {value, value};

	return setrlimit(what, &l) == 0;
}

static bool close_others(int fd)
{
	int first = SANITIZED ? 3 : 0; /* sanitizers report on standard error */

	for (int i = first; i < fd; i++)
		close(i);
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)fd + 1, ~0u, 0) == 0)
		return true;
#endif
	for (int i = fd + 1; i < 4096; i++)
		close(i);
	return true;
}

enum st confine_process(int fd)
{
	if (!close_others(fd) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return ST_IO;
	if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_NPROC, 0) || !limit(RLIMIT_FSIZE, 0))
		return ST_IO;
	if (!SANITIZED && !limit(RLIMIT_AS, ADDRESS_SPACE))
		return ST_IO;
	return ST_OK;
}

/* ---- Landlock -------------------------------------------------------------------------------------------------------- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

/* The kernel's struct, as far as we use it: files, network, scopes. A domain without a rule allows nothing. */
struct ruleset {
	uint64_t files, network, scoped;
};

static void landlock(void)
{
	static const uint64_t files[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	struct ruleset r = {0};
	size_t size = sizeof r.files;
	int fd;

	if (version < 1)
		return; /* not in this kernel: the filter below refuses the same things */
	r.files = files[version < 5 ? version : 5];
	if (version >= 4) {
		r.network = 3;
		size = 2 * sizeof(uint64_t);
	}
	if (version >= 6) {
		r.scoped = 3;
		size = sizeof r;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (fd < 0)
		return;
	(void)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
}

/* ---- seccomp --------------------------------------------------------------------------------------------------------- */

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARGUMENT(n) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n)))
#else
#define ARGUMENT(n)                        \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		(uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n) + 4))
#endif
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
/* Each of these falls through to the next rule when the number is another one. */
#define IF_CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), ALLOW
/* The argument's bits must not meet the mask. */
#define IF_CALL_WITHOUT(nr, n, mask)                                  \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 4), ARGUMENT(n), \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (mask), 0, 1), KILL, ALLOW
/* The argument must be value. */
#define IF_CALL_WITH(nr, n, value)                                    \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 4), ARGUMENT(n), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 1, 0), KILL, ALLOW

static enum st install(uint32_t fd)
{
	const struct sock_filter filter[] = {
		/* Another architecture's numbers mean other calls: int $0x80 on x86-64. */
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		KILL,
		LOAD(nr),
#ifdef __x86_64__
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* x32 */
		KILL,
#endif
		IF_CALL_WITH(SYS_read, 0, fd),
#if SANITIZED
		IF_CALL(SYS_write), /* reports */
#else
		IF_CALL_WITH(SYS_write, 0, fd),
#endif
		IF_CALL(SYS_brk),
		IF_CALL(SYS_munmap),
		IF_CALL(SYS_mremap),
		IF_CALL(SYS_madvise),
		IF_CALL(SYS_exit_group),
		IF_CALL(SYS_rt_sigreturn),
		IF_CALL(SYS_setitimer), /* the running time of one call */
#ifdef SYS_clock_gettime
		IF_CALL(SYS_clock_gettime), /* where the vDSO does not answer */
#endif
#ifdef SYS_clock_gettime64
		IF_CALL(SYS_clock_gettime64),
#endif
#if SANITIZED
		IF_CALL(SYS_futex),
		IF_CALL(SYS_sched_yield),
		IF_CALL(SYS_gettid),
		IF_CALL(SYS_getpid),
		IF_CALL(SYS_sigaltstack),
		IF_CALL(SYS_rt_sigprocmask),
		IF_CALL(SYS_rt_sigaction),
#endif
		IF_CALL(SYS_getrandom), /* json.decode's hash keys */
#ifdef SYS_mmap
		IF_CALL_WITHOUT(SYS_mmap, 2, PROT_EXEC),
#endif
#ifdef SYS_mmap2
		IF_CALL_WITHOUT(SYS_mmap2, 2, PROT_EXEC),
#endif
		IF_CALL_WITHOUT(SYS_mprotect, 2, PROT_EXEC),
		KILL,
	};
	struct sock_fprog program = {ARRAY_LEN(filter), (struct sock_filter *)filter};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 ? ST_OK : ST_IO;
}

enum st confine_seal(int fd)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ST_IO;
	landlock();
	if (!limit(RLIMIT_NOFILE, 0))
		return ST_IO;
	return install((uint32_t)fd);
}
