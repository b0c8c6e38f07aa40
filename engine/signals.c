/* signals.c: the signals that an engine takes otherwise than by default.
 *
 * They cost nothing while none comes: no mask is changed and no descriptor watched.
 * A SIGTERM that comes just before the engine waits is lost to it, so the agent
 * sends more until it has ended (retire.c). */
#include <signal.h>
#include <unistd.h>

#include "engine/runner.h"

static struct engine *self;
static pid_t own_pid;

/* A child that a task has forked has our handlers and our memory, but not our items. */
static bool is_child(int signal_number)
{
	if (getpid() == own_pid)
		return false;
	signal(signal_number, SIG_DFL);
	raise(signal_number); /* as soon as the handler returns */
	return true;
}

/* The item that runs, if one does, is interrupted: calls that wait return, and the
 * task may ask. */
static void on_interrupt(int signal_number)
{
	struct xc_task *task = self->task;
	int64_t item = self->page->item;

	if (is_child(signal_number) || !task || item < 0)
		return;
	cancel_item(self->page, task->cancel_value, item);
	self->interrupted = cancel_word(task->cancel_value, item);
}

/* From the agent it only wakes the engine from waiting. */
static void on_terminate(int signal_number)
{
	if (is_child(signal_number) || self->page->ending != ENDING_NOT)
		return;
	signal(signal_number, SIG_DFL);
	raise(signal_number); /* as soon as this returns */
}

void signals_catch(struct engine *e)
{
	struct sigaction interrupt = { .sa_handler = on_interrupt };
	struct sigaction terminate = { .sa_handler = on_terminate, .sa_flags = SA_RESTART };

	self = e;
	own_pid = getpid();
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &terminate, NULL);
}
