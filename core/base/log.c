/* log.c: records into one buffer, the buffer to standard error. */
#include "base/log.h"
#include "base/clock.h"
#include "base/codec.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192 /* of a record's text; the rest is cut */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct buf pending = {.max = 64 * 1024}; /* under mutex */
static bool exit_hooked;                        /* under mutex */
static _Atomic int lowest = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(enum log_level level)
{
	assert((size_t)level < ARRAY_LEN(level_names));
	return level_names[level];
}

void log_set_level(enum log_level level)
{
	atomic_store(&lowest, (int)level);
}

bool log_wants(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

/* Characters that end a line, or reorder it, on somebody's terminal: C1 controls, line and paragraph separators, the
 * bidirectional controls, the byte order mark. */
static bool deceptive(struct slice c)
{
	uint32_t point;

	if (c.n == 2)
		return c.p[0] == 0xc2 && c.p[1] < 0xa0;
	if (c.n != 3)
		return false;
	point = (uint32_t)(c.p[0] & 15) << 12 | (uint32_t)(c.p[1] & 63) << 6 | (c.p[2] & 63);
	return (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
		(point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* How many characters from the first on stand for themselves: nearly always all of them. */
static size_t plain_length(struct slice text, bool in_quotes)
{
	size_t n = 0;

	while (n < text.n && text.p[n] >= ' ' && text.p[n] < 0x7f &&
		!(in_quotes && (text.p[n] == '"' || text.p[n] == '\\')))
		n++;
	return n;
}

/* Appends the first characters of *text, escaped where they must be, and takes them off. */
static void add_escaped(struct buf *out, struct slice *text, bool in_quotes)
{
	size_t plain = plain_length(*text, in_quotes);
	size_t n = plain ? 0 : utf8_length(*text);
	struct slice character = slice_sub(*text, 0, plain ? plain : n ? n : 1);
	unsigned char c = character.p[0];

	*text = slice_sub(*text, character.n, text->n);
	if (plain) {
		buf_add_slice(out, character);
		return;
	}
	if (c == '\n')
		buf_add_str(out, "\\n");
	else if (c == '\r')
		buf_add_str(out, "\\r");
	else if (c == '\t')
		buf_add_str(out, "\\t");
	else if (n == 0 || c < 0x20 || c == 0x7f || deceptive(character))
		for (size_t i = 0; i < character.n; i++)
			buf_printf(out, "\\x%02x", character.p[i]);
	else if (in_quotes && (c == '"' || c == '\\'))
		buf_printf(out, "\\%c", c);
	else
		buf_add_slice(out, character);
}

void log_quote(struct buf *out, struct slice value)
{
	buf_add_u8(out, '"');
	while (value.n)
		add_escaped(out, &value, true);
	buf_add_u8(out, '"');
}

static void write_out(struct slice bytes)
{
	while (bytes.n) {
		ssize_t wrote = write(STDERR_FILENO, bytes.p, bytes.n);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0 && errno == EAGAIN) {
			/* A reader that sleeps may hold us up for a moment, not for ever. */
			struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};

			if (poll(&writable, 1, 100) == 1)
				continue;
		}
		if (wrote <= 0)
			return; /* nobody left to tell */
		bytes = slice_sub(bytes, (size_t)wrote, bytes.n);
	}
}

static void flush_locked(void)
{
	write_out(buf_slice(&pending));
	buf_clear(&pending);
}

void log_flush(void)
{
	pthread_mutex_lock(&mutex);
	if (pending.n)
		flush_locked();
	pthread_mutex_unlock(&mutex);
}

/* Under mutex: the second that was written last, and how. */
static void add_time(struct buf *out)
{
	static time_t written = -1;
	static char text[32];
	int64_t now = clock_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	unsigned ms = (unsigned)(now % 1000);
	char fraction[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
		(char)('0' + ms % 10), 'Z'};
	struct tm tm;

	if (seconds != written) {
		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		written = seconds;
	}
	buf_add_str(out, text);
	buf_add(out, fraction, sizeof(fraction));
}

static void add_record(enum log_level level, struct slice text)
{
	struct slice rest = slice_sub(text, 0, LINE_MAX_BYTES);
	size_t start = pending.n;

	add_time(&pending);
	buf_add_u8(&pending, ' ');
	buf_add_str(&pending, log_level_name(level));
	buf_add_u8(&pending, ' ');
	while (rest.n && pending.n - start < LINE_MAX_BYTES)
		add_escaped(&pending, &rest, false);
	if (rest.n || text.n > LINE_MAX_BYTES)
		buf_add_str(&pending, "...");
	buf_add_u8(&pending, '\n');
}

void log_slice(enum log_level level, struct slice text)
{
	if (!log_wants(level))
		return;
	pthread_mutex_lock(&mutex);
	if (!exit_hooked) {
		exit_hooked = true;
		atexit(log_flush);
	}
	if (pending.n > pending.max - 2 * LINE_MAX_BYTES)
		flush_locked();
	add_record(level, text);
	if (pending.failed) {
		/* Out of memory: better a broken line than none. */
		pending.failed = false;
		buf_add_u8(&pending, '\n');
		flush_locked();
	} else if (level >= LOG_WARN) {
		flush_locked();
	}
	pthread_mutex_unlock(&mutex);
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;
	int n;

	if (!log_wants(level))
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		log_slice(level,
			slice_of(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1));
}
