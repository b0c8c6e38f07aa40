/* data.c: objects across hosts, over a network: what each link carries, and what happens when
 * one breaks. The controller is on ctl, engines on node1 to node3, the client on node4. */
#include "tests/hosts/bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB	(INT64_C(1) << 20)
#define HOSTS	3 /* with engines */
#define ENGINES 12

static struct bed bed;
static struct xc_error err = XC_ERROR_INIT;

/* ---- The cluster ------------------------------------------------------------------------ */

static void start_engines(int node)
{
	char place[16];

	snprintf(place, sizeof place, "node%d", node);
	bed_ok(&bed, place,
	       "install -m 600 /bed/engines.json . && "
	       "setsid xcluster engines --foreground -n 4 --connection ./engines.json "
	       "</dev/null >engines.log 2>&1 &");
}

static void start(void)
{
	bed_ok(&bed, "ctl",
	       "setsid xcluster controller --ip '*' </dev/null >controller.log 2>&1 & "
	       "until [ -f .xcluster/default/connection.json ]; do sleep 0.02; done; "
	       "cp .xcluster/default/connection.json .xcluster/default/engines.json /bed");
	for (int node = 1; node <= HOSTS; node++) {
		start_engines(node);
		/* One after the other, so that the first one is node1's. */
		bed_ok(&bed, "ctl",
		       "until [ $(xcluster status --json | grep -c '\"state\": \"idle\"') -ge %d "
		       "]; do "
		       "sleep 0.05; done",
		       4 * node);
	}
	bed_ok(&bed, "node4", "install -m 600 /bed/connection.json .");
}

static void stop(void)
{
	bed_ok(&bed, "ctl", "xcluster stop");
	for (int node = 1; node <= HOSTS; node++) {
		char place[16];

		snprintf(place, sizeof place, "node%d", node);
		ck_assert(bed_wait_processes(&bed, place, "xcluster", 0, 10));
	}
}

static struct xc_client *open_there(int engines)
{
	struct xc_client *client = NULL;
	char path[600];

	snprintf(path, sizeof path, "%s/connection.json", getenv("HOME"));
	assert_ok(xc_open(&client, path, &err), err);
	assert_ok(xc_wait_for_engines(client, engines, LIMIT, &err), err);
	return client;
}

/* ---- What the links have carried ----------------------------------------------------------- */

static const char *const hosts[] = { "ctl", "node1", "node2", "node3", "node4" };

struct carried {
	int64_t sent[5], received[5];
};

static struct carried look(void)
{
	struct carried c;

	for (int i = 0; i < 5; i++)
		bed_bytes(&bed, hosts[i], &c.sent[i], &c.received[i]);
	return c;
}

static struct carried since(const struct carried *before)
{
	struct carried c = look();

	for (int i = 0; i < 5; i++) {
		c.sent[i] -= before->sent[i];
		c.received[i] -= before->received[i];
	}
	return c;
}

static void expect_about(int64_t bytes, int64_t mib, const char *what)
{
	ck_assert_msg(bytes >= mib * MIB && bytes <= (mib + mib / 5 + 1) * MIB,
		      "%s: %lld bytes, not %lld MiB", what, (long long)bytes, (long long)mib);
}

/* Slower from now on, so that things can happen in the middle. */
static void slow_down(const char *host)
{
	bed_ok(&bed, host, "tc qdisc add dev eth0 root tbf rate 200mbit burst 256kb latency 50ms");
}

/* ---- Values --------------------------------------------------------------------------------- */

static uint64_t pattern(uint64_t i)
{
	return (i + 1) * 0x9E3779B97F4A7C15u;
}

static uint64_t *make(int64_t mib)
{
	uint64_t *data = malloc((size_t)(mib * MIB));

	ck_assert_ptr_nonnull(data);
	for (int64_t i = 0; i < mib * MIB / 8; i++)
		data[i] = pattern((uint64_t)i);
	return data;
}

static int check_pattern(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, "big");
	const uint64_t *data;

	(void)in;
	if (!array)
		return XC_TASK_FAILED;
	data = array->data;
	for (int64_t i = 0; i < xc_array_count(array); i++)
		if (data[i] != pattern((uint64_t)i))
			return xc_task_fail(task, "element %lld is wrong", (long long)i);
	*(int64_t *)out = xc_array_count(array);
	return 0;
}

static void expect_pattern(const struct xc_view *view, int engines, int64_t mib)
{
	int64_t counts[ENGINES];

	assert_ok(xc_apply(view, check_pattern, NULL, 0, counts, sizeof counts[0], NULL, &err),
		  err);
	for (int i = 0; i < engines; i++)
		ck_assert_int_eq(counts[i], mib * MIB / 8);
}

