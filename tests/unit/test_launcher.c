/* test_launcher.c: launcher files: reading them, filling them in, and reading what the
 * systems' commands print. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/command.h"
#include "launch/launcher.h"
#include "launch/walltime.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static struct xc_error err;
static struct template template;

static int parse(const char *text)
{
	err = (struct xc_error)XC_ERROR_INIT;
	return template_parse(text, "x.launcher", "x", &template, &err);
}

static void refused(const char *text, const char *part)
{
	ck_assert_int_eq(parse(text), XC_EPROTO);
	ck_assert_msg(strstr(err.text, part) && strstr(err.text, "x.launcher"), "%s", err.text);
}

#define THREE "submit = s {script}\npoll = p\ndelete = d {ids}\n"

START_TEST(test_three_lines_and_a_script_are_a_launcher)
{
	ck_assert_msg(parse("# mine\n\n" THREE "---\n#!/bin/sh\n{command}\n") == 0, "%s", err.text);
	ck_assert_str_eq(template.keys[KEY_SUBMIT], "s {script}");
	ck_assert_str_eq(template.keys[KEY_TITLE], "x");
	ck_assert_str_eq(template.script, "#!/bin/sh\n{command}\n");
	template_fini(&template);
}
END_TEST

START_TEST(test_what_is_wrong_with_a_file_is_said)
{
	refused("submit = s\npoll = p\n", "delete = is missing");
	refused("submit s\n", "x.launcher:1: \"submit s\"");
	refused("# a\nsubmitt = s\n", "x.launcher:2: \"submitt = s\"");
	refused(THREE "poll = q\n", "x.launcher:4: poll is given twice");
	refused(THREE "title =\n", "title has no value");
	refused(THREE "job-id = ([0-9]+\n", "job-id = ([0-9]+");
	refused(THREE "job-id = [0-9]+\n", "in parentheses");
	refused("run = r\n" THREE, "run = is for a command that stays");
	refused("", "submit = is missing");
}
END_TEST

/* ---- Filling in ------------------------------------------------------------------------ */

static const struct place places[] = {
	{ "n", "4" },	      { "name", "my job" }, { "time", NULL }, { "command", "run 'a b'" },
	{ "ids", "1 '2;3'" }, { NULL, NULL },
};

static void script_is(const char *script, const char *const *options, const char *expected)
{
	static const char *const none[] = { NULL };
	struct text out = TEXT_INIT;
	char text[1000];

	snprintf(text, sizeof text, THREE "---\n%s", script);
	ck_assert_msg(parse(text) == 0, "%s", err.text);
	ck_assert_int_eq(template_script(&template, places, options ? options : none, &out, &err),
			 0);
	ck_assert_str_eq(out.data ? out.data : "", expected);
	text_fini(&out);
	template_fini(&template);
}

START_TEST(test_lines_without_a_value_are_left_out)
{
	script_is("#X -n {n} -J {name}\n#X -t {time} -n {n}\n{command}", NULL,
		  "#X -n 4 -J my job\nrun 'a b'\n");
}
END_TEST

START_TEST(test_a_line_for_each_option)
{
	static const char *const options[] = { "--a=1", "--b {n}", NULL };

	script_is("#X {option}\nend\n", options, "#X --a=1\n#X --b {n}\nend\n");
	script_is("#X {option}\nend\n", NULL, "end\n");
}
END_TEST

START_TEST(test_the_shell_s_braces_stay)
{
	script_is("echo ${n} $(x) { a; } {unknown} {n}{n}\n", NULL,
		  "echo ${n} $(x) { a; } {unknown} 44\n");
}
END_TEST

static int command(const char *line, struct text *out)
{
	static const char *const options[] = { "-x", "-y z", NULL };
	char text[1000];
	int r;

	snprintf(text, sizeof text, "submit = %s\npoll = p\ndelete = d\n", line);
	ck_assert_msg(parse(text) == 0, "%s", err.text);
	r = template_command(&template, KEY_SUBMIT, places, options, out, &err);
	template_fini(&template);
	return r;
}

START_TEST(test_values_in_commands_are_quoted)
{
	struct text out = TEXT_INIT;

	ck_assert_int_eq(command("s {name} {n} {options} {ids} {command}", &out), 0);
	ck_assert_str_eq(out.data, "s 'my job' 4 -x -y z 1 '2;3' run 'a b'");
	text_fini(&out);
	ck_assert_int_eq(command("s {nmae}", &out), XC_EPROTO);
	ck_assert_msg(strstr(err.text, "{nmae}"), "%s", err.text);
	text_fini(&out);
	ck_assert_int_eq(command("s {time}", &out), XC_EPROTO);
	ck_assert_msg(strstr(err.text, "has no value"), "%s", err.text);
	text_fini(&out);
}
END_TEST

