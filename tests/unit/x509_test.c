/* x509_test.c: certificates, judged by OpenSSL's command and node's TLS when they are there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "crypto/x509.h"

static char folder[] = "/tmp/x509_test.XXXXXX";

static void write_file(const char *name, const struct buf *b)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(b->p, 1, b->n, f), b->n);
	fclose(f);
}

static int run(const char *format, ...)
{
	char command[1024], full[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	snprintf(full, sizeof(full), "cd %s && %s >out 2>&1", folder, command);
	return system(full);
}

static struct x509_request request_for(const struct slice *names, size_t count)
{
	return (struct x509_request){.names = names,
		.name_count = count,
		.not_before = time(NULL) - 60,
		.not_after = time(NULL) + 365 * 86400};
}

static struct pk *generate(enum pk_alg alg)
{
	struct pk *k = NULL;

	assert_int_equal(pk_generate(alg, &k), ST_OK);
	return k;
}

static void make_leaf(const struct buf *ca, const struct pk *ca_key, const struct slice *names,
	size_t count, const char *file)
{
	struct x509_request r = request_for(names, count);
	struct pk *key = generate(PK_ES256);
	struct buf pem = {0}, key_pem = {0};
	const char *error = NULL;
	char key_file[64];

	assert_int_equal(x509_make_cert(buf_slice(ca), ca_key, key, &r, &pem, &error), ST_OK);
	write_file(file, &pem);
	assert_int_equal(pk_private_pem(key, &key_pem), ST_OK);
	snprintf(key_file, sizeof(key_file), "%s.key", file);
	write_file(key_file, &key_pem);
	buf_wipe(&key_pem);
	buf_free(&pem);
	pk_unref(key);
}

static const struct slice ca_names[] = {{(const unsigned char *)"login.example.org", 17},
	{(const unsigned char *)"localhost", 9}, {(const unsigned char *)"127.0.0.1", 9},
	{(const unsigned char *)"::1", 3}, {(const unsigned char *)"*.apps.example.org", 18}};

static void make_authority(const struct pk *key, const struct slice *names, size_t count,
	struct buf *pem, const char *file)
{
	struct x509_request r = request_for(names, count);
	const char *error = NULL;

	assert_int_equal(x509_make_ca(key, &r, pem, &error), ST_OK);
	write_file(file, pem);
}

static void openssl_accepts_what_is_permitted(void **state)
{
	static const struct slice inside[] = {{(const unsigned char *)"login.example.org", 17},
		{(const unsigned char *)"localhost", 9}, {(const unsigned char *)"127.0.0.1", 9},
		{(const unsigned char *)"::1", 3}};
	static const struct slice foreign[] = {{(const unsigned char *)"bank.example.com", 16}};
	static const struct slice foreign_address[] = {{(const unsigned char *)"10.0.0.1", 8}};
	static const struct slice foreign_v6[] = {{(const unsigned char *)"2001:db8::1", 11}};
	struct pk *key = generate(PK_ES256);
	struct buf ca = {0};

	(void)state;
	make_authority(key, ca_names, ARRAY_LEN(ca_names), &ca, "ca.pem");
	make_leaf(&ca, key, inside, ARRAY_LEN(inside), "leaf.pem");
	make_leaf(&ca, key, foreign, 1, "foreign.pem");
	make_leaf(&ca, key, foreign_address, 1, "foreign_address.pem");
	make_leaf(&ca, key, foreign_v6, 1, "foreign_v6.pem");
	if (run("openssl version") != 0)
		skip();
	assert_int_equal(run("openssl verify -x509_strict -CAfile ca.pem -purpose sslserver "
			     "-verify_hostname login.example.org leaf.pem"),
		0);
	assert_int_equal(run("openssl verify -x509_strict -CAfile ca.pem -purpose sslserver "
			     "-verify_ip 127.0.0.1 leaf.pem"),
		0);
	assert_int_equal(run("openssl verify -x509_strict -CAfile ca.pem -purpose sslserver "
			     "-verify_ip ::1 leaf.pem"),
		0);
	assert_int_not_equal(
		run("openssl verify -CAfile ca.pem -verify_hostname other.example.org leaf.pem"), 0);
	assert_int_not_equal(run("openssl verify -CAfile ca.pem foreign.pem"), 0);
	assert_int_not_equal(run("openssl verify -CAfile ca.pem foreign_address.pem"), 0);
	assert_int_not_equal(run("openssl verify -CAfile ca.pem foreign_v6.pem"), 0);
	assert_int_equal(run("openssl x509 -in ca.pem -noout -text >text && grep -q 'Permitted' "
			     "text && grep -q 'CA:TRUE, pathlen:0' text && "
			     "grep -q 'Certificate Sign' text && grep -q 'DNS:apps.example.org' "
			     "text && ! grep -q 'Name Constraints: critical' text"),
		0);
	assert_int_equal(run("openssl x509 -in leaf.pem -noout -text >text && grep -q 'CA:FALSE' "
			     "text && grep -q 'Digital Signature' text && "
			     "grep -q 'TLS Web Server Authentication' text && grep -q 'IP "
			     "Address:127.0.0.1' text && "
			     "grep -q 'Authority Key Identifier' text && grep -q 'Subject Key "
			     "Identifier' text"),
		0);
	buf_free(&ca);
	pk_unref(key);
}

static void what_is_not_named_at_all_is_excluded(void **state)
{
	static const struct slice only_host[] = {{(const unsigned char *)"login.example.org", 17}};
	static const struct slice only_address[] = {{(const unsigned char *)"192.0.2.1", 9}};
	struct pk *key = generate(PK_ES384);
	struct buf hosts = {0}, addresses = {0};

	(void)state;
	make_authority(key, only_host, 1, &hosts, "hosts.pem");
	make_authority(key, only_address, 1, &addresses, "addresses.pem");
	make_leaf(&hosts, key, only_host, 1, "a.pem");
	make_leaf(&hosts, key, only_address, 1, "b.pem");
	make_leaf(&addresses, key, only_host, 1, "c.pem");
	make_leaf(&addresses, key, only_address, 1, "d.pem");
	if (run("openssl version") != 0)
		skip();
	assert_int_equal(run("openssl verify -CAfile hosts.pem a.pem"), 0);
	assert_int_not_equal(run("openssl verify -CAfile hosts.pem b.pem"), 0);
	assert_int_not_equal(run("openssl verify -CAfile addresses.pem c.pem"), 0);
	assert_int_equal(run("openssl verify -CAfile addresses.pem d.pem"), 0);
	buf_free(&hosts);
	buf_free(&addresses);
	pk_unref(key);
}

static void node_trusts_a_server_with_it(void **state)
{
	static const char script[] =
		"const tls=require('tls'),fs=require('fs');"
		"const "
		"s=tls.createServer({cert:fs.readFileSync('leaf.pem'),key:fs.readFileSync('leaf."
		"pem.key')},c=>c.end());"
		"s.listen(0,'127.0.0.1',()=>{const "
		"c=tls.connect({port:s.address().port,host:'127.0.0.1',servername:'localhost',"
		"ca:fs.readFileSync('ca.pem')},()=>process.exit(c.authorized?0:1));c.on('error',e=>"
		"{console.log(e);process.exit(1)})});";
	struct buf text = {0};

	(void)state;
	if (run("node --version") != 0)
		skip();
	buf_add_str(&text, script);
	write_file("try.js", &text);
	buf_free(&text);
	assert_int_equal(run("node try.js"), 0);
}

static void refuses_wrong_requests(void **state)
{
	static const struct slice wrong[] = {{(const unsigned char *)"a b", 3},
		{(const unsigned char *)"", 0}, {(const unsigned char *)"-a", 2},
		{(const unsigned char *)"a..b", 4}, {(const unsigned char *)"a\0b", 3},
		{(const unsigned char *)"http://x", 8}};
	struct pk *key = generate(PK_ES256), *other = generate(PK_ES256);
	struct x509_request r;
	struct buf pem = {0}, ca = {0};
	const char *error = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		r = request_for(&wrong[i], 1);
		error = NULL;
		assert_int_equal(x509_make_ca(key, &r, &pem, &error), ST_BAD);
		assert_non_null(error);
	}
	r = request_for(ca_names, 0);
	assert_int_equal(x509_make_ca(key, &r, &pem, &error), ST_BAD);
	r = request_for(ca_names, 1);
	r.not_after = r.not_before;
	assert_int_equal(x509_make_ca(key, &r, &pem, &error), ST_BAD);
	r = request_for(ca_names, 1);
	r.name = SLICE_LIT("a,O=b");
	assert_int_equal(x509_make_ca(key, &r, &pem, &error), ST_BAD);
	r.name = SLICE_LIT("Our lab");
	assert_int_equal(x509_make_ca(key, &r, &ca, &error), ST_OK);
	assert_int_equal(x509_make_cert(buf_slice(&ca), other, key, &r, &pem, &error), ST_BAD);
	assert_int_equal(x509_make_cert(SLICE_LIT("x"), key, key, &r, &pem, &error), ST_BAD);
	assert_int_equal(pem.n, 0);
	buf_free(&pem);
	buf_free(&ca);
	pk_unref(key);
	pk_unref(other);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_accepts_what_is_permitted),
		cmocka_unit_test(what_is_not_named_at_all_is_excluded),
		cmocka_unit_test(node_trusts_a_server_with_it),
		cmocka_unit_test(refuses_wrong_requests),
	};

	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
