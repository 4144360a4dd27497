/* command.c: the client side of commands, and local mode. */
#include "sys/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "bind/config_state.h"
#include "net/tls.h"
#include "sys/config.h"
#include "sys/listeners.h"
#include "sys/local.h"
#include "json/json.h"

#define INPUT_MAX 65536
#define ANSWER_MAX (64u << 20)
#define PEM_MAX (1u << 20)
#define ANSWER_SECONDS 120

/* ---- the words ---------------------------------------------------------------------------------------------------- */

void command_usage(FILE *to)
{
	fputs("usage: tidelock COMMAND [-c FILE] …\n"
	      "\n"
	      "  serve                            run the broker (--unsealed, --lua DIR for "
	      "development)\n"
	      "  check                            validate it all; tell what a reload changes\n"
	      "  user    add|set|password|disable|enable|delete|list|show|link NAME …\n"
	      "  group   add|set|delete|add-user|remove-user|list|show NAME …\n"
	      "  app     add|set|delete|list|show|secret NAME …\n"
	      "  source  list|show|check NAME     where people have an account already\n"
	      "  token   create|list|revoke       API keys, app passwords, personal tokens\n"
	      "  key     list|rotate|retire       signing keys\n"
	      "  try     scope|policy NAME --user U [--app A]\n"
	      "                                   run one script; print result, cost and log\n"
	      "  try     github --user U [--app A] [--as CLIENT]\n"
	      "                                   who somebody is to GitHub's clients\n"
	      "  try     source NAME --claims FILE\n"
	      "                                   who somebody from a source would be\n"
	      "  try     rules FILE --claims FILE …\n"
	      "                                   evaluate conversion rules\n"
	      "  rules   convert FILE --to DIALECT\n"
	      "  events  [--follow] [--user U]    the audit log\n"
	      "  version                          this program and the libraries inside\n"
	      "\n"
	      "The configuration is FILE, else $TIDELOCK_CONFIG, else /etc/tidelock.lua. Commands "
	      "work while the broker runs;\nthose that print records take --json.\n",
		to);
}

static bool set_config(struct options *o, const char *path)
{
	char here[2048] = "";
	int n;

	/* Absolute, because children and messages outlive a change of folder. */
	if (*path != '/' && !getcwd(here, sizeof(here)))
		return false;
	while (!strncmp(path, "./", 2))
		path += 2;
	n = snprintf(o->config, sizeof(o->config), "%s%s%s", here, *here ? "/" : "", path);
	return *path && n > 0 && (size_t)n < sizeof(o->config);
}

/* The value of an option that needs one: "-c FILE", "--lua DIR", "--lua=DIR". NULL when it is another option. */
static const char *option_value(const char *name, int *i, int argc, char **argv)
{
	size_t n = strlen(name);
	const char *word = argv[*i];

	if (strncmp(word, name, n))
		return NULL;
	if (word[n] == '=')
		return word + n + 1;
	if (word[n])
		return NULL;
	return *i + 1 < argc ? argv[++*i] : "";
}

bool arguments_parse(struct arguments *a, int argc, char **argv)
{
	const char *config = getenv("TIDELOCK_CONFIG"), *value;
	bool own = false; /* after "--" every word is the command's */

	*a = (struct arguments){0};
	for (int i = 1; i < argc; i++) {
		if (!own && !strcmp(argv[i], "--")) {
			own = true;
		} else if (!own && !strcmp(argv[i], "--unsealed")) {
			a->options.unsealed = true;
		} else if (!own &&
			((value = option_value("-c", &i, argc, argv)) ||
				(value = option_value("--config", &i, argc, argv)))) {
			config = value;
		} else if (!own && (value = option_value("--lua", &i, argc, argv))) {
			a->options.lua_dir = value;
		} else if (a->n + 1 < ARRAY_LEN(a->word)) {
			a->word[a->n++] = argv[i];
		} else {
			fputs("tidelock: too many words\n", stderr);
			return false;
		}
	}
	if (!config || !*config)
		config = "/etc/tidelock.lua";
	if (!set_config(&a->options, config)) {
		fprintf(stderr, "tidelock: -c: no usable path\n");
		return false;
	}
	return true;
}

static bool has_option(const struct arguments *a, const char *prefix)
{
	for (unsigned i = 1; i < a->n; i++)
		if (!strncmp(a->word[i], prefix, strlen(prefix)))
			return true;
	return false;
}

