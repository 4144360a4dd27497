/* config.h: has a sealed child evaluate the configuration file (S32) and keeps what comes back. */
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "sys/options.h"

#define LISTENERS_MAX 16

/* One entry of `listen`, checked by lua/config. */
struct listen_address {
	bool tls;
	char host[64]; /* "*", "localhost" or an address */
	uint16_t port;
	char text[96]; /* as the file has it, for messages */
};

struct config {
	struct buf wire; /* the whole, for the worker */
	struct buf raw;  /* what the strings below borrow from */
	const char *data, *run_as, *certificate, *key, *public_url, *banner,
		*connections; /* "" = absent */
	bool lab;
	struct listen_address listen[LISTENERS_MAX];
	unsigned listen_count;
};

/* An evaluation under way. */
struct config_run {
	pid_t pid; /* 0 = none */
	int fd;    /* readable when there is something to feed */
	struct buf output;
	int64_t deadline; /* clock_mono_us */
};

must_check enum st config_start(struct config_run *run, const struct options *options);
/* Takes what the child has written. ST_MORE: wait for fd or deadline. Else the run is over: ST_OK with *config filled,
 * or ST_BAD with lines "file:line: what is wrong" in error. */
must_check enum st config_feed(struct config_run *run, struct config *config, struct buf *error);
void config_abandon(struct config_run *run);

/* Waits for all of it. */
must_check enum st config_load(const struct options *options, struct config *config, struct buf *error);
void config_free(struct config *config);

/* The child: --role=config FILE [--unsealed] [--lua DIR]. */
int config_child(const struct options *options);
