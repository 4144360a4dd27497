/* client_request.c: what may be asked of whom, and the bytes of the request. */
#include "http/client_private.h"

#include "base/fault.h"
#include "base/url.h"
#include "crypto/hash.h"

#define ALLOW_MAX 64
#define LABEL_MAX 63

/* ---- places ---- */

static bool host_valid(struct slice host)
{
	size_t label = 0;

	for (size_t i = 0; i < host.n; i++) {
		unsigned char c = host.p[i] | 0x20;

		if (host.p[i] == '.' ? label == 0 || i + 1 == host.n : ++label > LABEL_MAX)
			return false;
		if (host.p[i] == '.')
			label = 0;
		else if (!(c >= 'a' && c <= 'z') && !(host.p[i] >= '0' && host.p[i] <= '9') &&
			host.p[i] != '-' && host.p[i] != '_')
			return false;
	}
	return host.n > 0 && host.n <= DNS_NAME_MAX;
}

/* What a C library would read as a number in some base must be an address as everybody writes it. */
static const char *read_host(const struct url *u, struct place *out)
{
	out->literal = address_parse(u->host, &out->address);
	if (u->host_is_ipv6 != (out->literal && out->address.v6))
		return "bad host";
	if (!out->literal && (!host_valid(u->host) || address_looks_numeric(u->host)))
		return "bad host";
	for (size_t i = 0; i < u->host.n; i++)
		out->host[i] = (char)(u->host.p[i] >= 'A' && u->host.p[i] <= 'Z' ? u->host.p[i] + 32
										 : u->host.p[i]);
	out->host[u->host.n] = '\0';
	return NULL;
}

/* NULL, or what is wrong. */
static const char *read_place(struct slice text, struct url *u, struct place *out)
{
	*out = (struct place){0};
	if (url_parse(text, u) != ST_OK)
		return "not a well-formed absolute URL";
	out->secure = slice_eq_nocase(u->scheme, SLICE_LIT("https"));
	if (!out->secure && !slice_eq_nocase(u->scheme, SLICE_LIT("http")))
		return "only http and https are spoken";
	if (u->has_userinfo)
		return "a user name or password in the URL";
	out->port = out->secure ? 443 : 80;
	if (u->has_port) {
		out->port = 0;
		for (size_t i = 0; i < u->port.n; i++)
			out->port = (uint16_t)(out->port * 10 + (u->port.p[i] - '0'));
	}
	return read_host(u, out);
}

/* ---- the address guard ---- */

static enum st read_allow(struct http_call *call, const struct slice *allow, size_t count)
{
	if (count == 0)
		return ST_OK;
	call->allow = fault_hit(FAULT_ALLOC) ? NULL : calloc(count, sizeof *call->allow);
	if (!call->allow)
		return ST_NOMEM;
	for (size_t i = 0; i < count; i++) {
		if (network_parse(allow[i], &call->allow[call->allow_count]))
			call->allow_count++;
		else if (!call->place.literal && slice_eq_nocase(allow[i], slice_str(call->place.host)))
			call->name_allowed = true;
	}
	return ST_OK;
}

bool request_may_connect(const struct http_call *call, const struct address *address)
{
	if (call->name_allowed || address_is_public(address))
		return true;
	for (size_t i = 0; i < call->allow_count; i++)
		if (network_has(&call->allow[i], address))
			return true;
	return false;
}

/* ---- bytes ---- */

static bool method_known(struct slice method)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (slice_eq(method, slice_str(methods[i])))
			return true;
	return false;
}

/* Fields that say how long the message is or speak of the connection are ours. */
static bool field_may_be_set(struct slice name)
{
	static const char *const ours[] = {"host", "content-length", "transfer-encoding",
		"connection", "keep-alive", "expect", "te", "trailer", "upgrade",
		"proxy-connection", "proxy-authorization"};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (slice_eq_nocase(name, slice_str(ours[i])))
			return false;
	return field_is_token(name);
}

static void add_authority(const struct place *place, bool port, struct buf *out)
{
	bool brackets = place->literal && place->address.v6;

	buf_printf(out, brackets ? "[%s]" : "%s", place->host);
	if (port || place->port != (place->secure ? 443 : 80))
		buf_printf(out, ":%u", place->port);
}

static void add_target(const struct http_call *call, const struct url *u, struct buf *out)
{
	if (call->proxied && !call->place.secure) {
		buf_add_str(out, "http://");
		add_authority(&call->place, false, out);
	}
	if (u->path.n)
		buf_add_slice(out, u->path);
	else
		buf_add_u8(out, '/');
	if (u->has_query) {
		buf_add_u8(out, '?');
		buf_add_slice(out, u->query);
	}
}

static void add_field(struct buf *out, struct slice name, struct slice value)
{
	buf_add_slice(out, name);
	buf_add_str(out, ": ");
	buf_add_slice(out, value);
	buf_add_str(out, "\r\n");
}