/* ---- passwords ---------------------------------------------------------------------------------------------------- */

static enum st read_input(int fd, struct buf *in)
{
	ssize_t n;

	in->max = INPUT_MAX;
	while (buf_reserve(in, 1024)) {
		n = read(fd, in->p + in->n, 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ST_IO;
		if (n == 0)
			break;
		in->n += (size_t)n;
	}
	if (in->n && in->p[in->n - 1] == '\n')
		in->n--;
	return in->failed ? ST_FULL : ST_OK;
}

/* One line from the terminal without echo. */
static enum st prompt(const char *text, struct buf *out)
{
	struct termios was, quiet;
	enum st st = ST_OK;
	char c;

	if (tcgetattr(STDIN_FILENO, &was))
		return ST_IO;
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fputs(text, stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	for (;;) {
		ssize_t n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1)
			st = ST_CLOSED;
		if (n != 1 || c == '\n')
			break;
		buf_add_u8(out, (uint8_t)c);
	}
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	return st;
}

static enum st prompt_twice(struct buf *out)
{
	struct buf again = {0};
	enum st st = prompt("Password: ", out);

	if (!st)
		st = prompt("Once more: ", &again);
	if (!st && !slice_eq(buf_slice(out), buf_slice(&again))) {
		fputs("tidelock: the two passwords differ\n", stderr);
		st = ST_BAD;
	}
	buf_wipe(&again);
	return st;
}

static enum st read_file(const char *path, struct buf *in)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	enum st st = fd < 0 ? ST_IO : read_input(fd, in);

	if (st)
		fprintf(stderr, "tidelock: %s: %s\n", path,
			st == ST_IO ? strerror(errno) : "too large");
	if (fd >= 0)
		close(fd);
	return st;
}

/* What goes in as `stdin`: the file of --claims, all of standard input when asked, or a password typed twice. */
static enum st gather_input(struct arguments *a, struct buf *in, bool *given)
{
	bool wants_password = a->n >= 3 && !strcmp(a->word[0], "user") &&
		(!strcmp(a->word[1], "add") || !strcmp(a->word[1], "password"));
	enum st st = ST_OK;

	for (unsigned i = 0; i + 1 < a->n; i++) {
		if (strcmp(a->word[i], "--claims") == 0) {
			*given = true;
			return read_file(a->word[i + 1], in);
		}
	}
	*given = has_option(a, "--password-stdin");
	if (*given)
		return read_input(STDIN_FILENO, in);
	if (!wants_password || has_option(a, "--password") || has_option(a, "--no-password") ||
		!isatty(STDIN_FILENO))
		return ST_OK;
	*given = true;
	st = prompt_twice(in);
	a->word[a->n++] = "--password-stdin"; /* arguments_parse keeps one place free */
	return st;
}

/* ---- over the control socket -------------------------------------------------------------------------------------- */

static enum st send_all(int fd, struct slice s)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ST_IO;
		s = slice_sub(s, (size_t)n, s.n);
	}
	return ST_OK;
}

/* The body of the answer, after its status. */
static enum st split_answer(struct slice answer, int *status, struct slice *body)
{
	for (size_t i = 0; i + 3 < answer.n; i++) {
		if (memcmp(answer.p + i, "\r\n\r\n", 4))
			continue;
		*body = slice_sub(answer, i + 4, answer.n);
		*status = answer.n > 12 && !memcmp(answer.p, "HTTP/1.1 ", 9)
			? atoi((const char *)answer.p + 9)
			: 0;
		return *status ? ST_OK : ST_BAD;
	}
	return ST_BAD;
}

/* Sends one command and reads until the broker closes. Takes fd. */
static enum st ask(int fd, struct slice body, struct buf *answer)
{
	struct timeval patience = {ANSWER_SECONDS, 0};
	struct buf request = {0};
	enum st st;
	ssize_t n = -1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	buf_printf(&request,
		"POST /command HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		"Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
		body.n);
	buf_add_slice(&request, body);
	answer->max = ANSWER_MAX;
	st = request.failed ? ST_NOMEM : send_all(fd, buf_slice(&request));
	while (!st && buf_reserve(answer, 16384)) {
		n = recv(fd, answer->p + answer->n, 16384, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		answer->n += (size_t)n;
	}
	if (!st && n < 0)
		st = ST_IO;
	if (!st && !buf_add_u8(answer, 0)) /* split_answer reads a number */
		st = ST_NOMEM;
	else if (!st)
		answer->n--;
	buf_wipe(&request);
	close(fd);
	return st;
}

static enum st ask_broker(int fd, struct slice body, struct buf *json)
{
	struct buf answer = {0};
	struct slice text;
	int status = 0;
	enum st st = ask(fd, body, &answer);

