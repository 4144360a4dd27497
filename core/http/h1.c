/* h1.c: lines are collected, checked byte by byte as they come, and read when whole; so feeding byte by
 * byte and feeding at once cannot differ. */
#include "http/h1.h"

#include "base/fault.h"
#include "http/target.h"

#define CHUNK_LINE_MAX 256
/* Of all chunk extensions together: they are legal, ignored, and no way to keep us busy. */
#define EXTENSIONS_MAX 8192
#define METHOD_MAX 32
/* What h1_reset keeps for the next message. */
#define KEEP_HEAD 4096
#define KEEP_BODY 16384

enum {
	REQUEST_LINE,
	FIELD,
	BODY,
	REST, /* a body that ends with the connection */
	CHUNK_SIZE,
	CHUNK_DATA,
	CHUNK_END,
	TRAILER,
	DONE,
	FAILED,
	EMPTY_HANDED
};

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

static enum st bad(struct h1 *p, int status, const char *error)
{
	p->state = FAILED;
	p->status = status;
	p->error = error;
	return ST_BAD;
}

static enum st nomem(struct h1 *p)
{
	p->state = EMPTY_HANDED;
	return ST_NOMEM;
}

static struct h1_span span_of(const struct h1 *p, struct slice s)
{
	if (s.n == 0)
		return (struct h1_span){0, 0};
	return (struct h1_span){(uint32_t)(s.p - p->head.p), (uint32_t)s.n};
}

static struct slice at_span(const struct h1 *p, struct h1_span span)
{
	return slice_sub(buf_slice(&p->head), span.at, span.n);
}

/* ---- request line ---- */

static enum st read_version(struct h1 *p, struct slice version)
{
	static const struct slice prefix = SLICE_LIT("HTTP/");
	bool digits;

	if (version.n != 8 || !slice_has_prefix(version, prefix) || version.p[6] != '.')
		return bad(p, 400, "bad HTTP version");
	digits = version.p[5] >= '0' && version.p[5] <= '9' && version.p[7] >= '0' &&
		version.p[7] <= '9';
	if (!digits)
		return bad(p, 400, "bad HTTP version");
	if (version.p[5] != '1' || version.p[7] > '1')
		return bad(p, 505, "HTTP version not supported");
	p->old = version.p[7] == '0';
	p->close = p->old;
	return ST_MORE;
}

static enum st read_path(struct h1 *p, struct slice path)
{
	const char *why = NULL;
	enum st st;

	/* "OPTIONS *" and "http://host" speak of the server as a whole. */
	if (path.n == 0)
		path = SLICE_LIT("/");
	st = target_decode_path(path, &p->text, &why);
	if (st == ST_BAD)
		return bad(p, 400, why);
	if (st != ST_OK)
		return nomem(p);
	p->path_n = p->text.n;
	return ST_MORE;
}

static enum st read_target(struct h1 *p, struct slice method, struct slice text)
{
	struct target target;
	const char *why;

	if (slice_eq(method, SLICE_LIT("CONNECT")))
		return bad(p, 501, "this server is not a proxy");
	why = target_parse(text, slice_eq(method, SLICE_LIT("OPTIONS")), &target);
	if (why)
		return bad(p, 400, why);
	p->absolute = target.absolute;
	p->authority = span_of(p, target.authority);
	p->query = span_of(p, target.query);
	return read_path(p, target.path);
}

static enum st read_request_line(struct h1 *p, struct slice line)
{
	size_t first = slice_find(line, ' ');
	struct slice method = slice_sub(line, 0, first), rest = slice_sub(line, first + 1, line.n),
		     target, version;
	size_t second = slice_find(rest, ' ');
	enum st st;

	/* RFC 9112 section 2.2: one empty line before the request line is forgiven. */
	if (line.n == 0 && !p->blank) {
		p->blank = true;
		p->head.n = 0;
		return ST_MORE;
	}
	target = slice_sub(rest, 0, second);
	version = slice_sub(rest, second + 1, rest.n);
	if (!field_is_token(method) || method.n > METHOD_MAX)
		return bad(p, 400, "bad method");
	if (target.n == 0 || version.n == 0)
		return bad(p, 400, "bad request line");
	p->method = span_of(p, method);
	p->target = span_of(p, target);
	st = read_version(p, version);
	if (st == ST_MORE)
		st = read_target(p, method, target);
	if (st == ST_MORE)
		p->state = FIELD;
	return st;
}

