/* listeners.c: binding. No SO_REUSEPORT: a forgotten second broker must fail, not take half of the connections. */
#include "sys/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/channel.h"

#define BACKLOG 512
#define CONTROL_NAME "control.sock"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* One socket for a literal address; both_families lets [::] take IPv4 too. */
static int bind_one(const char *host, uint16_t port, bool both_families)
{
	union address a = {0};
	socklen_t size;
	int on = 1, off = !both_families;

	if (inet_pton(AF_INET, host, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		size = sizeof(a.v4);
	} else if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
		size = sizeof(a.v6);
	} else {
		errno = EINVAL;
		return -1;
	}
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &a.any, size) || listen(fd, BACKLOG)) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static bool no_such_family(int e)
{
	return e == EAFNOSUPPORT || e == EADDRNOTAVAIL || e == EPROTONOSUPPORT;
}

static bool is_loopback(const char *host)
{
	return !strncmp(host, "127.", 4) || !strcmp(host, "::1");
}

struct opening {
	const struct listeners *old;
	struct listeners *out;
	const struct listen_address *address;
};

/* Adds the socket for one literal host. optional: this machine may lack the address family. */
static enum st add(struct opening *o, const char *host, bool both_families, bool optional)
{
	struct held_socket *l = &o->out->item[o->out->n];

	if (o->out->n == ARRAY_LEN(o->out->item))
		return ST_FULL;
	snprintf(l->key, sizeof(l->key), "%s %u", host, (unsigned)o->address->port);
	l->fd = -1;
	for (unsigned i = 0; o->old && i < o->old->n; i++)
		if (!strcmp(o->old->item[i].key, l->key))
			l->fd = fcntl(o->old->item[i].fd, F_DUPFD_CLOEXEC, 10);
	if (l->fd < 0)
		l->fd = bind_one(host, o->address->port, both_families);
	if (l->fd < 0)
		return optional && no_such_family(errno) ? ST_OK : ST_IO;
	l->flags = (uint8_t)((o->address->tls ? LISTENER_TLS : 0) |
		(is_loopback(host) ? LISTENER_LOOPBACK : 0));
	o->out->n++;
	return ST_OK;
}

static enum st add_address(struct opening *o)
{
	const char *host = o->address->host;
	enum st st;

	if (!strcmp(host, "localhost")) {
		if ((st = add(o, "127.0.0.1", false, false)))
			return st;
		return add(o, "::1", false, true);
	}
	if (strcmp(host, "*"))
		return add(o, host, false, false);
	unsigned before = o->out->n;
	if ((st = add(o, "::", true, true)) || o->out->n > before)
		return st;
	return add(o, "0.0.0.0", false, false);
}

enum st listeners_open(const struct config *config, const struct listeners *old,
	struct listeners *out, char *error, size_t error_size)
{
	out->n = 0;
	for (unsigned i = 0; i < config->listen_count; i++) {
		struct opening o = {old, out, &config->listen[i]};
		if (!add_address(&o))
			continue;
		snprintf(error, error_size, "listen: %s: %s", o.address->text,
			errno == EADDRINUSE ? "the port is taken by another program"
					    : strerror(errno));
		listeners_close(out);
		return ST_IO;
	}
	return ST_OK;
}

void listeners_close(struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		close(l->item[i].fd);
	l->n = 0;
}

/* A socket's path has room for 107 bytes only, so it is named from inside the folder. */
static int in_folder(const char *data, int fd, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = CONTROL_NAME};
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), result = -1, saved;

	if (chdir(data) == 0)
		result = call(fd, (struct sockaddr *)&a, sizeof(a));
	saved = errno;
	if (here >= 0) {
		if (fchdir(here))
			result = -1;
		close(here);
	}
	errno = saved;
	return result;
}

int control_listen(const char *data, const struct identity *id, char *error, size_t error_size)
{
	int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	bool ok = folder >= 0 && fd >= 0 &&
		(unlinkat(folder, CONTROL_NAME, 0) == 0 || errno == ENOENT) &&
		in_folder(data, fd, bind) == 0 && listen(fd, 32) == 0 &&
		(geteuid() != 0 ||
			fchownat(folder, CONTROL_NAME, id->uid, id->gid, AT_SYMLINK_NOFOLLOW) == 0);

	umask(mask);
	if (!ok) {
		snprintf(error, error_size, "%s/" CONTROL_NAME ": %s", data, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	if (folder >= 0)
		close(folder);
	return fd;
}

int control_connect(const char *data)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && in_folder(data, fd, connect)) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}
