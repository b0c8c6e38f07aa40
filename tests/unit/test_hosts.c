/* test_hosts.c: lists of hosts and host files. */
#include "launch/hosts.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct hosts hosts;
static struct xc_error err;

static void begin(void)
{
	hosts = (struct hosts)HOSTS_INIT;
	err = (struct xc_error)XC_ERROR_INIT;
}

static void end(void)
{
	hosts_fini(&hosts);
}

static void take(const char *list)
{
	ck_assert_msg(hosts_add_list(&hosts, list, &err) == 0, "%s", err.text);
}

static void take_file(const char *text)
{
	ck_assert_msg(hosts_parse_file(&hosts, text, strlen(text), "FILE", &err) == 0, "%s",
		      err.text);
}

static void complete(int engines)
{
	ck_assert_msg(hosts_complete(&hosts, engines, &err) == 0, "%s", err.text);
}

static void refuse(int r, const char *part)
{
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" is not in: %s", part, err.text);
}

START_TEST(a_list_gives_hosts_users_and_engines)
{
	take("node1:4,me@node2,[fd77::11]:2,me@[::1]");
	complete(0);
	ck_assert_int_eq(hosts.count, 4);
	ck_assert_str_eq(hosts.list[0].target, "node1");
	ck_assert_str_eq(hosts.list[0].name, "node1");
	ck_assert_int_eq(hosts.list[0].engines, 4);
	ck_assert_str_eq(hosts.list[1].target, "me@node2");
	ck_assert_int_eq(hosts.list[1].engines, 0);
	ck_assert_str_eq(hosts.list[2].target, "fd77::11");
	ck_assert_int_eq(hosts.list[2].engines, 2);
	ck_assert_str_eq(hosts.list[3].target, "me@::1");
	ck_assert_str_eq(hosts.list[3].name, "me@[::1]");
}
END_TEST

START_TEST(those_without_a_number_get_the_one_that_is_given)
{
	take("node1,node2:3");
	complete(7);
	ck_assert_int_eq(hosts.list[0].engines, 7);
	ck_assert_int_eq(hosts.list[1].engines, 3);
}
END_TEST

static const struct {
	const char *list, *part;
} bad_lists[] = {
	{ "", "name is missing" },
	{ ",", "name is missing" },
	{ "node1,", "name is missing" },
	{ "node1,,node2", "name is missing" },
	{ "node1:0", "from 1 to 4096" },
	{ "node1:-1", "from 1 to 4096" },
	{ "node1:4097", "from 1 to 4096" },
	{ "node1:two", "from 1 to 4096" },
	{ "node1:", "from 1 to 4096" },
	{ "node1: 4", "from 1 to 4096" },
	{ "node1:99999999999999999999", "from 1 to 4096" },
	{ "-oProxyCommand=x", "does not begin with '-'" },
	{ "me@-oProxyCommand", "does not begin with '-'" },
	{ "-l@node1", "user's name" },
	{ "@node1", "user's name" },
	{ "me@", "does not begin" },
	{ "no de", "letters, digits" },
	{ "node\n1", "letters, digits" },
	{ "node\x7f", "letters, digits" },
	{ "$(x)", "letters, digits" },
	{ "node`x`", "letters, digits" },
	{ "node;x", "letters, digits" },
	{ "fd77::11", "in brackets" },
	{ "[::1", "] is missing" },
	{ "[::1]4", "after the name" },
	{ "[]", "letters, digits" },
	{ "a@b@c d", "letters, digits" },
};

START_TEST(a_bad_list_is_refused_in_a_sentence)
{
	refuse(hosts_add_list(&hosts, bad_lists[_i].list, &err), bad_lists[_i].part);
}
END_TEST

START_TEST(options_of_a_file_are_taken_as_written)
{
	const struct host *host;

	take_file("\xef\xbb\xbf# the cluster\n"
		  "\n"
		  "node1 slots=4   # the big one\r\n"
		  "\tme@node2:2222 slots=2 ip=6 command=~/bin/xcluster directory=\"/data/my job\" "
		  "env=A=1 env=B=\"x y\" env=\"C=\\\"q\\\" \\\\\" env=D=\n"
		  "node3");
	complete(0);
	ck_assert_int_eq(hosts.count, 3);
	ck_assert_int_eq(hosts.list[0].engines, 4);
	ck_assert_int_eq(hosts.list[0].line, 3);
	host = &hosts.list[1];
	ck_assert_str_eq(host->target, "me@node2");
	ck_assert_str_eq(host->name, "me@node2:2222");
	ck_assert_int_eq(host->port, 2222);
	ck_assert_int_eq(host->engines, 2);
	ck_assert_int_eq(host->family, 6);
	ck_assert_str_eq(host->command, "~/bin/xcluster");
	ck_assert_str_eq(host->directory, "/data/my job");
	ck_assert_str_eq(host->environment[0], "A=1");
	ck_assert_str_eq(host->environment[1], "B=x y");
	ck_assert_str_eq(host->environment[2], "C=\"q\" \\");
	ck_assert_str_eq(host->environment[3], "D=");
	ck_assert_ptr_null(host->environment[4]);
	ck_assert_int_eq(hosts.list[2].engines, 0);
}
END_TEST

