/* sketch.c: quantiles of any number of values in little memory, with a bound that always holds:
 * see docs/design.md, Reductions. A level keeps at most `bins` values, each of which stands for
 * 2^level; when it would have more, every second one goes up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/reduce/reduce.h"

#define LEAST_VALUES 8
#define MOST_VALUES  (UINT64_C(1) << 26)

/* Behind it: the number of values of each level (u64), then the values (double), those of level
 * 0 first, ascending. */
struct sketch {
	uint64_t count; /* of values that it stands for */
	uint64_t turns; /* bit h: level h gives its second value next */
};

static uint64_t *sizes_of(const void *state)
{
	return (uint64_t *)((uintptr_t)state + sizeof(struct sketch));
}

static double *values_of(const struct reduce *r, const void *state)
{
	return (double *)(sizes_of(state) + r->spec.levels);
}

/* A NaN is above all others. */
static bool is_less(double a, double b)
{
	return a < b || (isnan(b) && !isnan(a));
}

/* Equal ones by their bits (zeros, NaN), as qsort may leave those in any order. */
static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	int order = is_less(y, x) - is_less(x, y);

	return order ? order : memcmp(a, b, sizeof x);
}

/* ---- How large ----------------------------------------------------------------------------- */

/* Levels that give values up when each keeps so many. */
static double compactions(double n, double values)
{
	return n > values ? ceil(log2(n / values)) : 0;
}

bool sketch_plan(double n, double error, uint64_t *values, uint64_t *levels)
{
	uint64_t low = LEAST_VALUES, high = LEAST_VALUES;

	while (compactions(n, (double)high) > error * (double)high && high < MOST_VALUES)
		high *= 2;
	if (compactions(n, (double)high) > error * (double)high)
		return false;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (compactions(n, (double)middle) > error * (double)middle)
			low = middle + 1;
		else
			high = middle;
	}
	*values = high;
	/* One more, as rounding in log2 may tell too few. */
	*levels = (uint64_t)compactions(n, (double)high) + 2;
	return sketch_state_size(*values, *levels) <= REDUCE_STATE_MAX;
}

size_t sketch_state_size(uint64_t values, uint64_t levels)
{
	return sizeof(struct sketch) + 8 * levels + 8 * values * levels;
}

/* A level, and what comes to it, have at most twice as many values each as it keeps, or those of
 * one item. */
static size_t room_of(const struct reduce *r)
{
	return 2 * r->spec.bins +
	       (2 * r->spec.bins > r->spec.elements ? 2 * r->spec.bins : r->spec.elements);
}

size_t sketch_scratch_size(const struct reduce *r)
{
	return r->state_size + 3 * 8 * room_of(r);
}

/* ---- Merging ----------------------------------------------------------------------------------
 */

struct run {
	const double *values;
	size_t size;
};

static struct run join(double *to, struct run a, struct run b)
{
	size_t i = 0, j = 0, n = 0;

	while (i < a.size && j < b.size)
		to[n++] = is_less(b.values[j], a.values[i]) ? b.values[j++] : a.values[i++];
	while (i < a.size)
		to[n++] = a.values[i++];
	while (j < b.size)
		to[n++] = b.values[j++];
	return (struct run){ to, n };
}

/* Every second value goes up; of an odd number the last one stays. */
static struct run give_up(double *to, struct run *level, bool second)
{
	size_t n = level->size / 2;

	for (size_t i = 0; i < n; i++)
		to[i] = level->values[2 * i + second];
	level->values += 2 * n;
	level->size -= 2 * n;
	return (struct run){ to, n };
}

/* What goes through the levels, from the lowest on. */
struct pass {
	const struct reduce *r;
	char *out; /* the sketch that is made */
	uint64_t turns;
	double *end; /* of its values so far */
	double *both, *all, *up;
	struct run carry;
};

static void pass_begin(struct pass *p, const struct reduce *r, uint64_t count, uint64_t turns)
{
	double *rooms = (double *)((char *)r->scratch + r->state_size);

	*p = (struct pass){ .r = r,
			    .out = r->scratch,
			    .turns = turns,
			    .both = rooms,
			    .all = rooms + room_of(r),
			    .up = rooms + 2 * room_of(r) };
	((struct sketch *)r->scratch)->count = count;
	p->end = values_of(r, p->out);
}