START_TEST(test_quoting)
{
	struct text out = TEXT_INIT;

	text_quote(&out, "it's $HOME");
	text_puts(&out, " ");
	text_quote(&out, "");
	text_puts(&out, " ");
	text_quote(&out, "/a/b-c_1.2");
	ck_assert_str_eq(out.data, "'it'\\''s $HOME' '' /a/b-c_1.2");
	text_fini(&out);
}
END_TEST

/* ---- Polls ------------------------------------------------------------------------------- */

static struct launch launch;

/* With the launcher file of that name, and jobs of these ids. */
static void open_launcher(const char *name, const char *const *ids)
{
	char path[500];

	snprintf(path, sizeof path, SOURCE_ROOT "/launchers/%s.launcher", name);
	launch = (struct launch){ .ops = &batch_ops, .dir = "/d", .cluster_id = "c" };
	ck_assert_msg(template_read(path, name, &launch.template, &err) == 0, "%s", err.text);
	for (; *ids; ids++) {
		struct launch_job *job = launch_job_add(&launch, 1);

		snprintf(job->id, sizeof job->id, "%s", *ids);
	}
}

static void job_is(int i, enum launch_job_state state, const char *word, const char *reason)
{
	ck_assert_int_eq(launch.jobs[i].state, state);
	ck_assert_str_eq(launch.jobs[i].word, word);
	ck_assert_str_eq(launch.jobs[i].reason, reason);
}

START_TEST(test_poll_of_slurm)
{
	open_launcher("slurm", (const char *const[]){ "12", "13", "14", "15", NULL });
	ck_assert_int_eq(launch_take_poll(&launch,
					  "11|RUNNING|None\n12|PENDING|Resources\n"
					  "13|RUNNING|None\n14|TIMEOUT|TimeLimit\n",
					  NULL),
			 3);
	job_is(0, LAUNCH_PENDING, "PENDING", "Resources");
	job_is(1, LAUNCH_RUNNING, "RUNNING", "");
	job_is(2, LAUNCH_ENDED, "TIMEOUT", "TimeLimit");
	ck_assert(!launch.jobs[3].was_seen);
	launch_fini(&launch);
}
END_TEST

START_TEST(test_poll_of_pbs)
{
	open_launcher("pbs", (const char *const[]){ "7.head", "8.head", NULL });
	launch_take_poll(&launch,
			 "Job Id: 7.head.example.org\n    Job_Name = xcluster\n"
			 "    job_state = Q\n    queue = workq\n"
			 "    comment = Not Running: Insufficient amount of resource: ncpus\n\n"
			 "Job Id: 8.head\n    job_state = R\n    exec_host = n1/0*4\n",
			 NULL);
	job_is(0, LAUNCH_PENDING, "Q", "Not Running: Insufficient amount of resource: ncpus");
	job_is(1, LAUNCH_RUNNING, "R", "");
	launch_fini(&launch);
}
END_TEST

/* One line a task that runs, one for those that wait. */
START_TEST(test_poll_of_grid_engine)
{
	open_launcher("sge", (const char *const[]){ "4", "5", "6", NULL });
	launch_take_poll(
		&launch,
		"job-ID  prior   name       user         state submit/start at     queue       "
		"slots ja-task-ID \n"
		"-----------------------------------------------------------------------------\n"
		"      4 0.55500 xcluster   root         r     11/26/2026 11:00:00 all.q@node1 1 "
		"1\n"
		"      4 0.55500 xcluster   root         qw    11/26/2026 11:00:00             1 "
		"2-8:1\n"
		"      5 0.00000 xcluster   root         qw    11/26/2026 11:00:00             1 "
		"1-4:1\n"
		"      6 0.00000 xcluster   root         Eqw   11/26/2026 11:00:00             1 "
		"1\n",
		NULL);
	job_is(0, LAUNCH_RUNNING, "r", "");
	job_is(1, LAUNCH_PENDING, "qw", "");
	job_is(2, LAUNCH_PENDING, "Eqw", "");
	launch_fini(&launch);
}
END_TEST

START_TEST(test_poll_of_lsf)
{
	open_launcher("lsf", (const char *const[]){ "101", "102", "103", NULL });
	launch_take_poll(&launch,
			 "101|PEND|Job requirements for reserving resource (mem) not satisfied: 3 "
			 "hosts;\n102|RUN|-\n103|EXIT|-\n",
			 NULL);
	job_is(0, LAUNCH_PENDING, "PEND",
	       "Job requirements for reserving resource (mem) not satisfied: 3 hosts;");
	job_is(1, LAUNCH_RUNNING, "RUN", "");
	job_is(2, LAUNCH_ENDED, "EXIT", "");
	launch_fini(&launch);
}
END_TEST

