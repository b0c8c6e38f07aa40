/* blas.c: xcluster blas: linear algebra on engines, and how fast it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/engine_list.h"
#include "cmd/format.h"
#include "cmd/interrupt.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

#define SIZE_LIMIT    1000000 /* more would be 8 TB and more */
#define THREADS_LIMIT 1024
#define REPEAT_LIMIT  1000000

/* What the sizes of a report mean. */
enum sizes { SQUARE, RECTANGLE, SIDES, PRODUCT };

static const struct operation {
	const char *name;
	enum sizes sizes;
	bool takes_m, takes_k;
} operations[] = {
	{ "cholesky", SQUARE, false, false }, { "crossprod", RECTANGLE, true, false },
	{ "gemm", PRODUCT, true, true },      { "lstsq", SIDES, true, true },
	{ "normal", RECTANGLE, true, false }, { "solve", SIDES, false, true },
	{ "svd", RECTANGLE, true, false },
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

struct blas {
	const char *id;
	const struct operation *operation;
	struct xc_blas_args args;
	struct engine_list engines;
	int repeat;
	bool all, json;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ NULL, 'n', "N", 0, "Columns, and rows where no others are given (default: 1000)", 0 },
	{ NULL, 'm', "M", 0, "Rows; not of cholesky and solve", 0 },
	{ NULL, 'k', "K", 0, "Right-hand sides of solve and lstsq; inner size of gemm", 0 },
	{ "threads", OPTION_THREADS, "T", 0, "Threads an engine (default: as it is set)", 0 },
	{ "seed", OPTION_SEED, "SEED", 0, "Of the random matrices (default: 0)", 0 },
	{ "repeat", OPTION_REPEAT, "R", 0, "Run it so many times (default: 1)", 0 },
	{ "engines", OPTION_ENGINES, "LIST", 0,
	  "On these at once, such as 0,2-5 (default: one engine)", 0 },
	{ "all", OPTION_ALL, NULL, 0, "On all engines at once", 0 },
	JSON_OPTION,
	{ 0 },
};

