/* places.h: the values that scripts and commands of a launcher ask for. */
#ifndef LAUNCH_PLACES_H
#define LAUNCH_PLACES_H

#include "launch/launcher.h"

#define PLACES_MAX 32

struct places {
	struct place list[PLACES_MAX];
	char name[128], number[16], n[16], time[32], minutes[16], seconds[16], user[128], host[256],
		script[4200], log[4200], runner[4200];
	struct text command;
};

/* To be given to places_fini. */
int places_fill(struct places *places, const struct launch *launch, int number, int engines,
		struct xc_error *err);
/* Adds {job} and {ids}; the texts are borrowed. */
void places_add(struct places *places, const char *name, const char *value);
void places_fini(struct places *places);

#endif
