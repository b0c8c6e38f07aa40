/* arguments_data.c: wrong arguments of calls about variables, libraries and sources. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"
#include "tests/support/support.h"

#define ENGINES 2

static struct xc_client *client;
static struct xc_error *const err = &row_error;
static double numbers[4];

/* ---- Variables ----------------------------------------------------------------------- */

static void try_push(void)
{
	const struct xc_view *all = xc_all(client), *balanced = xc_balanced(client);
	const struct xc_array *good = XC_ARRAY_F64(numbers, 4);
	struct xc_array none = { .dtype = XC_F64, .ndim = 1, .shape = { 4 } };
	struct xc_array strange = { .dtype = (enum xc_dtype)99, .data = numbers };
	struct xc_array shape = { .dtype = XC_F64, .ndim = -1, .data = numbers };
	static char name[300];

	memset(name, 'n', sizeof name - 1);
	ROW(xc_push(NULL, "x", good, err), -EINVAL, "view");
	ROW(xc_push(balanced, "x", good, err), -EINVAL, "load-balanced");
	ROW(xc_push(all, NULL, good, err), -EINVAL, "name");
	ROW(xc_push(all, "", good, err), -EINVAL, "name");
	ROW(xc_push(all, name, good, err), -EINVAL, "name");
	ROW(xc_push(all, "x", NULL, err), -EINVAL, "array");
	ROW(xc_push(all, "x", &none, err), -EINVAL, "no data");
	ROW(xc_push(all, "x", &strange, err), -EINVAL, "dtype");
	ROW(xc_push(all, "x", &shape, err), -EINVAL, "shape");
	ROW_NULL(xc_push_async(NULL, "x", good, err), -EINVAL, "view");
	ROW_NULL(xc_push_async(all, NULL, good, err), -EINVAL, "name");
	ROW(xc_scatter(NULL, "x", good, err), -EINVAL, "view");
	ROW(xc_scatter(balanced, "x", good, err), -EINVAL, "load-balanced");
	ROW(xc_scatter(all, NULL, good, err), -EINVAL, "name");
	ROW(xc_scatter(all, "x", NULL, err), -EINVAL, "array");
	ROW(xc_scatter(all, "x", XC_SCALAR(XC_F64, numbers), err), -EINVAL, "scalar");
	ROW_NULL(xc_scatter_async(NULL, "x", good, err), -EINVAL, "view");
	ROW(xc_clear(NULL, "x", err), -EINVAL, "view");
	ROW(xc_clear(balanced, "x", err), -EINVAL, "load-balanced");
	ROW(xc_clear(all, "", err), -EINVAL, "name");
	ROW(xc_clear(all, name, err), -EINVAL, "name");
}

static void try_pull(void)
{
	const struct xc_view *all = xc_all(client), *balanced = xc_balanced(client);
	struct xc_array arrays[ENGINES];

	ROW(xc_pull(NULL, "x", arrays, err), -EINVAL, "view");
	ROW(xc_pull(balanced, "x", arrays, err), -EINVAL, "load-balanced");
	ROW(xc_pull(all, NULL, arrays, err), -EINVAL, "name");
	ROW(xc_pull(all, "x", NULL, err), -EINVAL, "arrays");
	ROW(xc_pull(all, "absent", arrays, err), XC_EFAILED, "absent");
	ROW_NULL(xc_pull_async(NULL, "x", err), -EINVAL, "view");
	ROW_NULL(xc_pull_async(all, "", err), -EINVAL, "name");
	ROW(xc_gather(NULL, "x", arrays, err), -EINVAL, "view");
	ROW(xc_gather(all, NULL, arrays, err), -EINVAL, "name");
	ROW(xc_gather(all, "x", NULL, err), -EINVAL, "array");
	ROW(xc_gather(all, "absent", arrays, err), XC_EFAILED, "absent");
}

/* ---- Libraries and sources -------------------------------------------------------------- */

static void try_load(void)
{
	const struct xc_view *all = xc_all(client), *balanced = xc_balanced(client);
	const struct xc_map_options absent = { .function = "fault_answer", .library = "absent.so" };
	const struct xc_map_options other = { .function = "absent" };
	int64_t out[ENGINES];

	ROW(xc_load(NULL, "x", err), -EINVAL, "view");
	ROW(xc_load(balanced, "x", err), -EINVAL, "load-balanced");
	ROW(xc_load(all, NULL, err), -EINVAL, "path");
	ROW(xc_load(all, "", err), -EINVAL, "path");
	ROW(xc_load(all, "/nonexistent.so", err), XC_ECODE, "/nonexistent.so");
	ROW(xc_load(all, "/tmp", err), XC_ECODE, "/tmp");
	ROW(xc_load(all, "/etc/passwd", err), XC_ECODE, "/etc/passwd");
	ROW(xc_unload(NULL, "x", err), -EINVAL, "view");
	ROW(xc_unload(balanced, "x", err), -EINVAL, "load-balanced");
	ROW(xc_unload(all, NULL, err), -EINVAL, "path");
	ROW(xc_unload(all, "", err), -EINVAL, "path");
	ROW(xc_unload(all, "/nonexistent.so", err), XC_ECODE, "/nonexistent.so");
	ROW(xc_unload(all, "/etc/passwd", err), XC_ECODE, "/etc/passwd");
	/* One that no engine has. */
	ROW(xc_unload(all, XC_TEST_LIBRARY, err), 0, "");
	assert_ok(xc_load(all, XC_TEST_LIBRARY, err), *err);
	ROW(xc_apply(all, NULL, NULL, 0, out, sizeof out[0], &absent, err), XC_ECODE, "absent.so");
	ROW(xc_apply(all, NULL, NULL, 0, out, sizeof out[0], &other, err), XC_ECODE, "\"absent\"");
	ROW(xc_unload(all, XC_TEST_LIBRARY, err), 0, "");
	ROW(xc_apply(all, NULL, NULL, 0, out, sizeof out[0], &other, err), XC_ECODE, "xc_load");
}