static const struct {
	const char *text, *part;
} bad_files[] = {
	{ "node1 slots", "FILE:1: \"slots\" is no option" },
	{ "node1\nnode2 slots=x", "FILE:2: slots must be a number from 1 to 4096, not \"x\"" },
	{ "node1 slots=0", "slots must" },
	{ "node1 slots=1 slots=2", "slots= is given twice" },
	{ "node1 max_slots=4", "\"max_slots=4\" is no option" },
	{ "node1 ip=5", "ip must be 4 or 6" },
	{ "node1 command=", "command= is empty" },
	{ "node1 command=a command=b", "command= is given twice" },
	{ "node1 directory=", "directory= is empty" },
	{ "node1 env=A", "\"A\" is not NAME=VALUE" },
	{ "node1 env=1A=2", "\"1A=2\" is not NAME=VALUE" },
	{ "node1 env=A-B=2", "not NAME=VALUE" },
	{ "node1 env==2", "not NAME=VALUE" },
	{ "node1:0", "port must be from 1 to 65535" },
	{ "node1:65536", "port must be from 1 to 65535" },
	{ "node1:x", "port must be from 1 to 65535" },
	{ "-l slots=1", "\"-l\" is no host" },
	{ "node1 directory=\"/a b", "closing \" is missing" },
	{ "node1 directory=/a\001b", "control character (1)" },
	{ "::1", "in brackets" },
	{ "#\n#\nme@ slots=1", "FILE:3:" },
};

START_TEST(a_bad_file_is_refused_with_its_line)
{
	refuse(hosts_parse_file(&hosts, bad_files[_i].text, strlen(bad_files[_i].text), "FILE",
				&err),
	       bad_files[_i].part);
}
END_TEST

START_TEST(a_null_byte_in_a_file_is_refused)
{
	refuse(hosts_parse_file(&hosts, "node1 env=A=\0b\n", 15, "FILE", &err),
	       "control character (0)");
}
END_TEST

START_TEST(a_host_that_stands_twice_has_the_sum)
{
	take("node1:2,node2:1,node1:3");
	take_file("node2 slots=4\n");
	complete(0);
	ck_assert_int_eq(hosts.count, 2);
	ck_assert_int_eq(hosts.list[0].engines, 5);
	ck_assert_int_eq(hosts.list[1].engines, 5);
}
END_TEST

START_TEST(a_host_named_several_times_has_as_many_engines)
{
	take_file("node1\nnode1\nnode2\nnode1\n");
	complete(0);
	ck_assert_int_eq(hosts.count, 2);
	ck_assert_int_eq(hosts.list[0].engines, 3);
	ck_assert_int_eq(hosts.list[1].engines, 0);
}
END_TEST

static const struct {
	const char *text, *part;
} contradictions[] = {
	{ "node1\nnode1 slots=2\n", "with and without a number" },
	{ "node1 slots=2 env=A=1\nnode1 slots=2\n", "other options on other lines" },
	{ "node1 slots=2\nnode1 slots=2 command=x\n", "other options" },
	{ "node1 slots=2 ip=4\nnode1 slots=2 ip=6\n", "other options" },
	{ "node1 slots=4096\nnode1 slots=1\n", "more than 4096" },
};

START_TEST(a_host_that_contradicts_itself_is_refused)
{
	take_file(contradictions[_i].text);
	refuse(hosts_complete(&hosts, 0, &err), contradictions[_i].part);
}
END_TEST

START_TEST(other_ports_are_other_hosts)
{
	take_file("localhost:2201 slots=1\nlocalhost:2202 slots=1\n");
	complete(0);
	ck_assert_int_eq(hosts.count, 2);
	ck_assert_str_eq(hosts.list[0].log, "localhost_2201-ssh.log");
	ck_assert_str_eq(hosts.list[1].log, "localhost_2202-ssh.log");
}
END_TEST

START_TEST(names_of_logs_are_safe_and_differ)
{
	take("me@node1,me_node1,..,[::1]");
	complete(0);
	ck_assert_str_eq(hosts.list[0].log, "me_node1-ssh.log");
	ck_assert_str_eq(hosts.list[1].log, "me_node1_1-ssh.log");
	ck_assert_str_eq(hosts.list[2].log, "_.-ssh.log");
	ck_assert_str_eq(hosts.list[3].log, "___1_-ssh.log");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_or_names_nobody_is_refused)
{
	ck_assert_int_eq(hosts_add_file(&hosts, "/nowhere/hosts", &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/hosts: No such file"));
	ck_assert_int_eq(hosts_add_file(&hosts, "/", &err), -EISDIR);
	refuse(hosts_add_file(&hosts, "/dev/null", &err), "names no host");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("hosts");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, a_list_gives_hosts_users_and_engines);
	tcase_add_test(tests, those_without_a_number_get_the_one_that_is_given);
	tcase_add_loop_test(tests, a_bad_list_is_refused_in_a_sentence, 0,
			    sizeof bad_lists / sizeof bad_lists[0]);
	tcase_add_test(tests, options_of_a_file_are_taken_as_written);
	tcase_add_loop_test(tests, a_bad_file_is_refused_with_its_line, 0,
			    sizeof bad_files / sizeof bad_files[0]);
	tcase_add_test(tests, a_null_byte_in_a_file_is_refused);
	tcase_add_test(tests, a_host_that_stands_twice_has_the_sum);
	tcase_add_test(tests, a_host_named_several_times_has_as_many_engines);
	tcase_add_loop_test(tests, a_host_that_contradicts_itself_is_refused, 0,
			    sizeof contradictions / sizeof contradictions[0]);
	tcase_add_test(tests, other_ports_are_other_hosts);
	tcase_add_test(tests, names_of_logs_are_safe_and_differ);
	tcase_add_test(tests, a_file_that_cannot_be_read_or_names_nobody_is_refused);
	return unit_run(tests);
}
