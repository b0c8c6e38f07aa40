/* descriptors.c: calls of a program that may open no more descriptors. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/support.h"

#define ENGINES 2
#define MORE	40 /* descriptors that no call needs more of */
#define LARGE	5000

static struct xc_error err;
static double numbers[LARGE];
static struct xc_client *client;

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)task;
	*(int64_t *)out = i * i;
	return 0;
}

/* The lowest number that a descriptor may yet get, all below being taken. */
static int first_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void allow(rlim_t descriptors)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = descriptors;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* `call` with 0, 1, 2, ... descriptors to spare, until it goes well. It may leave `kept`
 * open, for later calls, when it fails. */
static void with_few(const char *name, int (*call)(void), int kept, const int *codes)
{
	struct rlimit before;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int spare = 0; spare <= MORE; spare++) {
		int free_before = first_free(), r, i = 0;

		err = (struct xc_error)XC_ERROR_INIT;
		allow((rlim_t)(free_before + spare));
		r = call();
		allow(before.rlim_cur);
		ck_assert_msg(first_free() <= free_before + kept || r == 0,
			      "%s with %d descriptors: one is left open", name, spare);
		if (r == 0) {
			ck_assert_msg(spare > 0, "%s needs none", name);
			return;
		}
		while (codes[i] && codes[i] != r)
			i++;
		ck_assert_msg(codes[i] && strstr(err.text, "oo many open files"),
			      "%s with %d descriptors: %d: %s", name, spare, r, err.text);
	}
	ck_abort_msg("%s has not gone well with %d descriptors", name, MORE);
}

static void check_client(void)
{
	int64_t out[8];

	assert_ok(xc_map_range(xc_balanced(client), square, 8, out, sizeof out[0], NULL, &err),
		  err);
	for (int64_t i = 0; i < 8; i++)
		ck_assert_int_eq(out[i], i * i);
}

static int open_one(void)
{
	struct xc_client *other = NULL;
	int r = xc_open(&other, NULL, &err);

	ck_assert_int_eq(other != NULL, r == 0);
	xc_close(other);
	return r;
}

static int push_large(void)
{
	return xc_push(xc_all(client), "large", XC_ARRAY_F64(numbers, LARGE), &err);
}

static int load(void)
{
	return xc_load(xc_all(client), XC_TEST_LIBRARY, &err);
}

static int first_map(void)
{
	int64_t out[8];

	return xc_map_range(xc_all(client), square, 8, out, sizeof out[0], NULL, &err);
}

static int get_fd(void)
{
	int fd = xc_fd(client);

	if (fd < 0)
		snprintf(err.text, sizeof err.text, "%s", strerror(-fd));
	return fd < 0 ? fd : 0;
}

/* The command needs some itself, and says so in its own words. */
static int start_private(void)
{
	struct xc_cluster *cluster = NULL;
	struct rlimit enough;
	int r = xc_cluster_start(&cluster, 1, NULL, &err);

	if (r == 0) {
		getrlimit(RLIMIT_NOFILE, &enough);
		enough.rlim_cur = enough.rlim_max;
		setrlimit(RLIMIT_NOFILE, &enough);
		assert_ok(xc_cluster_stop(cluster, &err), err);
	}
	return r;
}

START_TEST(opening)
{
	with_few("xc_open", open_one, 0, (const int[]){ -EMFILE, 0 });
}
END_TEST

START_TEST(storing)
{
	client = open_client(ENGINES);
	/* Each of these finds the store connection open or not. */
	with_few("xc_push", push_large, 1, (const int[]){ -EMFILE, 0 });
	with_few("xc_push again", push_large, 1, (const int[]){ -EMFILE, 0 });
	check_client();
	with_few("xc_load", load, 0, (const int[]){ -EMFILE, XC_ECODE, 0 });
	with_few("xc_fd", get_fd, 0, (const int[]){ -EMFILE, 0 });
	check_client();
	xc_close(client);
}
END_TEST

START_TEST(first_map_of_a_program)
{
	client = open_client(ENGINES);
	with_few("xc_map_range", first_map, 1, (const int[]){ -EMFILE, XC_ECODE, 0 });
	check_client();
	xc_close(client);
}
END_TEST

START_TEST(private_cluster)
{
	int used = first_free();
	struct rlimit before;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int spare = 0; spare < 6; spare++) {
		int r;

		err = (struct xc_error)XC_ERROR_INIT;
		allow((rlim_t)(used + spare));
		r = start_private();
		allow(before.rlim_cur);
		ck_assert_msg(r < 0 && err.code == r && err.text[0], "with %d: %d", spare, r);
		ck_assert_int_eq(first_free(), used);
	}
	assert_ok(start_private(), err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("descriptors");
	TCase *tests = shared_case(suite, "descriptors");

	add_cluster_start(tests, ENGINES);
	tcase_add_test(tests, opening);
	tcase_add_test(tests, storing);
	tcase_add_test(tests, first_map_of_a_program);
	add_cluster_stop(tests);
	tcase_add_test(tests, private_cluster);
	return run_tests(suite);
}
