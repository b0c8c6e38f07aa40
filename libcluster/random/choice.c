/* choice.c: some of a population, with and without replacement, all alike or each with its
 * probability. Floyd's sampling is in J. Bentley's "Programming pearls" (1987). */
#include <stdlib.h>
#include <string.h>

#include "libcluster/random/distributions.h"

static int no_memory(struct xc_error *err)
{
	return error_set(err, -ENOMEM, "no memory to choose with");
}

/* ---- Without replacement, all alike ---- */

/* The end of a shuffled list of all. */
static int choose_by_tail(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
			  struct xc_error *err)
{
	int64_t last = population - (int64_t)n, *all;

	if ((uint64_t)population > SIZE_MAX / sizeof *all)
		return no_memory(err);
	all = malloc((size_t)population * sizeof *all);
	if (!all)
		return no_memory(err);
	for (int64_t i = 0; i < population; i++)
		all[i] = i;
	for (int64_t i = population - 1; i >= (last > 1 ? last : 1); i--) {
		int64_t j = (int64_t)rng_bounded(rng, (uint64_t)i), kept = all[i];

		all[i] = all[j];
		all[j] = kept;
	}
	memcpy(out, all + last, n * sizeof *out);
	free(all);
	return 0;
}

/* A set of numbers from 0: open addressing, at most half full; -1 is an empty place. */
struct number_set {
	int64_t *places;
	uint64_t mask;
};

static bool set_init(struct number_set *set, size_t n)
{
	size_t size = 4;

	while (size / 2 < n && size <= SIZE_MAX / 4 / sizeof *set->places)
		size *= 2;
	set->places = size / 2 < n ? NULL : malloc(size * sizeof *set->places);
	if (!set->places)
		return false;
	memset(set->places, 0xff, size * sizeof *set->places);
	set->mask = size - 1;
	return true;
}

/* False: it was there. */
static bool set_add(struct number_set *set, int64_t number)
{
	uint64_t i = (uint64_t)number * 0x9e3779b97f4a7c15u;

	for (i = (i ^ i >> 32) & set->mask; set->places[i] != -1; i = (i + 1) & set->mask)
		if (set->places[i] == number)
			return false;
	set->places[i] = number;
	return true;
}

static int choose_by_floyd(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
			   bool shuffled, struct xc_error *err)
{
	struct number_set set;

	if (!set_init(&set, n))
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		int64_t j = population - (int64_t)n + (int64_t)i;
		int64_t number = (int64_t)rng_bounded(rng, (uint64_t)j);

		if (!set_add(&set, number)) {
			number = j;
			set_add(&set, j);
		}
		out[i] = number;
	}
	free(set.places);
	/* N.B. bounded, not as in xc_shuffle. */
	for (size_t i = n; shuffled && i-- > 1;) {
		uint64_t j = rng_bounded(rng, i);
		int64_t kept = out[i];

		out[i] = out[j];
		out[j] = kept;
	}
	return 0;
}

/* As numpy chooses between the two. */
static int choose_some(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
		       bool shuffled, struct xc_error *err)
{
	int64_t cut = shuffled ? 50 : 20;

	if (population > 10000 && (int64_t)n > population / cut)
		return choose_by_tail(rng, population, out, n, err);
	return choose_by_floyd(rng, population, out, n, shuffled, err);
}

/* ---- By probabilities ---- */

static void accumulate(double *sums, const double *p, int64_t population)
{
	double sum = 0;

	for (int64_t i = 0; i < population; i++)
		sums[i] = sum += p[i];
	for (int64_t i = 0; i < population; i++)
		sums[i] /= sum;
}

