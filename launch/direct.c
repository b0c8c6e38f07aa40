/* direct.c: launchers that are a command which stays while its engines live, such as
 * mpiexec: a child of who asks for it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/launcher.h"
#include "launch/places.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define TERM_TIMEOUT 5.0 /* until SIGKILL */
#define RULER	     "------------"

/* N.B. it must not outlive us: nobody would end it. */
static void become(const char *command, int log, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int run(struct launch_job *job, const char *command, const char *log, struct xc_error *err)
{
	pid_t parent = getpid();
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_set(err, -errno, "cannot write the log %s: %s", log, strerror(errno));
	fflush(NULL);
	job->pid = fork();
	if (job->pid == 0)
		become(command, fd, parent);
	close(fd);
	if (job->pid < 0)
		return error_set(err, -errno, "cannot run `%.300s`: %s", command, strerror(errno));
	setpgid(job->pid, job->pid);
	job->pidfd = (int)syscall(SYS_pidfd_open, job->pid, 0);
	if (job->pidfd >= 0)
		fcntl(job->pidfd, F_SETFD, FD_CLOEXEC);
	snprintf(job->id, sizeof job->id, "%d", job->number);
	job->state = LAUNCH_RUNNING;
	return 0;
}

static int direct_start(struct launch *launch, int engines, struct xc_error *err)
{
	struct launch_job *job = launch_job_add(launch, engines);
	struct text script = TEXT_INIT, command = TEXT_INIT, line = TEXT_INIT;
	char log[CLUSTER_PATH_MAX];
	int r;

	if (!job)
		return error_set(err, -ENOMEM, "no room for another job");
	r = launch_render(launch, job->number, engines, &script, &command, err);
	if (r == 0 && cluster_file(launch->dir, log, sizeof log, CLUSTER_JOB_LOG, job->number) < 0)
		r = error_set(err, -ENAMETOOLONG, "%s: the path is too long", launch->dir);
	text_puts(&line, "exec ");
	text_puts(&line, command.data ? command.data : "");
	if (r == 0)
		r = run(job, line.data, log, err);
	if (r == 0)
		log_line("%s (pid %d) is to bring %d engines: %s", launch->template.keys[KEY_TITLE],
			 (int)job->pid, engines, command.data);
	text_fini(&script);
	text_fini(&command);
	text_fini(&line);
	if (r < 0) {
		launch_job_drop(launch);
		return r;
	}
	return launch_save(launch, err);
}

/* The last words in its log, for a reason. */
static void last_words(const struct launch *launch, struct launch_job *job)
{
	char log[CLUSTER_PATH_MAX], text[2048], *line;
	ssize_t n;
	int fd;

	if (cluster_file(launch->dir, log, sizeof log, CLUSTER_JOB_LOG, job->number) < 0)
		return;
	fd = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	lseek(fd, -(off_t)(sizeof text - 1), SEEK_END);
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	while (n > 0 && (strchr(" \t\r\n-", text[n - 1])))
		text[--n] = '\0';
	line = strrchr(text, '\n');
	/* What Open MPI has to say stands between two rulers, the reason first. */
	for (char *ruler = text; (ruler = strstr(ruler, RULER)); line = ruler - 1)
		ruler += strspn(ruler, "-");
	line = line ? line + 1 : text;
	snprintf(job->reason, sizeof job->reason, "%.190s", line + strspn(line, " \t\r\n"));
	for (char *c = job->reason; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

static void take_status(const struct launch *launch, struct launch_job *job, int status)
{
	job->pid = 0;
	if (WIFSIGNALED(status))
		snprintf(job->word, sizeof job->word, "signal %d", WTERMSIG(status));
	else
		snprintf(job->word, sizeof job->word, "exit status %d", WEXITSTATUS(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		last_words(launch, job);
	launch_job_end(job, "");
}

static int direct_poll(struct launch *launch, struct xc_error *err)
{
	(void)err;
	for (int i = 0; i < launch->count; i++) {
		struct launch_job *job = &launch->jobs[i];
		int status = 0;

		if (job->state == LAUNCH_ENDED || job->pid <= 0)
			continue;
		if (waitpid(job->pid, &status, WNOHANG) == job->pid)
			take_status(launch, job, status);
	}
	return 0;
}

static bool wait_for(struct launch *launch, struct launch_job *const *jobs, int count,
		     double timeout)
{
	double end = launch_now() + timeout;

	for (int i = 0; i < count; i++)
		while (jobs[i]->state != LAUNCH_ENDED && jobs[i]->pid > 0) {
			struct pollfd fd = { .fd = jobs[i]->pidfd, .events = POLLIN };
			double left = end - launch_now();

			direct_poll(launch, NULL);
			if (jobs[i]->state == LAUNCH_ENDED)
				break;
			if (left <= 0)
				return false;
			poll(&fd, 1, fd.fd >= 0 ? (int)(left * 1e3) + 1 : 20);
		}
	return true;
}

static int direct_cancel(struct launch *launch, struct launch_job *const *jobs, int count,
			 struct xc_error *err)
{
	for (int i = 0; i < count; i++) {
		jobs[i]->is_cancelled = true;
		if (jobs[i]->pid > 0)
			kill(jobs[i]->pid, SIGTERM);
	}
	if (wait_for(launch, jobs, count, TERM_TIMEOUT))
		return 0;
	for (int i = 0; i < count; i++)
		if (jobs[i]->pid > 0)
			kill(-jobs[i]->pid, SIGKILL);
	if (wait_for(launch, jobs, count, TERM_TIMEOUT))
		return 0;
	return error_set(err, -ETIMEDOUT, "a command of %s does not end, not even by SIGKILL",
			 launch->template.keys[KEY_TITLE]);
}

const struct launcher_ops direct_ops = { direct_start, direct_poll, direct_cancel };
