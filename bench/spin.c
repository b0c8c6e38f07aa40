/* spin.c: the peers' work as a command: `spin STEPS ITEM...`, `spin --calibrate SECONDS`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/work.h"

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: spin STEPS ITEM... | spin --calibrate SECONDS\n");
		return 2;
	}
	if (strcmp(argv[1], "--calibrate") == 0) {
		printf("%.0f\n", atof(argv[2]) * work_steps_per_second());
		return 0;
	}
	for (int i = 2; i < argc; i++)
		printf("%" PRIu64 "\n", work_spin(strtoull(argv[i], NULL, 10), atoll(argv[1])));
	return 0;
}
