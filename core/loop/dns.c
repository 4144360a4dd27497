/* dns.c: one look-up for all who wait for a name, kept for a minute. */
#include "loop/dns.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "loop/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 64
#define WARN_US (3600 * INT64_C(1000000))
#define KEEP_US (60 * INT64_C(1000000))

struct lookup {
	struct job job;
	char name[DNS_NAME_MAX + 1];
	struct address addresses[DNS_ADDRESSES_MAX];
	unsigned count;
	enum st st;
	unsigned delay_ms; /* of tests */
	bool pretended;
};

struct entry {
	char name[DNS_NAME_MAX + 1]; /* "" = free */
	struct address addresses[DNS_ADDRESSES_MAX];
	unsigned count;
	int64_t until;         /* good until then */
	struct lookup *lookup; /* borrows from the pool; NULL = none under way */
	struct list waiters;
};

/* owns; made with the first name: many small installations never ask for one */
static struct entry *entries;

void dns_close(void)
{
	free(entries);
	entries = NULL;
}

static bool set_up(void)
{
	if (entries)
		return true;
	entries = fault_hit(FAULT_ALLOC) ? NULL : calloc(ENTRIES, sizeof *entries);
	for (unsigned i = 0; entries && i < ENTRIES; i++)
		list_init(&entries[i].waiters);
	return entries != NULL;
}

/* ---- on a thread ---- */

static void take_addresses(struct lookup *l, const struct addrinfo *list)
{
	for (; list && l->count < DNS_ADDRESSES_MAX; list = list->ai_next)
		l->count += address_from(list->ai_addr, &l->addresses[l->count]);
}

static enum st status_of(int failure)
{
	switch (failure) {
	case 0:
		return ST_OK;
	case EAI_MEMORY:
		return ST_NOMEM;
	case EAI_AGAIN:
	case EAI_SYSTEM:
		return ST_TIMEOUT;
	default:
		return ST_NOTFOUND;
	}
}

static void look_up(struct job *job)
{
	struct lookup *l = container_of(job, struct lookup, job);
	struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
	struct timespec delay = {l->delay_ms / 1000, (long)(l->delay_ms % 1000) * 1000000};

	if (l->delay_ms)
		nanosleep(&delay, NULL);
	if (l->pretended)
		return;
	l->st = status_of(getaddrinfo(l->name, NULL, &wanted, &found));
	if (l->st == ST_OK) {
		take_addresses(l, found);
		freeaddrinfo(found);
	}
	if (l->st == ST_OK && l->count == 0)
		l->st = ST_NOTFOUND;
}

/* ---- on the loop ---- */

static void lookup_free(struct op *op)
{
	free(container_of(op, struct lookup, job.op));
}

