/* bridge_test.c: requests become tables, tables become replies, and whatever a handler does the client gets an answer. The
 * exchange is a fake one of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "bind/bind.h"
#include "bind/l_http.h"
#include "http/server.h"
#include "loop/loop.h"
#include "script/task.h"
#include "script/vm.h"

#include <lua.h>

struct http_exchange {
	struct http_request request;
	void (*aborted)(void *arg);
	void *arg;
	int replies, status;
	char text[4000]; /* fields as "name: value\n", then the body */
};

static struct http_exchange exchange;
static struct vm *vm;
static struct bridge *bridge;
static char error[500];
static bool quiet;

const struct http_request *exchange_request(const struct http_exchange *x)
{
	return &x->request;
}

void exchange_on_abort(struct http_exchange *x, void (*aborted)(void *arg), void *arg)
{
	x->aborted = aborted;
	x->arg = arg;
}

void exchange_reply(struct http_exchange *x, const struct http_reply *reply)
{
	size_t n = 0;

	x->replies++;
	x->status = reply->status;
	x->aborted = NULL;
	if (quiet)
		return;
	for (size_t i = 0; i < reply->field_count; i++)
		n += (size_t)snprintf(x->text + n, sizeof x->text - n, "%.*s: %.*s\n",
			(int)reply->fields[i].name.n, (const char *)reply->fields[i].name.p,
			(int)reply->fields[i].value.n, (const char *)reply->fields[i].value.p);
	snprintf(x->text + n, sizeof x->text - n, "%.*s", (int)reply->body.n,
		(const char *)reply->body.p);
}

static void open_bindings(lua_State *L, void *arg)
{
	(void)arg;
	bind_task(L);
	lua_setglobal(L, "task");
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(loop_open(), ST_OK);
	vm = vm_new(NULL, VM_MEMORY_DEFAULT, open_bindings, NULL, error, sizeof error);
	assert_non_null(vm);
	bridge = bridge_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_free(bridge);
	vm_free(vm);
	assert_int_equal(count_get(COUNT_TASKS), 0);
	loop_close();
	return 0;
}

static const struct http_field fields[] = {
	{SLICE_LIT("host"), SLICE_LIT("id.example.org")},
	{SLICE_LIT("cookie"), SLICE_LIT("a=1")},
	{SLICE_LIT("accept"), SLICE_LIT("text/html")},
	{SLICE_LIT("cookie"), SLICE_LIT("b=2")},
	{SLICE_LIT("accept"), SLICE_LIT("*/*")},
};

static void arrive(void)
{
	memset(&exchange, 0, sizeof exchange);
	exchange.request = (struct http_request){.method = SLICE_LIT("GET"),
		.target = SLICE_LIT("/a?b=c"),
		.path = SLICE_LIT("/a"),
		.query = SLICE_LIT("b=c"),
		.host = SLICE_LIT("id.example.org"),
		.fields = fields,
		.field_count = ARRAY_LEN(fields),
		.body = SLICE_LIT("body"),
		.peer = "192.0.2.7",
		.listener_port = 443,
		.secure = true,
		.sni = "id.example.org",
		.tls_version = "TLSv1.3",
		.id = "0123456789abcdef"};
	bridge_handler(&exchange, bridge);
}

static void load(const char *body)
{
	char text[2000];

	snprintf(text, sizeof text, "return { handle = function(req) %s end }", body);
	if (vm_load_text(vm, "@t.lua", slice_str(text), error, sizeof error) != ST_OK)
		fail_msg("%s", error);
	bridge_set_vm(bridge, vm);
}

static void answers(const char *body, int status, const char *text)
{
	load(body);
	arrive();
	assert_int_equal(exchange.replies, 1);
	assert_int_equal(exchange.status, status);
	if (!strstr(exchange.text, text))
		fail_msg("'%s' is not in '%s'", text, exchange.text);
}

static void run_for(int64_t us);

