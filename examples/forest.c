/* forest.c: random-forest regression for leave-one-out, written for speed.
 *
 * What makes it fast, all of it exact:
 *
 *  - Features are sorted once for the data set. A node keeps its rows in the
 *    order of each feature, so that one pass of cumulative sums a feature finds
 *    the best split, and stable filtering hands the order on to the child.
 *  - A row drawn k times by the bootstrap stands there once, with weight k.
 *    Weight 0 stands for "not in this node": the first node is the sorted data
 *    set itself.
 *  - A tree here is asked about one row only, so only the child that this row
 *    falls into is grown: the answer is that of the whole tree.
 *  - No division in the inner loop, no allocation but one for each forest.
 */
#include "forest.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* xoshiro256** of Blackman and Vigna, its state filled by their splitmix64. */
struct rng {
	uint64_t s[4];
};

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* A stream of its own for each tree, the same on whichever engine it grows. */
static void rng_init(struct rng *rng, uint64_t seed, uint64_t item, uint64_t tree)
{
	uint64_t state = seed;

	state = splitmix64(&state) ^ item;
	state = splitmix64(&state) ^ tree;
	for (int i = 0; i < 4; i++)
		rng->s[i] = splitmix64(&state);
}

static inline uint64_t rotate_left(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/* A number below n < 2^31; the bias of taking the high half is below 2^-33. */
static inline int64_t rng_below(struct rng *rng, int64_t n)
{
	__extension__ typedef unsigned __int128 u128;

	return (int64_t)((u128)rng_next(rng) * (uint64_t)n >> 64);
}

/* A tree at the node that the held-out row has come to. */
struct tree {
	const struct forest_data *data;
	int64_t held_out;
	struct rng rng;

	const double *y;       /* by row: target less the mean of all */
	const double *inverse; /* 1/w by weight w; see make_inverse */
	int32_t *weight;       /* by row: times drawn; 0: not in this node */
	double *weighted;      /* by row: weight * y */
	int32_t *filtered;     /* features x rows: orders of nodes below the first */

	const int32_t *order; /* features x rows: the rows by each feature, */
	int64_t count;	      /* so many of them, those of weight 0 included */
	int64_t weight_sum;
	double sum;   /* of weighted */
	bool is_leaf; /* one row, or one value */
};

struct split {
	double score;
	int64_t feature;
	int64_t last; /* place of the left child's last row in the feature's order */
};

static inline double value(const struct tree *tree, int64_t row, int64_t feature)
{
	return tree->data->x[row * tree->data->features + feature];
}

static const int32_t *feature_order(const struct tree *tree, int64_t feature)
{
	return tree->order + feature * tree->data->rows;
}

static void sum_up(struct tree *tree)
{
	const int32_t *rows = tree->order;
	int64_t weight_sum = 0;
	double sum = 0;
	double low = INFINITY;
	double high = -INFINITY;

	for (int64_t i = 0; i < tree->count; i++) {
		double y = tree->y[rows[i]];

		if (!tree->weight[rows[i]])
			continue;
		weight_sum += tree->weight[rows[i]];
		sum += tree->weighted[rows[i]];
		low = y < low ? y : low;
		high = y > high ? y : high;
	}
	tree->weight_sum = weight_sum;
	tree->sum = sum;
	tree->is_leaf = !(low < high);
}

/* Draws the sample and puts the tree at its first node. */
static void plant(struct tree *tree)
{
	int64_t n = tree->data->rows;

	memset(tree->weight, 0, (size_t)n * sizeof *tree->weight);
	for (int64_t i = 0; i < n - 1; i++) {
		int64_t row = rng_below(&tree->rng, n - 1);

		tree->weight[row + (row >= tree->held_out)]++;
	}
	for (int64_t row = 0; row < n; row++)
		tree->weighted[row] = tree->weight[row] * tree->y[row];
	tree->order = tree->data->order;
	tree->count = n;
	sum_up(tree);
}

/* Looks for a better split than *best along one feature. The least squared error
 * is where sum^2 / weight, summed over both children, is greatest. */
static void scan_feature(const struct tree *tree, int64_t feature, struct split *best)
{
	const int32_t *rows = feature_order(tree, feature);
	const int32_t *weight = tree->weight;
	const double *weighted = tree->weighted;
	const double *inverse_left = tree->inverse;
	const double *inverse_right = tree->inverse + tree->weight_sum;
	int64_t last = tree->count - 1;
	double best_score = best->score;
	double sum = tree->sum;
	double left = 0;
	int64_t w = 0;

	for (int64_t i = 0; i < last; i++) {
		double right, score;

		left += weighted[rows[i]];
		w += weight[rows[i]];
		right = sum - left;
		score = left * left * inverse_left[w] + right * right * inverse_right[-w];
		/* Rarely true, so the values are compared after it. */
		if (score > best_score &&
		    value(tree, rows[i], feature) < value(tree, rows[i + 1], feature)) {
			best_score = score;
			*best = (struct split){ score, feature, i };
		}
	}
}

/* False when all rows have the same features. Equally good splits are common in
 * small nodes: it is chance which feature is tried first. */
static bool find_split(struct tree *tree, struct split *best)
{
	int64_t p = tree->data->features;
	int64_t first = rng_below(&tree->rng, p);

	*best = (struct split){ .score = -1 };
	for (int64_t f = first; f < p; f++)
		scan_feature(tree, f, best);
	for (int64_t f = 0; f < first; f++)
		scan_feature(tree, f, best);
	return best->score >= 0;
}

static bool falls_left(const struct tree *tree, const struct split *split)
{
	const int32_t *rows = feature_order(tree, split->feature);
	int64_t i = split->last;
	int64_t j = split->last + 1;
	double below, above, threshold;

	while (!tree->weight[rows[i]])
		i--;
	while (!tree->weight[rows[j]])
		j++;
	below = value(tree, rows[i], split->feature);
	above = value(tree, rows[j], split->feature);
	threshold = below / 2 + above / 2;
	if (!(threshold >= below && threshold < above)) /* rounded away */
		threshold = below;
	return value(tree, tree->held_out, split->feature) <= threshold;
}

/* Goes to the held-out row's child. */
static void descend(struct tree *tree, const struct split *split)
{
	const int32_t *rows = feature_order(tree, split->feature);
	bool left = falls_left(tree, split);
	int64_t drop = left ? split->last + 1 : 0;
	int64_t drop_end = left ? tree->count : split->last + 1;
	int64_t n = tree->data->rows;
	int64_t kept = 0;

	for (int64_t i = drop; i < drop_end; i++)
		tree->weight[rows[i]] = 0;
	for (int64_t f = 0; f < tree->data->features; f++) {
		const int32_t *from = feature_order(tree, f);
		int32_t *to = tree->filtered + f * n;

		/* No branch; in place below the first node. */
		kept = 0;
		for (int64_t i = 0; i < tree->count; i++) {
			int32_t row = from[i];

			to[kept] = row;
			kept += tree->weight[row] != 0;
		}
	}
	tree->order = tree->filtered;
	tree->count = kept;
	sum_up(tree);
}

static double grow(struct tree *tree)
{
	struct split split;

	plant(tree);
	while (!tree->is_leaf && find_split(tree, &split))
		descend(tree, &split);
	return tree->sum / (double)tree->weight_sum;
}

/* A child of weight 0 is no split: -INFINITY times its sum squared is -INFINITY
 * or, when that is 0, NaN, and neither is greater than any score. */
static void make_inverse(double *inverse, int64_t n)
{
	inverse[0] = -INFINITY;
	for (int64_t w = 1; w < n; w++)
		inverse[w] = 1.0 / (double)w;
}

/* Less their mean, so that a great offset does not drown the differences. */
static double center(const double *y, int64_t n, double *centered)
{
	double mean = 0;

	for (int64_t i = 0; i < n; i++)
		mean += (y[i] - mean) / (double)(i + 1);
	for (int64_t i = 0; i < n; i++)
		centered[i] = y[i] - mean;
	return mean;
}

int forest_predict_held_out(const struct forest_data *data, int64_t held_out, int64_t trees,
			    uint64_t seed, double *prediction)
{
	size_t n = (size_t)data->rows;
	size_t p = (size_t)data->features;
	struct tree tree = { .data = data, .held_out = held_out };
	double sum = 0;
	double *memory, *y, *inverse;
	double mean;

	if (data->rows < 2 || data->rows > INT32_MAX || data->features < 1 || trees < 1 ||
	    held_out < 0 || held_out >= data->rows)
		return -EINVAL;
	memory = malloc(n * (3 * sizeof(double) + (p + 1) * sizeof(int32_t)));
	if (!memory)
		return -ENOMEM;
	y = memory;
	inverse = y + n;
	tree.weighted = inverse + n;
	tree.weight = (int32_t *)(tree.weighted + n);
	tree.filtered = tree.weight + n;
	tree.y = y;
	tree.inverse = inverse;
	mean = center(data->y, data->rows, y);
	make_inverse(inverse, data->rows);

	for (int64_t t = 0; t < trees; t++) {
		rng_init(&tree.rng, seed, (uint64_t)held_out, (uint64_t)t);
		sum += grow(&tree);
	}
	free(memory);
	*prediction = mean + sum / (double)trees;
	return 0;
}

struct ranked {
	double value;
	int32_t row;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *l = a;
	const struct ranked *r = b;

	if (l->value != r->value)
		return l->value < r->value ? -1 : 1;
	return l->row < r->row ? -1 : 1;
}

int forest_sort(const double *x, int64_t rows, int64_t features, int32_t *order)
{
	struct ranked *ranked = malloc((size_t)rows * sizeof *ranked);

	if (!ranked)
		return -ENOMEM;
	for (int64_t f = 0; f < features; f++) {
		for (int64_t i = 0; i < rows; i++)
			ranked[i] = (struct ranked){ x[i * features + f], (int32_t)i };
		qsort(ranked, (size_t)rows, sizeof *ranked, compare_ranked);
		for (int64_t i = 0; i < rows; i++)
			order[f * rows + i] = ranked[i].row;
	}
	free(ranked);
	return 0;
}
