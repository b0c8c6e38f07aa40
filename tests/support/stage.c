/* stage.c: where tests and running tasks meet: two fifos in the test's directory.
 * A task that opens the gate for reading waits until the test opens it, too. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int news_fd = -1, gate_fd = -1;

void stage_open(void)
{
	stage_close();
	unlink(test_path("news"));
	unlink(test_path("gate"));
	ck_assert_int_eq(mkfifo(test_path("news"), 0600), 0);
	ck_assert_int_eq(mkfifo(test_path("gate"), 0600), 0);
	news_fd = open(test_path("news"), O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(news_fd, 0);
}

void stage_close(void)
{
	if (news_fd >= 0)
		close(news_fd);
	if (gate_fd >= 0)
		close(gate_fd);
	news_fd = gate_fd = -1;
}

bool stage_has_news(double limit)
{
	struct pollfd fd = { .fd = news_fd, .events = POLLIN };

	return poll(&fd, 1, (int)(limit * 1e3)) > 0;
}

struct news stage_news(void)
{
	struct news news;

	ck_assert_msg(stage_has_news(LIMIT), "no task announced itself");
	ck_assert_int_eq(read(news_fd, &news, sizeof news), (int)sizeof news);
	return news;
}

void stage_release(void)
{
	gate_fd = open(test_path("gate"), O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(gate_fd, 0);
}

void task_announce(const struct xc_task *task)
{
	struct news news = { .item = xc_task_index(task),
			     .engine = xc_task_engine(task),
			     .attempt = xc_task_attempt(task),
			     .pid = getpid() };
	int fd = open(test_path("news"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, &news, sizeof news) < 0)
		_exit(99);
	close(fd);
}

void task_wait_at_gate(void)
{
	int fd;

	do
		fd = open(test_path("gate"), O_RDONLY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0)
		close(fd);
}

void task_sleep(double seconds)
{
	struct timespec ts = { .tv_sec = (time_t)seconds,
			       .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}
