/* h1.c: lines are collected, checked byte by byte as they come, and read when whole; so feeding byte by
 * byte and feeding at once cannot differ. */
#include "http/h1_private.h"

#define CHUNK_LINE_MAX 256
/* Of all chunk extensions together: they are legal, ignored, and no way to keep us busy. */
#define EXTENSIONS_MAX 8192
/* What h1_reset keeps for the next message. */
#define KEEP_HEAD 4096
#define KEEP_BODY 16384

void h1_init(struct h1 *p, const struct h1_limits *limits)
{
	*p = (struct h1){.limits = *limits};
}

void h1_init_response(struct h1 *p, const struct h1_limits *limits)
{
	h1_init(p, limits);
	p->response = true;
}

void h1_expect(struct h1 *p, enum h1_asked asked)
{
	p->bodiless = asked == H1_ASKED_HEAD;
	p->tunnel = asked == H1_ASKED_CONNECT;
}

static void trim_memory(struct buf *b, size_t keep)
{
	if (b->cap > keep)
		buf_free(b);
	else
		buf_clear(b);
}

void h1_reset(struct h1 *p)
{
	struct h1 next = {.limits = p->limits,
		.response = p->response,
		.head = p->head,
		.text = p->text,
		.body = p->body,
		.lines = p->lines,
		.fields = p->fields,
		.line_room = p->line_room,
		.field_room = p->field_room};

	trim_memory(&next.head, KEEP_HEAD);
	trim_memory(&next.text, KEEP_HEAD);
	trim_memory(&next.body, KEEP_BODY);
	*p = next;
}

void h1_free(struct h1 *p)
{
	buf_free(&p->head);
	buf_free(&p->text);
	buf_free(&p->body);
	free(p->lines);
	free(p->fields);
	*p = (struct h1){.limits = p->limits};
}

enum st h1_bad(struct h1 *p, int status, const char *error)
{
	p->state = FAILED;
	p->status = status;
	p->error = error;
	return ST_BAD;
}

enum st h1_nomem(struct h1 *p)
{
	p->state = EMPTY_HANDED;
	return ST_NOMEM;
}

struct h1_span h1_span_of(const struct h1 *p, struct slice s)
{
	if (s.n == 0)
		return (struct h1_span){0, 0};
	return (struct h1_span){(uint32_t)(s.p - p->head.p), (uint32_t)s.n};
}

struct slice h1_at(const struct h1 *p, struct h1_span span)
{
	return slice_sub(buf_slice(&p->head), span.at, span.n);
}
enum st h1_finish(struct h1 *p)
{
	struct h1_message *m = &p->message;
	struct slice text = buf_slice(&p->text);
	size_t i;

	if (p->field_room < p->line_count) {
		struct http_field *fields = realloc(p->fields, p->line_room * sizeof *fields);

		if (fields == NULL)
			return h1_nomem(p);
		p->fields = fields;
		p->field_room = p->line_room;
	}
	for (i = 0; i < p->line_count; i++)
		p->fields[i] = (struct http_field){
			h1_at(p, p->lines[i].name), h1_at(p, p->lines[i].value)};
	m->method = h1_at(p, p->method);
	m->target = h1_at(p, p->target);
	m->query = h1_at(p, p->query);
	m->path = slice_sub(text, 0, p->path_n);
	m->host = slice_sub(text, p->path_n, text.n);
	m->fields = p->fields;
	m->field_count = p->line_count;
	m->body = buf_slice(&p->body);
	m->keep_alive = !p->close;
	p->state = DONE;
	return ST_OK;
}
/* ---- chunks ---- */

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum st read_chunk_size(struct h1 *p, struct slice line)
{
	size_t i, n = 0;

	for (i = 0; i < line.n && hex_value(line.p[i]) >= 0; i++) {
		if (i == 16)
			return h1_bad(p, 400, "bad chunk size");
		if (n <= p->limits.body)
			n = n * 16 + (size_t)hex_value(line.p[i]);
	}
	if (i == 0 || (i < line.n && line.p[i] != ';'))
		return h1_bad(p, 400, "bad chunk size");
	p->extension_used += line.n - i;
	if (p->extension_used > EXTENSIONS_MAX)
		return h1_bad(p, 400, "chunk extensions too long");
	if (n > p->limits.body - p->body.n)
		return h1_bad(p, 413, "body too large");
	p->body_left = n;
	p->state = n > 0 ? CHUNK_DATA : TRAILER;
	return ST_MORE;
}

static enum st read_chunk_end(struct h1 *p, struct slice line)
{
	if (line.n > 0)
		return h1_bad(p, 400, "bad end of chunk");
	p->state = CHUNK_SIZE;
	return ST_MORE;
}

/* Chunk lines and trailers pass through the end of head without staying there. */
static enum st drop_line(struct h1 *p, enum st st)
{
	p->head.n = p->line_at;
	return st;
}

static enum st read_line(struct h1 *p, struct slice line)
{
	switch (p->state) {
	case REQUEST_LINE:
		return p->response ? h1_read_status_line(p, line) : h1_read_request_line(p, line);
	case FIELD:
		return line.n == 0 ? h1_end_head(p) : h1_read_field(p, line, true);
	case CHUNK_SIZE:
		return drop_line(p, read_chunk_size(p, line));
	case CHUNK_END:
		return drop_line(p, read_chunk_end(p, line));
	default:
		return drop_line(p, line.n == 0 ? h1_finish(p) : h1_read_field(p, line, false));
	}
}