/* A source of the test that is no C. */
static const char *source(const char *name)
{
	static const char text[] = "int f(void) { return 1 }\n";
	const char *path = test_path("%s", name);

	write_file(path, text, sizeof text - 1);
	return path;
}

static void try_load_source(void)
{
	const struct xc_view *all = xc_all(client), *balanced = xc_balanced(client);
	const char *wrong = source("wrong.c");

	ROW(xc_load_source(NULL, wrong, NULL, err), -EINVAL, "view");
	ROW(xc_load_source(balanced, wrong, NULL, err), -EINVAL, "load-balanced");
	ROW(xc_load_source(all, NULL, NULL, err), -EINVAL, "path");
	ROW(xc_load_source(all, "", NULL, err), -EINVAL, "path");
	ROW(xc_load_source(all, "/nonexistent.c", NULL, err), XC_ECODE, "/nonexistent.c");
	ROW(xc_load_source(all, "/nonexistent.so", NULL, err), -EINVAL, "xc_load");
	ROW(xc_load_source(all, "/tmp", NULL, err), -EINVAL, "/tmp");
	ROW(xc_load_source(all, "/tmp/.c", NULL, err), -EINVAL, "/tmp/.c");
	ROW(xc_load_source(all, "-x.c", NULL, err), -EINVAL, "-x.c");
	ROW(xc_load_source(all, wrong, NULL, err), XC_ECODE, "wrong.c:1:");
}

static void try_execute(void)
{
	const struct xc_view *all = xc_all(client);

	ROW(xc_execute(NULL, ";", NULL, err), -EINVAL, "view");
	ROW(xc_execute(all, NULL, NULL, err), -EINVAL, "statements");
	ROW(xc_execute(all, "return x;", NULL, err), XC_ECODE, "execute:1:");
	ROW(xc_execute(all, "return 3;", NULL, err), XC_EFAILED, "3");
	ROW(xc_execute(all, "", NULL, err), 0, "");
	ROW_NULL(xc_execute_async(NULL, ";", NULL, err), -EINVAL, "view");
	ROW_NULL(xc_execute_async(all, NULL, NULL, err), -EINVAL, "statements");
}

static void try_source_options(void)
{
	static char large[40000];
	const struct xc_view *all = xc_all(client);
	const char *path = source("options.c");
	const struct {
		struct xc_source_options options;
		int code;
		const char *part;
	} wrong[] = {
		{ { .time_limit = -1 }, -EINVAL, "options.time_limit" },
		{ { .time_limit = NAN }, -EINVAL, "options.time_limit" },
		{ { .time_limit = INFINITY }, -EINVAL, "options.time_limit" },
		{ { .time_limit = 1e9 }, -EINVAL, "options.time_limit" },
		{ { .compiler = "" }, -EINVAL, "options.compiler" },
		{ { .compiler = " " }, -EINVAL, "options.compiler" },
		{ { .compiler = large }, -EINVAL, "options.compiler" },
		{ { .compiler = "cc\n" }, -EINVAL, "options.compiler" },
		{ { .flags = "-O2\n" }, -EINVAL, "options.flags" },
		{ { .flags = large }, -EINVAL, "options.flags" },
		{ { .compiler = "/nonexistent/cc" }, XC_ECODE, "/nonexistent/cc" },
		{ { .compiler = "'cc" }, XC_ECODE, "'cc" },
		{ { .flags = "-O2 '" }, XC_ECODE, "'" },
		{ { .flags = "--no-such-option" }, XC_ECODE, "--no-such-option" },
	};

	memset(large, 'x', sizeof large - 1);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct xc_source_options *o = &wrong[i].options;

		ROW(xc_load_source(all, path, o, err), wrong[i].code, wrong[i].part);
		ROW(xc_execute(all, ";", o, err), wrong[i].code, wrong[i].part);
	}
	ROW_NULL(xc_execute_async(all, ";", &wrong[0].options, err), -EINVAL, wrong[0].part);
}

/* ---- All of them ------------------------------------------------------------------------ */

void try_data(struct xc_client *with)
{
	client = with;
	try_push();
	try_pull();
	try_load();
	try_load_source();
	try_execute();
	try_source_options();
}

void try_data_lost(struct xc_client *with)
{
	const struct xc_view *all = xc_all(with);

	ROW(xc_push(all, "x", XC_ARRAY_F64(numbers, 4), err), XC_ELOST, "gone");
	ROW(xc_clear(all, "x", err), XC_ELOST, "gone");
	ROW(xc_load(all, XC_TEST_LIBRARY, err), XC_ELOST, "gone");
	ROW(xc_unload(all, XC_TEST_LIBRARY, err), XC_ELOST, "gone");
	ROW(xc_load_source(all, source("lost.c"), NULL, err), XC_ELOST, "gone");
	ROW(xc_execute(all, ";", NULL, err), XC_ELOST, "gone");
}
