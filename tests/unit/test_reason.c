/* test_reason.c: why a host did not come up, from what real ssh clients have printed. */
#include "launch/reason.h"

#include <string.h>

#include "tests/unit/unit.h"

#define EXIT(code) ((code) << 8)

static const struct {
	const char *text;
	int status;
	bool again;
	const char *part;
} ends[] = {
	{ "ssh: connect to host node9 port 22: No route to host\n", EXIT(255), false,
	  "unreachable: ssh: connect to host node9 port 22: No route to host" },
	{ "ssh: connect to host node1 port 2: Connection refused\r\n", EXIT(255), false,
	  "unreachable: ssh: connect to host node1 port 2: Connection refused" },
	{ "ssh: connect to host 10.0.0.1 port 22: Connection timed out\n", EXIT(255), false,
	  "unreachable: " },
	{ "ssh: Could not resolve hostname nohost: Name or service not known\n", EXIT(255), false,
	  "unreachable: ssh: Could not resolve hostname nohost" },
	{ "@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@\n"
	  "Host key for node1 has changed and you have requested strict checking.\n"
	  "Host key verification failed.\n",
	  EXIT(255), false, "wrong host key" },
	{ "No ED25519 host key is known for node1 and you have requested strict checking.\n"
	  "Host key verification failed.\n",
	  EXIT(255), false, "its host key is wrong, or not known: see that `ssh NAME` asks" },
	{ "root@node1: Permission denied (publickey).\n", EXIT(255), false,
	  "does not let us in (root@node1: Permission denied (publickey).)" },
	{ "Received disconnect from 10.77.0.11 port 22:2: Too many authentication failures\n"
	  "Disconnected from 10.77.0.11 port 22\n",
	  EXIT(255), false, "does not let us in" },
	{ "kex_exchange_identification: read: Connection reset by peer\n"
	  "Connection reset by 10.77.0.11 port 22\n",
	  EXIT(255), true, "Connection reset by" },
	{ "kex_exchange_identification: Connection closed by remote host\n", EXIT(255), true,
	  "has ended the connection" },
	{ "Connection closed by 10.77.0.11 port 22\n", EXIT(255), true, "Connection closed by" },
	{ "ssh_exchange_identification: Connection closed by remote host\n", EXIT(255), true,
	  "Connection closed" },
	{ "", EXIT(255), true, "it does not say why" },
	{ "Error: remote port forwarding failed for listen port 0\n", EXIT(255), false,
	  "no tunnel: Error: remote port" },
	{ "/x/config: line 3: Bad configuration option: foo\n/x/config: terminating, 1 bad\n",
	  EXIT(255), false, "ssh has failed: /x/config: terminating, 1 bad" },
	{ "sh: 1: xcluster: Exec format error\n", EXIT(126), false, "another architecture" },
	{ "Welcome!\nxcluster: it is broken\n\n", EXIT(3), false,
	  "could not be run: exit status 3: it is broken" },
	{ "I am broken\n> Welcome!\n", EXIT(3), false, "exit status 3: I am broken" },
	{ "> This account is not available.\n", EXIT(1), false, "This account is not available." },
	{ "", 9, false, "signal 9 (Killed)" },
};

START_TEST(an_end_has_its_reason)
{
	char reason[REASON_SIZE];

	ck_assert_int_eq(
		reason_of_end(ends[_i].status, ends[_i].text, "NAME", reason, sizeof reason),
		ends[_i].again);
	ck_assert_msg(strstr(reason, ends[_i].part) != NULL, "\"%s\" is not in: %s", ends[_i].part,
		      reason);
	ck_assert_ptr_null(strchr(reason, '\n'));
	ck_assert_ptr_null(strchr(reason, '\r'));
}
END_TEST

START_TEST(the_last_line_is_the_last_that_says_something)
{
	char line[32];

	reason_last_line("first\nxcluster: the last\n \n\n", line, sizeof line);
	ck_assert_str_eq(line, "the last");
	reason_last_line("only", line, sizeof line);
	ck_assert_str_eq(line, "only");
	reason_last_line("\n\n", line, sizeof line);
	ck_assert_str_eq(line, "");
	reason_last_line("", line, sizeof line);
	ck_assert_str_eq(line, "");
	reason_last_line("0123456789012345678901234567890123456789", line, sizeof line);
	ck_assert_str_eq(line, "0123456789012345678901234567890");
	reason_last_line("\033[31mred\033[0m\n", line, sizeof line);
	ck_assert_str_eq(line, " [31mred [0m");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("reason");

	tcase_add_loop_test(tests, an_end_has_its_reason, 0, sizeof ends / sizeof ends[0]);
	tcase_add_test(tests, the_last_line_is_the_last_that_says_something);
	return unit_run(tests);
}