/* NULL, or what is wrong with a field. */
static const char *add_fields(const struct http_call_options *o, struct buf *out)
{
	bool named = false;

	for (size_t i = 0; i < o->field_count; i++) {
		const struct http_field *f = &o->fields[i];

		if (!field_may_be_set(f->name))
			return "a header field that may not be set";
		if (!field_is_value(f->value))
			return "a control character in a header field";
		named |= slice_eq_nocase(f->name, SLICE_LIT("user-agent"));
		add_field(out, f->name, f->value);
	}
	if (!named)
		add_field(out, SLICE_LIT("User-Agent"), SLICE_LIT("Tidelock"));
	return NULL;
}

static const char *write_request(
	struct http_call *call, const struct http_call_options *o, const struct url *u)
{
	struct buf *out = &call->request;
	bool has_body = o->body.n > 0 || o->method.p[0] == 'P';
	const char *why;

	buf_add_slice(out, o->method);
	buf_add_u8(out, ' ');
	add_target(call, u, out);
	buf_add_str(out, " HTTP/1.1\r\nHost: ");
	add_authority(&call->place, false, out);
	buf_add_str(out, "\r\n");
	why = add_fields(o, out);
	if (has_body)
		buf_printf(out, "Content-Length: %zu\r\n", o->body.n);
	buf_add_str(out, "\r\n");
	buf_add_slice(out, o->body);
	return why;
}

/* ---- all of it ---- */

static enum http_failure refuse(
	char detail[static HTTP_DETAIL], enum http_failure failure, const char *why)
{
	snprintf(detail, HTTP_DETAIL, "%s", why);
	return failure;
}

static enum http_failure find_trust(
	struct http_call *call, const struct http_call_options *o, char detail[static HTTP_DETAIL])
{
	bool own = o->ca.n > 0;

	if (!call->place.secure)
		return HTTP_FINE;
	switch (tls_trust_get(own ? o->ca : o->roots, !own, &call->trust)) {
	case ST_OK:
		return HTTP_FINE;
	case ST_BAD:
		return refuse(detail, HTTP_TLS, "the authority's certificate cannot be read");
	case ST_NOTFOUND:
		return refuse(detail, HTTP_TLS,
			"this machine has no list of authorities: set outgoing.ca_file");
	case ST_IO:
		return refuse(detail, HTTP_TLS, "the list of authorities cannot be read");
	default:
		return refuse(detail, HTTP_BUSY, "out of memory");
	}
}

/* Connections are shared by calls that mean the same peer, judge addresses alike and believe the same authorities. */
static enum st make_key(struct http_call *call, const struct http_call_options *o)
{
	struct buf text = {0};

	buf_printf(&text, "%d %s %u %s %u ", call->place.secure, call->place.host, call->place.port,
		call->proxied ? call->proxy.host : "", call->proxied ? call->proxy.port : 0);
	if (call->trust)
		buf_add(&text, tls_trust_digest(call->trust), 32);
	for (size_t i = 0; i < o->allow_count; i++) {
		buf_add_slice(&text, o->allow[i]);
		buf_add_u8(&text, ' ');
	}
	hash_bytes(HASH_SHA256, buf_slice(&text), call->key);
	bool failed = text.failed;
	buf_free(&text);
	return failed ? ST_NOMEM : ST_OK;
}

enum http_failure request_prepare(
	struct http_call *call, const struct http_call_options *o, char detail[static HTTP_DETAIL])
{
	enum http_failure failure;
	struct url u, of_proxy;
	const char *why = NULL;

	if (!method_known(o->method))
		why = "a method that is not spoken";
	else if (o->body.n > HTTP_REQUEST_BODY_MAX || o->allow_count > ALLOW_MAX)
		why = "the body or the list of what is allowed is too large";
	if (!why)
		why = read_place(o->url, &u, &call->place);
	call->proxied = o->proxy.n > 0;
	if (!why && call->proxied) {
		why = read_place(o->proxy, &of_proxy, &call->proxy);
		if (!why && call->proxy.secure)
			why = "a proxy is spoken to over http";
	}
	if (!why)
		why = write_request(call, o, &u);
	if (why)
		return refuse(detail, HTTP_BAD_URL, why);
	call->head = slice_eq(o->method, SLICE_LIT("HEAD"));
	call->idempotent = !slice_eq(o->method, SLICE_LIT("POST")) &&
		!slice_eq(o->method, SLICE_LIT("PATCH"));
	if (call->request.failed || read_allow(call, o->allow, o->allow_count) != ST_OK)
		return refuse(detail, HTTP_BUSY, "out of memory");
	if (call->place.literal && !request_may_connect(call, &call->place.address))
		return refuse(detail, HTTP_BLOCKED, "a private address");
	failure = find_trust(call, o, detail);
	if (failure == HTTP_FINE && make_key(call, o) != ST_OK)
		return refuse(detail, HTTP_BUSY, "out of memory");
	return failure;
}
