/* codec.h: strict text codecs. Decoders accept one spelling only. */
#pragma once

#include "base/bytes.h"

/* RFC 4648 section 5 without padding; refuses padding, junk and non-zero trailing bits. Appends to out. */
must_check enum st base64url_decode(struct slice text, struct buf *out);
must_check enum st base64url_encode(struct slice bytes, struct buf *out);
/* RFC 4648 section 4 with padding, strict. */
must_check enum st base64_decode(struct slice text, struct buf *out);
must_check enum st base64_encode(struct slice bytes, struct buf *out);
must_check enum st hex_decode(struct slice text, struct buf *out);  /* either case */
must_check enum st hex_encode(struct slice bytes, struct buf *out); /* lower case */
/* True when well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool utf8_valid(struct slice text);
/* How many bytes the first character takes; 0 when it is not well-formed or there is none. */
size_t utf8_length(struct slice text);
/* RFC 3986 percent decoding; refuses bad escapes. plus_is_space for application/x-www-form-urlencoded. */
must_check enum st percent_decode(struct slice text, bool plus_is_space, struct buf *out);
/* Encodes everything but RFC 3986 unreserved characters. */
must_check enum st percent_encode(struct slice bytes, struct buf *out);
/* The value of the one cookie with this name in a Cookie field (RFC 6265 section 4.2.1), borrowed from header.
 * ST_NOTFOUND when there is none; ST_BAD when it comes twice or its value has characters that a cookie-octet may not be (quotes too: we set none): nobody
 * then knows which one we set. Other applications' cookies are stepped over, however they look. */
must_check enum st cookie_find(struct slice header, struct slice name, struct slice *value);
