/* bed_itself.c: the test bed does what it says; else no test on it means anything. */
#include "tests/hosts/bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bed bed;

START_TEST(hosts_are_hosts_of_their_own)
{
	const char *const hosts[] = { "ctl", "node1", "node2", "node3" };

	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(bed_ok(&bed, hosts[i], "hostname"), hosts[i]);
		for (int k = 0; k < 4; k++)
			bed_ok(&bed, hosts[i], "ping -q -c 1 -W 5 %s", hosts[k]);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bed_itself");
	TCase *tests = shared_case(suite, "hosts");

	tcase_add_test(tests, hosts_are_hosts_of_their_own);
	return suite;
}

int main(void)
{
	return bed_tests(&bed, &(struct bed_options){ .nodes = 3 }, make_suite());
}