static void stop_timer(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void run_for(int64_t us)
{
	struct timer t = {0};

	assert_int_equal(timer_start(&t, us, stop_timer), ST_OK);
	loop_run();
	timer_free(&t);
}

static void the_request_is_a_table(void **state)
{
	(void)state;
	answers("local h = req.headers return { status = 200, body = table.concat({ req.id, "
		"req.method, req.path, req.query, "
		"req.host, tostring(req.secure), req.peer, req.body, req.sni, req.tls_version, "
		"req.listener_port, "
		"tostring(req.control), h.cookie, h.accept, h.host, "
		"tostring(req.headers_repeated.cookie), "
		"tostring(req.headers_repeated.host) }, '|') }",
		200,
		"0123456789abcdef|GET|/"
		"a|b=c|id.example.org|true|192.0.2.7|body|id.example.org|TLSv1.3|443|false|"
		"a=1; b=2|text/html, */*|id.example.org|true|nil");
}

static void fields_are_texts_or_lists_of_texts(void **state)
{
	(void)state;
	answers("return { status = 201, headers = { ['set-cookie'] = { 'a=1', 'b=2' } } }", 201,
		"set-cookie: a=1\nset-cookie: b=2\n");
	answers("return { status = 204 }", 204, "");
}

static void malformed_responses_are_a_500_with_the_request_id(void **state)
{
	static const char *const bodies[] = {
		"return nil",
		"return 'text'",
		"return {}",
		"return { status = '200' }",
		"return { status = 200.5 }",
		"return { status = 99 }",
		"return { status = 600 }",
		"return { status = 200, body = 7 }",
		"return { status = 200, body = {} }",
		"return { status = 200, headers = 'x' }",
		"return { status = 200, headers = { a = 1 } }",
		"return { status = 200, headers = { a = { 1 } } }",
		"return { status = 200, headers = { [1] = 'a' } }",
		("local h = {} for i = 1, 65 do h['x' .. i] = 'y' end "
		 "return { status = 200, headers = h }"),
		"error('boom')",
		"error({})",
		"local function f() return f() + 1 end return f()",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		answers(bodies[i], 500, "request id: 0123456789abcdef");
	assert_null(strstr(exchange.text, "t.lua"));
}

static void without_a_state_the_answer_is_503(void **state)
{
	(void)state;
	bridge_set_vm(bridge, NULL);
	arrive();
	assert_int_equal(exchange.status, 503);
	assert_non_null(strstr(exchange.text, "retry-after: 2"));
}

static void too_many_requests_are_503(void **state)
{
	static struct http_exchange many[TASKS_MAX];

	(void)state;
	load("task.sleep(60) return { status = 200 }");
	for (size_t i = 0; i < TASKS_MAX; i++) {
		many[i].request = (struct http_request){.peer = "", .sni = "", .tls_version = ""};
		bridge_handler(&many[i], bridge);
	}
	assert_int_equal(count_get(COUNT_TASKS), TASKS_MAX);
	arrive();
	assert_int_equal(exchange.status, 503);
	for (size_t i = 0; i < TASKS_MAX; i++)
		many[i].aborted(many[i].arg);
	assert_int_equal(many[0].replies, 0);
}

static void a_client_that_leaves_cancels_its_request(void **state)
{
	(void)state;
	load("task.sleep(0.01) return { status = 200 }");
	arrive();
	exchange.aborted(exchange.arg);
	assert_int_equal(count_get(COUNT_TASKS), 0);
	run_for(20000);
	assert_int_equal(exchange.replies, 0);
}

static void a_detached_request_goes_on(void **state)
{
	(void)state;
	load("task.detach() task.sleep(0.01) return { status = 200 }");
	arrive();
	exchange.aborted(exchange.arg);
	assert_int_equal(count_get(COUNT_TASKS), 1);
	run_for(50000);
	assert_int_equal(count_get(COUNT_TASKS), 0);
	assert_int_equal(exchange.replies, 0);
}

static void a_state_that_closes_answers_its_clients(void **state)
{
	(void)state;
	load("task.sleep(60) return { status = 200 }");
	arrive();
	task_cancel_all(vm);
	assert_int_equal(exchange.status, 503);
}

static void failing_memory_is_an_answer_too(void **state)
{
	(void)state;
#ifdef TIDELOCK_DEBUG
	int i;

	quiet = true;
	load("local t = {} for i = 1, 20 do t[i] = req.path .. i end return { status = 200, "
	     "headers = { a = 'b' }, "
	     "body = table.concat(t) }");
	for (i = 1; i < 300; i++) {
		arrive();
		fault_arm(FAULT_ALLOC, i, true);
		arrive();
		fault_arm(FAULT_ALLOC, 0, false);
		assert_int_equal(exchange.replies, 1);
		if (exchange.status == 200)
			break;
		assert_true(exchange.status == 500 || exchange.status == 503);
	}
	quiet = false;
	assert_in_range(i, 10, 299);
#endif
}

static void a_request_costs_little(void **state)
{
	int64_t from;

	(void)state;
	load("if req.path == '/a' and req.method == 'GET' then return { status = 200, headers = { "
	     "['content-type'] = "
	     "'application/json' }, body = req.body } end");
	quiet = true;
	from = clock_mono_us();
	for (int i = 0; i < 20000; i++)
		arrive();
	quiet = false;
	print_message("a request through Lua and back: %.2f us\n",
		(double)(clock_mono_us() - from) / 20000);
}

int main(void)
{
#define ONE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ONE(the_request_is_a_table),
		ONE(fields_are_texts_or_lists_of_texts),
		ONE(malformed_responses_are_a_500_with_the_request_id),
		ONE(without_a_state_the_answer_is_503),
		ONE(too_many_requests_are_503),
		ONE(a_client_that_leaves_cancels_its_request),
		ONE(a_detached_request_goes_on),
		ONE(a_state_that_closes_answers_its_clients),
		ONE(failing_memory_is_an_answer_too),
		ONE(a_request_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
