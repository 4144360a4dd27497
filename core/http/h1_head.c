/* h1_head.c: what stands in the head of a message: the request line or status line, the fields, and what they say together of
 * host and body (RFC 9112 sections 3 to 6). */
#include "http/h1_private.h"

#include "base/fault.h"
#include "http/target.h"

#define METHOD_MAX 32

/* ---- request line ---- */

static enum st read_version(struct h1 *p, struct slice version)
{
	static const struct slice prefix = SLICE_LIT("HTTP/");
	bool digits;

	if (version.n != 8 || !slice_has_prefix(version, prefix) || version.p[6] != '.')
		return h1_bad(p, 400, "bad HTTP version");
	digits = version.p[5] >= '0' && version.p[5] <= '9' && version.p[7] >= '0' &&
		version.p[7] <= '9';
	if (!digits)
		return h1_bad(p, 400, "bad HTTP version");
	if (version.p[5] != '1' || version.p[7] > '1')
		return h1_bad(p, 505, "HTTP version not supported");
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
		return h1_bad(p, 400, why);
	if (st != ST_OK)
		return h1_nomem(p);
	p->path_n = p->text.n;
	return ST_MORE;
}

static enum st read_target(struct h1 *p, struct slice method, struct slice text)
{
	struct target target;
	const char *why;

	if (slice_eq(method, SLICE_LIT("CONNECT")))
		return h1_bad(p, 501, "this server is not a proxy");
	why = target_parse(text, slice_eq(method, SLICE_LIT("OPTIONS")), &target);
	if (why)
		return h1_bad(p, 400, why);
	p->absolute = target.absolute;
	p->authority = h1_span_of(p, target.authority);
	p->query = h1_span_of(p, target.query);
	return read_path(p, target.path);
}

enum st h1_read_request_line(struct h1 *p, struct slice line)
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
		return h1_bad(p, 400, "bad method");
	if (target.n == 0 || version.n == 0)
		return h1_bad(p, 400, "bad request line");
	p->method = h1_span_of(p, method);
	p->target = h1_span_of(p, target);
	st = read_version(p, version);
	if (st == ST_MORE)
		st = read_target(p, method, target);
	if (st == ST_MORE)
		p->state = FIELD;
	return st;
}

/* ---- status line ---- */

/* RFC 9112 section 4. The reason says nothing; some leave it out with its space. */
enum st h1_read_status_line(struct h1 *p, struct slice line)
{
	struct slice version = slice_sub(line, 0, slice_find(line, ' ')),
		     rest = slice_sub(line, version.n + 1, line.n);
	enum st st;
	int i;

	st = read_version(p, version);
	if (st != ST_MORE)
		return st;
	if (rest.n < 3 || (rest.n > 3 && rest.p[3] != ' '))
		return h1_bad(p, 400, "bad status line");
	p->message.status = 0;
	for (i = 0; i < 3; i++) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return h1_bad(p, 400, "bad status line");
		p->message.status = p->message.status * 10 + (rest.p[i] - '0');
	}
	if (p->message.status < 100 || p->message.status > 599)
		return h1_bad(p, 400, "bad status");
	if (p->message.status == 101)
		return h1_bad(p, 400, "another protocol, which was not asked for");
	p->state = FIELD;
	return ST_MORE;
}

/* ---- fields ---- */

static enum st read_content_length(struct h1 *p, struct slice value)
{
	size_t i, n = 0;

	if (++p->lengths > 1)
		return h1_bad(p, 400, "more than one Content-Length");
	for (i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return h1_bad(p, 400, "bad Content-Length");
		if (n <= p->limits.body)
			n = n * 10 + (size_t)(value.p[i] - '0');
	}
	if (value.n == 0)
		return h1_bad(p, 400, "bad Content-Length");
	p->body_left = n;
	return ST_MORE;
}

static enum st read_transfer_encoding(struct h1 *p, struct slice value)
{
	if (++p->codings > 1)
		return h1_bad(p, 400, "more than one Transfer-Encoding");
	if (!slice_eq_nocase(value, SLICE_LIT("chunked")))
		return h1_bad(p, 501, "transfer coding not supported");
	p->chunked = true;
	return ST_MORE;
}

