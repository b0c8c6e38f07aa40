/* apart.c: clusters that live on one host each, side by side. */
#include "tests/hosts/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = { "node1", "tester@node1", "tester@node2" };
static struct bed bed;

START_TEST(each_user_and_host_has_its_own_default_cluster)
{
	for (int i = 0; i < 3; i++)
		bed_ok(&bed, places[i], "xcluster start -n %d", i + 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
			count_engines_on(bed_ok(&bed, places[i], "%s", bed_example("hello")),
					 i < 2 ? "node1" : "node2"),
			i + 1);
	bed_ok(&bed, places[1], "xcluster stop");
	ck_assert_int_eq(
		count_engines_on(bed_ok(&bed, places[0], "%s", bed_example("hello")), "node1"), 1);
	bed_ok(&bed, places[0], "xcluster stop");
	bed_ok(&bed, places[2], "xcluster stop");
}
END_TEST

START_TEST(stop_leaves_no_process)
{
	ck_assert_int_eq(bed_count_processes(&bed, "node1", NULL), 0);
	bed_ok(&bed, "tester@node1", "xcluster start -n 2");
	ck_assert_int_ge(bed_count_processes(&bed, "node1", NULL), 4);
	bed_ok(&bed, "tester@node1", "xcluster stop");
	ck_assert(bed_wait_processes(&bed, "node1", NULL, 0, 1));
}
END_TEST

static int where(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	return gethostname(out, 63);
}

START_TEST(a_program_that_uses_the_library_runs_on_a_host)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char names[2][64] = { { 0 } };

	bed_ok(&bed, "tester@node2", "xcluster start -n 2");
	bed_become(&bed, "tester@node2");
	client = open_client(2);
	assert_ok(xc_apply(xc_all(client), where, NULL, 0, names, sizeof names[0], NULL, &err),
		  err);
	ck_assert_str_eq(names[0], "node2");
	ck_assert_str_eq(names[1], "node2");
	xc_close(client);
}
END_TEST

START_TEST(it_is_stopped)
{
	bed_ok(&bed, "tester@node2", "xcluster stop");
	ck_assert(bed_wait_processes(&bed, "node2", NULL, 0, 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("apart");
	TCase *tests = shared_case(suite, "apart");

	tcase_add_test(tests, each_user_and_host_has_its_own_default_cluster);
	tcase_add_test(tests, stop_leaves_no_process);
	tcase_add_test(tests, a_program_that_uses_the_library_runs_on_a_host);
	tcase_add_test(tests, it_is_stopped);
	return bed_tests(&bed, &(struct bed_options){ .nodes = 2 }, suite);
}
