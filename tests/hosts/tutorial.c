/* tutorial.c: what docs/tutorial.md says of several machines, as it stands there, over ssh
 * and in a job of Slurm; its examples print on them what they print on one. */
#include "tests/hosts/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN "tester@ctl"

static struct bed bed;
static struct output output;

/* Writes the block that begins with the line, which is its fence or its first, to a file on
 * ctl, up to the end of its fence. */
static void write_block(const char *section, const char *line, const char *name)
{
	char *page = read_file(XC_TUTORIAL), path[128], *at, *end;

	ck_assert_ptr_nonnull(page);
	at = strstr(page, section);
	ck_assert_ptr_nonnull(at);
	at = strstr(at, line);
	ck_assert_ptr_nonnull(at);
	end = strstr(at, "\n```");
	ck_assert_ptr_nonnull(end);
	end[1] = '\0';
	snprintf(path, sizeof path, "/bed/%s", name);
	bed_write(&bed, "ctl", path, at);
	bed_ok(&bed, LOGIN, "cp %s ~", path);
	free(page);
}

static void compile_block(const char *section, const char *program)
{
	char line[64], name[64];

	snprintf(line, sizeof line, "/* %s.c:", program);
	snprintf(name, sizeof name, "%s.c", program);
	write_block(section, line, name);
	bed_ok(&bed, LOGIN,
	       "export PKG_CONFIG_PATH=%s/meson-uninstalled; cc %s %s -o %s "
	       "$(pkg-config --cflags --libs xcluster) -Wl,-rpath,%s",
	       getenv("XC_TEST_LIBDIR"), getenv("XC_TEST_CFLAGS"), name, program,
	       getenv("XC_TEST_LIBDIR"));
}

/* Numbers of processes differ from run to run, and nothing else. */
START_TEST(hello_is_said_on_all_hosts)
{
	compile_block("## Hello from every engine", "hello");
	write_block("## Several machines", "xcluster start --hosts=", "block");
	bed_run(&bed, LOGIN, LIMIT, &output, "sh -e block");
	ck_assert_msg(output.status == 0, "%s%s", output.out, output.err);
	for (int i = 0; i < 8; i++) {
		char line[32];

		snprintf(line, sizeof line, "engine %d is process ", i);
		ck_assert_msg(strstr(output.out, line), "%s", output.out);
	}
	cluster_assert_nothing_left(&bed, 10);
}
END_TEST

START_TEST(a_job_has_as_many_workers_as_tasks)
{
	compile_block("## Several machines", "workers");
	write_block("## Several machines", "#!/bin/sh", "job.sh");
	bed_ok(&bed, LOGIN, "sbatch --wait --output=job.out job.sh");
	bed_run(&bed, LOGIN, LIMIT, &output, "cat job.out");
	ck_assert_msg(strstr(output.out, "8 engines: 0 1 2 3 4 5 6 7\n"), "%s", output.out);
	cluster_assert_nothing_left(&bed, 10);
}
END_TEST

/* Which engine had how many items, and how long it took, is another matter. */
static const char *const examples[] = {
	"loo_forest %s/examples/data/tutorial.csv",
	"random_spawn",
	"random_jumped",
	"pi 3000000",
	"bootstrap",
	"permutation_test",
};
#define EXAMPLES ((int)(sizeof examples / sizeof examples[0]))

static char *print(const char *environment, int example)
{
	char command[4096];

	snprintf(command, sizeof command, examples[example], XC_SOURCE);
	bed_run(&bed, LOGIN, LIMIT, &output,
		"%s %s/%s | grep -v -e wall -e serial -e speed -e engine", environment,
		getenv("XC_TEST_EXAMPLES"), command);
	ck_assert_msg(output.status == 0 && *output.out, "%s: %s", command, output.err);
	return strdup(output.out);
}

START_TEST(examples_print_the_same_on_two_hosts)
{
	bed_ok(&bed, LOGIN, "xcluster start --hosts=node1:2,node2:2");
	for (int i = 0; i < EXAMPLES; i++) {
		char *apart = print("", i), *here = print("XCLUSTER=inline:1", i);

		ck_assert_str_eq(apart, here);
		free(apart);
		free(here);
	}
	cluster_stop(&bed, LOGIN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tutorial");
	TCase *tests = shared_case(suite, "tutorial");
	const char *lacks = bed_lacks("slurm");

	tcase_add_test(tests, hello_is_said_on_all_hosts);
	if (lacks)
		bed_skip("a_job_has_as_many_workers_as_tasks", lacks);
	else
		tcase_add_test(tests, a_job_has_as_many_workers_as_tasks);
	tcase_add_test(tests, examples_print_the_same_on_two_hosts);
	return bed_tests(&bed,
			 &(struct bed_options){ .nodes = 2, .shared_home = true, .slurm = !lacks },
			 suite);
}
