/* bed.c: the life of a test bed, and the commands on its hosts. */
#include "tests/hosts/bed.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UP_LIMIT 60.0
#define SPACES	 (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID)

static const char *tool(const char *name)
{
	static char paths[4][512];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s",
		 getenv(strcmp(name, "tb") == 0 ? "XC_TEST_BED" : "TB_TOOLS"), name);
	return path;
}

const char *bed_program(void)
{
	static char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	return path;
}

/* ---- Life ------------------------------------------------------------------ */

static int add_options(const char **argv, const struct bed_options *options, char *numbers)
{
	int n = 0;

	argv[n++] = "--nodes";
	argv[n++] = numbers;
	snprintf(numbers, 16, "%d", options->nodes > 0 ? options->nodes : 3);
	argv[n++] = "--owner";
	argv[n++] = numbers + 16;
	/* One that is kept for a look ends by hand. */
	snprintf(numbers + 16, 16, "%d", getenv("XC_TEST_KEEP") ? 0 : (int)getpid());
	if (options->wire)
		argv[n++] = "--wire";
	if (options->shared_home)
		argv[n++] = "--shared-home";
	if (options->noisy)
		argv[n++] = "--noisy";
	if (options->sshd_defaults)
		argv[n++] = "--sshd-defaults";
	if (options->slurm)
		argv[n++] = "--slurm";
	if (options->slurm_alone)
		argv[n++] = "--slurm-alone";
	if (options->sge)
		argv[n++] = "--sge";
	if (options->bare) {
		argv[n++] = "--bare";
		argv[n++] = options->bare;
	}
	argv[n] = NULL;
	return n;
}

/* Outside of tests, where Check's assertions do not work: 0, or a reason printed. */
static int run_tb(const char *const argv[], double limit)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		/* By it a test finds the processes of its own clusters, and kills them. */
		unsetenv("XCLUSTER_DIR");
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (pid < 0 || !process_ends(pid, limit)) {
		fprintf(stderr, "%s %s had no end within %g s\n", argv[0], argv[1], limit);
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int bed_make(struct bed *bed, const struct bed_options *options)
{
	const char *argv[32] = { tool("tb"), "up", bed->dir };
	char numbers[32];

	bed->nodes = options->nodes > 0 ? options->nodes : 3;
	snprintf(bed->dir, sizeof bed->dir, "/tmp/xcbedXXXXXX");
	if (!mkdtemp(bed->dir))
		return -1;
	add_options(argv + 3, options, numbers);
	return run_tb(argv, UP_LIMIT);
}

/* `tb down` returns when the folder is gone; that is when no process is left. */
static int end_bed(struct bed *bed)
{
	const char *const argv[] = { tool("tb"), "down", bed->dir, NULL };

	return run_tb(argv, UP_LIMIT);
}

int bed_tests(struct bed *bed, const struct bed_options *options, Suite *suite)
{
	const char *const probe[] = { tool("tb"), "probe", NULL };
	int failed = run_tb(probe, UP_LIMIT);

	/* Its reason is printed. */
	if (failed == 1)
		return 77;
	if (failed || bed_make(bed, options) != 0) {
		fprintf(stderr, "the test bed did not come up\n");
		return 1;
	}
	failed = run_tests(suite);
	if (failed && getenv("XC_TEST_KEEP")) {
		fprintf(stderr, "kept: %s in %s HOST COMMAND..., %s down %s\n", tool("tb"),
			bed->dir, tool("tb"), bed->dir);
		return failed;
	}
	if (end_bed(bed) != 0)
		failed = 1;
	return failed;
}

void bed_start(struct bed *bed, const struct bed_options *options)
{
	ck_assert_int_eq(bed_make(bed, options), 0);
}

void bed_stop(struct bed *bed)
{
	ck_assert_int_eq(end_bed(bed), 0);
	ck_assert_int_ne(access(bed->dir, F_OK), 0);
}

const char *bed_lacks(const char *what)
{
	static const char *const needs[][2] = {
		{ "slurm", "/usr/sbin/slurmctld" },
		{ "slurm", "/usr/sbin/slurmd" },
		{ "slurm", "/usr/sbin/munged" },
		{ "qsub", "/usr/bin/qsub" },
		{ "sge", "/var/lib/xcluster-testbed/gridengine/usr/bin/qconf" },
		{ "mpi", "/usr/bin/mpiexec" },
	};
	static char reason[128];

	for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
		if (strcmp(what, needs[i][0]) != 0 || access(needs[i][1], X_OK) == 0)
			continue;
		snprintf(reason, sizeof reason, "there is no %s (scripts/setup.sh --tests)",
			 needs[i][1]);
		return reason;
	}
	return NULL;
}

void bed_skip(const char *test, const char *reason)
{
	printf("SKIPPED %s: %s\n", test, reason);
}

/* ---- Commands -------------------------------------------------------------- */

pid_t bed_host(const struct bed *bed, const char *host)
{
	char path[256];
	char *text;
	pid_t pid;

	snprintf(path, sizeof path, "%s/hosts/%s/pid", bed->dir, host);
	text = read_file(path);
	ck_assert_msg(text != NULL, "the bed has no host %s", host);
	pid = (pid_t)atoi(text);
	free(text);
	ck_assert_int_gt(pid, 1);
	return pid;
}