static const struct operation *find_operation(struct argp_state *state, const char *name)
{
	for (size_t i = 0; i < OPERATIONS; i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	argp_error(state,
		   "there is no operation \"%.80s\": it is cholesky, crossprod, gemm, lstsq, "
		   "normal, solve or svd",
		   name);
	return NULL;
}

static uint64_t option_seed(struct argp_state *state, const char *arg)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(arg, &end, 10);
	if (end == arg || *end || errno || arg[strspn(arg, " \t")] == '-')
		argp_error(state, "--seed must be a number from 0 to 2^64 - 1, not \"%.80s\"", arg);
	return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct blas *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case 'n':
		o->args.n = option_int(state, "-n", arg, 1, SIZE_LIMIT);
		return 0;
	case 'm':
		o->args.m = option_int(state, "-m", arg, 1, SIZE_LIMIT);
		return 0;
	case 'k':
		o->args.k = option_int(state, "-k", arg, 1, SIZE_LIMIT);
		return 0;
	case OPTION_THREADS:
		o->args.threads = option_int(state, "--threads", arg, 1, THREADS_LIMIT);
		return 0;
	case OPTION_SEED:
		o->args.seed = option_seed(state, arg);
		return 0;
	case OPTION_REPEAT:
		o->repeat = option_int(state, "--repeat", arg, 1, REPEAT_LIMIT);
		return 0;
	case OPTION_ENGINES:
		option_engines(state, &o->engines, arg);
		return 0;
	case OPTION_ALL:
		o->all = true;
		return 0;
	case OPTION_JSON:
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->operation)
			argp_error(state, "\"%s\" is not expected: one operation at a time", arg);
		o->operation = find_operation(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (!o->operation)
			argp_error(state, "which operation: cholesky, crossprod, gemm, lstsq, "
					  "normal, solve or svd?");
		if (o->args.m && !o->operation->takes_m)
			argp_error(state, "-m: the matrix of %s is square: -n says its size",
				   o->operation->name);
		if (o->args.k && !o->operation->takes_k)
			argp_error(state, "-k: %s has none; it is for gemm, lstsq and solve",
				   o->operation->name);
		if (o->all && o->engines.ids)
			argp_error(state, "--all and --engines do not go together");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- Showing ------------------------------------------------------------------------- */

static void name_size(char *text, size_t size, enum sizes sizes, const struct xc_blas_report *r)
{
	int used = snprintf(text, size, "%lld x %lld", (long long)r->m, (long long)r->n);

	if (sizes == SIDES)
		snprintf(text + used, size - (size_t)used, ", %lld", (long long)r->k);
	else if (sizes == PRODUCT)
		snprintf(text, size, "%lld x %lld x %lld", (long long)r->m, (long long)r->k,
			 (long long)r->n);
}

static json_t *report_json(const struct blas *o, int run, const struct xc_blas_report *r)
{
	char sizes[80];
	json_t *json;

	name_size(sizes, sizeof sizes, o->operation->sizes, r);
	json = json_pack("{s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:f, s:f, s:f, s:f, s:f}",
			 "run", run, "engine", r->engine, "operation", o->operation->name, "size",
			 sizes, "m", (json_int_t)r->m, "n", (json_int_t)r->n, "k", (json_int_t)r->k,
			 "threads", r->threads, "threads_used", r->threads_used, "seconds",
			 r->seconds, "prepare_seconds", r->prepare_seconds, "cpu_seconds",
			 r->cpu_seconds, "gflops", r->gflops, "residual", r->residual);
	if (strcmp(o->operation->name, "lstsq") == 0)
		json_object_set_new(json, "rank", json_integer(r->rank));
	return json;
}

static char *format_seconds(char *text, size_t size, double value)
{
	snprintf(text, size, "%.4g", value);
	return text;
}

static char *format_gflops(char *text, size_t size, double value)
{
	snprintf(text, size, value > 0 ? "%.2f" : "-", value);
	return text;
}

static char *format_residual(char *text, size_t size, double value)
{
	snprintf(text, size, "%.1e", value);
	return text;
}

static void print_table(const json_t *list)
{
	static const struct column columns[] = {
		{ "ENGINE", "engine", NULL },
		{ "OPERATION", "operation", NULL },
		{ "SIZE", "size", NULL },
		{ "THREADS", "threads", NULL },
		{ "USED", "threads_used", NULL },
		{ "SECONDS", "seconds", format_seconds },
		{ "GFLOPS", "gflops", format_gflops },
		{ "RESIDUAL", "residual", format_residual },
		{ NULL, NULL, NULL },
	};

	format_table(list, columns);
}

/* ---- Running ------------------------------------------------------------------------- */

static int run_once(const struct blas *o, const struct xc_view *view,
		    struct xc_blas_report *reports, struct xc_error *err)
{
	char function[32], label[32];
	struct xc_map_options how = { .function = function, .label = label };
	struct xc_result *result;
	int r;

	snprintf(function, sizeof function, "xc_blas_%s", o->operation->name);
	snprintf(label, sizeof label, "blas %s", o->operation->name);
	result = xc_apply_async(view, NULL, &o->args, sizeof o->args, reports, sizeof *reports,
				&how, err);
	if (!result)
		return err->code;
	r = xc_wait(result, -1, err);
	if (r == -EINTR)
		xc_cancel(result, XC_CANCEL_RUNNING, NULL);
	xc_result_destroy(result);
	return r;
}

static int run(const struct blas *o, struct xc_client *client, struct xc_error *err)
{
	const struct xc_view *view;
	struct xc_blas_report *reports;
	json_t *list = json_array();
	int count, r = engine_list_view(&o->engines, client, &view, err);

	if (r == 0 && !o->all && !o->engines.ids)
		r = xc_view_at(view, 0, &view, err);
	count = r == 0 ? xc_view_size(view) : 0;
	reports = calloc((size_t)count + 1, sizeof *reports);
	if (r == 0 && !reports)
		r = error_set(err, -ENOMEM, "out of memory");
	for (int i = 0; r == 0 && i < o->repeat; i++) {
		r = run_once(o, view, reports, err);
		for (int j = 0; r == 0 && j < count; j++)
			json_array_append_new(list, report_json(o, i, &reports[j]));
	}
	if (json_array_size(list) > 0 && o->json) {
		json_t *all = json_pack("{s:s, s:O}", "library", reports[0].library, "runs", list);

		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(all);
	} else if (json_array_size(list) > 0) {
		print_table(list);
		printf("%s\n", reports[0].library);
	}
	json_decref(list);
	free(reports);
	return r;
}

int command_blas(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"OPERATION",
		"Linear algebra on engines, with OpenBLAS: how fast it is, on how many threads, "
		"and "
		"how right.\vOPERATION is cholesky, crossprod, gemm, lstsq, normal, solve or svd, "
		"on "
		"matrices of random normals. GFLOPS are 1e9 additions and multiplications a "
		"second; USED are the threads that have computed; a RESIDUAL of about 1e-16 is "
		"right.",
		NULL,
		NULL,
		NULL
	};
	struct blas o = { .args = { .n = 1000 }, .repeat = 1 };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char path[CLUSTER_PATH_MAX];
	int status = STATUS_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	interrupt_catch();
	if (connection_find(o.id, path, sizeof path, &err) < 0 ||
	    xc_open(&client, path, &err) < 0 || xc_wait_for_engines(client, 1, 10, &err) < 0 ||
	    run(&o, client, &err) < 0)
		status = err.code == -EINTR ? STATUS_FAILED : fail(&err);
	xc_close(client);
	engine_list_fini(&o.engines);
	if (interrupt_signal())
		interrupt_die();
	return status;
}
