/* clock.c: when the time of this host ends. */
#include "cmd/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "launch/command.h"

#define ASK_TIMEOUT 10.0
#define AGAIN_MIN_S 10	/* limits are changed seldom, */
#define AGAIN_MAX_S 600 /* and a scheduler has better to do */

static double unix_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

double clock_of_squeue(const char *text)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *end;
	time_t t;

	text += strspn(text, " ");
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end || (*end && !isspace((unsigned char)*end)))
		return 0;
	t = mktime(&tm);
	return t > 0 ? (double)t : 0;
}

static double ask_slurm(const char *job)
{
	struct outcome outcome;
	char command[100];
	double ends = 0;

	snprintf(command, sizeof command, "squeue -h -j %.40s -o %%e", job);
	if (command_run(command, ASK_TIMEOUT, &outcome, NULL) == 0 && outcome.status == 0)
		ends = clock_of_squeue(outcome.out.data);
	outcome_fini(&outcome);
	return ends;
}

static bool tell(int fd, double ends)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%.3f\n", ends);

	return write(fd, line, (size_t)n) == n;
}

/* In a child: for as long as somebody reads. */
static void keep_asking(int fd, const char *job)
{
	double last = 0;

	for (;;) {
		struct pollfd reader = { .fd = fd };
		double ends = ask_slurm(job), left;

		if (ends > 0 && ends != last && !tell(fd, ends))
			_exit(0);
		last = ends > 0 ? ends : last;
		left = last > 0 ? (last - unix_time()) / 2 : AGAIN_MAX_S;
		left = left < AGAIN_MIN_S ? AGAIN_MIN_S : left > AGAIN_MAX_S ? AGAIN_MAX_S : left;
		if (poll(&reader, 1, (int)(left * 1e3)) != 0)
			_exit(0);
	}
}

static bool is_number(const char *text)
{
	return text && *text && strspn(text, "0123456789") == strlen(text);
}

static int start_asking(const int *fds, const char *job)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	setpgid(0, 0);
	signal(SIGPIPE, SIG_IGN);
	close(fds[0]);
	keep_asking(fds[1], job);
	_exit(0);
}

int clock_open(double ends_at, double walltime)
{
	const char *end = getenv("SLURM_JOB_END_TIME"), *job = getenv("SLURM_JOB_ID");
	bool is_said = ends_at > 0;
	int fds[2], r = 0;

	if (!is_said && walltime <= 0 && !is_number(end) && !is_number(job))
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (!is_said && is_number(end))
		ends_at = strtod(end, NULL);
	else if (!is_said && walltime > 0)
		ends_at = unix_time() + walltime;
	if (ends_at > 0)
		tell(fds[1], ends_at);
	if (is_number(job) && !is_said)
		r = start_asking(fds, job);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	return fds[0];
}