START_TEST(test_poll_of_htcondor)
{
	open_launcher("htcondor", (const char *const[]){ "31", "32", "33", NULL });
	launch_take_poll(&launch,
			 "31 1 undefined\n31 2 undefined\n32 5 Error from slot1@n1: Failed to "
			 "execute\n33 1 undefined\n",
			 NULL);
	job_is(0, LAUNCH_RUNNING, "2", "");
	job_is(1, LAUNCH_PENDING, "5", "Error from slot1@n1: Failed to execute");
	job_is(2, LAUNCH_PENDING, "1", "");
	launch_fini(&launch);
}
END_TEST

START_TEST(test_ids_that_submits_print)
{
	static const struct {
		const char *launcher, *printed, *id;
	} rows[] = {
		{ "slurm", "12;cluster\n", "12" },
		{ "pbs", "12.head.example.org\n", "12.head.example.org" },
		{ "sge", "3.1-4:1\n", "3" },
		{ "lsf", "Job <4567> is submitted to default queue <normal>.\n", "4567" },
		{ "htcondor", "99.0 - 99.3\n", "99" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		regmatch_t found[2];

		open_launcher(rows[i].launcher, (const char *const[]){ NULL });
		ck_assert_int_eq(regexec(&launch.template.job_id, rows[i].printed, 2, found, 0), 0);
		ck_assert_int_eq(found[1].rm_eo - found[1].rm_so, (int)strlen(rows[i].id));
		ck_assert_int_eq(
			strncmp(rows[i].printed + found[1].rm_so, rows[i].id, strlen(rows[i].id)),
			0);
		launch_fini(&launch);
	}
}
END_TEST

/* ---- What is said of jobs -------------------------------------------------------------- */

START_TEST(test_jobs_with_the_same_to_say_are_counted)
{
	char text[500];

	open_launcher("slurm", (const char *const[]){ "1", "2", "3", "4", NULL });
	launch_take_poll(&launch,
			 "1|RUNNING|None\n2|PENDING|Priority\n3|PENDING|Resources\n"
			 "4|PENDING|Resources\n",
			 NULL);
	launch_text(&launch, text, sizeof text);
	ck_assert_str_eq(text, "Slurm: job 4 is pending (Resources) and 1 more like it, job 2 is "
			       "pending (Priority), job 1 is running");
	launch_text(&launch, text, 30);
	ck_assert_uint_lt(strlen(text), 30);
	ck_assert_int_eq(launch_count(&launch, LAUNCH_PENDING), 3);
	ck_assert_int_eq(launch_engines(&launch, LAUNCH_RUNNING), 1);
	launch_job_end(&launch.jobs[0], "gone");
	launch_forget(&launch, 0);
	ck_assert_int_eq(launch.count, 3);
	launch_fini(&launch);
}
END_TEST

START_TEST(test_shares_of_engines)
{
	int sum = 0;

	for (int i = 0; i < 7; i++)
		sum += launch_share(64, 7, i);
	ck_assert_int_eq(sum, 64);
	ck_assert_int_eq(launch_share(64, 7, 0), 10);
	ck_assert_int_eq(launch_share(64, 7, 6), 9);
}
END_TEST

/* ---- Files, times, commands -------------------------------------------------------------- */

START_TEST(test_a_request_comes_back_from_its_file)
{
	struct launch_request request = LAUNCH_REQUEST_INIT, read = LAUNCH_REQUEST_INIT;
	const char *dir = fixture_path(".");

	snprintf(request.launcher, sizeof request.launcher, "slurm");
	snprintf(request.partition, sizeof request.partition, "p");
	request.n = 64;
	request.jobs = 4;
	request.walltime = 90.5;
	request.bind = true;
	request.store_limit = (size_t)1 << 33;
	ck_assert_int_eq(launch_request_option(&request, "--a b"), 0);
	ck_assert_int_eq(launch_request_option(&request, "--a\nb"), -EINVAL);
	ck_assert_msg(launch_request_write(&request, dir, &err) == 0, "%s", err.text);
	ck_assert_msg(launch_request_read(&read, dir, &err) == 0, "%s", err.text);
	ck_assert_str_eq(read.launcher, "slurm");
	ck_assert_str_eq(read.partition, "p");
	ck_assert_int_eq(read.n, 64);
	ck_assert(read.walltime == 90.5 && read.drain < 0 && read.bind);
	ck_assert_uint_eq(read.store_limit, (size_t)1 << 33);
	ck_assert_int_eq(read.option_count, 1);
	ck_assert_str_eq(read.options[0], "--a b");
	launch_request_fini(&request);
	launch_request_fini(&read);
	fixture_write("launch.json", "{\"n\": \"x\"}");
	ck_assert_int_eq(launch_request_read(&read, dir, &err), XC_EPROTO);
	fixture_write("launch.json", "{");
	ck_assert_int_eq(launch_request_read(&read, dir, &err), XC_EPROTO);
}
END_TEST

START_TEST(test_jobs_come_back_from_their_file)
{
	struct launch again;

	open_launcher("slurm", (const char *const[]){ "1", "2", "3", NULL });
	launch.dir = fixture_path(".");
	launch_take_poll(&launch, "1|RUNNING|None\n2|FAILED|NonZeroExitCode\n", NULL);
	ck_assert_int_eq(launch_save(&launch, &err), 0);
	again = (struct launch){ .dir = launch.dir };
	ck_assert_int_eq(launch_load(&again, &err), 0);
	ck_assert_int_eq(again.count, 2); /* those that have not ended */
	ck_assert_str_eq(again.jobs[0].id, "1");
	ck_assert_int_eq(again.jobs[0].state, LAUNCH_RUNNING);
	ck_assert_str_eq(again.jobs[1].id, "3");
	ck_assert_int_eq(again.jobs[1].state, LAUNCH_PENDING);
	free(again.jobs);
	launch_fini(&launch);
}
END_TEST

START_TEST(test_times)
{
	static const struct {
		const char *text;
		double seconds; /* 0: none */
	} rows[] = {
		{ "90", 5400 },	     { "1:30:00", 5400 }, { "30:00", 1800 }, { "2-12", 216000 },
		{ "1-0:30", 88200 }, { "45s", 45 },	  { "30m", 1800 },   { "2h", 7200 },
		{ "1d", 86400 },     { "", 0 },		  { "0", 0 },	     { "-5", 0 },
		{ "1:2:3:4", 0 },    { "1h30", 0 },	  { "x", 0 },	     { "5 ", 0 },
		{ "1-", 0 },	     { "9999d", 0 },	  { "1e9", 0 },	     { "99999999999", 0 },
	};
	char text[32];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double seconds = 0;
		int r = walltime_parse(rows[i].text, &seconds);

		ck_assert_msg((r == 0) == (rows[i].seconds > 0) && seconds == rows[i].seconds,
			      "\"%s\" is %g", rows[i].text, seconds);
	}
	ck_assert_str_eq(walltime_format(text, sizeof text, 5400.2), "01:30:01");
	ck_assert_str_eq(walltime_format(text, sizeof text, 400000), "111:06:40");
}
END_TEST

