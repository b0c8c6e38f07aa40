/* signals.c: the signals that an engine takes otherwise than by default.
 *
 * They cost nothing while none comes: no mask is changed and no descriptor watched.
 * A SIGTERM that comes just before the engine waits is lost to it, so the agent
 * sends more until it has ended (retire.c). */
#include <errno.h>
#include <signal.h>

#include "engine/runner.h"

static struct engine *self;

/* The item that runs, if one does, is interrupted: calls that wait return, and the
 * task may ask. */
static void on_interrupt(int signal)
{
	struct xc_task *task = self->task;
	int64_t item = self->page->item;

	(void)signal;
	if (!task || item < 0)
		return;
	cancel_item(self->page, task->cancel_value, item);
	self->interrupted = cancel_word(task->cancel_value, item);
}

/* From the agent it only wakes the engine from waiting. */
static void on_terminate(int signal_number)
{
	if (self->page->ending != ENDING_NOT)
		return;
	signal(signal_number, SIG_DFL);
	raise(signal_number); /* as soon as this returns */
}

void signals_catch(struct engine *e)
{
	struct sigaction interrupt = { .sa_handler = on_interrupt };
	struct sigaction terminate = { .sa_handler = on_terminate, .sa_flags = SA_RESTART };

	self = e;
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &terminate, NULL);
}
