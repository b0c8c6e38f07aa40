/* endless.c: a library that cannot be loaded: its constructor crashes the engine, or
 * (-DENDLESS) does not end. */
#include <stdlib.h>

#ifdef ENDLESS
static volatile int go_on = 1;
#endif

__attribute__((constructor)) static void begin(void)
{
#ifdef ENDLESS
	while (go_on)
		;
#else
	abort();
#endif
}
