/* loo_forest.c: leave-one-out cross-validation of a random forest, one item a
 * held-out row, on all engines of a cluster. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xcluster.h>

#include "csv.h"
#include "forest.h"

#define DEFAULT_FILE "examples/data/diabetes.csv"

static const char usage[] =
	"Usage: loo_forest [OPTION...] [FILE.csv]\n"
	"Leave-one-out cross-validation of random-forest regression on a cluster.\n"
	"FILE.csv has a line of column names, and the target in its last column;\n"
	"the default is " DEFAULT_FILE ".\n"
	"\n"
	"      --cluster=NAME  id or connection file of the cluster (default: default)\n"
	"      --seed=N        seed of the random numbers, from 0 (default: 0)\n"
	"      --trees=N       trees a forest (default: 100)\n"
	"      --serial        no cluster: a plain loop in this process\n"
	"      --help          show this text\n";

struct options {
	const char *file;
	const char *cluster;
	uint64_t seed;
	int64_t trees;
	bool serial;
};

/* What the engines need beside X and y: pushed as variable "settings". */
enum setting { SEED, TREES, SETTINGS };

/* Gathers the variables; false when they do not fit together, as when another
 * program on this cluster has pushed its own under the same names. */
static bool gather(struct xc_task *task, struct forest_data *data, const uint64_t **settings)
{
	const struct xc_array *x = xc_task_array(task, "X");
	const struct xc_array *y = xc_task_array(task, "y");
	const struct xc_array *order = xc_task_array(task, "order");
	const struct xc_array *setting = xc_task_array(task, "settings");

	if (!x || !y || !order || !setting)
		return false;
	if (x->dtype != XC_F64 || y->dtype != XC_F64 || order->dtype != XC_I32 ||
	    setting->dtype != XC_U64 || x->ndim != 2 || y->ndim != 1 || order->ndim != 2 ||
	    y->shape[0] != x->shape[0] || order->shape[0] != x->shape[1] ||
	    order->shape[1] != x->shape[0] || xc_array_count(setting) != SETTINGS) {
		xc_task_fail(task, "X, y, order and settings do not fit together; does another "
				   "program use these names?");
		return false;
	}
	*data = (struct forest_data){ x->shape[0], x->shape[1], x->data, y->data, order->data };
	*settings = setting->data;
	return true;
}

static int fit_held_out(struct xc_task *task, const void *in, void *out)
{
	const uint64_t *settings;
	struct forest_data data;
	int r;

	(void)in;
	if (!gather(task, &data, &settings))
		return XC_TASK_FAILED;
	r = forest_predict_held_out(&data, xc_task_index(task), (int64_t)settings[TREES],
				    settings[SEED], out);
	return r < 0 ? xc_task_fail(task, "the forest cannot be grown: %s", xc_strerror(r)) : 0;
}

struct report {
	double wall, serial, speedup;
	struct xc_result *result; /* NULL without a cluster */
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int run_serial(const struct forest_data *data, const struct options *options,
		      double *predictions, struct report *report, struct xc_error *err)
{
	double start = seconds();

	for (int64_t i = 0; i < data->rows; i++) {
		int r = forest_predict_held_out(data, i, options->trees, options->seed,
						&predictions[i]);
		if (r < 0) {
			snprintf(err->text, sizeof err->text, "the forest cannot be grown: %s",
				 xc_strerror(r));
			return r;
		}
	}
	*report = (struct report){ .wall = seconds() - start, .speedup = 1 };
	report->serial = report->wall;
	return 0;
}

static int push_all(struct xc_client *client, const struct forest_data *data,
		    const struct options *options, struct xc_error *err)
{
	const struct xc_view *all = xc_all(client);
	int64_t n = data->rows;
	int64_t p = data->features;
	const uint64_t settings[SETTINGS] = { options->seed, (uint64_t)options->trees };
	int r = xc_push(all, "X", XC_ARRAY_F64(data->x, n, p), err);

	if (r == 0)
		r = xc_push(all, "y", XC_ARRAY_F64(data->y, n), err);
	if (r == 0)
		r = xc_push(all, "order", XC_ARRAY_I32(data->order, p, n), err);
	if (r == 0)
		r = xc_push(all, "settings", XC_ARRAY_U64(settings, SETTINGS), err);
	return r;
}

static int run_on_cluster(struct xc_client *client, const struct forest_data *data,
			  const struct options *options, double *predictions, struct report *report,
			  struct xc_error *err)
{
	struct xc_map_options map = { .progress = true, .label = "loo_forest" };
	struct xc_result *result;
	int r = push_all(client, data, options, err);

