/* tls.c: the server side of TLS 1.2 and 1.3: certificates by name, tickets. */
#include "net/tls_private.h"

#include "base/secret.h"

#include <mbedtls/error.h>
#include <psa/crypto.h>

/* Ticket keys rotate when this old; a ticket is accepted for two such periods at most. */
#define TICKET_SECONDS (4 * 3600)

/* ---- certificates by name ---- */

static bool name_matches(const char *pattern, const char *name)
{
	const char *dot;

	if (strcmp(pattern, name) == 0)
		return true;
	/* "*.example.org" stands for exactly one label. */
	dot = strchr(name, '.');
	return pattern[0] == '*' && pattern[1] == '.' && dot && dot != name &&
		strcmp(pattern + 1, dot) == 0;
}

static bool has_name(const struct tls_certificate *certificate, const char *name, bool wildcards)
{
	size_t i;

	for (i = 0; i < certificate->name_count; i++) {
		const char *pattern = certificate->names[i];

		if ((pattern[0] == '*') == wildcards && name_matches(pattern, name))
			return true;
	}
	return false;
}

/* Offers every certificate with that name: an EC and an RSA one may stand side by side. */
static int choose(const struct tls_config *c, mbedtls_ssl_context *ssl, const char *name,
	bool wildcards, bool *found)
{
	struct tls_certificate *certificate;
	int failed = 0;

	*found = false;
	for (certificate = c->first; certificate && !failed; certificate = certificate->next) {
		if (!has_name(certificate, name, wildcards))
			continue;
		*found = true;
		failed = mbedtls_ssl_set_hs_own_cert(ssl, &certificate->chain, &certificate->key);
	}
	return failed;
}

/* Copies in lower case. False when it is no host name. */
static bool take_name(char *out, const unsigned char *name, size_t n)
{
	size_t i;

	if (n == 0 || n > NAME_MAX_LENGTH)
		return false;
	for (i = 0; i < n; i++) {
		unsigned char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c + 'a' - 'A');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' &&
			c != '_')
			return false;
		out[i] = (char)c;
	}
	out[n] = '\0';
	return true;
}

/* Unknown names get the default certificate: what the client thinks of it is better than any alert of ours. */
static int on_server_name(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name, size_t n)
{
	struct tls_config *c = arg;
	struct tls_session *t = mbedtls_ssl_get_user_data_p(ssl);
	bool found;
	int failed;

	if (!take_name(t->sni, name, n)) {
		t->sni[0] = '\0';
		return 0;
	}
	failed = choose(c, ssl, t->sni, false, &found);
	if (!failed && !found)
		failed = choose(c, ssl, t->sni, true, &found);
	return failed;
}

/* ---- configuration ---- */

static enum st set_up(struct tls_config *c)
{
	mbedtls_ssl_config *conf = &c->conf;

	if (psa_crypto_init() != PSA_SUCCESS)
		return ST_IO;
	if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
		    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return ST_NOMEM;
	if (tls_choose(conf) != ST_OK)
		return ST_NOMEM;
	mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_tls13_key_exchange_modes(conf,
		MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL |
			MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL);
	if (mbedtls_ssl_ticket_setup(
		    &c->tickets, secret_rng, NULL, MBEDTLS_CIPHER_AES_256_GCM, TICKET_SECONDS) != 0)
		return ST_NOMEM;
	mbedtls_ssl_conf_session_tickets_cb(
		conf, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &c->tickets);
	mbedtls_ssl_conf_sni(conf, on_server_name, c);
	return ST_OK;
}

struct tls_config *tls_config_new(void)
{
	struct tls_config *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->references = 1;
	c->last = &c->first;
	mbedtls_ssl_config_init(&c->conf);
	mbedtls_ssl_ticket_init(&c->tickets);
	if (set_up(c) != ST_OK) {
		tls_config_unref(c);
		return NULL;
	}
	return c;
}

static void certificate_free(struct tls_certificate *certificate)
{
	size_t i;

	if (certificate == NULL)
		return;
	for (i = 0; i < certificate->name_count; i++)
		free(certificate->names[i]);
	free(certificate->names);
	mbedtls_x509_crt_free(&certificate->chain);
	mbedtls_pk_free(&certificate->key);
	free(certificate);
}

