/* stress.c: all that clients can do to jobs and engines, at random and at once; then
 * every item has ended once, rightly or for a reason, and nothing is left.
 *
 * XC_STRESS_SEED and XC_STRESS_SECONDS choose what is done, and for how long; see
 * scripts/soak.sh. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENGINES	  3
#define CLIENTS	  2
#define ITEMS	  400
#define BATCH	  40
#define WORKS	  4000
#define HANDLES	  64
#define RUNS	  ((int64_t)WORKS * ITEMS)
#define INPUT_MAX 64
#define RSS_MAX	  (INT64_C(600) << 20) /* also with sanitizers */
#define FAILS	  61
#define PRINTS	  13
#define DOZES	  37
#define CRASHES	  1999
#define CODE	  5

/* What was submitted; several results may tell of it. */
struct work {
	char id[XC_JOB_ID_SIZE];
	int64_t first; /* number of its item 0, of which all follows */
	int n, again;  /* how often it was run again */
	bool is_pinned, at_most_once, stops, cancelled;
};

struct handle {
	struct xc_result *result;
	struct work *work;
	int64_t *out;
	int at, n; /* items of the work */
	bool is_own;
};

static struct work works[WORKS];
static struct handle handles[HANDLES];
static struct xc_client *clients[CLIENTS];
static int work_count;
static unsigned seed, state;
static bool interrupted, killed; /* by signals: whatever ran */
static struct xc_error err = XC_ERROR_INIT;

#define CHECK(condition, format, ...)                                                              \
	ck_assert_msg(condition, "seed %u: " format, seed, __VA_ARGS__)

static int dice(int sides)
{
	state = state * 1103515245u + 12345u;
	return (int)((state >> 16) % (unsigned)sides);
}

/* ---- Tasks ------------------------------------------------------------------------ */

