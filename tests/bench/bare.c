/* bare.c: the bare limits that the benchmark compares with: the library calls alone, and a TLS server that is nothing but
 * mbedTLS. `bare sign RS256|ES256 N`, `bare hash KIB PASSES N` print microseconds of CPU per call; `bare tls PORT CERT KEY`
 * serves until it is killed. */
#include <argon2.h>
#include <arpa/inet.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int rng(void *ctx, unsigned char *p, size_t n)
{
	(void)ctx;
	return getrandom(p, n, 0) == (ssize_t)n ? 0 : -1;
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int sign(const char *alg, int count)
{
	mbedtls_pk_context key;
	unsigned char hash[32], signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	size_t length;
	double from;
	int failed;

	mbedtls_pk_init(&key);
	if (strcmp(alg, "RS256") == 0)
		failed = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) ||
			 mbedtls_rsa_gen_key(mbedtls_pk_rsa(key), rng, NULL, 2048, 65537);
	else
		failed = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) ||
			 mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), rng, NULL);
	if (failed)
		return 1;
	from = cpu_us();
	for (int i = 0; i < count; i++) {
		mbedtls_sha256((const unsigned char *)&i, sizeof i, hash, 0);
		if (mbedtls_pk_sign(&key, MBEDTLS_MD_SHA256, hash, sizeof hash, signature, sizeof signature, &length, rng, NULL))
			return 1;
	}
	printf("%.2f\n", (cpu_us() - from) / count);
	mbedtls_pk_free(&key);
	return 0;
}

static int hash(unsigned kib, unsigned passes, int count)
{
	unsigned char out[32], salt[16] = {0};
	double from = cpu_us();

	for (int i = 0; i < count; i++)
		if (argon2id_hash_raw(passes, kib, 1, "correct horse", 13, salt, sizeof salt, out, sizeof out) != ARGON2_OK)
			return 1;
	printf("%.2f\n", (cpu_us() - from) / count);
	return 0;
}

static int bio_send(void *ctx, const unsigned char *p, size_t n)
{
	ssize_t sent = send(*(int *)ctx, p, n, MSG_NOSIGNAL);

	return sent >= 0 ? (int)sent : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int bio_recv(void *ctx, unsigned char *p, size_t n)
{
	ssize_t got = recv(*(int *)ctx, p, n, 0);

	return got >= 0 ? (int)got : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* A PEM file with its closing zero, as mbedTLS wants it. */
static size_t load(const char *name, unsigned char *out, size_t size)
{
	FILE *f = fopen(name, "rb");
	size_t n = f ? fread(out, 1, size - 1, f) : 0;

	if (f)
		fclose(f);
	out[n] = 0;
	return n + 1;
}

static void serve_one(int fd, const mbedtls_ssl_config *config)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
	mbedtls_ssl_context ssl;
	unsigned char bytes[4096];
	int one = 1, got;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	mbedtls_ssl_init(&ssl);
	if (mbedtls_ssl_setup(&ssl, config) == 0) {
		mbedtls_ssl_set_bio(&ssl, &fd, bio_send, bio_recv, NULL);
		do {
			got = mbedtls_ssl_read(&ssl, bytes, sizeof bytes);
		} while (got == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
		if (got > 0)
			(void)mbedtls_ssl_write(&ssl, (const unsigned char *)answer, sizeof answer - 1);
		mbedtls_ssl_close_notify(&ssl);
	}
	mbedtls_ssl_free(&ssl);
	close(fd);
}

static int tls(int port, const char *chain, const char *key_file)
{
	static const char *alpn[] = {"http/1.1", NULL};
	mbedtls_ssl_config config;
	mbedtls_ssl_ticket_context tickets;
	mbedtls_x509_crt certificate;
	mbedtls_pk_context key;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	unsigned char chain_pem[16384], key_pem[16384];
	size_t chain_size = load(chain, chain_pem, sizeof chain_pem), key_size = load(key_file, key_pem, sizeof key_pem);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	mbedtls_ssl_config_init(&config);
	mbedtls_ssl_ticket_init(&tickets);
	mbedtls_x509_crt_init(&certificate);
	mbedtls_pk_init(&key);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (psa_crypto_init() != PSA_SUCCESS || mbedtls_x509_crt_parse(&certificate, chain_pem, chain_size) ||
	    mbedtls_pk_parse_key(&key, key_pem, key_size, NULL, 0, rng, NULL) ||
	    mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) ||
	    mbedtls_ssl_conf_own_cert(&config, &certificate, &key) || mbedtls_ssl_conf_alpn_protocols(&config, alpn) ||
	    mbedtls_ssl_ticket_setup(&tickets, rng, NULL, MBEDTLS_CIPHER_AES_256_GCM, 3600) ||
	    bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 128))
		return 1;
	mbedtls_ssl_conf_rng(&config, rng, NULL);
	mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tickets);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			serve_one(fd, &config);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "sign") == 0)
		return sign(argv[2], atoi(argv[3]));
	if (argc == 5 && strcmp(argv[1], "hash") == 0)
		return hash((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), atoi(argv[4]));
	if (argc == 5 && strcmp(argv[1], "tls") == 0)
		return tls(atoi(argv[2]), argv[3], argv[4]);
	fputs("usage: bare sign RS256|ES256 N | hash KIB PASSES N | tls PORT CERT KEY\n", stderr);
	return 2;
}
