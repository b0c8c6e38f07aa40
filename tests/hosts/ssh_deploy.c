/* ssh_deploy.c: xcluster start --deploy on hosts that have neither xcluster nor its
 * libraries. */
#include "tests/hosts/ssh_support.h"

#include <stdio.h>
#include <string.h>

static struct bed bed;
static struct output output;

#define CACHE "$HOME/.cache/xcluster"

/* What a test before that failed has left; and nothing is in caches. */
static void tidy(void)
{
	char host[16];

	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster stop; :");
	for (int i = 1; i <= bed.nodes; i++) {
		snprintf(host, sizeof host, "node%d", i);
		bed_ok(&bed, host,
		       "rm -rf /home/tester/.cache /home/tester/bin "
		       "/home/tester/.bashrc");
	}
}

/* Files of the tester that are new since the mark, without the cache. */
static void assert_only_cache(const char *place)
{
	ck_assert_str_eq(
		bed_ok(&bed, place,
		       "find / -xdev -newer /bed/mark ! -path '*/.cache*' ! -path '/proc/*' "
		       "! -path '/sys/*' ! -path '/dev/*' -type f -user tester 2>/dev/null; "
		       "find $HOME /tmp /run /dev/shm -newer /bed/mark ! -path '*/.cache*' "
		       "! -path $HOME -type f -user tester 2>/dev/null"),
		"");
}

START_TEST(hosts_without_xcluster_get_it_once_and_only_in_the_cache)
{
	char before[256], *end;

	refused_start(&bed, "tester@ctl", &output, "--hosts node1:1,node2:1 --require 2");
	assert_said(&output, "host node2 has not come up: there is no command xcluster: install "
			     "xcluster there, name it by --remote-command, or use --deploy");
	bed_ok(&bed, "ctl", "touch /bed/mark");
	bed_ok(&bed, "tester@ctl", "xcluster start --deploy --hosts node1:1,node2:2,node3:1");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node1"), 1);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node2"), 2);
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node3"), 1);
	ck_assert_int_eq(count_greetings(&bed, "tester@ctl", "node2"), 2);
	/* One that has xcluster needs no copy. */
	bed_ok(&bed, "tester@node1", "test ! -e " CACHE);
	snprintf(before, sizeof before, "%s",
		 bed_ok(&bed, "tester@node2", "cd " CACHE " && stat -c '%%n %%i %%Z' * */*"));
	end = strchr(before, ' ');
	ck_assert_msg(end - before == 32, "%s", before);
	/* Nothing of ours is in what tasks' children inherit. */
	bed_ok(&bed, "node2",
	       "! tr '\\0' '\\n' </proc/$(pgrep -x xcluster-engine | head -n 1)/environ | "
	       "grep -q ^LD_");
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
	assert_only_cache("tester@node2");
	bed_ok(&bed, "tester@ctl", "xcluster start --deploy --hosts node2:1,node3:1");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node2"), 1);
	ck_assert_str_eq(
		bed_ok(&bed, "tester@node2", "cd " CACHE " && stat -c '%%n %%i %%Z' * */*"),
		before);
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(the_deployed_one_uses_the_libraries_that_came_with_it)
{
	bed_ok(&bed, "tester@ctl", "xcluster start --deploy --hosts node2:1");
	bed_ok(&bed, "node2",
	       "p=$(pgrep -x xcluster-engine); "
	       "grep -q '/home/tester/.cache/xcluster/.*/lib/libzmq.so' /proc/$p/maps && "
	       "grep -q '/home/tester/.cache/xcluster/.*/lib/libxcluster.so.0' /proc/$p/maps && "
	       "! grep -q 'cache.*/libc.so' /proc/$p/maps");
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(another_version_there_is_not_used)
{
	bed_ok(&bed, "tester@node2",
	       "mkdir -p bin && printf '#!/bin/sh\\necho xcluster 0.0.9\\n' >bin/old && chmod 755 "
	       "bin/old");
	bed_ok(&bed, "tester@ctl",
	       "xcluster start --deploy --remote-command '~/bin/old' --hosts node2:1");
	ck_assert_int_eq(count_up(&bed, "tester@ctl", "node2"), 1);
	bed_ok(&bed, "tester@ctl", "xcluster stop");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(another_architecture_is_refused_with_both_names)
{
	/* bash reads this for commands of sshd, too. */
	bed_ok(&bed, "tester@node2",
	       "mkdir -p bin && printf '#!/bin/sh\\necho riscv64\\n' >bin/uname && chmod 755 "
	       "bin/uname && echo 'PATH=$HOME/bin:$PATH' >.bashrc");
	refused_start(&bed, "tester@ctl", &output, "--deploy --hosts node2:1");
	assert_said(&output,
		    "host node2 has not come up: another architecture: it is riscv64, this "
		    "xcluster is for ");
	bed_ok(&bed, "tester@node2", "test -z \"$(ls -A " CACHE ")\"");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(a_home_without_room_is_told_and_left_as_it_was)
{
	bed_ok(&bed, "node2",
	       "mkdir -p /home/tester/.cache && mount -t tmpfs -o size=2m,uid=20001 tmpfs "
	       "/home/tester/.cache");
	refused_start(&bed, "tester@ctl", &output, "--deploy --hosts node2:1");
	assert_said(&output, "host node2 has not come up: the deployed xcluster cannot be used "
			     "there");
	ck_assert_str_eq(bed_ok(&bed, "node2", "ls -A /home/tester/.cache/xcluster"), "");
	ck_assert_ptr_nonnull(strstr(bed_ok(&bed, "tester@ctl", "xcluster logs"), "No space left"));
	bed_ok(&bed, "node2", "umount /home/tester/.cache");
	assert_hosts_clean(&bed);
}
END_TEST

START_TEST(hosts_that_share_a_home_and_get_it_at_once_keep_one)
{
	struct bed shared;

	bed_start(&shared, &(struct bed_options){
				   .nodes = 3, .shared_home = true, .bare = "node1,node2,node3" });
	bed_ok(&shared, "tester@ctl", "xcluster start --deploy --hosts node1:1,node2:1,node3:1");
	for (int i = 1; i <= 3; i++) {
		char host[16];

		snprintf(host, sizeof host, "node%d", i);
		ck_assert_int_eq(count_up(&shared, "tester@ctl", host), 1);
	}
	ck_assert_str_eq(bed_ok(&shared, "tester@node1", "ls -A " CACHE " | wc -l"), "1");
	ck_assert_str_eq(bed_ok(&shared, "tester@node1", "ls -A " CACHE "/* | grep -c ."), "2");
	bed_ok(&shared, "tester@ctl", "xcluster stop");
	ck_assert(bed_wait_processes(&shared, "node1", NULL, 0, 10));
	bed_stop(&shared);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ssh_deploy");
	TCase *tests = shared_case(suite, "deploy");

	tcase_add_checked_fixture(tests, tidy, NULL);
	tcase_add_test(tests, hosts_without_xcluster_get_it_once_and_only_in_the_cache);
	tcase_add_test(tests, the_deployed_one_uses_the_libraries_that_came_with_it);
	tcase_add_test(tests, another_version_there_is_not_used);
	tcase_add_test(tests, another_architecture_is_refused_with_both_names);
	tcase_add_test(tests, a_home_without_room_is_told_and_left_as_it_was);
	tcase_add_test(tests, hosts_that_share_a_home_and_get_it_at_once_keep_one);
	return suite;
}

int main(void)
{
	return bed_tests(&bed, &(struct bed_options){ .nodes = 3, .bare = "node2,node3" },
			 make_suite());
}
