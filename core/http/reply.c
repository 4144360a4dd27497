/* reply.c: status line and fields. */
#include "http/reply.h"

#include <time.h>

static const struct reason {
	int status;
	const char *text;
} reasons[] = {
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{206, "Partial Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

const char *reply_reason(int status)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unknown";
}

bool reply_has_body(int status)
{
	return status != 204 && status != 304;
}

/* What the server says itself; a second voice would be smuggling. */
static bool is_ours(struct slice name)
{
	static const struct slice ours[] = {SLICE_LIT("content-length"),
		SLICE_LIT("transfer-encoding"), SLICE_LIT("connection"), SLICE_LIT("keep-alive"),
		SLICE_LIT("date")};
	size_t i;

	for (i = 0; i < ARRAY_LEN(ours); i++)
		if (slice_eq_nocase(name, ours[i]))
			return true;
	return false;
}

static void add_number(struct buf *out, size_t n)
{
	char digits[24];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	buf_add(out, digits + at, sizeof digits - at);
}

static bool add_field(struct buf *out, const struct http_field *field)
{
	if (!field_is_token(field->name) || !field_is_value(field->value))
		return false;
	if (is_ours(field->name))
		return true;
	buf_add_slice(out, field->name);
	buf_add_slice(out, SLICE_LIT(": "));
	buf_add_slice(out, field->value);
	buf_add_slice(out, SLICE_LIT("\r\n"));
	return true;
}

enum st reply_head(const struct http_reply *reply, struct slice date, bool close, struct buf *out)
{
	size_t i;

	if (reply->status < 200 || reply->status > 599)
		return ST_BAD;
	buf_add_slice(out, SLICE_LIT("HTTP/1.1 "));
	add_number(out, (size_t)reply->status);
	buf_add_slice(out, SLICE_LIT(" "));
	buf_add_str(out, reply_reason(reply->status));
	buf_add_slice(out, SLICE_LIT("\r\ndate: "));
	buf_add_slice(out, date);
	buf_add_slice(out, SLICE_LIT("\r\n"));
	if (reply_has_body(reply->status)) {
		buf_add_slice(out, SLICE_LIT("content-length: "));
		add_number(out, reply->body.n);
		buf_add_slice(out, SLICE_LIT("\r\n"));
	}
	if (close)
		buf_add_slice(out, SLICE_LIT("connection: close\r\n"));
	for (i = 0; i < reply->field_count; i++)
		if (!add_field(out, &reply->fields[i]))
			return ST_BAD;
	buf_add_slice(out, SLICE_LIT("\r\n"));
	return out->failed ? ST_NOMEM : ST_OK;
}

void reply_date(int64_t wall, char out[REPLY_DATE_SIZE])
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)wall;
	struct tm tm = {0};

	/* Not strftime: the names must not depend on anyone's locale. */
	(void)gmtime_r(&seconds, &tm);
	snprintf(out, REPLY_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT",
		days[(unsigned)tm.tm_wday % 7], (unsigned)tm.tm_mday % 100,
		months[(unsigned)tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
		(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}
