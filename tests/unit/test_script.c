/* test_script.c: what the shell of a host is told, and what shells make of it. */
#include "launch/script.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/remote.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static const char *const no_args[] = { NULL };

/* A stand-in for xcluster: prints its words, its directory and a variable. */
static const char stand_in[] = "#!/bin/sh\n"
			       "for w in \"$@\"; do printf '<%s>' \"$w\"; done\n"
			       "printf '[%s][%s]\\n' \"$PWD\" \"$ODD\"\n"
			       "IFS= read -r line; printf '{%s}\\n' \"$line\"\n";

static char dir[64], output[8192];

static void make_place(void)
{
	char path[128];
	FILE *file;

	strcpy(dir, "/tmp/xcscript.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/it's here", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/x $(date)", dir);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(stand_in, file);
	fclose(file);
	chmod(path, 0755);
}

static void remove_place(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* Has `shell -c` run the command as sshd does, with this stdin: its status. */
static int run(const char *shell, const char *script, const char *rest)
{
	int in[2], out[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(in), 0);
	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		setenv("HOME", dir, 1);
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execlp(shell, shell, "-c", SCRIPT_COMMAND, NULL);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	ck_assert_int_eq(write(in[1], script, strlen(script)), (ssize_t)strlen(script));
	ck_assert_int_eq(write(in[1], rest, strlen(rest)), (ssize_t)strlen(rest));
	close(in[1]);
	while ((n = read(out[0], output + used, sizeof output - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *const shells[] = { "sh", "bash", "dash", "tcsh", "fish", "zsh", "ksh" };

static bool has_shell(const char *shell)
{
	char command[64];

	snprintf(command, sizeof command, "command -v %s >/dev/null", shell);
	return system(command) == 0;
}

START_TEST(any_shell_runs_the_script_and_odd_texts_stay_whole)
{
	char command[128], place[128], wanted[512], odd[] = "ODD=a'b\"c$HOME`x`\\!*~;#%& \\n é";
	const char *const args[] = { "-n", "2", "it's", NULL };
	struct host host = { .command = command, .directory = place };
	char *environment[] = { odd, NULL }, *script;

	if (!has_shell(shells[_i]))
		return;
	snprintf(command, sizeof command, "%s/x $(date)", dir);
	snprintf(place, sizeof place, "%s/it's here", dir);
	host.environment = environment;
	script = script_make(&host, "unused", NULL, args);
	ck_assert_ptr_nonnull(script);
	ck_assert_ptr_eq(strchr(script, '\n'), script + strlen(script) - 1);
	ck_assert_int_eq(run(shells[_i], script, "the next line\n"), 0);
	free(script);
	snprintf(wanted, sizeof wanted,
		 "<engines><--connection><-><-n><2><it's>[%s][%s]\n{the next line}\n", place,
		 odd + 4);
	ck_assert_str_eq(output, wanted);
}
END_TEST

START_TEST(a_tilde_is_the_home_directory_there)
{
	struct host host = { .command = (char[]){ "~/x $(date)" } };
	char *script = script_make(&host, "unused", NULL, no_args);

	ck_assert_int_eq(run("sh", script, "\n"), 0);
	free(script);
	ck_assert_ptr_nonnull(strstr(output, "<engines>"));
}
END_TEST

START_TEST(a_missing_command_is_told_with_the_machine)
{
	struct host host = { 0 };
	char *script = script_make(&host, "no such xcluster", NULL, no_args);

	ck_assert_int_eq(run("sh", script, "\n"), 127);
	free(script);
	ck_assert_int_eq(strncmp(output, "\n@xcluster absent ", 18), 0);
}
END_TEST

START_TEST(a_missing_directory_is_told)
{
	struct host host = { .directory = (char[]){ "/no/such 'place'" } };
	char *script = script_make(&host, "sh", NULL, no_args);

	ck_assert_int_eq(run("sh", script, "\n"), 1);
	free(script);
	ck_assert_str_eq(output, "\n@xcluster failed cannot work in /no/such 'place'\n");
}
END_TEST

/* A tar stream of the stand-in, as `xcluster`, which settles by mv. */
static void make_bundle(struct bundle *bundle)
{
	static const char settler[] = "#!/bin/sh\n"
				      "case $1 in settle) exec mv \"$2\" \"$3\";; esac\n"
				      "echo \"deployed $*\"\n";
	char command[512];
	FILE *tar;

	snprintf(command, sizeof command,
		 "cd %s && printf '%%s' '%s' > xcluster && chmod 755 xcluster && tar cf - xcluster "
		 "&& rm xcluster",
		 dir, settler);
	snprintf(bundle->hash, sizeof bundle->hash, "0123abcd");
	tar = popen(command, "r");
	bundle->data = calloc(1, 65536);
	bundle->size = fread(bundle->data, 1, 65536, tar);
	ck_assert_int_eq(pclose(tar), 0);
	ck_assert_uint_gt(bundle->size, 1000);
}

static int run_with(const char *script, const char *data, size_t size)
{
	char path[128], command[512], name[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/stdin", dir);
	snprintf(name, sizeof name, "%s/stdout", dir);
	file = fopen(path, "w");
	fwrite(script, 1, strlen(script), file);
	fwrite(data, 1, size, file);
	fclose(file);
	snprintf(command, sizeof command,
		 "HOME=%s PATH=/usr/bin:/bin sh -c '%s' <%s >%s 2>/dev/null", dir,
		 "IFS= read -r x; eval \"$x\"", path, name);
	return WEXITSTATUS(system(command));
}

static const char *stdout_text(void)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/stdout", dir);
	file = fopen(path, "r");
	output[fread(output, 1, sizeof output - 1, file)] = '\0';
	fclose(file);
	return output;
}

static int count_in_cache(void)
{
	char command[128], text[16];
	FILE *pipe;

	snprintf(command, sizeof command, "ls -A %s/.cache/xcluster | wc -l", dir);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(fgets(text, sizeof text, pipe));
	pclose(pipe);
	return atoi(text);
}

START_TEST(a_bundle_is_copied_once)
{
	struct host host = { 0 };
	struct bundle bundle = { 0 };
	char *script;

	make_bundle(&bundle);
	script = script_make(&host, "no-such-xcluster", &bundle, no_args);
	ck_assert_int_eq(run_with(script, bundle.data, bundle.size), 0);
	ck_assert_ptr_nonnull(strstr(stdout_text(), "@xcluster absent "));
	ck_assert_ptr_nonnull(strstr(output, "deployed engines --connection -\n"));
	ck_assert_int_eq(count_in_cache(), 1);
	ck_assert_int_eq(run_with(script, "", 0), 0);
	ck_assert_str_eq(stdout_text(), "deployed engines --connection -\n");
	free(script);
	bundle_fini(&bundle);
}
END_TEST

START_TEST(half_a_bundle_leaves_nothing)
{
	struct host host = { 0 };
	struct bundle bundle = { 0 };
	char *script;

	make_bundle(&bundle);
	script = script_make(&host, "no-such-xcluster", &bundle, no_args);
	ck_assert_int_eq(run_with(script, bundle.data, 600), 1);
	ck_assert_ptr_nonnull(strstr(stdout_text(), "@xcluster failed the deployed xcluster"));
	ck_assert_int_eq(count_in_cache(), 0);
	free(script);
	bundle_fini(&bundle);
}
END_TEST

START_TEST(the_executable_that_runs_is_packed_with_its_libraries)
{
	struct bundle bundle, again;
	struct xc_error err = XC_ERROR_INIT;
	char path[128], command[512];
	FILE *file;

	ck_assert_msg(bundle_make(&bundle, &err) == 0, "%s", err.text);
	ck_assert_msg(bundle_make(&again, &err) == 0, "%s", err.text);
	ck_assert_str_eq(bundle.hash, again.hash);
	snprintf(path, sizeof path, "%s/tar", dir);
	file = fopen(path, "w");
	ck_assert_uint_eq(fwrite(bundle.data, 1, bundle.size, file), bundle.size);
	fclose(file);
	snprintf(
		command, sizeof command,
		"cd %s && tar xf tar && cmp xcluster /proc/%d/exe && test -f lib/libsodium.so.23 "
		"&& cmp lib/libsodium.so.23 $(grep -o '/.*libsodium.*' /proc/%d/maps | head -1) && "
		"! ls lib | grep -E '^(libc|libm|ld-linux.*)\\.so'",
		dir, (int)getpid(), (int)getpid());
	ck_assert_int_eq(system(command), 0);
	bundle_fini(&bundle);
	bundle_fini(&again);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("script");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, make_place, remove_place);
	tcase_add_loop_test(tests, any_shell_runs_the_script_and_odd_texts_stay_whole, 0,
			    sizeof shells / sizeof shells[0]);
	tcase_add_test(tests, a_tilde_is_the_home_directory_there);
	tcase_add_test(tests, a_missing_command_is_told_with_the_machine);
	tcase_add_test(tests, a_missing_directory_is_told);
	tcase_add_test(tests, a_bundle_is_copied_once);
	tcase_add_test(tests, half_a_bundle_leaves_nothing);
	tcase_add_test(tests, the_executable_that_runs_is_packed_with_its_libraries);
	return unit_run(tests);
}