static void pass_level(struct pass *p, uint64_t h, struct run a, struct run b)
{
	struct run level = join(p->all, join(p->both, a, b), p->carry);

	p->carry.size = 0;
	if (level.size > p->r->spec.bins && h + 1 < p->r->spec.levels) {
		p->carry = give_up(p->up, &level, p->turns >> h & 1);
		p->turns ^= UINT64_C(1) << h;
	}
	sizes_of(p->out)[h] = level.size;
	memcpy(p->end, level.values, 8 * level.size);
	p->end += level.size;
}

static void pass_end(struct pass *p, void *state)
{
	((struct sketch *)p->out)->turns = p->turns;
	memcpy(state, p->out, (size_t)((char *)p->end - p->out));
}

static void lift(const struct reduce *r, void *state, const void *leaf, int64_t item)
{
	double *values =
		(double *)((char *)r->scratch + r->state_size) + 3 * room_of(r) - r->spec.elements;
	struct pass p;

	(void)item;
	for (size_t i = 0; i < r->spec.elements; i++)
		values[i] = reduce_value(r, leaf, i);
	qsort(values, r->spec.elements, sizeof *values, compare);
	pass_begin(&p, r, r->spec.elements, 0);
	for (uint64_t h = 0; h < r->spec.levels; h++)
		pass_level(&p, h, (struct run){ values, h ? 0 : r->spec.elements },
			   (struct run){ NULL, 0 });
	pass_end(&p, state);
}

static void merge(const struct reduce *r, void *left, const void *right)
{
	const struct sketch *a = left, *b = right;
	const double *of_a = values_of(r, a), *of_b = values_of(r, b);
	struct pass p;

	pass_begin(&p, r, a->count + b->count, a->turns ^ b->turns);
	for (uint64_t h = 0; h < r->spec.levels; h++) {
		struct run x = { of_a, sizes_of(a)[h] }, y = { of_b, sizes_of(b)[h] };

		pass_level(&p, h, x, y);
		of_a += x.size;
		of_b += y.size;
	}
	pass_end(&p, left);
}

static size_t used(const struct reduce *r, const void *state)
{
	const uint64_t *sizes = sizes_of(state);
	size_t n = 0;

	for (uint64_t h = 0; h < r->spec.levels; h++)
		n += sizes[h];
	return sketch_state_size(0, r->spec.levels) + 8 * n;
}

static bool is_valid(const struct reduce *r, const void *state, size_t size, int64_t items)
{
	unsigned __int128 weight = 0;
	uint64_t n = 0;

	if (size < sketch_state_size(0, r->spec.levels))
		return false;
	for (uint64_t h = 0; h < r->spec.levels; h++) {
		uint64_t values = sizes_of(state)[h];

		if (values > r->spec.bins)
			return false;
		n += values;
		weight += (unsigned __int128)values << h;
	}
	return size == sketch_state_size(0, r->spec.levels) + 8 * n &&
	       weight == (unsigned __int128)items * r->spec.elements &&
	       ((const struct sketch *)state)->count == weight;
}

const struct reduce_kind reduce_sketch = {
	.lift = lift, .merge = merge, .used = used, .is_valid = is_valid
};

/* ---- Asking
 * -------------------------------------------------------------------------------------- */

/* The next value of all levels, and what it stands for. `at`: how many of each were. */
static double next_value(const struct reduce *r, const void *state, uint64_t *at, uint64_t *weight)
{
	const uint64_t *sizes = sizes_of(state);
	const double *values = values_of(r, state), *least = NULL;
	uint64_t level = 0;

	for (uint64_t h = 0; h < r->spec.levels; values += sizes[h++]) {
		if (at[h] < sizes[h] && (!least || is_less(values[at[h]], *least))) {
			least = &values[at[h]];
			level = h;
		}
	}
	at[level]++;
	*weight = UINT64_C(1) << level;
	return least ? *least : (double)NAN;
}

static double quantile(const struct reduce *r, const void *state, double probability)
{
	double want = probability * (double)((const struct sketch *)state)->count;
	uint64_t at[64] = { 0 }, weight, rank = 0;
	double value;

	do {
		value = next_value(r, state, at, &weight);
		rank += weight;
	} while ((double)rank < want && rank < ((const struct sketch *)state)->count);
	return value;
}

void sketch_quantiles(const struct reduce *r, const void *state, const double *probabilities,
		      int64_t count, double *values)
{
	for (int64_t i = 0; i < count; i++)
		values[i] = state ? quantile(r, state, probabilities[i]) : (double)NAN;
}
