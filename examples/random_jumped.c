/* random_jumped.c: ten items draw 1,000 normals each, each from one generator jumped ahead. The
 * mean and standard deviation of each are numpy's to the last digit, on any number of
 * engines:
 *
 *     for i in range(10):
 *         x = Generator(PCG64(1).jumped(i)).normal(size=1000)
 *         print(x.mean(), x.std())
 */
#include <stdio.h>
#include <stdlib.h>
#include <xcluster.h>

enum { ITEMS = 10, DRAWS = 1000 };

struct summary {
	double mean, std;
};

static int summarize(struct xc_task *task, const void *in, void *out)
{
	struct xc_rng *rng = xc_task_rng(task); /* this item's own stream */
	struct summary *summary = out;
	double draws[DRAWS];

	(void)in;
	if (!rng)
		return XC_TASK_FAILED;
	xc_standard_normal_fill(rng, draws, DRAWS);
	summary->mean = xc_mean(draws, DRAWS);
	summary->std = xc_std(draws, DRAWS);
	return 0;
}

/* As few digits as tell this number from any other, as Python does. */
static const char *digits(double x, char text[32])
{
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, 32, "%.*g", precision, x);
		if (strtod(text, NULL) == x)
			break;
	}
	return text;
}

int main(void)
{
	struct xc_map_options options = { .seed = 1, .streams = XC_JUMPED };
	struct summary summaries[ITEMS];
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char mean[32], std[32];
	bool ok = xc_open(&client, NULL, &err) == 0 &&
		  xc_wait_for_engines(client, 1, 30, &err) == 0 &&
		  xc_map_range(xc_balanced(client), summarize, ITEMS, summaries,
			       sizeof summaries[0], &options, &err) == 0;

	for (int i = 0; ok && i < ITEMS; i++)
		printf("item %d: mean %s, std %s\n", i, digits(summaries[i].mean, mean),
		       digits(summaries[i].std, std));
	if (!ok)
		fprintf(stderr, "random_jumped: %s\n", err.text);
	xc_close(client);
	return ok ? 0 : 1;
}
