/* x509.c: certificates by mbedTLS's writer; it knows no name constraints (RFC 5280 4.2.1.10), so that extension's DER is
 * written here, back to front as asn1write does. */
#include "crypto/x509.h"

#include <arpa/inet.h>
#include <time.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "base/secret.h"

enum {
	PEM_MAX = 16384,
	CONSTRAINTS_MAX = 8192,
	TAG_DNS = 0x82,
	TAG_IP = 0x87,
	TAG_PERMITTED = 0xa0,
	TAG_EXCLUDED = 0xa1
};

struct name {
	bool is_address;
	unsigned char bytes[256]; /* an address, or the host name */
	size_t n;
};

struct work {
	mbedtls_x509write_cert cert;
	mbedtls_pk_context subject_key, issuer_key;
	mbedtls_x509_crt issuer;
	struct name *names;         /* owns */
	mbedtls_x509_san_list *san; /* owns; one entry a name */
	const char *error;
};

static enum st wrong(struct work *w, const char *error)
{
	w->error = error;
	return ST_BAD;
}

/* ---- Names ---- */

static bool is_host(struct slice s)
{
	if (s.n > 2 && s.p[0] == '*' && s.p[1] == '.')
		s = slice_sub(s, 2, s.n);
	if (s.n == 0 || s.n > 253)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9');
		bool inner = i > 0 && i + 1 < s.n && (c == '-' || (c == '.' && s.p[i - 1] != '.'));

		if (!letter && !inner && c != '_')
			return false;
	}
	return true;
}

static enum st parse_name(struct slice text, struct name *out)
{
	char z[256];

	if (text.n == 0 || text.n >= sizeof(z))
		return ST_BAD;
	memcpy(z, text.p, text.n);
	z[text.n] = 0;
	out->is_address = true;
	if (inet_pton(AF_INET, z, out->bytes) == 1) {
		out->n = 4;
	} else if (inet_pton(AF_INET6, z, out->bytes) == 1) {
		out->n = 16;
	} else {
		out->is_address = false;
		if (!is_host(text))
			return ST_BAD;
		memcpy(out->bytes, text.p, text.n);
		out->n = text.n;
	}
	return ST_OK;
}

static enum st parse_names(struct work *w, const struct x509_request *request)
{
	if (request->name_count == 0 || request->name_count > X509_NAMES_MAX)
		return wrong(w, "a certificate needs 1 to 64 names");
	w->names = calloc(request->name_count, sizeof(*w->names));
	w->san = calloc(request->name_count, sizeof(*w->san));
	if (!w->names || !w->san)
		return ST_NOMEM;
	for (size_t i = 0; i < request->name_count; i++) {
		mbedtls_x509_subject_alternative_name *alt = &w->san[i].node;

		if (parse_name(request->names[i], &w->names[i]))
			return wrong(w, "a name is neither a host name nor an address");
		alt->type = w->names[i].is_address ? MBEDTLS_X509_SAN_IP_ADDRESS
						   : MBEDTLS_X509_SAN_DNS_NAME;
		alt->san.unstructured_name.p = w->names[i].bytes;
		alt->san.unstructured_name.len = w->names[i].n;
		w->san[i].next = i + 1 < request->name_count ? &w->san[i + 1] : NULL;
	}
	return ST_OK;
}

/* ---- Name constraints ---- */

