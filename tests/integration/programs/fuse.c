/* fuse.c: to be preloaded: ends each engine as it starts, and nothing else. */
#include <string.h>
#include <unistd.h>

/* glibc hands the arguments of main to constructors, too. */
__attribute__((constructor)) static void blow(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "engine") == 0)
		_exit(77);
}
