/* config_test.c: the configuration language: what is accepted, and that each mistake is told with file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/config_state.h"
#include "sys/assets.h"

#define HEAD "public_url = \"https://sso.example.org\"\n"

static char folder[64], file[100];
static struct config_result result;

static void put(const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static enum st evaluate(const char *text)
{
	config_result_free(&result);
	result = (struct config_result){0};
	put("tidelock.lua", text);
	enum st st = config_evaluate(file, &result);
	buf_add_u8(&result.errors, 0);
	return st;
}

static bool says(const char *what)
{
	if (strstr((char *)result.errors.p, what))
		return true;
	fprintf(stderr, "missing: %s\nin: %s", what, (char *)result.errors.p);
	return false;
}

static void good(const char *text)
{
	if (evaluate(text))
		fail_msg("refused: %s", (char *)result.errors.p);
}

/* Wrong, with this message at this line of the main file. */
static void bad(const char *text, unsigned line, const char *message)
{
	char place[300];
	snprintf(place, sizeof(place), "tidelock.lua:%u: %s", line, message);
	assert_int_equal(evaluate(text), ST_BAD);
	assert_true(says(place));
}

static void has_master(const char *wanted)
{
	for (size_t i = 0; i < result.master.n; i += strlen((char *)result.master.p + i) + 1)
		if (!strcmp((char *)result.master.p + i, wanted))
			return;
	fail_msg("the master is not told %s", wanted);
}

static void settings(void **state)
{
	(void)state;
	good(HEAD "data = \"d\"\nlisten = { \"https://[::1]:8443\", \"http://*:80\" }\ntls = { "
		  "certificate = \"c\", key = \"/k\" }\n"
		  "run_as = \"1000:1000\"\n");
	has_master("listen=https ::1 8443");
	has_master("listen=http * 80");
	has_master("run_as=1000:1000");
	has_master("key=/k");
	char data[100];
	snprintf(data, sizeof(data), "data=%s/d", folder);
	has_master(data);
	bad("data = \"x\"\n", 1, "public_url is missing");
	bad("public_ulr = \"https://a.example\"\n", 1,
		"there is no setting \"public_ulr\", did you mean \"public_url\"?");
	bad(HEAD "\ndata = 5\n", 3, "data must be a text, not a number");
	bad(HEAD HEAD, 2, "public_url is set twice");
	bad("public_url = \"http://sso.example.org\"\n", 1, "public_url must be https");
	bad("public_url = \"https://sso.example.org/path\"\n", 1, "public_url must end after the host");
	bad(HEAD "listen = { \"https://*:0\" }\n", 2, "listen item 1");
	bad(HEAD "listen = { \"https://example.org:443\" }\n", 2, "listen item 1");
	bad(HEAD "trusted_proxies = { \"10.0.0.0/33\" }\n", 2, "trusted_proxies item 1");
	bad(HEAD "password = { memory_kib = 1 }\n", 2, "password .memory_kib must be between");
	good("public_url = \"http://127.0.0.1:8080\"\n");
	has_master("public_url=http://127.0.0.1:8080");
}

static void objects(void **state)
{
	(void)state;
	good(HEAD "group \"a\" {}\ngroup \"b\" { parents = { \"a\" } }\nuser \"x\" { groups = { "
		  "\"b\" }, attributes = { n = { 1 } } }\n");
	bad(HEAD "user \"x\" {\n\tname = \"X\",\n\tgroups = { \"aa\" },\n}\ngroup \"ab\" {}\n",
		4, "user \"x\": groups names the group \"aa\", which is not declared, did you mean \"ab\"?");
	bad(HEAD "user \"x\" {}\nuser \"x\" {}\n", 3, "user \"x\" is declared twice");
	bad(HEAD "user \"x\"\n", 2, "user \"x\" has no table");
	bad(HEAD "user \"x\" { nmae = \"X\" }\n", 2,
		"user \"x\": there is no setting \"nmae\" here, did you mean \"name\"?");
	bad(HEAD "usr \"x\" {}\n", 2, "there is no \"usr\", did you mean \"user\"?");
	bad(HEAD "group \"a\" { parents = { \"b\" } }\ngroup \"b\" { parents = { \"a\" } }\n", 3,
		"group \"b\": the group \"b\" is among its own ancestors");
	bad(HEAD "group \"a\" { permissions = { \"root\" } }\n", 2,
		"group \"a\": permissions item 1 must be one of");
	bad(HEAD "policy \"x\" {}\n", 2, "policy \"x\": script is missing");
	bad(HEAD "source \"google\" { file = \"google.json\" }\n", 2,
		"source \"google\": google.json: No such file or directory");
	bad(HEAD "source \"entra\" { kind = \"entra\", client_id = \"a\" }\n",
		2, "source \"entra\": tenants is missing: without it every Entra tenant on earth could sign in");
	bad(HEAD "directory_sync \"hq\" {}\n", 2,
		"directory_sync \"hq\": this version of Tidelock has no directory syncs");
}