/* GeneralSubtree ::= SEQUENCE { base GeneralName } with minimum 0 left out. Written before what stands at *p. */
static int write_subtree(
	unsigned char **p, unsigned char *start, int tag, const unsigned char *bytes, size_t n)
{
	int ret;
	size_t len = 0;

	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_raw_buffer(p, start, bytes, n));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(p, start, len));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_tag(p, start, (unsigned char)tag));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(p, start, len));
	MBEDTLS_ASN1_CHK_ADD(len,
		mbedtls_asn1_write_tag(p, start, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
	return (int)len;
}

static int write_permitted(unsigned char **p, unsigned char *start, const struct name *name)
{
	unsigned char range[32];

	if (!name->is_address) {
		/* A host name permits itself and everything below it; "*.example.org" has no other spelling here. */
		size_t skip = name->bytes[0] == '*' ? 2 : 0;
		return write_subtree(p, start, TAG_DNS, name->bytes + skip, name->n - skip);
	}
	memcpy(range, name->bytes, name->n);
	memset(range + name->n, 0xff, name->n); /* this one address */
	return write_subtree(p, start, TAG_IP, range, 2 * name->n);
}

static int close_list(unsigned char **p, unsigned char *start, int tag, size_t len)
{
	int ret;

	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(p, start, len));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_tag(p, start, (unsigned char)tag));
	return (int)len;
}

/* A kind of name without a permitted entry would be unconstrained: what is not permitted at all is excluded whole. */
static int write_excluded(unsigned char **p, unsigned char *start, bool hosts, bool v4, bool v6)
{
	static const unsigned char all[32] = {0};
	int ret;
	size_t len = 0;

	if (v6)
		MBEDTLS_ASN1_CHK_ADD(len, write_subtree(p, start, TAG_IP, all, 32));
	if (v4)
		MBEDTLS_ASN1_CHK_ADD(len, write_subtree(p, start, TAG_IP, all, 8));
	if (hosts)
		MBEDTLS_ASN1_CHK_ADD(len, write_subtree(p, start, TAG_DNS, all, 0));
	return len ? close_list(p, start, TAG_EXCLUDED, len) : 0;
}

static int write_constraints(
	unsigned char **p, unsigned char *start, const struct name *names, size_t count)
{
	bool hosts = false, v4 = false, v6 = false;
	int ret;
	size_t len = 0, permitted = 0;

	for (size_t i = 0; i < count; i++) {
		hosts |= !names[i].is_address;
		v4 |= names[i].is_address && names[i].n == 4;
		v6 |= names[i].is_address && names[i].n == 16;
	}
	/* A permitted IPv4 range already refuses every IPv6 address and the other way round: both are one kind of name. */
	MBEDTLS_ASN1_CHK_ADD(len, write_excluded(p, start, !hosts, !v4 && !v6, !v4 && !v6));
	for (size_t i = count; i-- > 0;)
		MBEDTLS_ASN1_CHK_ADD(permitted, write_permitted(p, start, &names[i]));
	MBEDTLS_ASN1_CHK_ADD(len, close_list(p, start, TAG_PERMITTED, permitted));
	return close_list(p, start, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE, len);
}

static enum st add_constraints(struct work *w, size_t count)
{
	unsigned char *start = malloc(CONSTRAINTS_MAX), *p = start + CONSTRAINTS_MAX;
	enum st st = ST_NOMEM;
	int n;

	if (!start)
		return ST_NOMEM;
	n = write_constraints(&p, start, w->names, count);
	if (n < 0)
		st = wrong(w, "the names are too long together");
	else if (mbedtls_x509write_crt_set_extension(&w->cert, MBEDTLS_OID_NAME_CONSTRAINTS,
			 MBEDTLS_OID_SIZE(MBEDTLS_OID_NAME_CONSTRAINTS), 0, p, (size_t)n) == 0)
		st = ST_OK;
	free(start);
	return st;
}

/* ---- What every certificate has ---- */

static void work_init(struct work *w)
{
	memset(w, 0, sizeof(*w));
	mbedtls_x509write_crt_init(&w->cert);
	mbedtls_pk_init(&w->subject_key);
	mbedtls_pk_init(&w->issuer_key);
	mbedtls_x509_crt_init(&w->issuer);
}

static void work_free(struct work *w)
{
	mbedtls_x509write_crt_free(&w->cert);
	mbedtls_pk_free(&w->subject_key);
	mbedtls_pk_free(&w->issuer_key);
	mbedtls_x509_crt_free(&w->issuer);
	free(w->names);
	free(w->san);
}