static unsigned char *runs(void)
{
	static unsigned char *counts;
	int fd;

	if (counts)
		return counts;
	fd = open(test_path("runs"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, RUNS) < 0)
		abort();
	counts = mmap(NULL, RUNS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return counts;
}

static int64_t value_of(int64_t number, size_t in_size)
{
	return 3 * number + (int64_t)in_size;
}

/* The number of an item says what becomes of it. */
static int work_on(struct xc_task *task, const void *in, void *out)
{
	int64_t number;

	memcpy(&number, in, sizeof number);
	__atomic_fetch_add(&runs()[number], 1, __ATOMIC_RELAXED);
	if (number % PRINTS == 0)
		printf("item %lld\n", (long long)number);
	if (number % DOZES == 0)
		task_sleep(0.002);
	if (number % CRASHES == 0)
		kill(getpid(), SIGKILL);
	if (number % FAILS == 0) {
		xc_task_fail(task, "no %lld", (long long)number);
		return CODE;
	}
	*(int64_t *)out = value_of(number, xc_task_in_size(task));
	return 0;
}

/* ---- Submitting --------------------------------------------------------------------- */

static struct handle *free_handle(void)
{
	for (int i = 0; i < HANDLES; i++)
		if (!handles[i].result)
			return &handles[i];
	return NULL;
}

static struct handle *random_handle(void)
{
	struct handle *handle = &handles[dice(HANDLES)];

	return handle->result ? handle : NULL;
}

static struct xc_client *random_client(void)
{
	return clients[dice(CLIENTS)];
}

static struct xc_map_options random_options(struct work *work)
{
	struct xc_map_options options = { .start = work->first,
					  .chunk = dice(3) ? 0 : 1 + dice(20),
					  .max_attempts = 1 + dice(3),
					  .priority = dice(3),
					  .at_most_once = dice(4) == 0,
					  .label = "stress" };

	options.on_failure = dice(6) ? XC_CONTINUE : XC_STOP;
	options.on_disconnect = dice(3) ? XC_DISCONNECT_CANCEL : XC_DISCONNECT_KEEP;
	work->at_most_once = options.at_most_once;
	work->stops = options.on_failure == XC_STOP;
	return options;
}

static struct work *new_work(int n)
{
	struct work *work = &works[work_count];

	*work = (struct work){ .first = (int64_t)work_count * ITEMS + 1, .n = n };
	work_count++;
	return work;
}

/* Engines may go at any time: then the call fails, and says so. */
static void keep_handle(struct handle *handle, struct work *work, struct xc_result *result)
{
	if (!result) {
		CHECK(err.code == XC_ENOENGINE, "%d: %s", err.code, err.text);
		free(handle->out);
		return;
	}
	handle->result = result;
	handle->work = work;
	handle->n = work->n;
	handle->at = 0;
	handle->is_own = true;
	if (!work->id[0])
		ck_assert_int_eq(xc_result_id(result, work->id), 0);
}

static void submit_map(struct handle *handle)
{
	struct work *work = new_work(1 + dice(ITEMS));
	struct xc_map_options options = random_options(work);
	struct xc_client *client = random_client();

	handle->out = calloc((size_t)work->n, sizeof *handle->out);
	work->is_pinned = dice(5) == 0;
	keep_handle(handle, work,
		    xc_map_range_async(work->is_pinned ? xc_all(client) : xc_balanced(client),
				       work_on, work->n, handle->out, sizeof *handle->out, &options,
				       &err));
}

/* Sizes of inputs are told by numbers, too. */
static size_t input_size(int64_t number)
{
	return sizeof number + (size_t)(number * 7 % (INPUT_MAX - 8));
}

static size_t make_input(unsigned char *bytes, int64_t number)
{
	memset(bytes, 1, INPUT_MAX);
	memcpy(bytes, &number, sizeof number);
	return input_size(number);
}

static void submit_packed(struct handle *handle)
{
	static unsigned char bytes[ITEMS][INPUT_MAX];
	struct work *work = new_work(1 + dice(ITEMS));
	struct xc_map_options options = random_options(work);
	struct xc_bytes items[ITEMS];

	for (int i = 0; i < work->n; i++)
		items[i] = (struct xc_bytes){ bytes[i], make_input(bytes[i], work->first + i) };
	handle->out = calloc((size_t)work->n, sizeof *handle->out);
	keep_handle(handle, work,
		    xc_map_packed_async(xc_balanced(random_client()), work_on, items, work->n,
					handle->out, sizeof *handle->out, &options, &err));
}

/* Each by itself, and a handle for some: the others are forgotten at once, and with
 * that cancelled, or not. */
static void submit_batch(void)
{
	struct work *all = new_work(BATCH);
	struct xc_map_options options = random_options(all);
	struct xc_client *client = random_client();
	unsigned char bytes[INPUT_MAX];

	for (int i = 0; i < BATCH && work_count < WORKS; i++) {
		struct handle *handle = free_handle();
		struct work *work;

		if (!handle)
			return;
		work = i ? new_work(1) : all;
		work->n = 1;
		work->at_most_once = all->at_most_once;
		handle->out = calloc(1, sizeof *handle->out);
		handle->out[0] = 0;
		keep_handle(handle, work,
			    xc_apply_async(xc_balanced(client), work_on, bytes,
					   make_input(bytes, work->first), handle->out,
					   sizeof *handle->out, &options, &err));
	}
}

static void submit_some(void)
{
	struct handle *handle = free_handle();

	if (!handle || work_count > WORKS - 2 * BATCH)
		return;
	switch (dice(4)) {
	case 0:
		submit_batch();
		break;
	case 1:
		submit_packed(handle);
		break;
	default:
		submit_map(handle);
	}
}

static void push_some(void)
{
	double numbers[1000] = { (double)dice(100) };
	int r = xc_push(xc_all(random_client()), dice(2) ? "a" : "b", XC_ARRAY_F64(numbers, 1000),
			&err);

	CHECK(r == 0 || r == XC_EFAILED || r == XC_ENOENGINE, "%d: %s", r, err.text);
}

/* ---- Ends --------------------------------------------------------------------------- */

static void check_failure(const struct handle *handle, int i, const struct xc_failure *failure)
{
	const struct work *work = handle->work;
	int64_t number = work->first + i;
	char text[40];

	CHECK(failure->text[0], "item %lld: no reason", (long long)number);
	switch (failure->state) {
	case XC_FAILED:
		snprintf(text, sizeof text, "no %lld", (long long)number);
		CHECK(failure->code == CODE && number % FAILS == 0 &&
			      strcmp(failure->text, text) == 0,
		      "item %lld: %s", (long long)number, failure->text);
		break;
	case XC_CRASHED:
		CHECK(number % CRASHES == 0 || killed, "item %lld: %s", (long long)number,
		      failure->text);
		break;
	case XC_CANCELLED:
		CHECK(work->cancelled || work->stops || interrupted, "item %lld: %s",
		      (long long)number, failure->text);
		break;
	default:
		CHECK(failure->state == XC_LOST && (work->at_most_once || work->is_pinned),
		      "item %lld: %s: %s", (long long)number, xc_state_name(failure->state),
		      failure->text);
	}
}

static void check_output(const struct handle *handle, int i)
{
	int64_t number = handle->work->first + i;
	const char *output = xc_output(handle->result, i, NULL);
	char text[40];

	snprintf(text, sizeof text, "item %lld\n", (long long)number);
	CHECK((number % PRINTS == 0) == (output != NULL), "item %lld printed %s", (long long)number,
	      output ? output : "nothing");
	CHECK(!output || strstr(output, text), "item %lld printed %s", (long long)number, output);
}

static void check_items(struct handle *handle)
{
	enum xc_state states[ITEMS];
	const struct work *work = handle->work;
	bool is_range = work->n > 1 && handle->out[0] == value_of(work->first, 8);

	collect_states(handle->result, handle->n, states);
	for (int i = 0; i < handle->n; i++) {
		int64_t number = work->first + i, out = handle->out[i];
		int count = runs()[number];

		CHECK(!work->at_most_once || count <= 1 + work->again,
		      "item %lld of at most once has run %d times", (long long)number, count);
		if (states[i] != XC_OK) {
			struct xc_failure failure = failure_of(handle->result, i);

			check_failure(handle, i, &failure);
			continue;
		}
		CHECK(out == value_of(number, 8) ||
			      (!is_range && out == value_of(number, input_size(number))),
		      "item %lld: %lld", (long long)number, (long long)out);
		CHECK(count > 0, "item %lld has not run", (long long)number);
		check_output(handle, i);
	}
}

static void end_handle(struct handle *handle)
{
	struct xc_progress progress;
	int r = xc_wait(handle->result, LIMIT, &err);

	CHECK(r == 0 || r == XC_EFAILED, "%s: %d: %s", handle->work->id, r, err.text);
	progress = xc_result_progress(handle->result);
	CHECK(progress.done == handle->n && progress.items == handle->n, "%lld of %d have ended",
	      (long long)progress.done, handle->n);
	CHECK((progress.failed > 0) == (r < 0), "%lld have failed", (long long)progress.failed);
	check_items(handle);
	xc_result_destroy(handle->result);
	free(handle->out);
	*handle = (struct handle){ 0 };
}

/* ---- What else is done --------------------------------------------------------------- */

static void cancel_some(void)
{
	enum xc_cancel how = dice(2) ? XC_CANCEL_QUEUED : XC_CANCEL_RUNNING;
	struct handle *handle = random_handle();
	int r;

	if (!handle)
		return;
	handle->work->cancelled = true;
	if (dice(2)) {
		assert_ok(xc_cancel(handle->result, how, &err), err);
		return;
	}
	r = xc_job_cancel(random_client(), handle->work->id, how, &err);
	CHECK(r == 0 || r == -EALREADY || r == -ENOENT, "%d: %s", r, err.text);
}

static void forget_some(void)
{
	struct handle *handle = random_handle();

	if (!handle)
		return;
	handle->work->cancelled = true; /* if it was ours, and not to be kept */
	xc_result_destroy(handle->result);
	free(handle->out);
	*handle = (struct handle){ 0 };
}

static void attach_some(bool again)
{
	struct handle *handle = free_handle();
	struct work *work;
	struct xc_client *client = random_client();

	if (!handle || !work_count)
		return;
	work = &works[work_count - 1 - dice(work_count < 50 ? work_count : 50)];
	if (!work->id[0])
		return;
	handle->out = calloc((size_t)work->n, sizeof *handle->out);
	if (again)
		work->again++; /* it may run even if we do not hear of it */
	handle->result = (again ? xc_resubmit : xc_attach)(
		client, work->id, handle->out, (size_t)work->n * sizeof *handle->out, &err);
	if (!handle->result) {
		CHECK(err.code == -ENOENT || err.code == -ENODATA || (again && err.code == -EBUSY),
		      "%s: %d: %s", work->id, err.code, err.text);
		free(handle->out);
		return;
	}
	handle->work = work;
	handle->n = work->n;
}

static void purge_some(void)
{
	struct handle *handle = random_handle();
	int r = xc_purge(random_client(), handle && dice(8) ? handle->work->id : NULL, &err);

	CHECK(r >= 0 || r == -EBUSY || r == -ENOENT || r == -EINVAL, "%d: %s", r, err.text);
}

static void look_at_some(void)
{
	struct handle *handle = random_handle();
	int64_t item;
	int r;

	if (!handle)
		return;
	xc_output(handle->result, dice(handle->n), NULL);
	xc_item_state(handle->result, dice(handle->n));
	r = xc_next(handle->result, XC_ANY_ORDER, 0.001, &item, &err);
	CHECK(r >= 0 || r == -ETIMEDOUT, "%d: %s", r, err.text);
	if (xc_is_ready(handle->result))
		end_handle(handle);
}

static void signal_some(void)
{
	int sig = dice(4) ? SIGINT : SIGTERM;
	const struct xc_view *view;
	int r;

	interrupted = true;
	killed |= sig == SIGTERM;
	r = xc_view_at(xc_all(random_client()), dice(2), &view, &err);
	if (r == 0)
		r = xc_signal(view, sig, &err);
	CHECK(r == 0 || r == XC_ENOENGINE, "%d: %s", r, err.text);
}

static void change_engines(void)
{
	struct output output;
	const struct xc_view *view;
	struct xc_client *client = clients[0];
	int r;

	if (xc_view_size(xc_all(client)) <= ENGINES) {
		XCLUSTER(&output, "engines", "-n", "1");
		CHECK(output.status == 0, "%s", output.err);
		assert_ok(xc_wait_for_engines(client, ENGINES, LIMIT, &err), err);
		return;
	}
	r = xc_view_at(xc_all(client), dice(ENGINES + 1), &view, &err);
	if (r == 0)
		r = xc_engines_stop(view, dice(2) ? XC_CANCEL_QUEUED : XC_CANCEL_RUNNING, &err);
	CHECK(r == 0 || r == XC_ENOENGINE, "%d: %s", r, err.text);
}

/* Another client, a process of its own, which ends in whatever state it is. */
static void run_and_die(const char *first, const char *id)
{
	struct xc_map_options options = { .start = atoll(first) };
	int64_t out[ITEMS];
	struct xc_result *result;
	struct xc_client *client;

	state = (unsigned)options.start;
	options.on_disconnect = dice(2) ? XC_DISCONNECT_KEEP : XC_DISCONNECT_CANCEL;
	if (xc_open(&client, NULL, &err) < 0)
		_exit(1);
	result = xc_map_range_async(xc_balanced(client), work_on, 1 + dice(ITEMS), out, sizeof *out,
				    &options, &err);
	if (id[0])
		xc_attach(client, id, NULL, 0, NULL);
	if (dice(2))
		xc_wait(result, 0.001 * dice(20), NULL);
	if (dice(2))
		xc_close(client);
	_exit(0); /* in the middle of all */
}

static void client_dies(void)
{
	struct handle *handle = random_handle();
	const struct work *work;
	struct program program;
	char first[24];

	if (work_count > WORKS - 2 * BATCH)
		return;
	work = new_work(ITEMS); /* that number is taken */
	snprintf(first, sizeof first, "%lld", (long long)work->first);
	PROGRAM(&program, "/proc/self/exe", first, handle ? handle->work->id : "");
	if (dice(2))
		task_sleep(0.001 * dice(50));
	if (dice(2))
		kill(program.pid, SIGKILL);
	program_end(&program);
}

static void do_something(bool rough)
{
	int what = dice(100);

	if (what < 40)
		submit_some();
	else if (what < 60)
		look_at_some();
	else if (what < 68)
		attach_some(false);
	else if (what < 74)
		attach_some(true);
	else if (what < 80)
		cancel_some();
	else if (what < 84)
		forget_some();
	else if (what < 88)
		purge_some();
	else if (what < 92)
		push_some();
	else if (what < 94)
		client_dies();
	else if (what < 96 && rough)
		signal_some();
	else if (what < 97 && rough)
		change_engines();
}

/* ---- At the end ---------------------------------------------------------------------- */

static json_int_t number(const json_t *object, const char *of, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(object, of), key));
}

