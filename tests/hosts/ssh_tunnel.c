/* ssh_tunnel.c: hosts that cannot reach the controller but through ssh. */
#include "tests/hosts/ssh_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bed bed;
static struct output output;

/* Nobody can begin a connection to ctl; those that it begins, as ssh's, work. */
static void shut_ctl(void)
{
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster stop; :");
	bed_run(&bed, "ctl", LIMIT, &output,
		"nft 'add table inet t; delete table inet t; add table inet t; add chain inet t i "
		"{ "
		"type filter hook input priority 0; }; add rule inet t i iifname eth0 tcp flags & "
		"(syn|ack) == syn drop'");
	ck_assert_msg(output.status == 0, "%s", output.err);
	bed_run(&bed, "node1", 10, &output, "ssh -o ConnectTimeout=1 ctl true");
	ck_assert_int_eq(output.status, 255);
}

static void start(void)
{
	bed_ok(&bed, "tester@ctl", "xcluster start --tunnel --hosts node1:2,node2:1");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), 2);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node2"), 1);
	ck_assert_int_eq(count_greetings(&bed, "tester@ctl", "node1"), 2);
}

START_TEST(engines_work_through_tunnels_and_stop_leaves_nothing)
{
	start();
	/* A connection a host, and one process that keeps them. */
	ck_assert_int_eq(bed_count_processes(&bed, "ctl", "ssh"), 2);
	ck_assert_ptr_nonnull(strstr(
		bed_ok(&bed, "tester@ctl", "cat ~/.xcluster/default/controller.log"), "127.0.0.1"));
	ck_assert_str_eq(bed_ok(&bed, "tester@ctl", "xcluster engines --tunnel --hosts node3:1"),
			 "1 engine added: 4 now");
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
	bed_ok(&bed, "tester@ctl", "test -z \"$(find ~/.xcluster ! -name '*.log' -type f)\"");
}
END_TEST

START_TEST(the_end_of_a_tunnel_ends_its_host_alone)
{
	start();
	bed_ok(&bed, "ctl", "pkill -KILL -f '[s]sh .*-- node1'");
	ck_assert(bed_wait_processes(&bed, "node1", NULL, 0, 10));
	bed_await(&bed, "tester@ctl", 20,
		  "test \"$(xcluster status --json | grep -c '\"state\": \"idle\"')\" = 1");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node2"), 1);
	bed_ok(&bed, "tester@ctl", "xcluster logs | grep -q 'controller .*agent .* on node1'");
	bed_ok(&bed, "tester@ctl",
	       "xcluster logs | grep -q 'node1-ssh.log: the ssh connection of a tunnel has ended'");
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(the_end_of_a_host_is_noticed)
{
	start();
	bed_cut(&bed, "node1", NULL);
	bed_await(&bed, "tester@ctl", 20,
		  "test \"$(xcluster status --json | grep -c '\"state\": \"idle\"')\" = 1");
	bed_heal(&bed, "node1", NULL);
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(whoever_keeps_the_tunnels_may_be_killed)
{
	start();
	bed_ok(&bed, "ctl", "pkill -KILL -f '^xcluster tunnels'");
	ck_assert(bed_wait_processes(&bed, "node1", NULL, 0, 10));
	ck_assert(bed_wait_processes(&bed, "node2", NULL, 0, 10));
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(the_death_of_the_controller_ends_all)
{
	start();
	bed_ok(&bed, "ctl", "pkill -KILL -f '^xcluster controller'");
	assert_hosts_clean(&bed);
	bed_ok(&bed, "tester@ctl", "xcluster clean");
}
END_TEST

START_TEST(a_start_with_tunnels_that_is_killed_leaves_nothing)
{
	struct program program;

	bed_ok(&bed, "tester@node2",
	       "printf '#!/bin/sh\\nexec cat >/dev/null\\n' >mute; chmod 755 "
	       "mute");
	bed_ok(&bed, "tester@ctl",
	       "printf 'node1 slots=2\\nnode2 slots=1 command=~/mute\\n' >hosts");
	bed_spawn(&bed, "tester@ctl", &program, "exec xcluster start --tunnel --hostfile hosts");
	ck_assert(bed_wait_processes(&bed, "node1", "xcluster-engine", 2, 20));
	bed_ok(&bed, "ctl", "pkill -KILL -f '^xcluster start'");
	program_end(&program);
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_server_that_forwards_nothing_is_named)
{
	bed_ok(&bed, "node3",
	       "cp /etc/ssh/sshd_config /tmp/no-forward; printf 'Port "
	       "2222\\nPidFile none\\nAllowTcpForwarding no\\n' | cat - "
	       "/etc/ssh/sshd_config | grep -v 'AllowTcpForwarding yes' >/tmp/no-forward; "
	       "/usr/sbin/sshd -f /tmp/no-forward");
	bed_ok(&bed, "tester@ctl", "echo 'node3:2222 slots=1' >hosts");
	refused_start(&bed, "tester@ctl", &output, "--tunnel --hostfile hosts");
	bed_ok(&bed, "node3", "pkill -f '[s]shd -f /tmp/no-forward'; rm /tmp/no-forward");
	assert_said(&output, "host node3:2222 has not come up: no tunnel: ");
	assert_said(&output, "remote port forwarding failed");
	assert_hosts_clean(&bed);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ssh_tunnel");
	TCase *tests = shared_case(suite, "tunnel");

	tcase_add_checked_fixture(tests, shut_ctl, NULL);
	tcase_add_test(tests, engines_work_through_tunnels_and_stop_leaves_nothing);
	tcase_add_test(tests, the_end_of_a_tunnel_ends_its_host_alone);
	tcase_add_test(tests, the_end_of_a_host_is_noticed);
	tcase_add_test(tests, whoever_keeps_the_tunnels_may_be_killed);
	tcase_add_test(tests, the_death_of_the_controller_ends_all);
	tcase_add_test(tests, a_start_with_tunnels_that_is_killed_leaves_nothing);
	tcase_add_test(tests, a_server_that_forwards_nothing_is_named);
	return suite;
}

int main(void)
{
	return bed_tests(&bed, &(struct bed_options){ .nodes = 3 }, make_suite());
}
