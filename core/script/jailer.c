/* jailer.c: makes the state, seals the process, answers calls. A call that runs too long ends the process: its own timer
 * counts processor time, so that a busy machine does not condemn an innocent script, and says so in a last answer. */
#include "script/jailer.h"

#include "base/log.h"
#include "script/confine.h"
#include "script/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static struct {
	int fd;
	volatile sig_atomic_t answering; /* something is on its way to the worker: the clock must not cut it */
	volatile sig_atomic_t overdue; /* the clock rang meanwhile */
	unsigned char frame[JAIL_FRAME_MAX];
	unsigned char reply[JAIL_REPLY_MAX];
	size_t reply_size;
	struct buf answer;
	unsigned char late[64]; /* the answer of a call that ran too long, ready to be sent from a signal handler */
	size_t late_size;
} jail;

static bool read_all(unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = read(jail.fd, p, n);

		if (got == 0 || (got < 0 && errno != EINTR))
			return false;
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return true;
}

static bool write_all(const unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(jail.fd, p, n);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			p += put;
			n -= (size_t)put;
		}
	}
	return true;
}

/* ---- Running time ------------------------------------------------------------------------------------------------------ */

static void too_long(int signo)
{
	(void)signo;
	if (jail.answering) {
		jail.overdue = 1;
		return;
	}
	(void)write_all(jail.late, jail.late_size);
	_exit(0);
}

static bool set_clock(int ms)
{
	struct itimerval t = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};

	return setitimer(ITIMER_PROF, &t, NULL) == 0;
}

static bool prepare_clock(void)
{
	struct sigaction action = {.sa_handler = too_long};
	struct buf b = {0};
	char text[40];

	snprintf(text, sizeof text, "ran longer than %d ms", JAIL_RUNNING_MS);
	buf_add_u32(&b, 0);
	buf_add_u8(&b, JAIL_TIMEOUT);
	buf_add_u32(&b, 0);
	buf_add_u32(&b, 0);
	buf_add_u32(&b, JAIL_RUNNING_MS * 1000);
	buf_add_u32(&b, (uint32_t)strlen(text));
	buf_add_str(&b, text);
	buf_add_u32(&b, 0);
	buf_add_u8(&b, 0);
	buf_add_u8(&b, 0);
	if (b.failed || b.n > sizeof jail.late)
		return false;
	b.p[3] = (unsigned char)(b.n - 4);
	memcpy(jail.late, b.p, b.n);
	jail.late_size = b.n;
	buf_free(&b);
	sigemptyset(&action.sa_mask);
	return sigaction(SIGPROF, &action, NULL) == 0;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------- */

static bool read_frame(unsigned char *room, size_t size, struct slice *frame)
{
	unsigned char head[4];
	struct slice s = {head, sizeof head};
	uint32_t n;

	if (!read_all(head, sizeof head) || !read_u32(&s, &n) || n > size || !read_all(room, n))
		return false;
	*frame = slice_of(room, n);
	return true;
}

static bool send_frame(struct buf *frame)
{
	size_t n = frame->n - 4;

	if (frame->failed || n > JAIL_FRAME_MAX)
		return false;
	for (int i = 0; i < 4; i++)
		frame->p[i] = (unsigned char)(n >> (24 - 8 * i));
	return write_all(frame->p, frame->n);
}

/* Waiting takes no processor time, so that the clock stands still by itself. */
static struct slice ask(struct buf *frame)
{
	struct slice reply = {0};

	jail.answering = 1;
	if (!send_frame(frame) || !read_frame(jail.reply, sizeof jail.reply, &reply))
		_exit(0);
	if (reply.n > jail.reply_size)
		jail.reply_size = reply.n;
	jail.answering = 0;
	if (jail.overdue)
		too_long(0);
	return reply;
}

static bool serve_one(void)
{
	struct slice frame;

	if (!read_frame(jail.frame, sizeof jail.frame, &frame))
		return false;
	buf_clear(&jail.answer);
	buf_add_u32(&jail.answer, 0);
	jail.answering = jail.overdue = 0;
	if (!set_clock(JAIL_RUNNING_MS))
		return false;
	sandbox_call(frame, &jail.answer);
	jail.answering = 1;
	if (!set_clock(0) || !send_frame(&jail.answer))
		return false;
	explicit_bzero(jail.frame, frame.n);
	explicit_bzero(jail.answer.p, jail.answer.n);
	explicit_bzero(jail.reply, jail.reply_size);
	jail.reply_size = 0;
	return true;
}

int jail_main(int fd)
{
	char error[300] = "";

	jail.fd = fd;
	if (sandbox_open(ask, error, sizeof error) != ST_OK) {
		log_line(LOG_ERROR, "jail cannot start error=%s", error);
		log_flush();
		return 3;
	}
	if (confine_process(fd) != ST_OK || !prepare_clock() ||
		!buf_reserve(&jail.answer, JAIL_FRAME_MAX))
		return 2;
	if (confine_seal(fd) != ST_OK)
		return 4;
	while (serve_one())
		continue;
	_exit(0); /* nothing of exit's, which sealed processes may not do */
}