	if (st || (st = split_answer(buf_slice(&answer), &status, &text))) {
		fprintf(stderr, "tidelock: the broker did not answer: %s\n",
			st == ST_IO ? strerror(errno) : st_name(st));
		st = st ? st : ST_BAD;
	} else if (status != 200) {
		fprintf(stderr, "tidelock: the broker answered %d: %.*s\n", status, (int)text.n,
			(const char *)text.p);
		st = ST_REFUSED;
	} else {
		buf_add_slice(json, text);
	}
	buf_wipe(&answer);
	return st;
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

static void print_member(const struct json *j, const char *name, FILE *to)
{
	struct slice s = json_member_string(j, name);

	if (s.n)
		fwrite(s.p, 1, s.n, to);
	fflush(to);
}

/* Takes over the words of `again`, whose texts are copied for the life of the process. False: there is none. */
static bool take_again(const struct json *j, struct arguments *a)
{
	const struct json *again = json_member(j, "again"), *words, *delay;

	if (!again || json_type(again) != JSON_OBJECT || !(words = json_member(again, "argv")))
		return false;
	static char *copies[ARRAY_LEN(((struct arguments *)0)->word)];
	a->n = 0;
	for (const struct json *w = json_first(words); w && a->n + 1 < ARRAY_LEN(a->word);
		w = json_next(w)) {
		struct slice s = json_string(w);
		free(copies[a->n]);
		copies[a->n] = strndup(s.p ? (const char *)s.p : "", s.n);
		a->word[a->n] = copies[a->n];
		if (!a->word[a->n++])
			return false;
	}
	delay = json_member(again, "delay");
	if (delay && json_type(delay) == JSON_INTEGER && json_integer(delay) > 0)
		sleep((unsigned)json_integer(delay));
	else if (delay && json_type(delay) == JSON_NUMBER && json_number(delay) > 0)
		usleep((useconds_t)(json_number(delay) * 1e6));
	return true;
}

/* Writes what the command wants kept in a file of the owner's: { path, text }. True when there is nothing, or it is written. */
static bool record(const struct json *wanted)
{
	struct slice path, text;
	char name[4096], part[4100];
	FILE *f;

	if (!wanted || json_type(wanted) != JSON_OBJECT)
		return true;
	path = json_member_string(wanted, "path");
	text = json_member_string(wanted, "text");
	snprintf(name, sizeof(name), "%.*s", (int)path.n, (const char *)path.p);
	snprintf(part, sizeof(part), "%s.new", name);
	f = fopen(part, "we");
	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) || rename(part, name)) {
		fprintf(stderr, "tidelock: %s: %s\n", name, strerror(errno));
		return false;
	}
	fprintf(stderr, "recorded in %s\n", name);
	return true;
}

/* Prints; says in *again whether the broker wants to be asked once more. */
static int print_answer(struct slice text, struct arguments *a, bool *again)
{
	const char *why;
	size_t at;
	struct json *j;
	int status = EXIT_REFUSED;

	*again = false;
	if (json_parse(text, &j, &why, &at)) {
		fprintf(stderr, "tidelock: the broker's answer cannot be read: %s\n", why);
		return EXIT_REFUSED;
	}
	print_member(j, "out", stdout);
	print_member(j, "err", stderr);
	const struct json *s = json_member(j, "status");
	if (s && json_type(s) == JSON_INTEGER)
		status = (int)json_integer(s);
	if (!record(json_member(j, "record")))
		status = EXIT_REFUSED;
	*again = status == 0 && take_again(j, a);
	json_free(j);
	return status;
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

/* Does it once, by whoever can. What goes on (`again`) goes on by a broker alone: without one nothing happens that could be
 * told, and the data folder's lock is the next broker's. ST_MORE: there is none at the moment. */
static enum st carry_out(const struct arguments *a, const struct config *config,
	const struct slice *input, bool again, struct buf *json)
{
	struct buf body = {0};
	char error[512] = "out of memory";
	enum st st = command_body(
		a->word, a->n, input, buf_slice(&config->wire), &body, error, sizeof(error));

	if (st) {
		fprintf(stderr, "tidelock: %s\n", error);
	} else {
		int fd = control_connect(config->data);
		if (fd >= 0) {
			st = ask_broker(fd, buf_slice(&body), json);
		} else if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) {
			st = again ? ST_MORE
				   : local_command(&a->options, config, buf_slice(&body), json);
		} else {
			fprintf(stderr, "tidelock: %s/control.sock: %s\n", config->data,
				strerror(errno));
			st = ST_IO;
		}
	}
	buf_wipe(&body);
	return st;
}