/* ---- status line ---- */

/* RFC 9112 section 4. The reason says nothing; some leave it out with its space. */
static enum st read_status_line(struct h1 *p, struct slice line)
{
	struct slice version = slice_sub(line, 0, slice_find(line, ' ')),
		     rest = slice_sub(line, version.n + 1, line.n);
	enum st st;
	int i;

	st = read_version(p, version);
	if (st != ST_MORE)
		return st;
	if (rest.n < 3 || (rest.n > 3 && rest.p[3] != ' '))
		return bad(p, 400, "bad status line");
	p->message.status = 0;
	for (i = 0; i < 3; i++) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return bad(p, 400, "bad status line");
		p->message.status = p->message.status * 10 + (rest.p[i] - '0');
	}
	if (p->message.status < 100 || p->message.status > 599)
		return bad(p, 400, "bad status");
	if (p->message.status == 101)
		return bad(p, 400, "another protocol, which was not asked for");
	p->state = FIELD;
	return ST_MORE;
}

/* ---- fields ---- */

static enum st read_content_length(struct h1 *p, struct slice value)
{
	size_t i, n = 0;

	if (++p->lengths > 1)
		return bad(p, 400, "more than one Content-Length");
	for (i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return bad(p, 400, "bad Content-Length");
		if (n <= p->limits.body)
			n = n * 10 + (size_t)(value.p[i] - '0');
	}
	if (value.n == 0)
		return bad(p, 400, "bad Content-Length");
	p->body_left = n;
	return ST_MORE;
}

static enum st read_transfer_encoding(struct h1 *p, struct slice value)
{
	if (++p->codings > 1)
		return bad(p, 400, "more than one Transfer-Encoding");
	if (!slice_eq_nocase(value, SLICE_LIT("chunked")))
		return bad(p, 501, "transfer coding not supported");
	p->chunked = true;
	return ST_MORE;
}

static enum st read_expect(struct h1 *p, struct slice value)
{
	if (++p->expects > 1 || !slice_eq_nocase(value, SLICE_LIT("100-continue")))
		return bad(p, 417, "expectation not supported");
	p->expects_continue = true;
	return ST_MORE;
}

/* The fields that the message itself depends on. */
static enum st note_field(struct h1 *p, struct slice name, struct slice value)
{
	if (slice_eq(name, SLICE_LIT("host")) && !p->response) {
		if (++p->hosts > 1)
			return bad(p, 400, "more than one Host");
		p->host_line = p->line_count;
	} else if (slice_eq(name, SLICE_LIT("content-length"))) {
		return read_content_length(p, value);
	} else if (slice_eq(name, SLICE_LIT("transfer-encoding"))) {
		return read_transfer_encoding(p, value);
	} else if (slice_eq(name, SLICE_LIT("connection"))) {
		p->close = p->close || field_list_has(value, SLICE_LIT("close"));
	} else if (slice_eq(name, SLICE_LIT("expect")) && !p->response) {
		return read_expect(p, value);
	}
	return ST_MORE;
}

static bool room_for_line(struct h1 *p)
{
	size_t room = p->line_room ? p->line_room * 2 : 16;
	struct h1_line *lines;

	if (p->line_count < p->line_room)
		return true;
	lines = fault_hit(FAULT_ALLOC) ? NULL : realloc(p->lines, room * sizeof *lines);
	if (lines == NULL)
		return false;
	p->lines = lines;
	p->line_room = room;
	return true;
}

static struct slice trim(struct slice s)
{
	size_t from = 0;

