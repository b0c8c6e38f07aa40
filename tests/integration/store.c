/* store.c: one copy of a gigabyte for all engines, a store with a limit, and
 * memory that comes back. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB (INT64_C(1) << 20)

static struct xc_error err = XC_ERROR_INIT;

/* Bytes of shared memory in use on this machine. */
static int64_t shared_memory(void)
{
	char *text = read_file("/proc/meminfo");
	char *line = text ? strstr(text, "\nShmem:") : NULL;
	int64_t kib;

	ck_assert_ptr_nonnull(line);
	kib = atoll(line + 7);
	free(text);
	return kib * 1024;
}

static uint64_t pattern(uint64_t i)
{
	return (i + 1) * 0x9E3779B97F4A7C15u;
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

static bool is_below(void *arg)
{
	return shared_memory() < *(const int64_t *)arg;
}

START_TEST(a_gigabyte_is_copied_once)
{
	enum { ENGINES = 4 };
	int64_t count = 1024 * MIB / 8, before, after, counts[ENGINES];
	struct xc_client *client;
	uint64_t *data;

	start_cluster(ENGINES);
	client = open_client(ENGINES);
	data = mmap(NULL, (size_t)count * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ck_assert(data != MAP_FAILED);
	for (int64_t i = 0; i < count; i++)
		data[i] = pattern((uint64_t)i);
	before = shared_memory();
	assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_U64(data, count), &err), err);
	assert_ok(xc_apply(xc_all(client), check_pattern, NULL, 0, counts, sizeof counts[0], NULL,
			   &err),
		  err);
	after = shared_memory();
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_eq(counts[i], count);
	ck_assert_int_ge(after - before, 900 * MIB); /* others may give some back */
	ck_assert_msg(after - before < 1200 * MIB, "shared memory rose by %lld MiB",
		      (long long)((after - before) / MIB));
	before += 100 * MIB;
	assert_ok(xc_clear(xc_all(client), "big", &err), err);
	ck_assert_msg(wait_until(is_below, &before, 5), "the memory is not given back");

	/* Nor does a stopped cluster keep any. */
	assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_U64(data, count), &err), err);
	ck_assert(!is_below(&before));
	xc_close(client);
	stop_cluster();
	ck_assert_msg(wait_until(is_below, &before, 5), "the memory is not given back");
	munmap(data, (size_t)count * 8);
}
END_TEST

static void start_with_limit(const char *limit, const char *engines)
{
	struct output output;

	XCLUSTER(&output, "start", "-n", engines, "--store-limit", limit);
	ck_assert_msg(output.status == 0, "%s", output.err);
}

static int push_mib(struct xc_client *client, const char *name, int mib)
{
	static char data[100 * MIB];

	memset(data, mib, 4096);
	return xc_push(xc_all(client), name, XC_ARRAY_BYTES(data, mib * MIB), &err);
}

static int64_t pulled_size(struct xc_client *client, const char *name)
{
	struct xc_array arrays[2];
	int64_t size;

	assert_ok(xc_pull(xc_all(client), name, arrays, &err), err);
	size = xc_array_size(&arrays[0]);
	ck_assert_int_eq(xc_array_size(&arrays[1]), size);
	ck_assert_int_eq(*(const char *)arrays[1].data, size / MIB);
	xc_array_free(&arrays[0]);
	xc_array_free(&arrays[1]);
	return size;
}

START_TEST(a_full_store_is_an_error)
{
	struct xc_client *client;

	start_with_limit("64M", "2");
	client = open_client(2);
	assert_error(push_mib(client, "a", 80), XC_ESTORE, &err, "store");
	/* Asked, used and limit stand in the text. */
	ck_assert_msg(strstr(err.text, "80") && strstr(err.text, "64"), "%s", err.text);
	assert_ok(push_mib(client, "a", 20), err);
	assert_ok(push_mib(client, "b", 21), err);
	assert_error(push_mib(client, "c", 30), XC_ESTORE, &err, "store");
	/* What was there still is, and what failed left nothing. */
	ck_assert_int_eq(pulled_size(client, "a"), 20 * MIB);
	ck_assert_int_eq(pulled_size(client, "b"), 21 * MIB);
	assert_ok(xc_clear(xc_all(client), "a", &err), err);
	assert_ok(push_mib(client, "c", 30), err);
	ck_assert_int_eq(pulled_size(client, "c"), 30 * MIB);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(replaced_values_do_not_pile_up)
{
	struct xc_client *client;

	start_with_limit("64M", "2");
	client = open_client(2);
	for (int i = 1; i <= 60; i++) {
		assert_ok(push_mib(client, "v", 16), err);
		if (i % 20 == 0)
			ck_assert_int_eq(pulled_size(client, "v"), 16 * MIB);
	}
	/* Nor do those of clients that have gone. */
	xc_close(client);
	for (int i = 0; i < 10; i++) {
		client = open_client(2);
		ck_assert_int_eq(pulled_size(client, "v"), 16 * MIB);
		assert_ok(push_mib(client, "v", 16), err);
		xc_close(client);
	}
	stop_cluster();
}
END_TEST

static int set_big(struct xc_task *task, const void *in, void *out)
{
	int64_t mib = *(const int64_t *)in;
	char *data = calloc((size_t)mib, MIB);
	int r;

	(void)out;
	if (!data)
		return xc_task_fail(task, "calloc");
	r = xc_task_set(task, "own", XC_ARRAY_BYTES(data, mib * MIB));
	free(data);
	return r < 0 ? xc_task_fail(task, "set: %d: %s", r, xc_strerror(r)) : 0;
}

START_TEST(tasks_are_bound_by_the_limit_too)
{
	struct xc_map_options options = { .start = 80 };
	struct xc_client *client;

	start_with_limit("64M", "1");
	client = open_client(1);
	ck_assert_int_eq(xc_map_range(xc_all(client), set_big, 1, NULL, 0, &options, &err),
			 XC_EFAILED);
	ck_assert_msg(strstr(err.text, "set: ") != NULL, "%s", err.text);
	options.start = 16;
	for (int i = 0; i < 20; i++)
		assert_ok(xc_map_range(xc_all(client), set_big, 1, NULL, 0, &options, &err), err);
	xc_close(client);
	stop_cluster();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tests = separate_case(suite, "store");

	tcase_add_test(tests, a_gigabyte_is_copied_once);
	tcase_add_test(tests, a_full_store_is_an_error);
	tcase_add_test(tests, replaced_values_do_not_pile_up);
	tcase_add_test(tests, tasks_are_bound_by_the_limit_too);
	return run_tests(suite);
}