/* Parts "USER@HOST". */
static const char *host_of(const char *place, char *user, size_t size)
{
	const char *at = strchr(place, '@');

	snprintf(user, size, "%.*s", at ? (int)(at - place) : 4, at ? place : "root");
	return at ? at + 1 : place;
}

struct command {
	char pid[16], user[32], text[16384];
	const char *argv[9];
};

static void make_command(struct command *command, const struct bed *bed, const char *place,
			 const char *format, va_list ap)
{
	const char *host = host_of(place, command->user, sizeof command->user);
	int n = vsnprintf(command->text, sizeof command->text, format, ap);

	ck_assert_int_lt(n, (int)sizeof command->text);
	snprintf(command->pid, sizeof command->pid, "%d", (int)bed_host(bed, host));
	command->argv[0] = tool("host");
	command->argv[1] = "in";
	command->argv[2] = command->pid;
	command->argv[3] = command->user;
	command->argv[4] = "sh";
	command->argv[5] = "-c";
	command->argv[6] = command->text;
	command->argv[7] = NULL;
}

void bed_run(const struct bed *bed, const char *place, double limit, struct output *output,
	     const char *format, ...)
{
	struct command command;
	va_list ap;

	va_start(ap, format);
	make_command(&command, bed, place, format, ap);
	va_end(ap);
	run_command_within(output, limit, command.argv);
}

const char *bed_ok(const struct bed *bed, const char *place, const char *format, ...)
{
	static struct output output;
	struct command command;
	size_t n;
	va_list ap;

	va_start(ap, format);
	make_command(&command, bed, place, format, ap);
	va_end(ap);
	run_command(&output, command.argv);
	ck_assert_msg(output.status == 0, "%s: %s: status %d: %s%s", place, command.text,
		      output.status, output.out, output.err);
	n = strlen(output.out);
	if (n > 0 && output.out[n - 1] == '\n')
		output.out[n - 1] = '\0';
	return output.out;
}

void bed_spawn(const struct bed *bed, const char *place, struct program *program,
	       const char *format, ...)
{
	struct command command;
	va_list ap;

	va_start(ap, format);
	make_command(&command, bed, place, format, ap);
	va_end(ap);
	program_start(program, command.argv);
}

/* ---- Actors ---------------------------------------------------------------- */

static void enter(const struct bed *bed, const char *host, int spaces)
{
	int fd = (int)syscall(SYS_pidfd_open, bed_host(bed, host), 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setns(fd, spaces), 0);
	close(fd);
}

void bed_enter_network(const struct bed *bed, const char *host)
{
	enter(bed, host, CLONE_NEWNET);
}

static void be_user(const char *name)
{
	const struct passwd *user = getpwnam(name);

	ck_assert_msg(user != NULL, "there is no user %s", name);
	ck_assert_int_eq(initgroups(name, user->pw_gid), 0);
	ck_assert_int_eq(setgid(user->pw_gid), 0);
	ck_assert_int_eq(setuid(user->pw_uid), 0);
	ck_assert_int_eq(chdir(user->pw_dir), 0);
	setenv("HOME", user->pw_dir, 1);
	setenv("USER", name, 1);
	setenv("LOGNAME", name, 1);
	unsetenv("XCLUSTER_DIR");
	unsetenv("XDG_RUNTIME_DIR");
}

/* Only children of a process that has entered a PID namespace are in it. */
static void be_proxy(pid_t actor)
{
	int status;

	waitpid(actor, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

pid_t bed_fork(const struct bed *bed, const char *place)
{
	char user[32];
	const char *host = host_of(place, user, sizeof user);
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(bed, host, SPACES);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		be_proxy(pid);
	be_user(user);
	/* N.B. A change of the user would clear it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

void bed_join(pid_t actor)
{
	int status = child_end(actor);

	ck_assert_msg(status == 0, "what ran on the host ended with status %d", status);
}

void bed_become(const struct bed *bed, const char *place)
{
	pid_t actor = bed_fork(bed, place);

	if (actor > 0)
		be_proxy(actor);
}

/* ---- Faults ---------------------------------------------------------------- */

static void tb(const char *const argv[])
{
	static struct output output;

	run_command(&output, argv);
	ck_assert_msg(output.status == 0, "tb %s: %s", argv[1], output.err);
}
#define TB(...) tb((const char *const[]){ tool("tb"), __VA_ARGS__, NULL })

void bed_cut(const struct bed *bed, const char *host, const char *peer)
{
	TB("cut", bed->dir, host, peer);
}

void bed_heal(const struct bed *bed, const char *host, const char *peer)
{
	TB("heal", bed->dir, host, peer);
}

void bed_wire(const struct bed *bed, const char *from, const char *to, int delay_us,
	      int loss_permille)
{
	char delay[16], loss[16];

	snprintf(delay, sizeof delay, "%d", delay_us);
	snprintf(loss, sizeof loss, "%d", loss_permille);
	TB("wire", bed->dir, from, to, delay, loss);
}

void bed_freeze(const struct bed *bed, const char *host)
{
	TB("freeze", bed->dir, host);
}

void bed_thaw(const struct bed *bed, const char *host)
{
	TB("thaw", bed->dir, host);
}

void bed_crash(const struct bed *bed, const char *host)
{
	TB("crash", bed->dir, host);
}
