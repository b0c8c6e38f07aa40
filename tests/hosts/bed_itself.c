/* bed_itself.c: the test bed does what it says; else no test on it means anything. */
#include "tests/hosts/bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const hosts[] = { "ctl", "node1", "node2", "node3" };
static struct bed bed;

/* Status of a ping that waits a second for its answer. */
static int ping(const struct bed *on, const char *from, const char *to)
{
	static struct output output;

	bed_run(on, from, 10, &output, "ping -q -c 1 -W 1 %s", to);
	return output.status;
}

/* ---- Hosts ----------------------------------------------------------------- */

START_TEST(hosts_are_hosts_of_their_own)
{
	char ids[4][64];

	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(bed_ok(&bed, hosts[i], "hostname"), hosts[i]);
		snprintf(ids[i], sizeof ids[i], "%s",
			 bed_ok(&bed, hosts[i], "cat /proc/sys/kernel/random/boot_id"));
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(ids[i], ids[k]);
		bed_ok(&bed, hosts[i], "echo %s >/tmp/own; echo %s >~/own", hosts[i], hosts[i]);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(bed_ok(&bed, hosts[i], "cat /tmp/own ~/own | sort -u"), hosts[i]);
	ck_assert_int_ne(access("/tmp/own", F_OK), 0);
}
END_TEST

START_TEST(hosts_reach_each_other_by_both_families)
{
	char name[32];

	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 4; k++) {
			ck_assert_int_eq(ping(&bed, hosts[i], hosts[k]), 0);
			snprintf(name, sizeof name, "%s-v6", hosts[k]);
			ck_assert_int_eq(ping(&bed, hosts[i], name), 0);
		}
	}
}
END_TEST

START_TEST(ssh_works_for_both_users_from_and_to_each_host)
{
	static const char *const users[] = { "root", "tester" };
	char place[32];

	for (int u = 0; u < 2; u++) {
		for (int i = 0; i < 4; i++) {
			snprintf(place, sizeof place, "%s@%s", users[u], hosts[i]);
			ck_assert_str_eq(
				bed_ok(&bed, place, "ssh %s 'hostname; id -un'",
				       hosts[(i + 1) % 4]),
				bed_ok(&bed, place, "echo %s; id -un", hosts[(i + 1) % 4]));
		}
	}
}
END_TEST

START_TEST(ssh_refuses_the_key_of_another_user)
{
	static struct output output;

	bed_run(&bed, "tester@ctl", 10, &output, "ssh root@node1 true");
	ck_assert_int_eq(output.status, 255);
	ck_assert_ptr_nonnull(strstr(output.err, "Permission denied"));
}
END_TEST

START_TEST(xcluster_is_there_by_name_and_by_path)
{
	char by_path[64];

	snprintf(by_path, sizeof by_path, "%s",
		 bed_ok(&bed, "tester@node2", "%s --version", xcluster_command()));
	ck_assert_str_eq(bed_ok(&bed, "tester@node1", "ssh node2 xcluster --version"), by_path);
	bed_ok(&bed, "tester@node3", "test -x %s", bed_program());
}
END_TEST

/* ---- Support --------------------------------------------------------------- */

START_TEST(commands_end_with_their_status_and_signals_reach_them)
{
	static struct output output;
	struct program program;
	char line[64];

	bed_run(&bed, "node1", 10, &output, "echo out; echo err >&2; exit 7");
	ck_assert_int_eq(output.status, 7);
	ck_assert_str_eq(output.out, "out\n");
	ck_assert_str_eq(output.err, "err\n");
	bed_spawn(&bed, "tester@node1", &program, "echo $USER; exec sleep 1001");
	program_line(&program, line, sizeof line);
	ck_assert_str_eq(line, "tester");
	ck_assert(bed_wait_processes(&bed, "node1", "sleep", 1, 5));
	ck_assert_int_eq(bed_count_processes(&bed, "node2", "sleep"), 0);
	kill(program.pid, SIGTERM);
	ck_assert_int_eq(program_end(&program), 128 + SIGTERM);
	bed_spawn(&bed, "node1", &program, "exec sleep 1002");
	ck_assert(bed_wait_processes(&bed, "node1", "sleep", 1, 5));
	kill(program.pid, SIGKILL);
	program_end(&program);
	ck_assert(bed_wait_processes(&bed, "node1", "sleep", 0, 5));
}
END_TEST

