/* ssh.c: xcluster start --hosts on three hosts without a shared file system, whose shells
 * print when they start; as root and as an ordinary user. */
#include "tests/hosts/ssh_support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bed bed;
static struct output output;

/* What a test before that failed has left. */
static void tidy(void)
{
	bed_run(&bed, "ctl", LIMIT, &output, "xcluster stop; nft delete table inet t; :");
	bed_run(&bed, "node2", LIMIT, &output, "nft flush ruleset; pkill -x sleep; :");
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster stop; :");
}

static const char *const users[] = { "root", "tester" };

static const char *at_ctl(int user)
{
	static char place[32];

	snprintf(place, sizeof place, "%s@ctl", users[user]);
	return place;
}

/* ---- It works ------------------------------------------------------------------- */

START_TEST(engines_on_three_hosts_run_tasks_and_stop_leaves_nothing)
{
	const char *ctl = at_ctl(_i);

	bed_run(&bed, ctl, LIMIT, &output, "xcluster start --hosts node1:3,node2:3,node3:2");
	ck_assert_msg(output.status == 0, "%s", output.err);
	/* Quiet where no terminal is. */
	ck_assert_str_eq(output.err, "");
	ck_assert_ptr_nonnull(strstr(output.out, ".xcluster/default/connection.json"));
	ck_assert_int_eq(count_up(&bed, ctl, "node1"), 3);
	ck_assert_int_eq(count_up(&bed, ctl, "node2"), 3);
	ck_assert_int_eq(count_up(&bed, ctl, "node3"), 2);
	ck_assert_int_eq(count_greetings(&bed, ctl, "node1"), 3);
	ck_assert_int_eq(count_greetings(&bed, ctl, "node2"), 3);
	ck_assert_int_eq(count_greetings(&bed, ctl, "node3"), 2);
	ck_assert_ptr_nonnull(strstr(bed_ok(&bed, ctl, "xcluster status"), "engines: 8"));
	ck_assert_ptr_nonnull(
		strstr(bed_ok(&bed, ctl, "xcluster status --json"), "\"launch\": \"ssh node2\""));
	ck_assert_int_eq(bed_count_processes(&bed, "ctl", "ssh"), 0);
	ck_assert_int_eq(bed_count_processes(&bed, "node1", "sshd"), 1); /* listens */
	bed_ok(&bed, ctl, "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(what_shells_print_is_in_the_log_of_the_host)
{
	const char *logs;

	bed_ok(&bed, "ctl", "xcluster start --hosts node1:1");
	logs = bed_ok(&bed, "ctl", "xcluster logs");
	ck_assert_msg(strstr(logs, "node1-ssh | > Welcome! {\"today\": \"a word of wisdom\"}"),
		      "%s", logs);
	ck_assert_msg(strstr(logs, "node1-ssh | warning: this shell talks"), "%s", logs);
	bed_ok(&bed, "ctl", "xcluster stop");
	ck_assert_ptr_nonnull(
		strstr(bed_ok(&bed, "ctl", "xcluster logs"), "node1-ssh | > Welcome"));
	bed_ok(&bed, "ctl", "xcluster clean");
	bed_ok(&bed, "ctl", "test ! -e ~/.xcluster/default");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(hosts_are_added_to_a_running_cluster)
{
	bed_ok(&bed, "tester@ctl", "xcluster start --hosts node1:1");
	ck_assert_str_eq(bed_ok(&bed, "tester@ctl", "xcluster engines --hosts node2:2,node3:1"),
			 "3 engines added: 4 now");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node2"), 2);
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster engines --hosts nowhere:2,node2:1");
	ck_assert_int_eq(output.status, 1);
	assert_said(&output, "host nowhere has not come up: unreachable");
	bed_await(&bed, "tester@ctl", 10, "xcluster status | grep -c idle | grep -qx 4");
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_cluster_of_this_host_alone_takes_no_hosts)
{
	bed_ok(&bed, "ctl", "xcluster start -n 1");
	bed_run(&bed, "ctl", LIMIT, &output, "xcluster engines --hosts node2:2");
	ck_assert_int_eq(output.status, 1);
	assert_said(&output, "the controller listens on this host alone");
	bed_ok(&bed, "ctl", "xcluster stop");
}
END_TEST

START_TEST(a_loopback_address_for_other_hosts_is_refused)
{
	refused_start(&bed, "ctl", &output, "--ip 127.0.0.1 --hosts node1:1");
	assert_said(&output, "the controller listens at 127.0.0.1:");
	assert_said(&output, "which other hosts cannot reach: give --ip '*'");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(the_controllers_own_host_may_be_among_them)
{
	bed_ok(&bed, "tester@ctl", "xcluster start --hosts ctl:1,node1:1");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "ctl"), 1);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), 1);
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_host_file_has_options_a_host)
{
	bed_ok(&bed, "tester@node2",
	       "mkdir -p \"work's place\" bin && ln -sf "
	       "\"$(command -v xcluster)\" bin/mine");
	bed_ok(&bed, "node3", "/usr/sbin/sshd -p 2222");
	bed_ok(&bed, "tester@ctl",
	       "cat >hosts <<'END'\n"
	       "# the machines\n"
	       "node1 slots=2\n"
	       "tester@node2  slots=1 command=~/bin/mine directory=\"~/work's place\" "
	       "env=COLOUR=\"dark 'red' $x\" env=EMPTY=   # odd\n"
	       "node3-v6:2222 slots=1 ip=6\n"
	       "END\n"
	       "xcluster start --hostfile hosts");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), 2);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node3"), 1);
	bed_ok(&bed, "node2",
	       "p=$(pgrep -x xcluster-engine); readlink /proc/$p/cwd | grep -qx "
	       "\"/home/tester/work's "
	       "place\"; tr '\\0' '\\n' </proc/$p/environ >/tmp/environ; grep -qxF \"COLOUR=dark "
	       "'red' \\$x\" /tmp/environ && grep -qx EMPTY= /tmp/environ; rm /tmp/environ");
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	bed_ok(&bed, "node3", "pkill -f '[s]shd -p 2222'");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(nothing_secret_is_in_arguments_environments_and_logs)
{
	bed_ok(&bed, "ctl", "xcluster start --hosts node1:1");
	bed_ok(&bed, "ctl",
	       "sed -n 's/.*\"secret_key\": *\"\\([^\"]*\\)\".*/\\1/p' "
	       "~/.xcluster/default/engines.json >/bed/secret; test -s /bed/secret");
	/* Else it would prove nothing. */
	bed_ok(&bed, "node1", "cat /proc/[0-9]*/cmdline | grep -qa engines");
	bed_ok(&bed, "node1",
	       "! cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | grep -qaFf /bed/secret");
	bed_ok(&bed, "ctl",
	       "! cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ ~/.xcluster/default/*.log | grep "
	       "-qaFf /bed/secret");
	bed_ok(&bed, "ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

/* ---- Hosts that fail -------------------------------------------------------------- */

static void make_bad_hosts(void)
{
	bed_ok(&bed, "tester@ctl",
	       "rm -f ~/.ssh/stranger; ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/stranger; "
	       "cat >~/.ssh/config <<'END'\n"
	       "Host wrong-host-key\n HostName node1\n HostKeyAlias node2\n"
	       "Host unknown-host-key\n HostName node1\n UserKnownHostsFile /dev/null\n "
	       "GlobalKnownHostsFile /dev/null\n"
	       "Host wrong-user-key\n HostName node1\n IdentityFile ~/.ssh/stranger\n"
	       " IdentitiesOnly yes\n"
	       "Host no-command other-version no-answer good another\n HostName node1\n"
	       "Host cut-off\n HostName 10.77.0.99\n"
	       "END\n"
	       "chmod 600 ~/.ssh/config");
	bed_ok(&bed, "tester@node1",
	       "mkdir -p bin; cat >bin/old <<'END'\n#!/bin/sh\n"
	       "echo; echo \"@xcluster hello 0.0.9 $(uname -m) node1 1\"; cat >/dev/null\nEND\n"
	       "printf '#!/bin/sh\\necho I am broken >&2; exit 3\\n' >bin/broken; chmod 755 bin/*");
	bed_ok(&bed, "tester@ctl",
	       "cat >bad <<'END'\n"
	       "good slots=1\n"
	       "wrong-host-key slots=1\n"
	       "unknown-host-key slots=1\n"
	       "wrong-user-key slots=1\n"
	       "cut-off slots=1\n"
	       "no-such-name slots=1\n"
	       "no-command slots=1 command=/no/xcluster\n"
	       "other-version slots=1 command=~/bin/old\n"
	       "no-answer slots=1 command=~/bin/broken\n"
	       "another slots=1 directory=/no/such/place\n"
	       "END\n");
}

static const char *const reasons[] = {
	"host wrong-host-key has not come up: wrong host key",
	"host unknown-host-key has not come up: its host key is wrong, or not known",
	"host wrong-user-key has not come up: it does not let us in (tester@node1: Permission "
	"denied (publickey)",
	"host cut-off has not come up: unreachable: ssh: connect to host 10.77.0.99 port 22: No "
	"route to host",
	"host no-such-name has not come up: unreachable: ssh: Could not resolve hostname "
	"no-such-name",
	"host no-command has not come up: there is no command /no/xcluster: install xcluster",
	"host other-version has not come up: wrong version: it has xcluster 0.0.9, this is "
	"xcluster",
	"host no-answer has not come up: xcluster could not be run: exit status 3: I am broken",
	"host another has not come up: cannot work in /no/such/place",
};
#define REASONS (sizeof reasons / sizeof reasons[0])

START_TEST(hosts_that_fail_are_named_while_the_others_start)
{
	make_bad_hosts();
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster start --hostfile bad --require 1");
	ck_assert_msg(output.status == 0, "%d: %s", output.status, output.err);
	for (size_t i = 0; i < REASONS; i++)
		assert_said(&output, reasons[i]);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), 1);
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(too_few_hosts_end_the_start_and_leave_nothing)
{
	refused_start(&bed, "tester@ctl", &output, "--hostfile bad --require 2");
	assert_said(&output, "9 of 10 hosts failed, and 2 are required (--require)");
	assert_hosts_clean(&bed);
	refused_start(&bed, "tester@ctl", &output, "--hosts node2:1,good:1,no-such-name:1");
	assert_said(&output, "host no-such-name has not come up: unreachable");
	assert_said(&output, "1 of 3 hosts failed, and all are required");
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster status");
	ck_assert_int_eq(output.status, 11);
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(an_agent_that_cannot_reach_the_controller_says_what_it_tried)
{
	/* Connections that ctl begins still work, as ssh's do. */
	bed_ok(&bed, "ctl",
	       "nft 'add table inet t; add chain inet t i { type filter hook input "
	       "priority 0; }; add rule inet t i iifname eth0 tcp flags & (syn|ack) "
	       "== syn drop'");
	refused_start(&bed, "ctl", &output, "--hosts node1:1");
	bed_ok(&bed, "ctl", "nft delete table inet t");
	assert_said(&output, "host node1 has not come up: ");
	assert_said(&output,
		    "cannot reach the controller of cluster \"default\" on ctl: 10.77.0.10:");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(an_agent_that_looks_for_the_controller_can_be_ended)
{
	struct program program;
	double begin;

	bed_ok(&bed, "ctl",
	       "nft 'add table inet t; add chain inet t i { type filter hook input "
	       "priority 0; }; add rule inet t i iifname eth0 tcp flags & (syn|ack) "
	       "== syn drop'");
	bed_spawn(&bed, "ctl", &program, "exec xcluster start --hosts node1:1");
	bed_await(&bed, "node1", 20, "ls -d /tmp/xcluster-0/default.*");
	begin = now();
	bed_ok(&bed, "ctl", "pkill -%d -f '^xcluster start'", _i ? SIGKILL : SIGINT);
	program_end(&program);
	bed_await(&bed, "node1", 20, "! pgrep xcluster");
	ck_assert_double_lt(now() - begin, 3);
	bed_ok(&bed, "ctl", "nft delete table inet t");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_host_that_does_not_end_is_named)
{
	bed_ok(&bed, "node1",
	       "printf '#!/bin/sh\\necho; echo \"@xcluster hello %%s x node1 1\"; "
	       "exec sleep 1000 >/dev/null\\n' \"$(xcluster --version | cut "
	       "-d' ' -f2)\" >/usr/local/bin/stubborn; "
	       "chmod 755 /usr/local/bin/stubborn");
	bed_ok(&bed, "ctl",
	       "printf 'node1 slots=1 command=stubborn\\nnode2 slots=1 "
	       "command=/no\\n' >hosts");
	refused_start(&bed, "ctl", &output, "--hostfile hosts");
	assert_said(&output, "host node1 could not be told to end");
	ck_assert_double_lt(output.elapsed, 15);
	bed_ok(&bed, "node1", "pkill -x sleep; rm /usr/local/bin/stubborn");
	assert_hosts_clean(&bed);
}
END_TEST

/* ---- Ends in the middle ------------------------------------------------------------ */

/* A start whose node1 has its engines while node2 never answers. */
static void begin_half(struct program *program)
{
	bed_ok(&bed, "node2",
	       "printf '#!/bin/sh\\nexec cat >/dev/null\\n' >/usr/local/bin/mute; "
	       "chmod 755 /usr/local/bin/mute");
	bed_ok(&bed, "ctl", "printf 'node1 slots=2\\nnode2 slots=1 command=mute\\n' >hosts");
	bed_spawn(&bed, "ctl", program, "exec xcluster start --hostfile hosts");
	ck_assert(bed_wait_processes(&bed, "node1", "xcluster-engine", 2, 20));
	ck_assert(bed_wait_processes(&bed, "node2", "cat", 1, 20));
}

static const int signals[] = { SIGKILL, SIGTERM, SIGINT, SIGHUP };

START_TEST(stop_names_a_host_that_it_cannot_reach)
{
	bed_ok(&bed, "ctl", "xcluster start --hosts node1:1,node2:1");
	bed_cut(&bed, "node2", "ctl");
	bed_run(&bed, "ctl", LIMIT, &output, "xcluster stop");
	ck_assert_int_eq(output.status, 0);
	assert_said(&output, "host node2 could not be told to end: engines may run there");
	ck_assert_ptr_null(strstr(output.err, "node1"));
	bed_heal(&bed, "node2", "ctl");
	bed_ok(&bed, "node2", "pkill -TERM -f '^xcluster engines'");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_foreground_start_ends_its_hosts_on_ctrl_c)
{
	struct program program;
	char line[256];

	bed_spawn(&bed, "ctl", &program,
		  "exec xcluster start --foreground --hosts node1:1,node2:1");
	program_line(&program, line, sizeof line);
	ck_assert_ptr_nonnull(strstr(line, "connection.json"));
	ck_assert_int_eq(count_up(&bed, "ctl", "node2"), 1);
	bed_ok(&bed, "ctl", "pkill -INT -f '^xcluster start'");
	ck_assert_int_eq(program_end(&program), 0);
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_terminal_shows_how_far_it_is)
{
	const char *shown = bed_ok(&bed, "ctl",
				   "script -qec 'xcluster start --hosts node1:2,node2:1' /dev/null "
				   "</dev/null; xcluster stop");

	ck_assert_msg(strstr(shown, "\rhosts 0/2, engines 0\033[K"), "%s", shown);
	ck_assert_msg(strstr(shown, "\r\033[K/root/.xcluster"), "%s", shown);
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_start_that_is_ended_in_the_middle_leaves_nothing)
{
	struct program program;

	begin_half(&program);
	/* Of the command itself: bed_spawn's process would pass no SIGKILL on. */
	bed_ok(&bed, "ctl", "pkill -%d -f '^xcluster start'", signals[_i]);
	program_end(&program);
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(an_ssh_that_is_killed_in_the_middle_fails_the_start_and_leaves_nothing)
{
	struct program program;
	char *logs;

	begin_half(&program);
	bed_ok(&bed, "ctl", "pkill -KILL -f '[s]sh .*-- node1'");
	ck_assert_int_eq(program_end(&program), 1);
	logs = read_file(test_path("stderr"));
	ck_assert_ptr_nonnull(strstr(logs, "host node1 has not come up: its connection has ended"));
	free(logs);
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_second_stop_ends_a_start_at_work)
{
	struct program program;

	begin_half(&program);
	bed_ok(&bed, "ctl", "xcluster stop");
	program_end(&program);
	assert_hosts_clean(&bed);
}
END_TEST

/* Processor time that a start takes while it waits for a host. */
START_TEST(a_start_that_waits_does_not_work)
{
	double user, system;

	bed_ok(&bed, "ctl", "printf 'node1 slots=2\nnode2 slots=1 command=mute\n' >hosts");
	bed_run(&bed, "ctl", LIMIT, &output,
		"bash -c 'TIMEFORMAT=\"%%U %%S\"; time xcluster start --hostfile hosts "
		"--engine-timeout 3 2>/dev/null'");
	ck_assert_int_eq(output.status, 1);
	ck_assert_int_eq(sscanf(output.err, "%lf %lf", &user, &system), 2);
	ck_assert_double_lt(user + system, 1);
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_host_without_an_answer_is_given_up_after_the_timeout)
{
	bed_ok(&bed, "ctl", "printf 'node1 slots=2\\nnode2 slots=1 command=mute\\n' >hosts");
	refused_start(&bed, "ctl", &output, "--hostfile hosts --engine-timeout 2");
	assert_said(&output, "host node2 has not come up: time-out after 2 s: ssh has got no "
			     "answer from it");
	assert_hosts_clean(&bed);
}
END_TEST

static void add_bad(Suite *suite)
{
	TCase *tests = shared_case(suite, "failing");

	tcase_add_checked_fixture(tests, tidy, NULL);

	tcase_add_test(tests, hosts_that_fail_are_named_while_the_others_start);
	tcase_add_test(tests, too_few_hosts_end_the_start_and_leave_nothing);
	tcase_add_test(tests, an_agent_that_cannot_reach_the_controller_says_what_it_tried);
	tcase_add_loop_test(tests, an_agent_that_looks_for_the_controller_can_be_ended, 0, 2);
	tcase_add_test(tests, a_host_that_does_not_end_is_named);
	tcase_add_test(tests, stop_names_a_host_that_it_cannot_reach);
	tcase_add_loop_test(tests, a_start_that_is_ended_in_the_middle_leaves_nothing, 0,
			    sizeof signals / sizeof signals[0]);
	tcase_add_test(tests,
		       an_ssh_that_is_killed_in_the_middle_fails_the_start_and_leaves_nothing);
	tcase_add_test(tests, a_second_stop_ends_a_start_at_work);
	tcase_add_test(tests, a_start_that_waits_does_not_work);
	tcase_add_test(tests, a_host_without_an_answer_is_given_up_after_the_timeout);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ssh");
	TCase *tests = shared_case(suite, "hosts");

	tcase_add_checked_fixture(tests, tidy, NULL);

	tcase_add_loop_test(tests, engines_on_three_hosts_run_tasks_and_stop_leaves_nothing, 0, 2);
	tcase_add_test(tests, what_shells_print_is_in_the_log_of_the_host);
	tcase_add_test(tests, hosts_are_added_to_a_running_cluster);
	tcase_add_test(tests, a_cluster_of_this_host_alone_takes_no_hosts);
	tcase_add_test(tests, a_loopback_address_for_other_hosts_is_refused);
	tcase_add_test(tests, the_controllers_own_host_may_be_among_them);
	tcase_add_test(tests, a_host_file_has_options_a_host);
	tcase_add_test(tests, nothing_secret_is_in_arguments_environments_and_logs);
	tcase_add_test(tests, a_foreground_start_ends_its_hosts_on_ctrl_c);
	tcase_add_test(tests, a_terminal_shows_how_far_it_is);
	add_bad(suite);
	return suite;
}

int main(void)
{
	return bed_tests(&bed, &(struct bed_options){ .nodes = 3, .noisy = true }, make_suite());
}
