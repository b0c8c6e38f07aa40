/* ssh_many.c: many connections at a time to servers with sshd's own limits, on hosts that
 * share home directories. */
#include "tests/hosts/ssh_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 20

static struct bed bed;
static struct output output;

static void tidy(void)
{
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster stop; :");
}

START_TEST(twenty_names_of_one_host_come_up_in_spite_of_max_startups)
{
	bed_ok(&bed, "tester@ctl",
	       "echo 'Host m*' >~/.ssh/config; echo ' HostName node1' "
	       ">>~/.ssh/config; chmod 600 ~/.ssh/config");
	bed_ok(&bed, "tester@ctl", "xcluster start --hosts $(seq -s, -f m%%g:1 %d)", NAMES);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), NAMES);
	bed_ok(&bed, "tester@ctl", "xcluster stop; xcluster clean");
	assert_hosts_clean(&bed);
}
END_TEST

/* ssh that drops the first two connections to a host, and takes none of a third. */
static const char dropper[] =
	"#!/bin/sh\n"
	"for w; do case $h in --) h=$w;; *) [ \"$w\" != -- ] || h=--;; esac; done\n"
	"n=$(cat /bed/n.$h 2>/dev/null || echo 0); echo $((n + 1)) >/bed/n.$h\n"
	"if [ $n -lt 2 ] || [ $h = node2 ]; then\n"
	"echo 'kex_exchange_identification: Connection closed by remote host' >&2; exit 255; fi\n"
	"exec ssh \"$@\"\n";

START_TEST(dropped_connections_are_tried_again_up_to_a_limit)
{
	bed_write(&bed, "ctl", "/bed/dropper", dropper);
	bed_ok(&bed, "ctl", "chmod 755 /bed/dropper; rm -f /bed/n.*");
	bed_run(&bed, "tester@ctl", LIMIT, &output,
		"xcluster start --ssh /bed/dropper --hosts node1:1,node2:1 --require 1 "
		"--engine-timeout 6");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_said(&output, "host node2 has not come up: its ssh server has ended the connection: "
			     "kex_exchange_identification: Connection closed by remote host");
	ck_assert_str_eq(bed_ok(&bed, "ctl", "cat /bed/n.node1"), "3");
	ck_assert_int_gt(atoi(bed_ok(&bed, "ctl", "cat /bed/n.node2")), 3);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), 1);
	bed_ok(&bed, "tester@ctl", "xcluster stop; xcluster clean");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(hosts_that_share_home_directories_start_and_stop)
{
	bed_ok(&bed, "tester@ctl", "xcluster start --hosts node1:2,node2:1,node3:1,ctl:1");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), 2);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node2"), 1);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node3"), 1);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "ctl"), 1);
	ck_assert_int_eq(count_greetings(&bed, "tester@ctl", "node1"), 2);
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	ck_assert(bed_wait_processes(&bed, "node1", NULL, 0, 10));
	ck_assert(bed_wait_processes(&bed, "node2", NULL, 0, 10));
	ck_assert(bed_wait_processes(&bed, "ctl", NULL, 0, 10));
	bed_ok(&bed, "tester@ctl",
	       "test -z \"$(find ~/.xcluster ! -name '*.log' -type f)\"; "
	       "xcluster clean");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ssh_many");
	TCase *tests = shared_case(suite, "many");

	tcase_add_checked_fixture(tests, tidy, NULL);
	tcase_add_test(tests, hosts_that_share_home_directories_start_and_stop);
	tcase_add_test(tests, twenty_names_of_one_host_come_up_in_spite_of_max_startups);
	tcase_add_test(tests, dropped_connections_are_tried_again_up_to_a_limit);
	return suite;
}

int main(void)
{
	return bed_tests(
		&bed,
		&(struct bed_options){ .nodes = 3, .sshd_defaults = true, .shared_home = true },
		make_suite());
}