	if (r < 0)
		return r;
	result = xc_map_range_async(xc_balanced(client), fit_held_out, data->rows, predictions,
				    sizeof *predictions, &map, err);
	if (!result)
		return err->code;
	r = xc_wait(result, -1, err);
	if (r < 0) {
		xc_result_destroy(result);
		return r;
	}
	*report = (struct report){ xc_result_elapsed(result), xc_result_serial_time(result),
				   xc_result_speedup(result), result };
	return 0;
}

static void print_accuracy(const struct forest_data *data, const double *predictions)
{
	double n = (double)data->rows;
	double mean = 0, residual = 0, total = 0;

	for (int64_t i = 0; i < data->rows; i++)
		mean += data->y[i] / n;
	for (int64_t i = 0; i < data->rows; i++) {
		residual += (data->y[i] - predictions[i]) * (data->y[i] - predictions[i]);
		total += (data->y[i] - mean) * (data->y[i] - mean);
	}
	printf("RMSE      %.6g\n", sqrt(residual / n));
	if (total > 0)
		printf("R2        %.5f\n", 1 - residual / total);
	else
		printf("R2        undefined: all targets are the same\n");
}

static int print_engines(struct xc_result *result)
{
	int n = xc_result_engines(result, NULL, NULL, 0);
	int *ids = calloc((size_t)n + 1, sizeof *ids);
	int64_t *items = calloc((size_t)n + 1, sizeof *items);
	int r = ids && items ? 0 : -ENOMEM;

	if (r == 0)
		xc_result_engines(result, ids, items, n);
	for (int i = 0; r == 0 && i < n; i++)
		printf("engine %-3d%lld items\n", ids[i], (long long)items[i]);
	free(ids);
	free(items);
	return r;
}

/* Predicts every row and prints what came of it. */
static int cross_validate(const struct forest_data *data, const struct options *options,
			  struct xc_error *err)
{
	double *predictions = calloc((size_t)data->rows, sizeof *predictions);
	struct xc_client *client = NULL;
	struct report report = { 0 };
	int r = predictions ? 0 : -ENOMEM;

	if (r == 0 && options->serial)
		r = run_serial(data, options, predictions, &report, err);
	else if (r == 0 && (r = xc_open(&client, options->cluster, err)) == 0 &&
		 (r = xc_wait_for_engines(client, 1, 30, err)) == 0)
		r = run_on_cluster(client, data, options, predictions, &report, err);
	if (r == 0) {
		printf("data      %s: %lld rows, %lld features\n", options->file,
		       (long long)data->rows, (long long)data->features);
		print_accuracy(data, predictions);
		printf("wall      %.3f s\n", report.wall);
		printf("serial    %.3f s\n", report.serial);
		printf("speed-up  %.2f\n", report.speedup);
	}
	if (report.result)
		r = print_engines(report.result);
	xc_result_destroy(report.result);
	xc_close(client);
	free(predictions);
	return r;
}

/* Divides the table into features and target, sorts the features, and goes on. */
static int analyse(const struct csv *csv, const struct options *options, struct xc_error *err)
{
	size_t n = (size_t)csv->rows;
	size_t p = (size_t)csv->columns - 1;
	double *x = malloc(n * p * sizeof *x);
	double *y = malloc(n * sizeof *y);
	int32_t *order = malloc(n * p * sizeof *order);
	struct forest_data data = { csv->rows, csv->columns - 1, x, y, order };
	int r = x && y && order ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		memcpy(x + i * p, csv->values + i * (p + 1), p * sizeof *x);
		y[i] = csv->values[i * (p + 1) + p];
	}
	if (r == 0)
		r = forest_sort(x, data.rows, data.features, order);
	if (r == 0)
		r = cross_validate(&data, options, err);
	free(x);
	free(y);
	free(order);
	return r;
}

/* Writes into path where the default file is: here, or above this program, or
 * where it was when this was built. */
static bool find_default(char path[PATH_MAX])
{
	char program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	char *slash;

	snprintf(path, PATH_MAX, "%s", DEFAULT_FILE);
	if (access(path, R_OK) == 0)
		return true;
	program[n < 0 ? 0 : n] = '\0';
	while ((slash = strrchr(program, '/'))) {
		*slash = '\0';
		if (snprintf(path, PATH_MAX, "%s/%s", program, DEFAULT_FILE) < PATH_MAX &&
		    access(path, R_OK) == 0)
			return true;
	}
#ifdef SOURCE_ROOT
	snprintf(path, PATH_MAX, "%s/%s", SOURCE_ROOT, DEFAULT_FILE);
	return access(path, R_OK) == 0;
#else
	return false;
#endif
}

static bool parse_integer(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *number >= min && *number <= max;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{ "cluster", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "trees", required_argument, NULL, 't' },
		{ "serial", no_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t trees = 100;
	bool ok = true;
	int c;

	*options = (struct options){ 0 };
	while (ok && (c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->cluster = optarg;
			break;
		case 's':
			ok = parse_integer(optarg, 0, UINT64_MAX, &options->seed);
			break;
		case 't':
			ok = parse_integer(optarg, 1, INT32_MAX, &trees);
			break;
		case 'S':
			options->serial = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			ok = false;
		}
	}
	if (!ok || argc - optind > 1) {
		fputs(usage, stderr);
		exit(2);
	}
	options->trees = (int64_t)trees;
	options->file = argv[optind];
}

/* Reads the table and says on stderr what is wrong with it. */
static int load(struct csv *csv, const char *path)
{
	char why[PATH_MAX + 200];
	int r = csv_read(csv, path, why, sizeof why);

	if (r < 0) {
		fprintf(stderr, "loo_forest: %s\n", why);
	} else if (csv->rows < 2) {
		fprintf(stderr, "loo_forest: %s, line 2: this is the only row; two are wanted\n",
			path);
		r = -EINVAL;
	}
	return r;
}

int main(int argc, char **argv)
{
	struct xc_error err = XC_ERROR_INIT;
	struct options options;
	struct csv csv = { 0 };
	char found[PATH_MAX];
	int r;

	parse_options(argc, argv, &options);
	if (!options.file && !find_default(found)) {
		fprintf(stderr, "loo_forest: " DEFAULT_FILE " is neither here nor near this "
				"program; name a file\n");
		return EXIT_FAILURE;
	}
	if (!options.file)
		options.file = found;
	r = load(&csv, options.file);
	if (r == 0) {
		r = analyse(&csv, &options, &err);
		if (r < 0)
			fprintf(stderr, "loo_forest: %s\n", *err.text ? err.text : xc_strerror(r));
	}
	free(csv.values);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