static enum st set_validity(struct work *w, int64_t not_before, int64_t not_after)
{
	char from[16], until[16];
	time_t a = (time_t)not_before, b = (time_t)not_after;
	struct tm tm;

	/* 1970 to 2106: far from where the text form gets longer. */
	if (not_before < 0 || not_after <= not_before || not_after > INT64_C(0xffffffff))
		return wrong(w, "the validity is wrong");
	gmtime_r(&a, &tm);
	strftime(from, sizeof(from), "%Y%m%d%H%M%S", &tm);
	gmtime_r(&b, &tm);
	strftime(until, sizeof(until), "%Y%m%d%H%M%S", &tm);
	return mbedtls_x509write_crt_set_validity(&w->cert, from, until) == 0
		? ST_OK
		: wrong(w, "the validity is wrong");
}

static enum st set_serial(struct work *w, struct slice serial)
{
	unsigned char bytes[16];

	if (serial.n == 0) {
		random_bytes(bytes, sizeof(bytes));
		bytes[0] = (bytes[0] & 0x7f) |
			0x40; /* positive, and never shorter than the rest (RFC 5280 4.1.2.2) */
		serial = slice_of(bytes, sizeof(bytes));
	}
	/* set_serial_raw copies; its parameter is only not const. */
	if (serial.n > 20 ||
		mbedtls_x509write_crt_set_serial_raw(&w->cert, (unsigned char *)serial.p, serial.n) != 0)
		return wrong(w, "the serial number is longer than 20 bytes");
	return ST_OK;
}

/* The text goes through mbedTLS's parser of names: only characters that mean nothing to it. */
static enum st set_subject(struct work *w, struct slice name, const char *otherwise)
{
	char subject[80];

	if (name.n == 0)
		name = slice_str(otherwise);
	if (name.n > 64)
		return wrong(w, "the common name is longer than 64 characters");
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = name.p[i];
		bool edge = i == 0 || i + 1 == name.n;
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9');

		if (!letter && !(c == ' ' && !edge) && c != '-' && c != '.' && c != '_')
			return wrong(w, "the common name has a character that is not allowed");
	}
	snprintf(subject, sizeof(subject), "CN=%.*s", (int)name.n, (const char *)name.p);
	return mbedtls_x509write_crt_set_subject_name(&w->cert, subject) == 0 ? ST_OK : ST_NOMEM;
}

static enum st set_common(struct work *w, const struct x509_request *request, const char *otherwise)
{
	enum st st = parse_names(w, request);

	mbedtls_x509write_crt_set_version(&w->cert, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&w->cert, MBEDTLS_MD_SHA256);
	if (!st)
		st = set_validity(w, request->not_before, request->not_after);
	if (!st)
		st = set_serial(w, request->serial);
	if (!st)
		st = set_subject(w, request->name, otherwise);
	return st;
}

static enum st set_keys(struct work *w, const struct pk *subject, const struct pk *issuer)
{
	enum st st;

	if (!pk_is_private(issuer))
		return wrong(w, "the authority's key is not private");
	st = pk_copy(subject, &w->subject_key);
	if (!st)
		st = pk_copy(issuer, &w->issuer_key);
	if (st)
		return st;
	mbedtls_x509write_crt_set_subject_key(&w->cert, &w->subject_key);
	mbedtls_x509write_crt_set_issuer_key(&w->cert, &w->issuer_key);
	if (mbedtls_x509write_crt_set_subject_key_identifier(&w->cert) != 0 ||
		mbedtls_x509write_crt_set_authority_key_identifier(&w->cert) != 0)
		return ST_NOMEM;
	return ST_OK;
}

static enum st write_pem(struct work *w, struct buf *pem)
{
	if (!buf_reserve(pem, PEM_MAX))
		return ST_NOMEM;
	if (mbedtls_x509write_crt_pem(&w->cert, pem->p + pem->n, PEM_MAX, secret_rng, NULL) != 0)
		return wrong(w, "the certificate is too large");
	pem->n += strlen((const char *)pem->p + pem->n);
	return ST_OK;
}