START_TEST(test_commands)
{
	struct outcome outcome;

	ck_assert_int_eq(
		command_run("echo out; echo first >&2; echo last >&2; exit 3", 10, &outcome, &err),
		0);
	ck_assert_int_eq(outcome.status, 3);
	ck_assert_str_eq(outcome.out.data, "out\n");
	ck_assert_str_eq(outcome_words(&outcome), "last");
	outcome_fini(&outcome);
	ck_assert_int_eq(command_run("kill -9 $$", 10, &outcome, &err), 0);
	ck_assert_int_eq(outcome.status, 128 + 9);
	ck_assert_str_eq(outcome_words(&outcome), "it says nothing");
	outcome_fini(&outcome);
	ck_assert_int_eq(command_run("exec sleep 100", 0.2, &outcome, &err), -ETIMEDOUT);
	ck_assert_msg(strstr(err.text, "sleep 100"), "%s", err.text);
	outcome_fini(&outcome);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("launcher");

	tcase_add_checked_fixture(tests, fixture_begin, fixture_end);
	tcase_add_test(tests, test_three_lines_and_a_script_are_a_launcher);
	tcase_add_test(tests, test_what_is_wrong_with_a_file_is_said);
	tcase_add_test(tests, test_lines_without_a_value_are_left_out);
	tcase_add_test(tests, test_a_line_for_each_option);
	tcase_add_test(tests, test_the_shell_s_braces_stay);
	tcase_add_test(tests, test_values_in_commands_are_quoted);
	tcase_add_test(tests, test_quoting);
	tcase_add_test(tests, test_poll_of_slurm);
	tcase_add_test(tests, test_poll_of_pbs);
	tcase_add_test(tests, test_poll_of_grid_engine);
	tcase_add_test(tests, test_poll_of_lsf);
	tcase_add_test(tests, test_poll_of_htcondor);
	tcase_add_test(tests, test_ids_that_submits_print);
	tcase_add_test(tests, test_jobs_with_the_same_to_say_are_counted);
	tcase_add_test(tests, test_shares_of_engines);
	tcase_add_test(tests, test_a_request_comes_back_from_its_file);
	tcase_add_test(tests, test_jobs_come_back_from_their_file);
	tcase_add_test(tests, test_times);
	tcase_add_test(tests, test_commands);
	return unit_run(tests);
}