/* In a process on node4, that ends when all engines have seen the whole. */
static pid_t push_there(int64_t mib)
{
	pid_t actor = bed_fork(&bed, "node4");
	struct xc_client *client;
	uint64_t *data;

	if (actor > 0)
		return actor;
	data = make(mib);
	client = open_there(ENGINES);
	assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_U64(data, mib * MIB / 8), &err), err);
	expect_pattern(xc_all(client), ENGINES, mib);
	xc_close(client);
	exit(0);
}

static void clear_there(void)
{
	pid_t actor = bed_fork(&bed, "node4");
	struct xc_client *client;

	if (actor == 0) {
		client = open_there(ENGINES);
		assert_ok(xc_clear(xc_all(client), NULL, &err), err);
		xc_close(client);
		exit(0);
	}
	bed_join(actor);
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

START_TEST(a_cluster_of_three_hosts_starts)
{
	start();
}
END_TEST

START_TEST(each_link_carries_a_push_once)
{
	struct carried before = look(), c;

	bed_join(push_there(64));
	c = since(&before);
	expect_about(c.sent[4], 64, "sent by the client");
	expect_about(c.sent[0], 64, "sent by the controller");
	expect_about(c.received[0], 64, "received by the controller");
	for (int node = 1; node <= HOSTS; node++)
		expect_about(c.received[node], 64, hosts[node]);
	expect_about(c.sent[1] + c.sent[2] + c.sent[3], 128, "sent by the three");
	clear_there();
}
END_TEST

static int64_t controllers_peak(void)
{
	return atoll(bed_ok(&bed, "ctl",
			    "awk '/VmHWM/ { print $2 }' /proc/$(pgrep -x xcluster)/status")) *
	       1024;
}

/* The library of linear algebra gets there, but not what it needs. */
START_TEST(a_host_without_openblas_says_so_and_the_others_compute)
{
	static struct output output;
	char library[600];

	snprintf(library, sizeof library, "%s/blas/libxcluster-blas.so", getenv("XC_TEST_LIBDIR"));
	if (access(library, R_OK) < 0) /* built without it */
		return;
	bed_ok(&bed, "node2",
	       "for f in $(find /usr/lib -name libopenblas.so.0); do mv $f $f.away; done");
	bed_run(&bed, "ctl", LIMIT, &output, "xcluster blas gemm -n 50 --engines 0,4,8");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "libopenblas.so.0 is missing on this host") &&
			      strstr(output.err, "package libopenblas0") &&
			      strstr(output.err, "engine 4"),
		      "%s", output.err);
	bed_ok(&bed, "ctl", "xcluster blas gemm -n 50 --engines 0,8");
	bed_ok(&bed, "node2",
	       "for f in $(find /usr/lib -name libopenblas.so.0.away); do mv $f ${f%%.away}; done");
	bed_ok(&bed, "ctl", "xcluster blas gemm -n 50 --all");
}
END_TEST

START_TEST(a_large_gather_does_not_stay_in_the_controller)
{
	int64_t before = controllers_peak();
	struct xc_client *client;
	struct xc_array whole;
	uint64_t *data;
	pid_t actor = bed_fork(&bed, "node4");

	if (actor == 0) {
		data = make(20);
		client = open_there(ENGINES);
		assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_U64(data, 20 * MIB / 8), &err),
			  err);
		assert_ok(xc_gather(xc_all(client), "big", &whole, &err), err);
		ck_assert_int_eq(xc_array_count(&whole), ENGINES * 20 * MIB / 8);
		for (int i = 0; i < ENGINES; i++)
			ck_assert_int_eq(
				memcmp((const char *)whole.data + i * 20 * MIB, data, 20 * MIB), 0);
		assert_ok(xc_clear(xc_all(client), NULL, &err), err);
		exit(0);
	}
	bed_join(actor);
	ck_assert_int_lt(controllers_peak() - before, 80 * MIB); /* of 240 */
}
END_TEST

/* The product with it is the other factor. */
static struct xc_matrix *identity(const struct xc_view *view, int n)
{
	double *data = calloc((size_t)n * (size_t)n, sizeof *data);
	struct xc_matrix_layout by_rows = { .grid_cols = 1 };
	struct xc_matrix *m = NULL;

	for (int i = 0; i < n; i++)
		data[i * n + i] = 1;
	assert_ok(xc_matrix_scatter(&m, view, XC_ARRAY_F64(data, n, n), &by_rows, &err), err);
	free(data);
	return m;
}