START_TEST(an_actor_lives_on_its_host)
{
	pid_t actor = bed_fork(&bed, "tester@node2");
	char name[64];
	char *text;

	if (actor == 0) {
		ck_assert_int_eq(gethostname(name, sizeof name), 0);
		write_file("/tmp/actor", name, strlen(name));
		ck_assert_int_eq(getuid(), 20001);
		exit(0);
	}
	bed_join(actor);
	text = bed_read(&bed, "node2", "/tmp/actor");
	ck_assert_str_eq(text, "node2");
	free(text);
	ck_assert_ptr_null(bed_read(&bed, "node1", "/tmp/actor"));
	bed_write(&bed, "node1", "/tmp/written", "from outside");
	ck_assert_str_eq(bed_ok(&bed, "node1", "cat /tmp/written"), "from outside");
}
END_TEST

/* That a test may become a host: its failure is the test's. */
START_TEST(what_fails_on_a_host_fails_the_test)
{
	bed_become(&bed, "node1");
	ck_abort_msg("as it should");
}
END_TEST

START_TEST(bytes_are_counted)
{
	int64_t sent, received, later, ignored;

	bed_bytes(&bed, "node1", &sent, &ignored);
	bed_bytes(&bed, "node2", &ignored, &received);
	bed_ok(&bed, "node1", "head -c 3000000 /dev/zero | ssh node2 'cat >/dev/null'");
	bed_bytes(&bed, "node1", &later, &ignored);
	ck_assert(later - sent > 3000000 && later - sent < 4000000);
	bed_bytes(&bed, "node2", &ignored, &later);
	ck_assert(later - received > 3000000 && later - received < 4000000);
}
END_TEST

/* ---- Faults ---------------------------------------------------------------- */

START_TEST(a_cut_silences_a_pair_until_it_is_healed)
{
	bed_cut(&bed, "node1", "node2");
	ck_assert_int_ne(ping(&bed, "node1", "node2"), 0);
	ck_assert_int_ne(ping(&bed, "node2", "node1"), 0);
	ck_assert_int_ne(ping(&bed, "node2", "node1-v6"), 0);
	ck_assert_int_eq(ping(&bed, "node1", "node3"), 0);
	ck_assert_int_eq(ping(&bed, "node2", "ctl"), 0);
	bed_heal(&bed, "node1", "node2");
	ck_assert_int_eq(ping(&bed, "node2", "node1"), 0);
	ck_assert_int_eq(ping(&bed, "node2", "node1-v6"), 0);
}
END_TEST

START_TEST(a_cut_around_a_host_silences_all_it_says)
{
	bed_cut(&bed, "node1", NULL);
	ck_assert_int_ne(ping(&bed, "node1", "node2"), 0);
	ck_assert_int_ne(ping(&bed, "ctl", "node1"), 0);
	ck_assert_int_eq(ping(&bed, "node1", "localhost"), 0);
	ck_assert_int_eq(ping(&bed, "node2", "node3"), 0);
	bed_heal(&bed, "node1", NULL);
	ck_assert_int_eq(ping(&bed, "node1", "node2"), 0);
}
END_TEST

START_TEST(a_frozen_host_takes_connections_and_says_nothing)
{
	static struct output output;

	bed_freeze(&bed, "node3");
	ck_assert_int_eq(ping(&bed, "ctl", "node3"), 0);
	bed_run(&bed, "ctl", 10, &output, "ssh -o ConnectTimeout=1 node3 true");
	ck_assert_int_eq(output.status, 255);
	ck_assert_ptr_nonnull(strstr(output.err, "timed out"));
	bed_thaw(&bed, "node3");
	bed_ok(&bed, "ctl", "ssh node3 true");
}
END_TEST

