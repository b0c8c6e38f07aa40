/* cleanup.c: functions that tasks have registered, to be called when what holds them
 * is unloaded, or the engine ends in order. */
#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "engine/runner.h"

/* The loaded program that the function is of. One from a library that a program has
 * brought along goes with the program that runs. */
static const struct program *owner_of(const struct engine *e, void (*fn)(void *argument))
{
	struct loaded *loaded, *next;

	HASH_ITER (hh, e->programs, loaded, next) {
		if (loaded->program && program_holds(loaded->program, *(void **)&fn))
			return loaded->program;
	}
	return e->now.program;
}

int cleanup_add(struct engine *e, void (*fn)(void *argument), void *argument)
{
	struct cleanup *cleanup = malloc(sizeof *cleanup);

	if (!cleanup)
		return -ENOMEM;
	*cleanup = (struct cleanup){ fn, argument, owner_of(e, fn), NULL, NULL };
	DL_APPEND(e->cleanups, cleanup);
	return 0;
}

void cleanup_run(struct engine *e, const struct program *program)
{
	struct cleanup *cleanup = e->cleanups ? e->cleanups->prev : NULL;

	while (cleanup) {
		struct cleanup *before = cleanup == e->cleanups ? NULL : cleanup->prev;

		if (!program || cleanup->program == program) {
			DL_DELETE(e->cleanups, cleanup);
			cleanup->fn(cleanup->argument);
			free(cleanup);
		}
		cleanup = before;
	}
}
