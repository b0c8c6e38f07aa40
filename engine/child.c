/* child.c: processes that a task has made by fork, and that return from it. Such a
 * one would be a second engine, with the socket and the pages of the first. */
#include <pthread.h>
#include <unistd.h>

#include "engine/runner.h"

static struct engine *self;

static void on_child(void)
{
	self->is_child = true; /* in the child's copy */
}

int child_watch(struct engine *e)
{
	self = e;
	return -pthread_atfork(NULL, NULL, on_child);
}

void child_check(void)
{
	if (self->is_child)
		child_end();
}

void child_end(void)
{
	static const char text[] = "a child process returned from the task that forked it, and "
				   "is ended: let it end by _exit\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(2);
	_exit(1);
}
