/* channel.c: packets with descriptors between master and worker, and bundles. */
#include "sys/channel.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct packet_head {
	uint32_t type;
	uint32_t fd_count;
	int64_t value;
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
};

enum st channel_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) ? ST_IO : ST_OK;
}

static void attach_fds(struct msghdr *h, union control *control, const struct message *m)
{
	size_t bytes = sizeof(int) * m->fd_count;

	memset(control, 0, sizeof(*control));
	h->msg_control = control->bytes;
	h->msg_controllen = CMSG_SPACE(bytes);
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(c), m->fds, bytes);
}

enum st channel_send(struct channel *c, const struct message *m)
{
	struct packet_head head = {m->type, m->fd_count, m->value};
	size_t n = m->text.n < CHANNEL_TEXT_MAX ? m->text.n : CHANNEL_TEXT_MAX;
	struct iovec io[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)m->text.p, n}};
	struct msghdr h = {.msg_iov = io, .msg_iovlen = n ? 2 : 1};
	union control control;

	assert(m->fd_count <= CHANNEL_FDS_MAX);
	if (m->fd_count)
		attach_fds(&h, &control, m);
	for (;;) {
		if (sendmsg(c->fd, &h, MSG_NOSIGNAL) >= 0)
			return ST_OK;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return ST_CLOSED;
		if (errno == EAGAIN || errno == ENOBUFS) {
			struct pollfd p = {c->fd, POLLOUT, 0};
			if (poll(&p, 1, 5000) == 0)
				return ST_TIMEOUT;
		} else if (errno != EINTR) {
			return ST_IO;
		}
	}
}

static void take_fds(struct msghdr *h, struct message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (m->fd_count < CHANNEL_FDS_MAX)
				m->fds[m->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

enum st channel_receive(struct channel *c, struct message *m)
{
	struct packet_head head;
	struct iovec io[2] = {{&head, sizeof(head)}, {c->text, sizeof(c->text)}};
	union control control;
	struct msghdr h = {.msg_iov = io,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	memset(m, 0, sizeof(*m));
	do {
		n = recvmsg(c->fd, &h, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? ST_MORE : errno == ECONNRESET ? ST_CLOSED : ST_IO;
	if (n == 0)
		return ST_CLOSED;
	take_fds(&h, m);
	if ((size_t)n < sizeof(head) || head.fd_count != m->fd_count || (h.msg_flags & MSG_CTRUNC)) {
		message_close(m);
		return ST_BAD;
	}
	m->type = head.type;
	m->value = head.value;
	m->text = slice_of(c->text, (size_t)n - sizeof(head));
	return ST_OK;
}

void message_close(struct message *m)
{
	for (unsigned i = 0; i < m->fd_count; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	m->fd_count = 0;
}

enum st bundle_add(struct buf *b, const char *name, struct slice bytes)
{
	size_t n = strlen(name);

	buf_add_u32(b, (uint32_t)n);
	buf_add(b, name, n);
	buf_add_u32(b, (uint32_t)bytes.n);
	buf_add_slice(b, bytes);
	return b->failed ? ST_NOMEM : ST_OK;
}

bool bundle_next(struct slice *in, struct slice *name, struct slice *bytes)
{
	struct slice s = *in;
	uint32_t n;

	if (!read_u32(&s, &n) || !read_bytes(&s, n, name) || !read_u32(&s, &n) ||
		!read_bytes(&s, n, bytes))
		return false;
	*in = s;
	return true;
}

static int write_all(int fd, struct slice s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s = slice_sub(s, (size_t)n, s.n);
	}
	return 0;
}

int bundle_memfd(const struct buf *b)
{
	int fd = (int)syscall(SYS_memfd_create, "tidelock", 3 /* MFD_CLOEXEC | MFD_ALLOW_SEALING */);

	if (fd < 0)
		return -1;
	if (write_all(fd, buf_slice(b))) {
		close(fd);
		return -1;
	}
	/* The worker only reads it; a sealed file cannot shrink under the reader or be rewritten by a taken-over one. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

enum st bundle_read(int fd, struct buf *out)
{
	enum st st = ST_IO;
	struct stat info;
	off_t at = 0;

	if (fstat(fd, &info) || info.st_size < 0)
		goto out;
	while (at < info.st_size) {
		unsigned char part[16384];
		ssize_t n = pread(fd, part, sizeof(part), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			goto out;
		buf_add(out, part, (size_t)n);
		secret_wipe(part, sizeof(part));
		at += n;
	}
	st = out->failed ? ST_NOMEM : ST_OK;
out:
	close(fd);
	return st;
}
