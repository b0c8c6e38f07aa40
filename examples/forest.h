/* forest.h: what a random forest says about a row that it was not trained on. */
#ifndef EXAMPLES_FOREST_H
#define EXAMPLES_FOREST_H

#include <stdint.h>

/* A data set, all of it borrowed. */
struct forest_data {
	int64_t rows; /* 2 to 2^31 - 1 */
	int64_t features;
	const double *x;      /* rows x features, finite */
	const double *y;      /* rows, finite */
	const int32_t *order; /* features x rows, from forest_sort */
};

/* Fills order[f * rows ...] with the rows in ascending order of feature f. To be
 * done once for a data set: all trees of all forests start from it.
 * Returns 0 or -ENOMEM. */
int forest_sort(const double *x, int64_t rows, int64_t features, int32_t *order);

/* Predicts row `held_out` by a regression forest of `trees` trees grown on all
 * other rows: bootstrap samples of as many rows as there are, all features tried
 * at each split, squared error, split half-way between neighbouring values,
 * grown until a leaf has one row or one value; the mean of the trees' answers.
 * Depends on nothing but its arguments. Returns 0, -EINVAL or -ENOMEM. */
int forest_predict_held_out(const struct forest_data *data, int64_t held_out, int64_t trees,
			    uint64_t seed, double *prediction);

#endif
