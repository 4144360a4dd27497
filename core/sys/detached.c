/* detached.c: commands over files alone. Each word that is no option is tried as a file's name; what it holds, or why it cannot be
 * read, goes to the command beside the words. */
#include "sys/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/config_state.h"
#include "sys/config.h"
#include "sys/local.h"
#include "json/json.h"

#define FILE_SIZE_MAX (1u << 20)
#define ALL_MAX (12u << 20)

static bool has_word(const struct arguments *a, unsigned i, const char *word)
{
	return a->n > i && strcmp(a->word[i], word) == 0;
}

bool detached(const struct arguments *a)
{
	if (has_word(a, 0, "rules") || (has_word(a, 0, "try") && has_word(a, 1, "rules")))
		return true;
	for (unsigned i = 1; has_word(a, 0, "check") && i < a->n; i++)
		if (strncmp(a->word[i], "--rules", 7) == 0)
			return true;
	return false;
}

/* NULL when it was read whole. */
static const char *read_whole(const char *path, struct buf *out)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	const char *why = NULL;
	struct stat s;
	ssize_t n = -1;

	out->max = FILE_SIZE_MAX;
	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &s) == 0 && S_ISDIR(s.st_mode))
		errno = EISDIR;
	else
		while (buf_reserve(out, 16384) && (n = read(fd, out->p + out->n, 16384)) > 0)
			out->n += (size_t)n;
	if (n != 0)
		why = out->failed ? "larger than 1 MiB" : strerror(errno);
	close(fd);
	return why;
}

static void add_text(struct buf *out, const void *p, size_t n)
{
	buf_add_u8(out, 's');
	buf_add_u32(out, (uint32_t)n);
	buf_add(out, p, n);
}

/* Appends { files = { word = text }, unread = { word = why } } as wire data. */
static enum st gather(const struct arguments *a, struct buf *wire)
{
	struct buf files = {0}, unread = {0};
	uint32_t read = 0, failed = 0;

	for (unsigned i = 1; i < a->n && files.n < ALL_MAX; i++) {
		struct buf text = {0};
		const char *why;

		if (a->word[i][0] == '-' && a->word[i][1])
			continue;
		why = read_whole(a->word[i], &text);
		add_text(why ? &unread : &files, a->word[i], strlen(a->word[i]));
		if (why)
			add_text(&unread, why, strlen(why));
		else
			add_text(&files, text.p, text.n);
		*(why ? &failed : &read) += 1;
		buf_free(&text);
	}
	buf_add_u8(wire, 'T');
	buf_add_u32(wire, 0);
	buf_add_u32(wire, 2);
	add_text(wire, "files", 5);
	buf_add_u8(wire, 'T');
	buf_add_u32(wire, 0);
	buf_add_u32(wire, read);
	buf_add_slice(wire, buf_slice(&files));
	add_text(wire, "unread", 6);
	buf_add_u8(wire, 'T');
	buf_add_u32(wire, 0);
	buf_add_u32(wire, failed);
	buf_add_slice(wire, buf_slice(&unread));
	const bool full = files.failed || unread.failed || wire->failed;
	buf_free(&files);
	buf_free(&unread);
	return full ? ST_NOMEM : ST_OK;
}

static int print_answer(struct slice text)
{
	const char *why;
	struct json *j;
	size_t at;
	int status = EXIT_REFUSED;

	if (json_parse(text, &j, &why, &at)) {
		fprintf(stderr, "tidelock: the answer cannot be read: %s\n", why);
		return status;
	}
	const struct slice out = json_member_string(j, "out"), err = json_member_string(j, "err");
	const struct json *s = json_member(j, "status");
	if (out.n)
		fwrite(out.p, 1, out.n, stdout);
	if (err.n)
		fwrite(err.p, 1, err.n, stderr);
	if (s && json_type(s) == JSON_INTEGER)
		status = (int)json_integer(s);
	json_free(j);
	return status;
}

int detached_run(const struct arguments *given)
{
	struct arguments a = *given;
	struct config config = {.data = ""};
	struct buf body = {0}, json = {0};
	char error[512] = "out of memory";
	int status = EXIT_REFUSED;

	/* No data folder: the store of this command is empty, and vanishes with it. */
	a.options.dry = a.options.detached = true;
	if (gather(&a, &config.wire) ||
		command_body(a.word, a.n, NULL, buf_slice(&config.wire), &body, error, sizeof(error)))
		fprintf(stderr, "tidelock: %s\n", error);
	else if (!local_command(&a.options, &config, buf_slice(&body), &json))
		status = print_answer(buf_slice(&json));
	buf_free(&config.wire);
	buf_free(&body);
	buf_free(&json);
	return status;
}
