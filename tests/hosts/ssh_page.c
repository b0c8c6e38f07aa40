/* ssh_page.c: the commands of docs/hosts-ssh.md, as they stand there, on three hosts. */
#include "tests/hosts/ssh_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bed bed;
static struct output output;

/* Keeps the text of a fence under the name in its first line. */
static void write_code(char *text)
{
	char path[128], name[64];

	ck_assert_int_eq(sscanf(text, "/* %63[a-z.]:", name), 1);
	snprintf(path, sizeof path, "/bed/%s", name);
	bed_write(&bed, "ctl", path, text);
	bed_ok(&bed, "tester@ctl", "cp %s ~", path);
}

static void run_block(char *text)
{
	bed_write(&bed, "ctl", "/bed/block", text);
	bed_run(&bed, "tester@ctl", LIMIT, &output,
		"export PKG_CONFIG_PATH=%s/meson-uninstalled LD_LIBRARY_PATH=%s; sh -e /bed/block",
		getenv("XC_TEST_LIBDIR"), getenv("XC_TEST_LIBDIR"));
	ck_assert_msg(output.status == 0, "status %d: %s\n%s%s", output.status, text, output.out,
		      output.err);
}

START_TEST(all_commands_of_the_page_succeed_and_leave_nothing)
{
	char *page = read_file(XC_PAGE), *at = page, *end;
	int code = 0, commands = 0;

	ck_assert_ptr_nonnull(page);
	while ((at = strstr(at, "\n```"))) {
		char *text = strchr(at + 4, '\n') + 1;
		bool is_code = strncmp(at + 4, "c\n", 2) == 0;
		bool is_commands = strncmp(at + 4, "sh\n", 3) == 0;

		end = strstr(text, "\n```");
		ck_assert_ptr_nonnull(end);
		end[1] = '\0';
		if (is_code)
			write_code(text);
		if (is_commands)
			run_block(text);
		code += is_code;
		commands += is_commands;
		at = end + 4;
	}
	free(page);
	ck_assert_int_eq(code, 1);
	ck_assert_int_ge(commands, 9);
	assert_hosts_clean(&bed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ssh_page");
	TCase *tests = shared_case(suite, "page");

	tcase_add_test(tests, all_commands_of_the_page_succeed_and_leave_nothing);
	return bed_tests(&bed, &(struct bed_options){ .nodes = 3 }, suite);
}