/* ---- bytes ---- */

/* The longest line that may come now, with its CRLF. */
static size_t line_cap(const struct h1 *p)
{
	switch (p->state) {
	case REQUEST_LINE:
		return p->limits.line + 2;
	case CHUNK_SIZE:
		return CHUNK_LINE_MAX;
	case CHUNK_END:
		return 2;
	default:
		return p->limits.header - p->header_used;
	}
}

static enum st too_long(struct h1 *p)
{
	switch (p->state) {
	case REQUEST_LINE:
		return p->response ? h1_bad(p, 400, "status line too long")
				   : h1_bad(p, 414, "request line too long");
	case CHUNK_SIZE:
	case CHUNK_END:
		return h1_bad(p, 400, "bad chunk");
	default:
		return h1_bad(p, 431, "header too large");
	}
}

/* RFC 9112 section 2.2: CR only before LF, LF only after CR, no other control character but the tab. */
static enum st check_bytes(struct h1 *p, struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c >= ' ' && c != 0x7f && !p->cr)
			continue;
		if (p->cr != (c == '\n'))
			return h1_bad(p, 400, p->cr ? "bare CR" : "bare LF");
		if (c != '\n' && c != '\r' && c != '\t')
			return h1_bad(p, 400, "control character");
		p->cr = c == '\r';
	}
	return ST_MORE;
}

static enum st feed_line(struct h1 *p, struct slice in, size_t *used)
{
	size_t cap = line_cap(p), have = p->head.n - p->line_at, end = slice_find(in, '\n');
	bool whole = end < in.n, over;
	struct slice piece = slice_sub(in, 0, whole ? end + 1 : in.n);
	enum st st;

	over = piece.n > cap - have;
	if (over)
		piece = slice_sub(piece, 0, cap - have + 1);
	*used = piece.n;
	st = check_bytes(p, piece);
	if (st != ST_MORE)
		return st;
	if (over)
		return too_long(p);
	if (!buf_add_slice(&p->head, piece))
		return h1_nomem(p);
	if (!whole)
		return ST_MORE;
	if (p->state == FIELD || p->state == TRAILER)
		p->header_used += have + piece.n;
	st = read_line(p, slice_sub(buf_slice(&p->head), p->line_at, have + piece.n - 2));
	p->line_at = p->head.n;
	return st;
}

static enum st feed_body(struct h1 *p, struct slice in, size_t *used)
{
	struct slice piece = slice_sub(in, 0, p->body_left);

	*used = piece.n;
	if (!buf_add_slice(&p->body, piece))
		return h1_nomem(p);
	p->body_left -= piece.n;
	if (p->body_left > 0)
		return ST_MORE;
	if (p->state == BODY)
		return h1_finish(p);
	p->state = CHUNK_END;
	return ST_MORE;
}

static enum st feed_rest(struct h1 *p, struct slice in, size_t *used)
{
	*used = in.n;
	if (in.n > p->limits.body - p->body.n)
		return h1_bad(p, 413, "body too large");
	return buf_add_slice(&p->body, in) ? ST_MORE : h1_nomem(p);
}

static enum st feed_some(struct h1 *p, struct slice in, size_t *used)
{
	switch (p->state) {
	case DONE:
		return ST_OK;
	case FAILED:
		return ST_BAD;
	case EMPTY_HANDED:
		return ST_NOMEM;
	case BODY:
	case CHUNK_DATA:
		return feed_body(p, in, used);
	case REST:
		return feed_rest(p, in, used);
	default:
		return feed_line(p, in, used);
	}
}

enum st h1_feed(struct h1 *p, struct slice in, size_t *used)
{
	enum st st = ST_MORE;

	*used = 0;
	while (st == ST_MORE && *used < in.n) {
		size_t n = 0;

		st = feed_some(p, slice_sub(in, *used, in.n), &n);
		*used += n;
	}
	return st;
}

enum st h1_end(struct h1 *p)
{
	if (p->state == REST)
		return h1_finish(p);
	return p->state == DONE ? ST_OK : h1_bad(p, 400, "the message was cut off");
}

/* ---- answers ---- */

const struct h1_message *h1_message(const struct h1 *p)
{
	assert(p->state == DONE);
	return &p->message;
}

int h1_status(const struct h1 *p)
{
	return p->status;
}

const char *h1_error(const struct h1 *p)
{
	return p->error;
}

bool h1_is_head(const struct h1 *p)
{
	return slice_eq(h1_at(p, p->method), SLICE_LIT("HEAD"));
}

size_t h1_memory(const struct h1 *p)
{
	return p->head.cap + p->text.cap + p->body.cap;
}

bool h1_started(const struct h1 *p)
{
	return p->state != REQUEST_LINE || p->blank || p->head.n > 0;
}

bool h1_in_body(const struct h1 *p)
{
	return p->state >= BODY && p->state <= TRAILER;
}

bool h1_expects_continue(const struct h1 *p)
{
	return p->expects_continue && h1_in_body(p) && p->body.n == 0;
}