static bool is_quiet(void *arg)
{
	json_t *report = XCLUSTER_JSON("status", "--json");
	bool quiet =
		json_array_size(json_object_get(report, "jobs")) == 0 &&
		number(report, "queue", "items") == 0 && number(report, "queue", "slices") == 0 &&
		number(report, "queue", "unassigned") == 0 &&
		number(report, "memory", "inputs") == 0 && number(report, "memory", "results") == 0;

	(void)arg;
	json_decref(report);
	return quiet;
}

static void check_queues(struct xc_client *client)
{
	struct xc_queue queues[64];
	int64_t unassigned;
	int n = xc_queue_status(client, queues, 64, &unassigned, &err);

	CHECK(n > 0, "%d: %s", n, err.text);
	ck_assert_int_eq(unassigned, 0);
	for (int i = 0; i < n && i < 64; i++)
		CHECK(queues[i].slices == 0 && queues[i].queued == 0 && queues[i].running == 0,
		      "engine %d is not idle", queues[i].engine);
}

static void check_nothing_left(void)
{
	struct xc_client *client = open_client(2);
	struct xc_job_info *jobs;
	json_t *report;
	int count;

	ck_assert_msg(wait_until(is_quiet, NULL, LIMIT), "seed %u: jobs are left", seed);
	check_queues(client);
	ck_assert_int_ge(xc_purge(client, NULL, &err), 0);
	assert_ok(xc_jobs(client, NULL, &jobs, &count, &err), err);
	free(jobs);
	ck_assert_int_eq(count, 0);
	xc_close(client);
	report = XCLUSTER_JSON("status", "--json");
	ck_assert_int_eq(number(report, "memory", "history"), 0);
	CHECK(json_integer_value(json_object_get(report, "rss")) < RSS_MAX, "rss %lld",
	      (long long)json_integer_value(json_object_get(report, "rss")));
	json_decref(report);
}

static double duration(void)
{
	const char *text = getenv("XC_STRESS_SECONDS");

	return text ? atof(text) : 3;
}

START_TEST(everything_at_once)
{
	const char *text = getenv("XC_STRESS_SEED");
	double end = now() + duration();

	seed = state = (text ? (unsigned)atoi(text) : 1) + (unsigned)_i;
	unlink(test_path("runs"));
	runs();
	start_cluster(ENGINES);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = open_client(ENGINES);
	while (now() < end && work_count < WORKS - 2 * BATCH)
		do_something(_i == 1);
	for (int i = 0; i < HANDLES; i++)
		if (handles[i].result)
			end_handle(&handles[i]);
	printf("stress: %d jobs\n", work_count);
	for (int i = 0; i < CLIENTS; i++)
		xc_close(clients[i]);
	check_nothing_left();
	stop_cluster();
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite;
	TCase *tests;

	if (argc > 2)
		run_and_die(argv[1], argv[2]);
	suite = suite_create("stress");
	tests = separate_case(suite, "stress");
	tcase_add_loop_test(tests, everything_at_once, 0, 2);
	return run_tests(suite);
}
