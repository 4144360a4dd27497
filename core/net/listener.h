/* listener.h: accepts connections: a bounded number per turn, paused when its owner or the process has no room. */
#pragma once

#include "base/base.h"

#include <sys/socket.h>

struct listener;

struct listener_events {
	/* May one more be accepted now? False pauses until listener_resume. */
	bool (*room)(void *arg);
	/* Ownership of fd passes on. It does not block and is closed on exec. */
	void (*accepted)(void *arg, int fd, const struct sockaddr_storage *from);
};

/* Takes ownership of a listening descriptor (also when it fails). */
struct listener *listener_new(int fd, const struct listener_events *events, void *arg);
void listener_resume(struct listener *l);
void listener_free(struct listener *l); /* closes; frees at the end of the turn */