	while (from < s.n && (s.p[from] == ' ' || s.p[from] == '\t'))
		from++;
	while (s.n > from && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return slice_sub(s, from, s.n - from);
}

/* The name goes to lower case where it stands; the line is ours, at the end of head. */
static void lower_name(struct h1 *p, size_t n)
{
	size_t i;

	for (i = p->line_at; i < p->line_at + n; i++)
		if (p->head.p[i] >= 'A' && p->head.p[i] <= 'Z')
			p->head.p[i] = (unsigned char)(p->head.p[i] + 'a' - 'A');
}

static enum st read_field(struct h1 *p, struct slice line, bool keep)
{
	size_t colon = slice_find(line, ':');
	struct slice name = slice_sub(line, 0, colon), value;
	enum st st;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return bad(p, 400, "folded header line");
	if (colon == line.n || !field_is_token(name))
		return bad(p, 400, "bad header field name");
	if (p->line_count + p->trailers == p->limits.fields)
		return bad(p, 431, "too many header fields");
	if (!keep) {
		p->trailers++;
		return ST_MORE;
	}
	if (!room_for_line(p))
		return nomem(p);
	lower_name(p, colon);
	value = trim(slice_sub(line, colon + 1, line.n));
	st = note_field(p, name, value);
	p->lines[p->line_count++] = (struct h1_line){span_of(p, name), span_of(p, value)};
	return st;
}

/* ---- the end of the head, the end of the message ---- */

static enum st add_host(struct h1 *p, struct slice host)
{
	size_t i;

	if (!buf_add_slice(&p->text, host))
		return nomem(p);
	for (i = p->path_n; i < p->text.n; i++)
		if (p->text.p[i] >= 'A' && p->text.p[i] <= 'Z')
			p->text.p[i] = (unsigned char)(p->text.p[i] + 'a' - 'A');
	return ST_MORE;
}

/* RFC 9112 section 3.2: exactly one Host; a target in absolute form wins over it. */
static enum st settle_host(struct h1 *p)
{
	struct slice host = {0};
	uint16_t port = 0;

	if (p->hosts == 0 && !p->old)
		return bad(p, 400, "no Host");
	if (p->hosts > 0 &&
		!target_parse_authority(at_span(p, p->lines[p->host_line].value), &host, &port))
		return bad(p, 400, "bad Host");
	if (p->absolute) {
		if (!target_parse_authority(at_span(p, p->authority), &host, &port))
			return bad(p, 400, "bad host in the request target");
		if (p->hosts > 0)
			p->lines[p->host_line].value = p->authority;
	}
	p->message.port = port;
	return add_host(p, host);
}

static enum st finish(struct h1 *p)
{
	struct h1_message *m = &p->message;
	struct slice text = buf_slice(&p->text);
	size_t i;

	if (p->field_room < p->line_count) {
		struct http_field *fields = realloc(p->fields, p->line_room * sizeof *fields);

		if (fields == NULL)
			return nomem(p);
		p->fields = fields;
		p->field_room = p->line_room;
	}
	for (i = 0; i < p->line_count; i++)
		p->fields[i] = (struct http_field){
			at_span(p, p->lines[i].name), at_span(p, p->lines[i].value)};
	m->method = at_span(p, p->method);
	m->target = at_span(p, p->target);
	m->query = at_span(p, p->query);
	m->path = slice_sub(text, 0, p->path_n);
	m->host = slice_sub(text, p->path_n, text.n);
	m->fields = p->fields;
	m->field_count = p->line_count;
	m->body = buf_slice(&p->body);
	m->keep_alive = !p->close;
	p->state = DONE;
	return ST_OK;
}

/* An informational response is only its head: the next one begins. The header's limits hold for all together. */
static enum st pass_over(struct h1 *p)
{
	size_t used = p->header_used;
	bool bodiless = p->bodiless, tunnel = p->tunnel;

	h1_reset(p);
	p->header_used = used;
	p->bodiless = bodiless;
	p->tunnel = tunnel;
	return ST_MORE;
}

/* RFC 9112 section 6.3, for responses. */
static enum st end_response_head(struct h1 *p)
{
	int status = p->message.status;