START_TEST(a_crash_kills_all_of_a_host_without_a_farewell)
{
	struct program here, there;
	struct bed other;
	char line[64];

	bed_start(&other, &(struct bed_options){ .nodes = 2 });
	bed_spawn(&other, "node1", &there, "exec sleep 1003");
	bed_spawn(&other, "ctl", &here,
		  "exec 2>&1; ssh -o LogLevel=INFO -o ServerAliveInterval=1 "
		  "-o ServerAliveCountMax=2 node1 'echo up; exec sleep 1004'");
	program_line(&here, line, sizeof line);
	ck_assert_str_eq(line, "up");
	ck_assert(bed_wait_processes(&other, "node1", "sleep", 2, 5));
	bed_crash(&other, "node1");
	ck_assert_int_eq(program_end(&there), 128 + SIGKILL);
	/* A farewell would end it at once, by "closed". */
	program_line(&here, line, sizeof line);
	ck_assert_ptr_nonnull(strstr(line, "not responding"));
	ck_assert_int_eq(program_end(&here), 255);
	ck_assert_int_ne(ping(&other, "ctl", "node1"), 0);
	ck_assert_int_eq(ping(&other, "ctl", "node2"), 0);
	bed_stop(&other);
}
END_TEST

START_TEST(a_wire_delays_and_loses)
{
	struct bed other;
	double mean_ms = 0;
	int lost = -1;

	bed_start(&other, &(struct bed_options){ .nodes = 2, .wire = true });
	bed_wire(&other, "ctl", "node1", 20000, 0);
	bed_wire(&other, "node1", "ctl", 30000, 0);
	bed_wire(&other, "*", "node2", 0, 300);
	bed_ok(&other, "ctl", "ping -q -c 1 node1"); /* addresses are asked for first */
	ck_assert_int_eq(sscanf(bed_ok(&other, "ctl",
				       "ping -q -c 4 -i 0.1 node1 | sed -n "
				       "'s|^rtt.*= [^/]*/||p'"),
				"%lf", &mean_ms),
			 1);
	ck_assert(mean_ms >= 50 && mean_ms < 100);
	ck_assert_int_eq(sscanf(bed_ok(&other, "node1",
				       "ping -q -c 200 -i 0.002 -W 1 node2 | sed -n "
				       "'s/.*received, \\([0-9]*\\).*/\\1/p'"),
				"%d", &lost),
			 1);
	ck_assert(lost >= 15 && lost <= 50);
	bed_stop(&other);
}
END_TEST

/* ---- Kinds of hosts -------------------------------------------------------- */

START_TEST(bare_hosts_have_no_xcluster_and_talk_when_told_so)
{
	static struct output output;
	struct bed other;

	bed_start(&other,
		  &(struct bed_options){
			  .nodes = 2, .bare = "node2", .noisy = true, .shared_home = true });
	bed_run(&other, "ctl", 10, &output, "ssh node2 xcluster --version");
	ck_assert_int_eq(output.status, 127);
	bed_run(&other, "node2", 10, &output, "test -e %s", xcluster_command());
	ck_assert_int_eq(output.status, 1);
	ck_assert_str_eq(bed_ok(&other, "node2", "find / -xdev -name 'libzmq.so*'"), "");
	bed_run(&other, "ctl", 10, &output, "ssh node1 xcluster --version");
	ck_assert_int_eq(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.out, "Welcome!"));
	ck_assert_ptr_nonnull(strstr(output.out, "\nxcluster "));
	ck_assert_ptr_nonnull(strstr(output.err, "talks"));
	bed_ok(&other, "tester@node1", "echo shared >~/file");
	ck_assert_str_eq(bed_ok(&other, "tester@node2", "cat ~/file"), "shared");
	bed_stop(&other);
}
END_TEST

/* With sshd's own limits some of many connections at once are dropped. */
START_TEST(sshd_has_its_own_limits_when_told_so)
{
	struct bed other;

	ck_assert_str_eq(bed_ok(&bed, "node1", "/usr/sbin/sshd -T | grep -i ^maxstartups"),
			 "maxstartups 200:30:400");
	bed_start(&other, &(struct bed_options){ .nodes = 1, .sshd_defaults = true });
	ck_assert_str_eq(bed_ok(&other, "node1", "/usr/sbin/sshd -T | grep -i ^maxstartups"),
			 "maxstartups 10:30:100");
	bed_stop(&other);
}
END_TEST

