/* endless.c: a library that cannot be loaded: its constructor crashes the engine, or
 * (-DENDLESS='"FILE"') makes the file and does not end. */
#include <fcntl.h>
#include <stdlib.h>

#ifdef ENDLESS
static volatile int go_on = 1;
#endif

__attribute__((constructor)) static void begin(void)
{
#ifdef ENDLESS
	open(ENDLESS, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	while (go_on)
		;
#else
	abort();
#endif
}
