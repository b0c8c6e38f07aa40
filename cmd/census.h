/* census.h: the engines of a cluster, as its status tells them: how many there are, which
 * are idle, and which to do without. */
#ifndef CMD_CENSUS_H
#define CMD_CENSUS_H

#include <jansson.h>
#include <stdbool.h>

struct census_engine {
	int id;
	bool is_up, is_idle;
	long long items; /* that it has run */
	double idle_since;
};

struct census {
	struct census_engine *engines; /* that may run something, now or later; owned */
	int count, up, idle;
	int failed, draining; /* that are not among them */
	long long waiting;    /* items that no engine has */
};
#define CENSUS_INIT                                                                                \
	{                                                                                          \
		.engines = NULL                                                                    \
	}

/* Takes the next look; who has been idle all the time since the last one stays so. */
int census_take(struct census *census, const json_t *status, double now);
void census_fini(struct census *census);

/* Up to `count` engines to do without: idle ones first, those that came last first. Only
 * those idle since `idle_before`, unless that is below 0. Returns their number. */
int census_choose(const struct census *census, int count, double idle_before, int *ids);

/* Engines of agents whose launch info is "INFO" or begins so, up or not. */
int census_launched(const json_t *status, const char *info);

#endif
