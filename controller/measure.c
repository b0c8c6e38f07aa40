/* measure.c: how long the items of a function take. */
#include <stdlib.h>
#include <string.h>

#include "controller/state.h"

#define DECAY	     (31.0 / 32)
#define MEASURES_MAX 1024
#define SPEED_WEIGHT 0.1

/* Those that no job uses go when there are too many. */
static void forget_unused(struct state *state)
{
	struct measure *measure, *next;

	HASH_ITER (hh, state->measures, measure, next) {
		if (measure->users)
			continue;
		HASH_DEL(state->measures, measure);
		free(measure->frame);
		free(measure);
	}
}

struct measure *measure_get(struct state *state, const void *frame, size_t size)
{
	struct measure *measure;

	HASH_FIND(hh, state->measures, frame, size, measure);
	if (!measure) {
		if (HASH_COUNT(state->measures) >= MEASURES_MAX)
			forget_unused(state);
		measure = calloc(1, sizeof *measure);
		if (!measure || !(measure->frame = malloc(size + 1))) {
			free(measure);
			return NULL;
		}
		memcpy(measure->frame, frame, size);
		measure->size = size;
		HASH_ADD_KEYPTR(hh, state->measures, measure->frame, size, measure);
	}
	measure->users++;
	return measure;
}

void measure_put(struct state *state, struct measure *measure)
{
	(void)state;
	if (measure)
		measure->users--;
}

double measure_item_ns(const struct measure *measure)
{
	return measure && measure->items > 0 ? measure->busy_ns / measure->items : 0;
}

void measure_add(struct measure *measure, struct engine *engine, int64_t items, uint64_t busy_ns)
{
	double mean = measure_item_ns(measure);

	if (items < 1 || busy_ns == 0)
		return;
	if (mean > 0) {
		double speed = mean * (double)items / (double)busy_ns;

		speed = speed < 0.1 ? 0.1 : speed > 10 ? 10 : speed;
		engine->speed += SPEED_WEIGHT * (speed - engine->speed);
	}
	measure->busy_ns = DECAY * measure->busy_ns + (double)busy_ns;
	measure->items = DECAY * measure->items + (double)items;
	if (items > measure->largest)
		measure->largest = items;
}