	if (status < 200)
		return p->lengths || p->codings ? bad(p, 400, "a body in an informational response")
						: pass_over(p);
	if (p->chunked && (p->lengths > 0 || p->old))
		return bad(p, 400, "Transfer-Encoding beside Content-Length or in HTTP/1.0");
	if (status == 204 && (p->chunked || p->body_left > 0))
		return bad(p, 400, "a body where none may be");
	if (p->bodiless || status == 204 || status == 304 || (p->tunnel && status < 300))
		return finish(p);
	if (p->body_left > p->limits.body)
		return bad(p, 413, "body too large");
	if (p->lengths == 0 && !p->chunked)
		p->close = true;
	else if (!p->chunked && p->body_left == 0)
		return finish(p);
	p->state = p->chunked ? CHUNK_SIZE : p->lengths > 0 ? BODY : REST;
	return ST_MORE;
}

static enum st end_head(struct h1 *p)
{
	enum st st;

	if (p->response)
		return end_response_head(p);
	st = settle_host(p);

	if (st != ST_MORE)
		return st;
	/* RFC 9112 section 6.1: both lengths at once is how requests are smuggled; in HTTP/1.0 one of them is. */
	if (p->chunked && (p->lengths > 0 || p->old))
		return bad(p, 400, "Transfer-Encoding beside Content-Length or in HTTP/1.0");
	if (p->body_left > p->limits.body)
		return bad(p, 413, "body too large");
	p->expects_continue = p->expects_continue && !p->old;
	if (p->chunked)
		p->state = CHUNK_SIZE;
	else if (p->body_left > 0)
		p->state = BODY;
	else
		return finish(p);
	return ST_MORE;
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
			return bad(p, 400, "bad chunk size");
		if (n <= p->limits.body)
			n = n * 16 + (size_t)hex_value(line.p[i]);
	}
	if (i == 0 || (i < line.n && line.p[i] != ';'))
		return bad(p, 400, "bad chunk size");
	p->extension_used += line.n - i;
	if (p->extension_used > EXTENSIONS_MAX)
		return bad(p, 400, "chunk extensions too long");
	if (n > p->limits.body - p->body.n)
		return bad(p, 413, "body too large");
	p->body_left = n;
	p->state = n > 0 ? CHUNK_DATA : TRAILER;
	return ST_MORE;
}

static enum st read_chunk_end(struct h1 *p, struct slice line)
{
	if (line.n > 0)
		return bad(p, 400, "bad end of chunk");
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
		return p->response ? read_status_line(p, line) : read_request_line(p, line);
	case FIELD:
		return line.n == 0 ? end_head(p) : read_field(p, line, true);
	case CHUNK_SIZE:
		return drop_line(p, read_chunk_size(p, line));
	case CHUNK_END:
		return drop_line(p, read_chunk_end(p, line));
	default:
		return drop_line(p, line.n == 0 ? finish(p) : read_field(p, line, false));
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
		return p->response ? bad(p, 400, "status line too long")
				   : bad(p, 414, "request line too long");
	case CHUNK_SIZE:
	case CHUNK_END:
		return bad(p, 400, "bad chunk");
	default:
		return bad(p, 431, "header too large");
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
			return bad(p, 400, p->cr ? "bare CR" : "bare LF");
		if (c != '\n' && c != '\r' && c != '\t')
			return bad(p, 400, "control character");
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
		return nomem(p);
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
		return nomem(p);
	p->body_left -= piece.n;
	if (p->body_left > 0)
		return ST_MORE;
	if (p->state == BODY)
		return finish(p);
	p->state = CHUNK_END;
	return ST_MORE;
}

static enum st feed_rest(struct h1 *p, struct slice in, size_t *used)
{
	*used = in.n;
	if (in.n > p->limits.body - p->body.n)
		return bad(p, 413, "body too large");
	return buf_add_slice(&p->body, in) ? ST_MORE : nomem(p);
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
		return finish(p);
	return p->state == DONE ? ST_OK : bad(p, 400, "the message was cut off");
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
	return slice_eq(at_span(p, p->method), SLICE_LIT("HEAD"));
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