static struct entry *entry_of(const char *name)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (strcmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

/* Each waiter may start or forget others. */
static void tell_waiters(struct entry *e, const struct lookup *l)
{
	struct list now;

	if (list_empty(&e->waiters))
		return;
	now = e->waiters;
	now.next->prev = now.prev->next = &now;
	list_init(&e->waiters);
	while (!list_empty(&now)) {
		struct dns_waiter *w = list_item(now.next, struct dns_waiter, link);

		list_remove(&w->link);
		memcpy(w->addresses, l->addresses, sizeof w->addresses);
		w->count = l->count;
		w->done(w, l->st);
	}
}

/* The worker may read the files that were there when it sealed itself. One that was replaced is another: without it the C library
 * asks nobody, which looks like a name server that does not answer. */
static void warn_of_replaced_file(void)
{
	static int64_t said;
	int64_t now = clock_mono_us();
	int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else if (errno == EACCES && (said == 0 || now - said > WARN_US)) {
		said = now;
		log_line(LOG_WARN, "names cannot be looked up: /etc/resolv.conf was replaced since the start, a restart makes it readable");
	}
}

static void landed(struct op *op)
{
	struct lookup *l = container_of(op, struct lookup, job.op);
	struct entry *e = entries ? entry_of(l->name) : NULL;

	if (l->st == ST_TIMEOUT)
		warn_of_replaced_file();
	if (e && e->lookup == l) {
		e->lookup = NULL;
		memcpy(e->addresses, l->addresses, sizeof e->addresses);
		e->count = l->count;
		e->until = l->st == ST_OK ? clock_mono_us() + KEEP_US : 0;
		tell_waiters(e, l);
	}
	lookup_free(op);
}

/* The entry of that name, or the oldest that nobody needs. */
static struct entry *entry_for(const char *name)
{
	struct entry *e = entry_of(name), *oldest = NULL;

	for (unsigned i = 0; !e && i < ENTRIES; i++)
		if (!entries[i].lookup && (!oldest || entries[i].until < oldest->until))
			oldest = &entries[i];
	if (!e && oldest) {
		e = oldest;
		snprintf(e->name, sizeof e->name, "%s", name);
		e->until = 0;
	}
	return e;
}

#ifdef TIDELOCK_DEBUG

#define PRETENDED_MAX 16

static struct lookup pretended[PRETENDED_MAX];

enum st dns_pretend(const char *name, const char *addresses, unsigned delay_ms)
{
	struct slice rest = slice_str(addresses ? addresses : "");
	struct lookup *l = NULL;
	struct entry *e;

	for (unsigned i = 0; i < PRETENDED_MAX && !l; i++)
		if (!pretended[i].name[0] || strcmp(pretended[i].name, name) == 0)
			l = &pretended[i];
	if (!l || strlen(name) > DNS_NAME_MAX)
		return ST_FULL;
	*l = (struct lookup){.pretended = true, .delay_ms = delay_ms};
	snprintf(l->name, sizeof l->name, "%s", name);
	while (rest.n && l->count < DNS_ADDRESSES_MAX) {
		size_t end = slice_find(rest, ' ');

		if (!address_parse(slice_sub(rest, 0, end), &l->addresses[l->count++]))
			return ST_BAD;
		rest = slice_sub(rest, end + 1, rest.n);
	}
	l->st = l->count ? ST_OK : ST_NOTFOUND;
	e = entries ? entry_of(name) : NULL;
	if (e)
		e->until = 0;
	return ST_OK;
}

static void pretend(struct lookup *l)
{
	for (unsigned i = 0; i < PRETENDED_MAX; i++)
		if (strcmp(pretended[i].name, l->name) == 0)
			*l = pretended[i];
}

#else

static void pretend(struct lookup *l)
{
	(void)l;
}

#endif

static enum st start(struct entry *e)
{
	struct lookup *l = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *l);
	enum st st;

	if (!l)
		return ST_NOMEM;
	snprintf(l->name, sizeof l->name, "%s", e->name);
	pretend(l);
	l->job = (struct job){
		.op = {.free = lookup_free, .landed = landed}, .work = look_up, .lane = LANE_NAMES};
	st = pool_submit(&l->job);
	if (st == ST_OK)
		e->lookup = l;
	else
		free(l);
	return st;
}

enum st dns_resolve(struct slice name, struct dns_waiter *w)
{
	char text[DNS_NAME_MAX + 1];
	struct entry *e;
	enum st st;

	list_init(&w->link);
	w->count = 0;
	if (name.n == 0 || name.n > DNS_NAME_MAX || memchr(name.p, 0, name.n))
		return ST_BAD;
	if (!set_up())
		return ST_NOMEM;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	e = entry_for(text);
	if (!e)
		return ST_BUSY;
	if (e->until > clock_mono_us()) {
		memcpy(w->addresses, e->addresses, sizeof w->addresses);
		w->count = e->count;
		return ST_OK;
	}
	st = e->lookup ? ST_OK : start(e);
	if (st)
		return st;
	list_append(&e->waiters, &w->link);
	return ST_MORE;
}

void dns_forget(struct dns_waiter *w)
{
	if (w->link.next)
		list_remove(&w->link);
}
