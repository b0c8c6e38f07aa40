/* exec.c: xcluster exec: running C statements on engines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/engine_list.h"
#include "cmd/interrupt.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

struct exec {
	const char *id, *statements, *file;
	struct engine_list engines;
	struct xc_source_options source;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "engines", OPTION_ENGINES, "LIST", 0, "Only on these, such as 0,2-5 (default: all)", 0 },
	{ "cflags", OPTION_CFLAGS, "FLAGS", 0, "For the compiler (default: -O2)", 0 },
	{ "compiler", OPTION_COMPILER, "COMMAND", 0,
	  "Compile with this (default: $CC of the engines, else cc)", 0 },
	{ "file", OPTION_FILE, "FILE", 0, "Take the statements from FILE; -: standard input", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct exec *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_ENGINES:
		option_engines(state, &o->engines, arg);
		return 0;
	case OPTION_CFLAGS:
		o->source.flags = arg;
		return 0;
	case OPTION_COMPILER:
		if (!arg[strspn(arg, " \t")])
			argp_error(state, "--compiler must be a command, not \"%s\"", arg);
		o->source.compiler = arg;
		return 0;
	case OPTION_FILE:
		o->file = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->statements)
			argp_error(state, "\"%.80s\" is not expected: quote the statements", arg);
		o->statements = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->statements == !o->file)
			argp_error(state, "give the statements, or --file");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* All of it; NULL, having said why, when it cannot be read. */
static char *read_statements(const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t size = 0;
	char *text = NULL;

	/* Up to a zero byte, of which a text has none. */
	if (!file || (getdelim(&text, &size, '\0', file) < 0 && ferror(file))) {
		complain("cannot read %s: %s", path, strerror(errno));
		free(text);
		text = NULL;
	} else if (!text) {
		text = strdup("");
	}
	if (file && file != stdin)
		fclose(file);
	return text;
}

static void print_output(int engine, const char *text, size_t size)
{
	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;

		printf("[engine %d] %.*s\n", engine, (int)length, text);
		length += end ? 1 : 0;
		text += length;
		size -= length;
	}
}

static void print_failure(const char *who, const struct xc_failure *f)
{
	if (f->state == XC_FAILED && f->text[0])
		complain("%s: %s", who, f->text);
	else if (f->state == XC_FAILED)
		complain("%s: failed with code %d", who, f->code);
	else
		complain("%s: %s%s%s", who, xc_state_name(f->state), f->text[0] ? ": " : "",
			 f->text);
}

/* Have all items failed alike, as with statements that do not compile? */
static bool all_failed_alike(struct xc_result *result, int64_t items)
{
	struct xc_failure first, f;
	int64_t alike = 0;

	if (xc_failure(result, 0, &first) < 0)
		return false;
	for (int64_t i = 0; xc_failure(result, i, &f) == 0; i++)
		if (f.state == first.state && f.code == first.code && !strcmp(f.text, first.text))
			alike += f.count;
	return alike == items;
}

static void print_failures(struct xc_result *result, int64_t items, const int *ids)
{
	struct xc_failure f;
	char who[32];

	if (items > 1 && all_failed_alike(result, items)) {
		xc_failure(result, 0, &f);
		snprintf(who, sizeof who, "all %lld engines", (long long)items);
		print_failure(who, &f);
		return;
	}
	for (int64_t item = 0; item < items; item++) {
		snprintf(who, sizeof who, "engine %d", ids[item]);
		for (int64_t i = 0; xc_failure(result, i, &f) == 0; i++)
			if (item >= f.first && item < f.first + f.count)
				print_failure(who, &f);
	}
}

/* Waits, and prints what came of it. */
static int report(struct xc_result *result, const int *ids)
{
	struct xc_error err = XC_ERROR_INIT;
	int r = xc_wait(result, -1, &err);
	int64_t items = xc_result_progress(result).items;

	if (r == -EINTR) {
		xc_cancel(result, XC_CANCEL_RUNNING, NULL);
		return r;
	}
	for (int64_t i = 0; i < items; i++) {
		size_t size;
		const char *text = xc_output(result, i, &size);

		if (text)
			print_output(ids[i], text, size);
	}
	if (r < 0)
		print_failures(result, items, ids);
	if (r < 0 && xc_failure_count(result) == 0)
		return fail(&err);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(struct xc_client *client, const struct exec *o, const char *statements)
{
	struct xc_error err = XC_ERROR_INIT;
	const struct xc_view *view;
	struct xc_result *result = NULL;
	int count, *ids, status;

	if (engine_list_view(&o->engines, client, &view, &err) < 0)
		return fail(&err);
	count = xc_view_size(view);
	ids = malloc((size_t)count * sizeof *ids + 1);
	if (ids)
		result = xc_execute_async(view, statements, &o->source, &err);
	else
		error_set(&err, -ENOMEM, "out of memory");
	if (!result) {
		free(ids);
		return fail(&err);
	}
	xc_view_ids(view, ids, count);
	status = report(result, ids);
	xc_result_destroy(result);
	free(ids);
	return status;
}

int command_exec(int argc, char **argv)
{
	static const struct argp argp = { options,
					  parse,
					  "'STATEMENTS'",
					  "Run C statements on all engines, or some.\vThe headers "
					  "stdio, stdlib, string, math, stdint and xcluster are "
					  "included; others by lines at the start. `task` is the "
					  "task: xc_task_array(task, \"X\") finds the variable X. "
					  "`return 3;` is a failure.",
					  NULL,
					  NULL,
					  NULL };
	struct exec o = { .source = XC_SOURCE_OPTIONS_INIT };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char path[CLUSTER_PATH_MAX], *text = NULL;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.file && !(text = read_statements(o.file)))
		return STATUS_FAILED;
	interrupt_catch();
	if (connection_find(o.id, path, sizeof path, &err) < 0 ||
	    xc_open(&client, path, &err) < 0 || xc_wait_for_engines(client, 1, 10, &err) < 0)
		status = fail(&err);
	else
		status = run(client, &o, text ? text : o.statements);
	xc_close(client);
	engine_list_fini(&o.engines);
	free(text);
	if (interrupt_signal())
		interrupt_die();
	return status;
}