static void applications(void **state)
{
	(void)state;
	good(HEAD "application \"a\" { client_type = \"public\", redirect_uris = { "
		  "\"http://127.0.0.1/cb\", \"org.a:/cb\" },\n"
		  "access_token_lifetime = \"1h30m\" }\n");
	bad(HEAD "application \"token\" {}\n", 2,
		"application \"token\": \"token\" is a word of the broker's own addresses");
	bad(HEAD "application \"a\" {\nredirect_uris = { \"https://a.example/cb#f\" } }\n", 3,
		"application \"a\": redirect_uris item 1");
	bad(HEAD "application \"a\" { redirect_uris = { \"javascript:alert(1)\" } }\n", 2,
		"application \"a\": redirect_uris item 1");
	bad(HEAD "application \"a\" { redirect_uris = { \"/relative\" } }\n", 2,
		"application \"a\": redirect_uris item 1");
	bad(HEAD "application \"a\" { redirect_uris = { { regex = \"https://.*/cb\" } } }\n", 2,
		"application \"a\": redirect_uris item 1");
	bad(HEAD "application \"a\" { redirect_uris = { { regex = \"https://a.example/cb\" } } }\n",
		2, "application \"a\": redirect_uris");
	good(HEAD "application \"a\" { redirect_uris = { { regex = "
		  "\"https://a\\\\.example/cb/[0-9]+\" } } }\n");
	bad(HEAD
		"application \"a\" { client_type = \"public\", client_secret = \"long-enough\" }\n",
		2, "application \"a\": a public client");
	bad(HEAD "application \"a\" { client_type = \"public\", pkce = \"optional\" }\n", 2,
		"application \"a\": a public client needs PKCE");
	bad(HEAD "application \"a\" { scopes = { \"openid\", \"nothing\" } }\n", 2,
		"application \"a\": scopes names the scope \"nothing\"");
	bad(HEAD "application \"a\" { policies = { \"staff\" } }\n", 2,
		"application \"a\": policies names the policy \"staff\"");
	bad(HEAD "application \"a\" { client_id = \"b\" }\napplication \"b\" {}\n", 3,
		"application \"b\": client_id \"b\" is");
	bad(HEAD "application \"a\" { audiences = { \"b\" } }\napplication \"b\" {}\n", 2,
		"application \"a\": audiences names");
	bad(HEAD "application \"a\" { code_lifetime = \"1 minute\" }\n", 2,
		"application \"a\": code_lifetime is not a duration");
}

static void files(void **state)
{
	(void)state;
	mkdir(strcat(strcpy(file, folder), "/conf.d"), 0700);
	strcat(strcpy(file, folder), "/tidelock.lua");
	put("secret", "a-long-secret\n");
	put("conf.d/two.lua", "user \"two\" { groups = { \"g\" } }\n");
	put("conf.d/one.lua", "group \"g\" {}\n");
	put("conf.d/.hidden.lua", "nonsense(");
	put("map.lua", "return 1\n");
	good(HEAD
		"include \"conf.d/*.lua\"\napplication \"a\" { client_secret = file \"secret\" }\n"
		"scope_mapping \"m\" { scope = \"m\", script = \"map.lua\" }\n");
	assert_null(memchr(result.wire.p, '\n', 1));
	bad(HEAD "application \"a\" {\nclient_secret = file \"absent\" }\n", 3, "");
	bad(HEAD "scope_mapping \"m\" { script = \"absent.lua\" }\n", 2, "scope_mapping \"m\": ");
	bad(HEAD "x = env \"TIDELOCK_SURELY_UNSET\"\n", 2,
		"the environment variable TIDELOCK_SURELY_UNSET is not set");
	bad(HEAD "include \"absent.lua\"\n", 2, "");
	bad(HEAD "local x = = 1\n", 2, "unexpected symbol");
	bad(HEAD "local t = nil\nt.x = 1\n", 3, "attempt to index a nil value");
	put("conf.d/three.lua", "user \"three\" { nmae = 1 }\n");
	assert_int_equal(evaluate(HEAD "include \"conf.d/*.lua\"\ndata = 1\n"), ST_BAD);
	assert_true(says("conf.d/three.lua:1: user \"three\""));
	assert_true(says("tidelock.lua:3: data must be"));
	bad(HEAD "os.execute(\"true\")\n", 2, "there is no \"os\"");
	bad(HEAD "io = 1\n", 2, "there is no setting \"io\"");
	bad(HEAD "string.rep = 1\nuser(\"\")\n", 3, "user wants a name");
}

static int open_all(void **state)
{
	(void)state;
	assets_open(NULL);
	strcpy(folder, "/tmp/tidelock-config-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	strcat(strcpy(file, folder), "/tidelock.lua");
	return 0;
}

static int close_all(void **state)
{
	static const char *const names[] = {"tidelock.lua", "secret", "map.lua", "conf.d/one.lua",
		"conf.d/two.lua", "conf.d/three.lua", "conf.d/.hidden.lua"};
	char path[200];

	(void)state;
	config_result_free(&result);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/conf.d", folder);
	rmdir(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings),
		cmocka_unit_test(objects),
		cmocka_unit_test(applications),
		cmocka_unit_test(files),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
