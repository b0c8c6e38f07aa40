/* interrupt.c: Ctrl-C and its like, as a descriptor and a flag. */
#include "cmd/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t came;
static int pipe_fds[2] = { -1, -1 };

static void on_signal(int signal)
{
	int saved = errno;

	if (!came)
		came = signal;
	/* When the pipe is full, it is readable. */
	if (write(pipe_fds[1], "", 1) < 0)
		errno = saved;
	errno = saved;
}

int interrupt_catch(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal }, old;

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		/* Ignored by whoever started us, as nohup does: stays so. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &action, NULL);
	}
	return pipe_fds[0];
}

int interrupt_signal(void)
{
	return came;
}

void interrupt_die(void)
{
	signal(came, SIG_DFL);
	raise(came);
	_exit(128 + came);
}