static enum st read_expect(struct h1 *p, struct slice value)
{
	if (++p->expects > 1 || !slice_eq_nocase(value, SLICE_LIT("100-continue")))
		return h1_bad(p, 417, "expectation not supported");
	p->expects_continue = true;
	return ST_MORE;
}

/* The fields that the message itself depends on. */
static enum st note_field(struct h1 *p, struct slice name, struct slice value)
{
	if (slice_eq(name, SLICE_LIT("host")) && !p->response) {
		if (++p->hosts > 1)
			return h1_bad(p, 400, "more than one Host");
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

enum st h1_read_field(struct h1 *p, struct slice line, bool keep)
{
	size_t colon = slice_find(line, ':');
	struct slice name = slice_sub(line, 0, colon), value;
	enum st st;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return h1_bad(p, 400, "folded header line");
	if (colon == line.n || !field_is_token(name))
		return h1_bad(p, 400, "bad header field name");
	if (p->line_count + p->trailers == p->limits.fields)
		return h1_bad(p, 431, "too many header fields");
	if (!keep) {
		p->trailers++;
		return ST_MORE;
	}
	if (!room_for_line(p))
		return h1_nomem(p);
	lower_name(p, colon);
	value = trim(slice_sub(line, colon + 1, line.n));
	st = note_field(p, name, value);
	p->lines[p->line_count++] = (struct h1_line){h1_span_of(p, name), h1_span_of(p, value)};
	return st;
}

/* ---- the end of the head, the end of the message ---- */

static enum st add_host(struct h1 *p, struct slice host)
{
	size_t i;

	if (!buf_add_slice(&p->text, host))
		return h1_nomem(p);
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
		return h1_bad(p, 400, "no Host");
	if (p->hosts > 0 &&
		!target_parse_authority(h1_at(p, p->lines[p->host_line].value), &host, &port))
		return h1_bad(p, 400, "bad Host");
	if (p->absolute) {
		if (!target_parse_authority(h1_at(p, p->authority), &host, &port))
			return h1_bad(p, 400, "bad host in the request target");
		if (p->hosts > 0)
			p->lines[p->host_line].value = p->authority;
	}
	p->message.port = port;
	return add_host(p, host);
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
		return p->lengths || p->codings
			? h1_bad(p, 400, "a body in an informational response")
			: pass_over(p);
	if (p->chunked && (p->lengths > 0 || p->old))
		return h1_bad(p, 400, "Transfer-Encoding beside Content-Length or in HTTP/1.0");
	if (status == 204 && (p->chunked || p->body_left > 0))
		return h1_bad(p, 400, "a body where none may be");
	if (p->bodiless || status == 204 || status == 304 || (p->tunnel && status < 300))
		return h1_finish(p);
	if (p->body_left > p->limits.body)
		return h1_bad(p, 413, "body too large");
	if (p->lengths == 0 && !p->chunked)
		p->close = true;
	else if (!p->chunked && p->body_left == 0)
		return h1_finish(p);
	p->state = p->chunked ? CHUNK_SIZE : p->lengths > 0 ? BODY : REST;
	return ST_MORE;
}

enum st h1_end_head(struct h1 *p)
{
	enum st st;

	if (p->response)
		return end_response_head(p);
	st = settle_host(p);

	if (st != ST_MORE)
		return st;
	/* RFC 9112 section 6.1: both lengths at once is how requests are smuggled; in HTTP/1.0 one of them is. */
	if (p->chunked && (p->lengths > 0 || p->old))
		return h1_bad(p, 400, "Transfer-Encoding beside Content-Length or in HTTP/1.0");
	if (p->body_left > p->limits.body)
		return h1_bad(p, 413, "body too large");
	p->expects_continue = p->expects_continue && !p->old;
	if (p->chunked)
		p->state = CHUNK_SIZE;
	else if (p->body_left > 0)
		p->state = BODY;
	else
		return h1_finish(p);
	return ST_MORE;
}