static enum st copy_names(struct tls_certificate *certificate, const char *const *names, size_t count)
{
	certificate->names = calloc(count + 1, sizeof *certificate->names);
	if (certificate->names == NULL)
		return ST_NOMEM;
	for (; certificate->name_count < count; certificate->name_count++) {
		char *copy = strdup(names[certificate->name_count]);

		if (copy == NULL)
			return ST_NOMEM;
		certificate->names[certificate->name_count] = copy;
	}
	return ST_OK;
}

static enum st explain(char *error, size_t error_size, const char *what, int code)
{
	char text[128] = "";

	mbedtls_strerror(code, text, sizeof text);
	snprintf(error, error_size, "%s: %s (-0x%04x)", what, text, (unsigned)-code);
	return ST_BAD;
}

/* The library wants PEM with its NUL. */
static enum st parse_certificate(struct tls_certificate *certificate, struct slice chain,
	struct slice key, char *error, size_t error_size)
{
	struct buf text = {0};
	enum st st = ST_NOMEM;
	int code;

	if (!buf_add_slice(&text, chain) || !buf_add_u8(&text, 0))
		goto out;
	code = mbedtls_x509_crt_parse(&certificate->chain, text.p, text.n);
	if (code != 0) {
		st = code < 0 ? explain(error, error_size, "certificate", code) : ST_BAD;
		if (code > 0)
			snprintf(error, error_size, "certificate: %d blocks could not be read", code);
		goto out;
	}
	buf_clear(&text);
	if (!buf_reserve(&text, key.n + 1) || !buf_add_slice(&text, key) || !buf_add_u8(&text, 0))
		goto out;
	code = mbedtls_pk_parse_key(&certificate->key, text.p, text.n, NULL, 0, secret_rng, NULL);
	if (code != 0) {
		st = explain(error, error_size, "private key", code);
		goto out;
	}
	code = mbedtls_pk_check_pair(&certificate->chain.pk, &certificate->key, secret_rng, NULL);
	st = code == 0
		? ST_OK
		: explain(error, error_size, "private key does not belong to the certificate", code);
out:
	buf_wipe(&text);
	return st;
}

enum st tls_config_add(struct tls_config *c, struct slice chain_pem, struct slice key_pem,
	const char *const *names, size_t name_count, char *error, size_t error_size)
{
	struct tls_certificate *certificate = calloc(1, sizeof *certificate);
	enum st st;

	if (error_size > 0)
		error[0] = '\0';
	if (certificate == NULL)
		return ST_NOMEM;
	mbedtls_x509_crt_init(&certificate->chain);
	mbedtls_pk_init(&certificate->key);
	st = parse_certificate(certificate, chain_pem, key_pem, error, error_size);
	if (st == ST_OK)
		st = copy_names(certificate, names, name_count);
	if (st == ST_OK && c->first == NULL &&
		mbedtls_ssl_conf_own_cert(&c->conf, &certificate->chain, &certificate->key) != 0)
		st = ST_NOMEM;
	if (st != ST_OK) {
		certificate_free(certificate);
		return st;
	}
	*c->last = certificate;
	c->last = &certificate->next;
	return ST_OK;
}

/* Only the library can compare names; what it says of the issuer is not asked. */
bool tls_config_covers(struct tls_config *c, const char *name)
{
	mbedtls_x509_crt *chain = &c->first->chain;
	uint32_t flags = 0;

	mbedtls_x509_crt_verify(chain, chain, NULL, name, &flags, NULL, NULL);
	return !(flags & MBEDTLS_X509_BADCERT_CN_MISMATCH);
}

struct tls_config *tls_config_ref(struct tls_config *c)
{
	if (c)
		c->references++;
	return c;
}

void tls_config_unref(struct tls_config *c)
{
	struct tls_certificate *certificate, *next;

	if (c == NULL || --c->references > 0)
		return;
	mbedtls_ssl_config_free(&c->conf);
	mbedtls_ssl_ticket_free(&c->tickets);
	for (certificate = c->first; certificate; certificate = next) {
		next = certificate->next;
		certificate_free(certificate);
	}
	free(c);
}
