/* listeners.h: the listening sockets that the master holds: those of `listen` and the control socket. */
#pragma once

#include "sys/config.h"
#include "sys/privileges.h"

struct held_socket {
	char key[80]; /* address and port; a reload keeps the socket of an unchanged one */
	int fd;       /* owns */
	uint8_t flags;
};

struct listeners {
	struct held_socket item[2 * LISTENERS_MAX];
	unsigned n;
};

/* Opens what config names, with descriptors of `old` (may be NULL) where address and port are the same. On failure
 * nothing is left open and error names the address. */
must_check enum st listeners_open(const struct config *config, const struct listeners *old,
	struct listeners *out, char *error, size_t error_size);
void listeners_close(struct listeners *l);

/* data/control.sock, 0600, belonging to id. -1 with error. The caller holds data/lock, so a socket that is there is stale. */
int control_listen(const char *data, const struct identity *id, char *error, size_t error_size);
/* Connects to it; -1 with errno. */
int control_connect(const char *data);