/* How many of the sums are not above u. */
static int64_t find_sum(const double *sums, int64_t population, double u)
{
	int64_t low = 0, high = population;

	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		if (sums[middle] <= u)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int choose_weighted(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
			   const double *p, struct xc_error *err)
{
	double *sums = malloc((size_t)population * sizeof *sums);

	if (!sums)
		return no_memory(err);
	accumulate(sums, p, population);
	for (size_t i = 0; i < n; i++)
		out[i] = find_sum(sums, population, rng_double(rng));
	free(sums);
	return 0;
}

/* Draws what is still to be found from those that are left; `left` are their probabilities.
 * Of what comes twice in one round the first counts, and the rest is drawn again. */
static void find_weighted(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
			  double *left, double *sums)
{
	size_t found = 0;

	while (found < n) {
		size_t known = found;

		for (size_t i = 0; i < known; i++)
			left[out[i]] = 0;
		accumulate(sums, left, population);
		for (size_t i = known; i < n; i++) {
			int64_t number = find_sum(sums, population, rng_double(rng));

			/* A probability below 0 marks what this round has found. */
			if (signbit(left[number]))
				continue;
			left[number] = -left[number];
			out[found++] = number;
		}
	}
}

static int choose_weighted_some(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
				const double *p, struct xc_error *err)
{
	double *left = malloc((size_t)population * sizeof *left);
	double *sums = malloc((size_t)population * sizeof *sums);

	if (left && sums) {
		/* The sum with 0 makes no difference but to -0. */
		for (int64_t i = 0; i < population; i++)
			left[i] = p[i] + 0.0;
		find_weighted(rng, population, out, n, left, sums);
	}
	free(sums);
	free(left);
	return left && sums ? 0 : no_memory(err);
}

/* ---- Arguments ---- */

/* By Kahan's sum, as numpy checks. */
static double careful_sum(const double *p, int64_t population)
{
	double sum = p[0], lost = 0;

	for (int64_t i = 1; i < population; i++) {
		double y = p[i] - lost, t = sum + y;

		lost = (t - sum) - y;
		sum = t;
	}
	return sum;
}

static int check_p(const double *p, int64_t population, size_t n, bool replace,
		   struct xc_error *err)
{
	int64_t positive = 0;

	if ((uint64_t)population > SIZE_MAX / sizeof *p)
		return error_set(err, -EINVAL, "there cannot be %lld probabilities",
				 (long long)population);
	for (int64_t i = 0; i < population; i++) {
		if (!(p[i] >= 0))
			return error_set(
				err, -EINVAL,
				"probability %lld is %g: probabilities must not be below 0",
				(long long)i, p[i]);
		positive += p[i] > 0;
	}
	if (!(fabs(careful_sum(p, population) - 1.0) <= 0x1p-26))
		return error_set(err, -EINVAL,
				 "the probabilities' sum is %.10g: it must be 1; divide them by it",
				 careful_sum(p, population));
	if (!replace && (uint64_t)positive < n)
		return error_set(err, -EINVAL,
				 "%zu were to be chosen without replacement, but only %lld have a "
				 "probability above 0",
				 n, (long long)positive);
	return 0;
}

static int check_choice(const struct xc_rng *rng, int64_t population, const int64_t *out, size_t n,
			const struct xc_choice_options *options, struct xc_error *err)
{
	int r = places_check("choice", rng, out, n, err);

	if (r)
		return r;
	if (population < 0 || (population == 0 && n))
		return error_set(
			err, -EINVAL,
			"nothing can be chosen from a population of %lld: it must be above 0",
			(long long)population);
	if (options->without_replacement && n > (uint64_t)population)
		return error_set(
			err, -EINVAL,
			"%zu cannot be chosen without replacement from a population of %lld", n,
			(long long)population);
	if (!population || !options->p)
		return 0;
	return check_p(options->p, population, n, !options->without_replacement, err);
}

XC_API int xc_choice(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
		     const struct xc_choice_options *options, struct xc_error *err)
{
	static const struct xc_choice_options standard = XC_CHOICE_OPTIONS_INIT;
	int r;

	if (!options)
		options = &standard;
	r = check_choice(rng, population, out, n, options, err);
	if (r || !n)
		return r;
	if (options->p && options->without_replacement)
		return choose_weighted_some(rng, population, out, n, options->p, err);
	if (options->p)
		return choose_weighted(rng, population, out, n, options->p, err);
	if (options->without_replacement)
		return choose_some(rng, population, out, n, !options->unshuffled, err);
	return xc_integers_fill(rng, XC_I64, 0, population, false, out, n, err);
}
