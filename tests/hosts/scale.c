/* scale.c: clusters on hosts that grow and shrink. */
#include "tests/hosts/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN "tester@ctl"

static struct bed bed;

static int count_on(const char *host)
{
	json_t *status = cluster_status(&bed, LOGIN), *engine;
	size_t i;
	int n = 0;

	json_array_foreach (json_object_get(status, "engines"), i, engine) {
		const char *where = json_string_value(json_object_get(engine, "host"));
		const char *state = json_string_value(json_object_get(engine, "state"));

		n += where && state && strcmp(where, host) == 0 && strcmp(state, "idle") == 0;
	}
	json_decref(status);
	return n;
}

START_TEST(more_engines_come_on_the_hosts_that_there_are)
{
	bed_write(&bed, "ctl", "/home/tester/hosts",
		  "node1 slots=1 directory=\"/tmp\" env=\"A=b \\\"c\\\"\"\nnode2 slots=1\n");
	bed_ok(&bed, LOGIN, "xcluster start --hostfile hosts");
	bed_ok(&bed, LOGIN, "xcluster scale 5");
	ck_assert_int_eq(count_on("node1"), 3);
	ck_assert_int_eq(count_on("node2"), 2);
	bed_ok(&bed, LOGIN, "xcluster scale 2");
	ck_assert(cluster_wait_engines(&bed, LOGIN, 2, 5));
	cluster_stop(&bed, LOGIN);
}
END_TEST

static Suite *scale_suite(void)
{
	Suite *suite = suite_create("scale");
	TCase *tests = tcase_create("scale");

	tcase_set_timeout(tests, 2 * LIMIT);
	tcase_add_test(tests, more_engines_come_on_the_hosts_that_there_are);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return bed_tests(&bed, &(struct bed_options){ .nodes = 2 }, scale_suite());
}