/* ---- The two kinds ---- */

static enum st set_ca_extensions(struct work *w, size_t name_count)
{
	if (mbedtls_x509write_crt_set_basic_constraints(&w->cert, 1, 0) != 0 ||
		mbedtls_x509write_crt_set_key_usage(
			&w->cert, MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN) != 0)
		return ST_NOMEM;
	return add_constraints(w, name_count);
}

enum st x509_make_ca(const struct pk *key, const struct x509_request *request, struct buf *pem,
	const char **error)
{
	struct work w;
	enum st st;

	work_init(&w);
	st = set_common(&w, request, "Tidelock lab authority");
	if (!st)
		st = mbedtls_x509write_crt_set_issuer_name(&w.cert, "CN=none") == 0 ? ST_OK : ST_NOMEM;
	if (!st)
		st = set_keys(&w, key, key);
	if (!st) {
		/* Self-signed: the issuer is the subject. */
		mbedtls_asn1_free_named_data_list(&w.cert.MBEDTLS_PRIVATE(issuer));
		w.cert.MBEDTLS_PRIVATE(issuer) = w.cert.MBEDTLS_PRIVATE(subject);
		st = set_ca_extensions(&w, request->name_count);
	}
	if (!st)
		st = write_pem(&w, pem);
	if (w.cert.MBEDTLS_PRIVATE(issuer) == w.cert.MBEDTLS_PRIVATE(subject))
		w.cert.MBEDTLS_PRIVATE(issuer) = NULL; /* the subject owns the list */
	*error = w.error;
	work_free(&w);
	return st;
}

static enum st set_issuer(struct work *w, struct slice ca_pem)
{
	char name[256];
	char *z = malloc(ca_pem.n + 1);
	int ret;

	if (!z)
		return ST_NOMEM;
	memcpy(z, ca_pem.p, ca_pem.n);
	z[ca_pem.n] = 0;
	ret = mbedtls_x509_crt_parse(&w->issuer, (const unsigned char *)z, ca_pem.n + 1);
	free(z);
	if (ret != 0)
		return wrong(w, "the authority's certificate is not PEM");
	if (mbedtls_pk_check_pair(&w->issuer.pk, &w->issuer_key, secret_rng, NULL) != 0)
		return wrong(w, "the authority's key does not belong to its certificate");
	if (mbedtls_x509_dn_gets(name, sizeof(name), &w->issuer.subject) < 0 ||
		mbedtls_x509write_crt_set_issuer_name(&w->cert, name) != 0)
		return wrong(w, "the authority's name cannot be written");
	return ST_OK;
}

static enum st set_server_extensions(struct work *w)
{
	mbedtls_asn1_sequence usage = {{MBEDTLS_ASN1_OID, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH),
					       (unsigned char *)MBEDTLS_OID_SERVER_AUTH},
		NULL};

	if (mbedtls_x509write_crt_set_basic_constraints(&w->cert, 0, -1) != 0 ||
		mbedtls_x509write_crt_set_key_usage(&w->cert, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 ||
		mbedtls_x509write_crt_set_ext_key_usage(&w->cert, &usage) != 0 ||
		mbedtls_x509write_crt_set_subject_alternative_name(&w->cert, w->san) != 0)
		return ST_NOMEM;
	return ST_OK;
}

enum st x509_make_cert(struct slice ca_pem, const struct pk *ca_key, const struct pk *key,
	const struct x509_request *request, struct buf *pem, const char **error)
{
	struct work w;
	enum st st;

	work_init(&w);
	st = set_common(&w, request, "Tidelock");
	if (!st)
		st = set_keys(&w, key, ca_key);
	if (!st)
		st = set_issuer(&w, ca_pem);
	if (!st)
		st = set_server_extensions(&w);
	if (!st)
		st = write_pem(&w, pem);
	*error = w.error;
	work_free(&w);
	return st;
}