static int run(struct arguments *a, const struct config *config, const struct slice *input)
{
	int status = EXIT_REFUSED;
	bool again = false;

	do {
		struct buf json = {0};
		enum st st = carry_out(a, config, input, again, &json);

		if (st == ST_MORE) {
			sleep(1);
		} else {
			again = false;
			status = st ? EXIT_REFUSED : print_answer(buf_slice(&json), a, &again);
		}
		buf_wipe(&json);
	} while (again);
	return status;
}

static int load_config(const struct options *options, struct config *config)
{
	struct buf errors = {0};
	enum st st = config_load(options, config, &errors);

	if (st)
		fwrite(errors.p, 1, errors.n, stderr);
	buf_free(&errors);
	return st ? EXIT_REFUSED : EXIT_DONE;
}

static int run_with(const struct arguments *given, const struct config *config)
{
	struct arguments a = *given;
	struct buf input = {0};
	bool has_input = false;
	int status = EXIT_REFUSED;

	signal(SIGPIPE, SIG_IGN);
	if (!gather_input(&a, &input, &has_input)) {
		struct slice s = buf_slice(&input);
		status = run(&a, config, has_input ? &s : NULL);
	}
	buf_wipe(&input);
	return status;
}

int command_run(const struct arguments *a)
{
	struct config config;

	if (load_config(&a->options, &config))
		return EXIT_REFUSED;
	int status = run_with(a, &config);
	config_free(&config);
	return status;
}

static enum st read_pem(const char *path, struct buf *out)
{
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	out->max = PEM_MAX;
	while (fd >= 0 && buf_reserve(out, 4096) && (n = read(fd, out->p + out->n, 4096)) > 0)
		out->n += (size_t)n;
	if (n != 0)
		fprintf(stderr, "tls: %s: %s\n", path, out->failed ? "too large" : strerror(errno));
	if (fd >= 0)
		close(fd);
	return n == 0 ? ST_OK : ST_IO;
}

/* Names of ours that the certificate is not for: right, but whoever comes by one is warned off. */
static void check_names(const struct config *config, struct tls_config *tls)
{
	struct slice rest = buf_slice(&config->raw);

	while (rest.n) {
		const char *entry = (const char *)rest.p;
		if (!strncmp(entry, "name=", 5) && !tls_config_covers(tls, entry + 5))
			fprintf(stderr, "warning: tls: %s is not for %s\n", config->certificate,
				entry + 5);
		rest = slice_sub(rest, slice_find(rest, 0) + 1, rest.n);
	}
}

/* The files that only the master reads: a certificate and its key must fit together. */
static enum st check_tls(const struct config *config)
{
	struct buf chain = {0}, key = {0};
	struct tls_config *tls = NULL;
	char error[256] = "out of memory";
	enum st st = ST_OK;

	if (!*config->certificate)
		return ST_OK;
	if ((st = read_pem(config->certificate, &chain)) || (st = read_pem(config->key, &key)))
		goto out;
	tls = tls_config_new();
	st = tls ? tls_config_add(
			   tls, buf_slice(&chain), buf_slice(&key), NULL, 0, error, sizeof(error))
		 : ST_NOMEM;
	if (st)
		fprintf(stderr, "tls: %s with the key %s: %s\n", config->certificate, config->key,
			error);
	else
		check_names(config, tls);
out:
	tls_config_unref(tls);
	buf_free(&chain);
	buf_wipe(&key);
	return st;
}

int command_check(const struct arguments *given)
{
	struct arguments a = *given;
	struct config config;
	int status = EXIT_REFUSED;

	a.options.dry = true;
	if (load_config(&a.options, &config))
		return EXIT_REFUSED;
	if (!check_tls(&config))
		status = run_with(&a, &config);
	config_free(&config);
	return status;
}