/* A product of matrices by rows, one engine a host: tells when it has begun and ended. */
static void multiply_there(int told, int go)
{
	enum { N = 1024 }; /* 8 MiB */
	struct xc_matrix_layout by_rows = { .grid_cols = 1 };
	const int ids[HOSTS] = { 0, 4, 8 };
	double *data = malloc(N * N * sizeof *data);
	struct xc_client *client = open_there(ENGINES);
	const struct xc_view *view = NULL;
	struct xc_matrix *a, *b = NULL, *c = NULL;
	struct xc_array array;
	char word;

	for (int i = 0; i < N * N; i++)
		data[i] = i;
	assert_ok(xc_engines(client, ids, HOSTS, &view, &err), err);
	a = identity(view, N);
	assert_ok(xc_matrix_scatter(&b, view, XC_ARRAY_F64(data, N, N), &by_rows, &err), err);
	assert_ok(xc_matrix_new(&c, view, N, N, &by_rows, &err), err);
	ck_assert_int_eq(write(told, "b", 1), 1);
	ck_assert_int_eq(read(go, &word, 1), 1);
	assert_ok(xc_matrix_gemm(false, false, 1, a, b, 0, c, &err), err);
	ck_assert_int_eq(write(told, "e", 1), 1);
	assert_ok(xc_matrix_gather(c, &array, &err), err);
	ck_assert_int_eq(memcmp(array.data, data, N * N * sizeof *data), 0);
	xc_matrix_free(a);
	xc_matrix_free(b);
	xc_matrix_free(c);
	xc_close(client);
	exit(0);
}

START_TEST(blocks_of_a_product_go_from_host_to_host)
{
	struct carried before, c;
	int told[2], go[2];
	pid_t actor;
	char word;

	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(pipe(go), 0);
	actor = bed_fork(&bed, "node4");
	if (actor == 0)
		multiply_there(told[1], go[0]);
	ck_assert_int_eq(read(told[0], &word, 1), 1);
	before = look();
	ck_assert_int_eq(write(go[1], "g", 1), 1);
	ck_assert_int_eq(read(told[0], &word, 1), 1);
	ck_assert_int_eq(word, 'e');
	c = since(&before);
	bed_join(actor);
	/* Of B each host lacks two thirds of 8 MiB; the client gives none. */
	ck_assert_int_lt(c.sent[4], MIB);
	for (int node = 1; node <= HOSTS; node++) {
		ck_assert_int_ge(c.received[node], 5 * MIB);
		ck_assert_int_le(c.received[node], 7 * MIB);
	}
	for (int i = 0; i < 2; i++) {
		close(told[i]);
		close(go[i]);
	}
}
END_TEST

static void between_nodes(void (*what)(const struct bed *bed, const char *a, const char *b))
{
	what(&bed, "node1", "node2");
	what(&bed, "node1", "node3");
	what(&bed, "node2", "node3");
}

/* By links that are known to be dead nothing is tried for half a minute: so node1 to node3
 * are others after this. */
static void restart(void)
{
	stop();
	start();
}

START_TEST(hosts_that_cannot_reach_each_other_are_served_by_the_controller)
{
	struct carried before, c;

	restart();
	before = look();
	between_nodes(bed_cut);
	bed_join(push_there(16));
	between_nodes(bed_heal);
	c = since(&before);
	expect_about(c.sent[4], 16, "sent by the client");
	expect_about(c.sent[0], 48, "sent by the controller");
	clear_there();
}
END_TEST

struct mark {
	int64_t received[5], sent[5];
	int64_t bytes;
	int middle;
};

static bool both_have_begun(void *arg)
{
	struct mark *mark = arg;
	struct carried c = look();

	return c.received[2] - mark->received[2] > mark->bytes &&
	       c.received[3] - mark->received[3] > mark->bytes;
}

static struct mark mark_now(int64_t mib)
{
	struct carried c = look();
	struct mark mark = { .bytes = mib * MIB };

	memcpy(mark.received, c.received, sizeof mark.received);
	memcpy(mark.sent, c.sent, sizeof mark.sent);
	return mark;
}

START_TEST(a_link_that_breaks_in_the_middle_does_not_begin_again)
{
	struct carried before, c;
	struct mark mark;
	pid_t actor;

	restart();
	before = look();
	slow_down("node1");
	mark = mark_now(15);
	actor = push_there(80);
	ck_assert(wait_until(both_have_begun, &mark, 30));
	bed_cut(&bed, "node1", "node2");
	bed_cut(&bed, "node1", "node3");
	bed_join(actor); /* by the controller */
	bed_heal(&bed, "node1", "node2");
	bed_heal(&bed, "node1", "node3");
	c = since(&before);
	expect_about(c.received[2], 80, "node2");
	expect_about(c.received[3], 80, "node3");
	expect_about(c.sent[4], 80, "sent by the client");
	bed_ok(&bed, "node1", "tc qdisc del dev eth0 root");
	clear_there();
}
END_TEST

struct level {
	const char *host;
	int64_t from, bytes;
};

