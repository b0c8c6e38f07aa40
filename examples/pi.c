/* pi.c: pi by Monte Carlo: the share of random points of a square that lie in its circle.
 * The draws, and so all digits that it prints, are the same on any number of engines.
 *
 *     ./pi [DRAWS]       two a point; 1,000,000,000 unless said
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xcluster.h>

enum { BLOCK = 1000, BLOCKS = 500 }; /* points of an item: 500,000 */

/* How many points of this item are within the circle. */
static int count_hits(struct xc_task *task, const void *in, void *out)
{
	struct xc_rng *rng = xc_task_rng(task); /* this item's own stream */
	double xy[2 * BLOCK];
	int64_t hits = 0;

	(void)in;
	if (!rng)
		return XC_TASK_FAILED;
	for (int block = 0; block < BLOCKS; block++) {
		xc_random_fill(rng, xy, 2 * BLOCK);
		for (int i = 0; i < 2 * BLOCK; i += 2)
			hits += xy[i] * xy[i] + xy[i + 1] * xy[i + 1] < 1;
	}
	*(int64_t *)out = hits;
	return 0;
}

int main(int argc, char **argv)
{
	const struct xc_reduction sum = { .kind = XC_REDUCE_SUM, .dtype = XC_I64 };
	struct xc_map_options options = { .seed = 1, .progress = true };
	double draws = argc > 1 ? atof(argv[1]) : 1e9;
	int64_t items = (int64_t)ceil(draws / (2.0 * BLOCK * BLOCKS)), hits;
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	double points, pi, error;

	if (!(draws >= 1 && draws <= 1e15)) {
		fprintf(stderr, "usage: pi [DRAWS]: from 1 to 1e15\n");
		return 2;
	}
	if (xc_open(&client, NULL, &err) < 0 || xc_wait_for_engines(client, 1, 30, &err) < 0 ||
	    xc_map_reduce(xc_balanced(client), count_hits, items, &sum, &hits, sizeof hits,
			  &options, &err) < 0) {
		fprintf(stderr, "pi: %s\n", err.text);
		xc_close(client);
		return 1;
	}
	points = (double)items * BLOCK * BLOCKS;
	pi = 4 * (double)hits / points;
	error = sqrt(pi * (4 - pi) / points);
	printf("%.0f draws: pi is %.9f, give or take %.9f\n", 2 * points, pi, error);
	xc_close(client);
	return 0;
}