/* ---- Batch systems ----------------------------------------------------------- */

START_TEST(slurm_runs_on_hosts)
{
	ck_assert_str_eq(bed_ok(&bed, "ctl", "srun -N2 hostname | sort"), "node1\nnode2");
	ck_assert_str_eq(bed_ok(&bed, "tester@node3", "srun -N1 -n 3 id -un | sort -u"), "tester");
}
END_TEST

START_TEST(slurm_runs_alone)
{
	struct bed other;

	bed_start(&other, &(struct bed_options){ .nodes = 2, .slurm_alone = true });
	ck_assert_str_eq(bed_ok(&other, "tester@ctl",
				"srun -N2 sh -c 'hostname; echo $SLURMD_NODENAME' | sort"),
			 "ctl\nctl\nn1\nn2");
	bed_stop(&other);
}
END_TEST

START_TEST(qsub_of_slurm_runs_a_job)
{
	bed_ok(&bed, "tester@node1",
	       "printf '#!/bin/sh\\nhostname >/bed/qsub.tmp; mv /bed/qsub.tmp /bed/qsub\\n' >job;"
	       "qsub -l nodes=1 job");
	ck_assert_str_eq(bed_ok(&bed, "ctl",
				"for i in $(seq 300); do [ ! -e /bed/qsub ] || break; "
				"sleep 0.1; done; cut -c1-4 /bed/qsub"),
			 "node");
}
END_TEST

START_TEST(mpiexec_runs_over_ssh)
{
	ck_assert_str_eq(bed_ok(&bed, "tester@ctl",
				"timeout 30 mpiexec --host node1:2,node2:1 hostname | sort"),
			 "node1\nnode1\nnode2");
	bed_ok(&bed, "ctl", "timeout 30 mpiexec --allow-run-as-root --host node3:2 true");
}
END_TEST

START_TEST(grid_engine_runs_jobs)
{
	struct bed other;

	bed_start(&other, &(struct bed_options){ .nodes = 2, .sge = true });
	bed_ok(&other, "tester@ctl", "qsub -sync y -t 1-3 -b y -o /bed -e /bed id -un");
	ck_assert_str_eq(bed_ok(&other, "ctl", "cat /bed/id.o1.* | sort | uniq -c"),
			 "      3 tester");
	ck_assert_str_eq(bed_ok(&other, "ctl", "qsub -terse -b y sleep 1005"), "2");
	bed_ok(&other, "ctl", "qdel 2");
	bed_stop(&other);
}
END_TEST

/* ---- Its end ----------------------------------------------------------------- */

struct remains {
	pid_t pids[5];
	char dir[64];
};

static void note(const struct bed *other, struct remains *remains)
{
	char path[128];
	char *text;

	snprintf(remains->dir, sizeof remains->dir, "%s", other->dir);
	snprintf(path, sizeof path, "%s/outer.pid", other->dir);
	text = read_file(path);
	ck_assert_ptr_nonnull(text);
	remains->pids[0] = (pid_t)atoi(text);
	free(text);
	for (int i = 0; i < 4; i++)
		remains->pids[1 + i] = bed_host(other, hosts[i]);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(kill(remains->pids[i], 0), 0);
}

static bool is_gone(void *arg)
{
	const struct remains *remains = arg;
	char *mounts = read_file("/proc/mounts");
	bool gone = access(remains->dir, F_OK) != 0 && mounts && !strstr(mounts, remains->dir);

	free(mounts);
	for (int i = 0; i < 5; i++)
		gone = gone && kill(remains->pids[i], 0) < 0;
	return gone;
}

START_TEST(nothing_is_left_after_stop)
{
	struct remains remains;
	struct bed other;

	bed_start(&other, &(struct bed_options){ .nodes = 3, .slurm = true });
	note(&other, &remains);
	ck_assert(!is_gone(&remains));
	bed_stop(&other);
	ck_assert(wait_until(is_gone, &remains, 5));
}
END_TEST