static bool has_received(void *arg)
{
	const struct level *level = arg;
	int64_t sent, received;

	bed_bytes(&bed, level->host, &sent, &received);
	return received - level->from > level->bytes;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

START_TEST(a_client_that_is_cut_off_goes_on_where_it_was)
{
	struct carried before, c;
	struct level level = { .host = "ctl", .bytes = 15 * MIB };
	pid_t actor;

	restart();
	before = look();
	level.from = before.received[0];
	slow_down("node4");
	actor = push_there(60);
	ck_assert(wait_until(has_received, &level, 30));
	bed_cut(&bed, "node4", NULL);
	wait_until(never, NULL, 8); /* longer than any silence that is not noticed */
	bed_heal(&bed, "node4", NULL);
	bed_join(actor);
	c = since(&before);
	expect_about(c.sent[4], 60, "sent by the client");
	for (int node = 1; node <= HOSTS; node++)
		expect_about(c.received[node], 60, hosts[node]);
	bed_ok(&bed, "node4", "tc qdisc del dev eth0 root");
	clear_there();
}
END_TEST

static void expect_there(int engines, int64_t mib)
{
	pid_t actor = bed_fork(&bed, "node4");
	struct xc_client *client;

	if (actor == 0) {
		client = open_there(engines);
		expect_pattern(xc_all(client), engines, mib);
		xc_close(client);
		exit(0);
	}
	bed_join(actor);
}

/* Given up after 5 s, it begins anew: with other engines, that are given what all have. */
START_TEST(a_host_that_was_frozen_takes_part_again)
{
	restart();
	bed_join(push_there(20));
	bed_freeze(&bed, "node2");
	bed_ok(&bed, "ctl",
	       "until [ $(xcluster status --json | grep -c '\"state\": \"idle\"') -eq 8 ]; do "
	       "sleep 0.1; done");
	bed_thaw(&bed, "node2");
	expect_there(ENGINES, 20);
	/* What it had lost for the others it gives as well. */
	clear_there();
	bed_join(push_there(10));
	clear_there();
}
END_TEST

/* It has received, and passes on. */
static bool one_is_in_the_middle(void *arg)
{
	struct mark *mark = arg;
	struct carried c = look();

	for (int node = 2; node <= 3; node++)
		if (c.sent[node] - mark->sent[node] > mark->bytes)
			mark->middle = node;
	return mark->middle > 0;
}

START_TEST(a_host_that_crashes_in_the_chain_takes_none_with_it)
{
	struct mark mark;
	struct xc_client *client;
	uint64_t *data;
	int pair[2];
	pid_t actor;

	restart();
	slow_down("node1");
	mark = mark_now(10);
	ck_assert_int_eq(pipe(pair), 0);
	actor = bed_fork(&bed, "node4");
	if (actor == 0) {
		int others[8], n = 0, middle, r;
		const struct xc_view *view = NULL;

		data = make(80);
		client = open_there(ENGINES);
		/* Of the lost host's engines it fails, or they are none of the view's any more. */
		r = xc_push(xc_all(client), "big", XC_ARRAY_U64(data, 80 * MIB / 8), &err);
		ck_assert_msg(r == 0 || r == XC_EFAILED, "%d: %s", r, err.text);
		ck_assert_int_eq(read(pair[0], &middle, sizeof middle), sizeof middle);
		for (int i = 0; i < ENGINES; i++)
			if (i / 4 != middle - 1)
				others[n++] = i;
		assert_ok(xc_engines(client, others, n, &view, &err), err);
		expect_pattern(view, n, 80);
		exit(0);
	}
	ck_assert(wait_until(one_is_in_the_middle, &mark, 30));
	bed_crash(&bed, hosts[mark.middle]);
	ck_assert_int_eq(write(pair[1], &mark.middle, sizeof mark.middle), sizeof mark.middle);
	bed_join(actor);
	bed_ok(&bed, "ctl", "xcluster stop");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data");
	TCase *tests = shared_case(suite, "data");

	tcase_add_test(tests, a_cluster_of_three_hosts_starts);
	tcase_add_test(tests, each_link_carries_a_push_once);
	tcase_add_test(tests, a_host_without_openblas_says_so_and_the_others_compute);
	tcase_add_test(tests, a_large_gather_does_not_stay_in_the_controller);
	tcase_add_test(tests, blocks_of_a_product_go_from_host_to_host);
	tcase_add_test(tests, hosts_that_cannot_reach_each_other_are_served_by_the_controller);
	tcase_add_test(tests, a_link_that_breaks_in_the_middle_does_not_begin_again);
	tcase_add_test(tests, a_client_that_is_cut_off_goes_on_where_it_was);
	tcase_add_test(tests, a_host_that_was_frozen_takes_part_again);
	tcase_add_test(tests, a_host_that_crashes_in_the_chain_takes_none_with_it);
	return bed_tests(&bed, &(struct bed_options){ .nodes = 4 }, suite);
}