START_TEST(nothing_is_left_when_the_driver_is_killed)
{
	struct remains remains;
	struct program driver;
	struct bed other;

	PROGRAM(&driver, bed_program(), "drive");
	program_line(&driver, other.dir, sizeof other.dir);
	note(&other, &remains);
	ck_assert_int_eq(kill(driver.pid, SIGKILL), 0);
	ck_assert_int_eq(program_end(&driver), 128 + SIGKILL);
	ck_assert(wait_until(is_gone, &remains, 10));
}
END_TEST

/* Of this program: a driver that starts a bed and waits. */
static int drive(void)
{
	struct bed other;
	char byte;

	if (bed_make(&other, &(struct bed_options){ .nodes = 3, .wire = true }) != 0)
		return 1;
	puts(other.dir);
	fflush(stdout);
	return read(STDIN_FILENO, &byte, 1) == 1;
}

static void add_batch_systems(Suite *suite)
{
	TCase *tests = shared_case(suite, "batch");

	if (bed_lacks("slurm")) {
		bed_skip("slurm_runs_on_hosts", bed_lacks("slurm"));
		bed_skip("slurm_runs_alone", bed_lacks("slurm"));
	} else {
		tcase_add_test(tests, slurm_runs_on_hosts);
		tcase_add_test(tests, slurm_runs_alone);
	}
	if (bed_lacks("slurm") || bed_lacks("qsub"))
		bed_skip("qsub_of_slurm_runs_a_job", bed_lacks("slurm") ?: bed_lacks("qsub"));
	else
		tcase_add_test(tests, qsub_of_slurm_runs_a_job);
	if (bed_lacks("mpi"))
		bed_skip("mpiexec_runs_over_ssh", bed_lacks("mpi"));
	else
		tcase_add_test(tests, mpiexec_runs_over_ssh);
	if (bed_lacks("sge"))
		bed_skip("grid_engine_runs_jobs", bed_lacks("sge"));
	else
		tcase_add_test(tests, grid_engine_runs_jobs);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bed_itself");
	TCase *tests = shared_case(suite, "hosts");

	tcase_add_test(tests, hosts_are_hosts_of_their_own);
	tcase_add_test(tests, hosts_reach_each_other_by_both_families);
	tcase_add_test(tests, ssh_works_for_both_users_from_and_to_each_host);
	tcase_add_test(tests, ssh_refuses_the_key_of_another_user);
	tcase_add_test(tests, xcluster_is_there_by_name_and_by_path);
	tcase_add_test(tests, commands_end_with_their_status_and_signals_reach_them);
	tcase_add_test(tests, an_actor_lives_on_its_host);
	tcase_add_exit_test(tests, what_fails_on_a_host_fails_the_test, 1);
	tcase_add_test(tests, bytes_are_counted);
	tests = shared_case(suite, "faults");
	tcase_add_test(tests, a_cut_silences_a_pair_until_it_is_healed);
	tcase_add_test(tests, a_cut_around_a_host_silences_all_it_says);
	tcase_add_test(tests, a_frozen_host_takes_connections_and_says_nothing);
	tcase_add_test(tests, a_crash_kills_all_of_a_host_without_a_farewell);
	tcase_add_test(tests, a_wire_delays_and_loses);
	tests = shared_case(suite, "kinds");
	tcase_add_test(tests, bare_hosts_have_no_xcluster_and_talk_when_told_so);
	tcase_add_test(tests, sshd_has_its_own_limits_when_told_so);
	add_batch_systems(suite);
	tests = shared_case(suite, "end");
	tcase_add_test(tests, nothing_is_left_after_stop);
	tcase_add_test(tests, nothing_is_left_when_the_driver_is_killed);
	return suite;
}

int main(int argc, char **argv)
{
	struct bed_options options = { .nodes = 3, .slurm = !bed_lacks("slurm") };

	if (argc == 2 && strcmp(argv[1], "drive") == 0)
		return drive();
	return bed_tests(&bed, &options, make_suite());
}
