/* source.c: source text compiled where the engines are: loading, the cache, compilers
 * that fail, and statements. */
#include "tests/support/support.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TASK "(struct xc_task *task, const void *in, void *out)"

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void begin(int engines)
{
	start_cluster(engines);
	client = open_client(engines);
}

static void end(void)
{
	xc_close(client);
	stop_cluster();
}

/* Writes a file of the test's directory; its path. */
static const char *source(const char *name, const char *format, ...) XC_PRINTF(2, 3);
static const char *source(const char *name, const char *format, ...)
{
	static char paths[8][256];
	static int next;
	char text[8192], *path = paths[next++ % 8];
	va_list ap;

	snprintf(path, sizeof paths[0], "%s", test_path("%s", name));
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	write_file(path, text, strlen(text));
	return path;
}

/* A task `name` whose result is the expression. */
static const char *task_source(const char *file, const char *name, const char *expression)
{
	return source(file,
		      "#include <xcluster.h>\n"
		      "int %s" TASK "\n{\n\t*(int *)out = %s;\n\treturn 0;\n}\n",
		      name, expression);
}

/* A compiler that notes each run in the file "runs", then does `more`. */
static const char *counting_compiler(const char *more)
{
	const char *path = source("counting",
				  "#!/bin/sh\ncase $1 in --version) exit 0;; esac\n"
				  "echo run >>'%s'\n%s\nexec %s \"$@\"\n",
				  test_path("runs"), more, getenv("XC_TEST_CC"));

	chmod(path, 0755);
	remove(test_path("runs"));
	return path;
}

static int runs(void)
{
	char *text = read_file(test_path("runs"));
	int count = 0;

	for (const char *at = text; at && (at = strstr(at, "run\n")); at++)
		count++;
	free(text);
	return count;
}

static int call_of(const char *library, const char *function)
{
	struct xc_map_options options = { .function = function, .library = library };
	int out[6] = { 0 }, r;

	r = xc_map_range(xc_balanced(client), NULL, 6, out, sizeof out[0], &options, &err);
	if (r < 0)
		return r;
	for (int i = 1; i < 6; i++)
		ck_assert_int_eq(out[i], out[0]);
	return out[0];
}

static int call(const char *function)
{
	int out = call_of(NULL, function);

	ck_assert_msg(out >= 0, "%s: %s", function, err.text);
	return out;
}

static void load(const char *path, const struct xc_source_options *options)
{
	assert_ok(xc_load_source(xc_all(client), path, options, &err), err);
}

/* Entries of the cache that have the file. */
static int cached(const char *file, char *last, size_t size)
{
	DIR *dir = opendir(cluster_path(".cache/source"));
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		const char *path = cluster_path(".cache/source/%s/%s", entry->d_name, file);

		if (entry->d_name[0] == '.' || access(path, F_OK) < 0)
			continue;
		count++;
		if (last)
			snprintf(last, size, "%s", path);
	}
	if (dir)
		closedir(dir);
	return count;
}

/* ---- Loading -------------------------------------------------------------------- */

START_TEST(load_source_and_map_by_name)
{
	const char *path = task_source("tasks.c", "answer", "42");

	begin(2);
	load(path, NULL);
	ck_assert_int_eq(call("answer"), 42);
	/* A newer text takes the place of the older. */
	task_source("tasks.c", "answer", "43");
	load(path, NULL);
	ck_assert_int_eq(call("answer"), 43);
	end();
}
END_TEST

START_TEST(load_source_compiled_once_a_host)
{
	struct xc_source_options options = { .compiler = counting_compiler("") };
	const char *path = task_source("tasks.c", "answer", "1");
	struct program agent;

	begin(4);
	/* Another agent of the host, too. */
	PROGRAM(&agent, xcluster_command(), "engines", "-n", "2", "--foreground");
	assert_ok(xc_wait_for_engines(client, 6, LIMIT, &err), err);
	load(path, &options);
	ck_assert_int_eq(runs(), 1);
	ck_assert_int_eq(call("answer"), 1);
	end();
	program_end(&agent);
}
END_TEST

/* Two at once, for sure: the compiler goes on when another engine waits for the lock. What
 * fails is not tried again by that one either. */
START_TEST(two_engines_compile_the_same)
{
	static const char wait[] =
		"lock=$(stat -c %i ../lock)\n"
		"until grep -q -- \"-> FLOCK.*:$lock \" /proc/locks; do sleep 0.01; done";
	struct xc_source_options options = { .compiler = counting_compiler(wait) };
	const char *path = task_source("tasks.c", "answer", _i ? "" : "1");
	int r;

	begin(2);
	r = xc_load_source(xc_all(client), path, &options, &err);
	if (_i)
		assert_error(r, XC_ECODE, &err, "2 of 2 items");
	else
		assert_ok(r, err);
	ck_assert_int_eq(runs(), 1);
	end();
}
END_TEST

START_TEST(load_source_cached_across_clusters)
{
	struct xc_source_options options = { .compiler = counting_compiler("") };
	const char *path = task_source("tasks.c", "answer", "5");
	struct output output;

	for (int i = 0; i < 2; i++) {
		begin(2);
		load(path, &options);
		ck_assert_int_eq(call("answer"), 5);
		end();
		XCLUSTER(&output, "clean");
		ck_assert_int_eq(output.status, 0);
	}
	ck_assert_int_eq(runs(), 1);
	XCLUSTER(&output, "list");
	ck_assert_msg(strstr(output.out, "cache") == NULL, "%s", output.out);
	XCLUSTER(&output, "clean", "--cache");
	ck_assert_int_eq(output.status, 0);
	ck_assert_int_eq(cached("lock", NULL, 0), 0);
	begin(2);
	load(path, &options);
	ck_assert_int_eq(runs(), 2);
	end();
}
END_TEST

START_TEST(load_source_flags)
{
	struct xc_source_options options = { .compiler = counting_compiler(""),
					     .flags = "-O1 '-DTEXT=\"a b\"' -DNUMBER=6" };
	const char *path = task_source("tasks.c", "answer", "(int)sizeof TEXT + NUMBER");

	begin(2);
	load(path, &options);
	ck_assert_int_eq(call("answer"), 10);
	options.flags = "-O1 '-DTEXT=\"a b\"' -DNUMBER=7";
	load(path, &options);
	ck_assert_int_eq(call("answer"), 11);
	ck_assert_int_eq(runs(), 2);
	options.flags = "-DTEXT='unclosed";
	assert_error(xc_load_source(xc_all(client), path, &options, &err), XC_ECODE, &err, "quote");
	options.flags = "-DA\n-DB";
	assert_error(xc_load_source(xc_all(client), path, &options, &err), -EINVAL, &err,
		     "line end");
	end();
}
END_TEST

START_TEST(a_changed_header_is_noticed)
{
	struct xc_source_options options = { .compiler = counting_compiler("") };
	const char *path;

	source("number.h", "#define NUMBER 1\n");
	path = source("tasks.c", "#include <xcluster.h>\n#include \"number.h\"\n"
				 "int number" TASK "\n{ *(int *)out = NUMBER; return 0; }\n");
	for (int i = 1; i <= 2; i++) {
		source("number.h", "#define NUMBER %d%s\n", i, i == 2 ? "0" : "");
		begin(2);
		load(path, &options);
		ck_assert_int_eq(call("number"), i == 2 ? 20 : 1);
		end();
	}
	ck_assert_int_eq(runs(), 2);
}
END_TEST

START_TEST(load_source_late_joiner)
{
	/* Notes when it is loaded, which must be before it is asked for. */
	const char *path =
		source("tasks.c",
		       "#include <stdio.h>\n#include <xcluster.h>\n"
		       "__attribute__((constructor)) static void note(void)\n"
		       "{ FILE *f = fopen(\"%s\", \"a\"); fputs(\"run\\n\", f); fclose(f); }\n"
		       "int where" TASK "\n{ *(int *)out = xc_task_engine(task); return 0; }\n",
		       test_path("runs"));
	struct xc_map_options options = { .function = "where" };
	struct program agent;
	int out[3];

	remove(test_path("runs"));
	begin(1);
	load(path, NULL);
	remove(path); /* they do not need it */
	ck_assert_int_eq(runs(), 1);
	PROGRAM(&agent, xcluster_command(), "engines", "-n", "2", "--foreground");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	assert_ok(xc_execute(xc_all(client), ";", NULL, &err), err);
	ck_assert_int_eq(runs(), 3);
	assert_ok(xc_apply(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err), err);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(out[i], i);
	end();
	program_end(&agent);
}
END_TEST

START_TEST(load_source_restarted_engine)
{
	struct xc_source_options options = { .compiler = counting_compiler("") };
	const char *path =
		source("tasks.c", "#include <stdlib.h>\n#include <xcluster.h>\n"
				  "int die" TASK "\n{ abort(); }\n"
				  "int answer" TASK "\n{ *(int *)out = 8; return 0; }\n");
	struct xc_map_options die = { .function = "die" };

	begin(2);
	load(path, &options);
	ck_assert_int_eq(call("answer"), 8);
	assert_error(xc_apply(xc_all(client), NULL, NULL, 0, NULL, 0, &die, &err), XC_EFAILED, &err,
		     "");
	assert_ok(xc_wait_for_engines(client, 2, LIMIT, &err), err);
	ck_assert_int_eq(call("answer"), 8);
	ck_assert_int_eq(runs(), 1);
	end();
}
END_TEST

/* Which languages there are depends on the machine. */
START_TEST(load_source_of_other_languages)
{
	const char *cxx =
		source("tasks.cpp", "#include <vector>\n#include <xcluster.h>\n"
				    "extern \"C\" int count" TASK "\n{ std::vector<int> v(9);\n"
				    "*(int *)out = (int)v.size(); return 0; }\n");
	const char *fortran =
		source("tasks.f90",
		       "integer(c_int) function third(task, in, out) bind(c, name=\"Third\")\n"
		       "use iso_c_binding\ntype(c_ptr), value :: task, in\n"
		       "integer(c_int) :: out\nout = 3\nthird = 0\nend function\n");
	bool has_cxx = system("c++ --version >/dev/null 2>&1") == 0;
	bool has_fortran = system("gfortran --version >/dev/null 2>&1") == 0;

	begin(1);
	if (has_cxx) {
		load(cxx, NULL);
		ck_assert_int_eq(call("count"), 9);
	}
	if (has_fortran) {
		load(fortran, NULL);
		ck_assert_int_eq(call("Third"), 3);
		source("tasks.f90", "integer function f()\nf = 'a' +\nend function\n");
		assert_error(xc_load_source(xc_all(client), fortran, NULL, &err), XC_ECODE, &err,
			     "tasks.f90:2");
	}
	end();
}
END_TEST

/* ---- Failures ------------------------------------------------------------------------ */

START_TEST(compiler_error_has_file_and_line)
{
	const char *path = source("tasks.c", "#include <xcluster.h>\n\nint answer" TASK "\n{\n"
					     "\treturn nothing;\n}\n");

	begin(2);
	assert_error(xc_load_source(xc_all(client), path, NULL, &err), XC_ECODE, &err,
		     "tasks.c:5:16: error: 'nothing' undeclared");
	ck_assert_msg(strstr(err.text, "note:") == NULL, "%s", err.text);
	/* What could not be loaded is not there to be named. */
	assert_error(call_of(NULL, "answer"), XC_ECODE, &err, "no library was loaded");
	/* A symbol that nobody has. */
	source("tasks.c", "#include <xcluster.h>\nint away(void);\n"
			  "int answer" TASK "\n{ return away(); }\n");
	assert_error(xc_load_source(xc_all(client), path, NULL, &err), XC_ECODE, &err, "away");
	end();
}
END_TEST

START_TEST(compiler_missing)
{
	struct xc_source_options options = { .compiler = "no-such-compiler -pipe" };
	const char *path = task_source("tasks.c", "answer", "1");

	begin(1);
	assert_error(xc_load_source(xc_all(client), path, &options, &err), XC_ECODE, &err,
		     "no compiler \"no-such-compiler\"");
	ck_assert_msg(strstr(err.text, "install") != NULL, "%s", err.text);
	assert_error(xc_load_source(xc_all(client), test_path("none.c"), NULL, &err), XC_ECODE,
		     &err, "none.c");
	assert_error(xc_load_source(xc_all(client), test_path("libx.so"), NULL, &err), -EINVAL,
		     &err, "libx.so");
	assert_error(xc_load_source(xc_balanced(client), path, NULL, &err), -EINVAL, &err,
		     "xc_load_source");
	end();
}
END_TEST

static bool nobody_sleeps(void *arg)
{
	pid_t pids[64];
	int n = cluster_processes(pids, 64);
	bool found = false;

	(void)arg;
	for (int i = 0; i < n && i < 64 && !found; i++) {
		char path[64], *name;

		snprintf(path, sizeof path, "/proc/%d/comm", (int)pids[i]);
		name = read_file(path);
		found = name && strcmp(name, "sleep\n") == 0;
		free(name);
	}
	return !found;
}

START_TEST(a_compiler_that_hangs_is_killed)
{
	struct xc_source_options options = { .compiler = counting_compiler("sleep 8642; exit 1"),
					     .time_limit = 0.5 };
	const char *path = task_source("tasks.c", "answer", "1");

	begin(2);
	assert_error(xc_load_source(xc_all(client), path, &options, &err), XC_ECODE, &err,
		     "time_limit");
	/* With what it had started. */
	ck_assert(wait_until(nobody_sleeps, NULL, LIMIT));
	load(path, NULL);
	ck_assert_int_eq(call("answer"), 1);
	end();
}
END_TEST

/* Its compiler has begun, and will not sleep another time. */
static bool is_compiling(void *first)
{
	return access(first, F_OK) == 0 && cached("work", NULL, 0) == 1;
}

/* The one that compiles is killed: nothing is left of it that others would take. */
START_TEST(a_crash_while_compiling)
{
	struct xc_source_options options;
	const char *path = task_source("tasks.c", "answer", "4");
	const struct xc_view *one = NULL;
	struct xc_engine_info info;
	struct xc_error ours = XC_ERROR_INIT;
	char more[1024], first[256];
	int status;
	pid_t loader;

	snprintf(first, sizeof first, "%s", test_path("first"));
	snprintf(more, sizeof more, "[ -e '%s' ] || { touch '%s'; sleep 8642; }", first, first);
	options = (struct xc_source_options){ .compiler = counting_compiler(more) };
	begin(2);
	assert_ok(xc_engines(client, (const int[]){ 1 }, 1, &one, &err), err);
	loader = fork();
	if (loader == 0) {
		struct xc_client *other = open_client(2);
		const struct xc_view *view = NULL;

		xc_engines(other, (const int[]){ 1 }, 1, &view, &ours);
		status = xc_load_source(view, path, &options, &ours) == XC_EFAILED ? 0 : 1;
		xc_close(other);
		_exit(status);
	}
	ck_assert(wait_until(is_compiling, first, LIMIT));
	assert_ok(xc_engine_info(client, 1, &info, &err), err);
	kill(info.pid, SIGKILL);
	ck_assert_int_eq(child_end(loader), 0);
	ck_assert(wait_until(nobody_sleeps, NULL, LIMIT));
	load(path, &options);
	ck_assert_int_eq(call("answer"), 4);
	ck_assert_int_eq(runs(), 2);
	ck_assert_int_eq(cached("work", NULL, 0), 0);
	end();
}
END_TEST

/* ---- The cache -------------------------------------------------------------------------- */

START_TEST(a_damaged_entry_is_rebuilt)
{
	struct xc_source_options options = { .compiler = counting_compiler("") };
	const char *path = task_source("tasks.c", "answer", "3");
	char library[256];
	struct stat st;
	FILE *file;

	begin(1);
	load(path, &options);
	end();
	ck_assert_int_eq(cached("library", library, sizeof library), 1);
	ck_assert_int_eq(stat(library, &st), 0);
	if (_i == 0) {
		ck_assert_int_eq(truncate(library, st.st_size / 2), 0);
	} else {
		file = fopen(library, "r+");
		ck_assert_ptr_nonnull(file);
		fseek(file, 4096, SEEK_SET);
		fputs("damage", file);
		fclose(file);
	}
	begin(2);
	load(path, &options);
	ck_assert_int_eq(call("answer"), 3);
	end();
	ck_assert_int_eq(runs(), 2);
}
END_TEST

/* A file in its place; and mounts, which only root can make. */
START_TEST(a_cache_that_cannot_be_written)
{
	static const char *const mounts[] = { "size=4k,mode=700", "ro,mode=700" };
	struct xc_source_options options = { .compiler = counting_compiler("") };
	const char *path = task_source("tasks.c", "answer", "2");
	struct output output;
	char command[1024];

	if (_i == 0) {
		write_file(cluster_path(".cache"), "", 0);
		start_cluster(2);
	} else {
		if (system("unshare -m true 2>/dev/null") != 0)
			return;
		mkdir(cluster_path(".cache"), 0700);
		snprintf(command, sizeof command,
			 "mount -t tmpfs -o %s none '%s' && exec '%s' start -n 2", mounts[_i - 1],
			 cluster_path(".cache"), xcluster_command());
		RUN(&output, "unshare", "-m", "sh", "-c", command);
		ck_assert_msg(output.status == 0, "%s", output.err);
	}
	client = open_client(2);
	load(path, &options);
	ck_assert_int_eq(call("answer"), 2);
	/* Each for itself. */
	ck_assert_int_ge(runs(), 2);
	ck_assert_int_eq(xc_execute(xc_all(client), "return 0;", NULL, &err), 0);
	end();
	XCLUSTER(&output, "logs", "--engine", "0");
	ck_assert_msg(strstr(output.out, "without the cache") != NULL, "%s", output.out);
}
END_TEST

/* ---- Statements ---------------------------------------------------------------------------- */

START_TEST(execute_on_every_engine)
{
	struct xc_array parts[3];
	struct xc_result *result;
	struct xc_failure failure;

	begin(3);
	assert_ok(xc_execute(xc_all(client),
			     "#include <unistd.h>\n#define TEN \\\n\t10\n"
			     "int n = xc_task_engine(task) + TEN;\n"
			     "return xc_task_set(task, \"n\", XC_SCALAR(XC_I32, &n));",
			     NULL, &err),
		  err);
	assert_ok(xc_pull(xc_all(client), "n", parts, &err), err);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(*(const int *)parts[i].data, i + 10);
		xc_array_free(&parts[i]);
	}
	/* One engine of a balanced view; codes and texts. */
	result = xc_execute_async(xc_balanced(client), "return 3;", NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	ck_assert_int_eq(xc_result_progress(result).items, 1);
	ck_assert_int_eq(xc_failure(result, 0, &failure), 0);
	ck_assert_int_eq(failure.code, 3);
	xc_result_destroy(result);
	assert_error(
		xc_execute(xc_all(client), "return xc_task_fail(task, \"no %d\", 5)", NULL, &err),
		XC_EFAILED, &err, "no 5");
	/* All of it in the store of the host is let go of. */
	for (int i = 0; i < 20; i++)
		assert_ok(xc_execute(xc_all(client), "(void)sqrt(2.0); // nothing", NULL, &err),
			  err);
	assert_ok(xc_execute(xc_all(client), "", NULL, &err), err);
	end();
}
END_TEST

START_TEST(execute_sees_variables)
{
	double sum = 0, x[] = { 1, 2, 3, 4 };
	struct xc_array part;
	const struct xc_view *last = NULL;

	begin(2);
	assert_ok(xc_push(xc_all(client), "x", XC_ARRAY_F64(x, 4), &err), err);
	assert_ok(xc_execute(xc_all(client),
			     "const struct xc_array *x = xc_task_array(task, \"x\");\n"
			     "double sum = 0;\n"
			     "if (!x) return XC_TASK_FAILED;\n"
			     "for (int64_t i = 0; i < xc_array_count(x); i++)\n"
			     "	sum += ((const double *)x->data)[i];\n"
			     "return xc_task_set(task, \"sum\", XC_SCALAR(XC_F64, &sum));",
			     NULL, &err),
		  err);
	assert_ok(xc_view_at(xc_all(client), -1, &last, &err), err);
	assert_ok(xc_pull(last, "sum", &part, &err), err);
	memcpy(&sum, part.data, sizeof sum);
	ck_assert_double_eq(sum, 10);
	xc_array_free(&part);
	end();
}
END_TEST

START_TEST(execute_error_line)
{
	struct xc_source_options strict = { .flags = "-Werror=implicit-function-declaration" };

	begin(1);
	assert_error(xc_execute(xc_all(client), "int a = b;", NULL, &err), XC_ECODE, &err,
		     "execute:1:9: error: 'b' undeclared");
	assert_error(xc_execute(xc_all(client), "#include <unistd.h>\n\nint c = 1;\nint a = b;",
				NULL, &err),
		     XC_ECODE, &err, "execute:4:9: error: 'b' undeclared");
	assert_error(xc_execute(xc_all(client), "#include <no_such.h>\n;", NULL, &err), XC_ECODE,
		     &err, "execute:1:10: fatal error: no_such.h");
	assert_error(xc_execute(xc_all(client), "a_call_of_nothing();", &strict, &err), XC_ECODE,
		     &err, "execute:1:1: error:");
	assert_error(xc_execute(NULL, ";", NULL, &err), -EINVAL, &err, "view");
	end();
}
END_TEST

/* ---- Names ---------------------------------------------------------------------------------- */

static void compile_library(const char *name, const char *source_path)
{
	static struct output output;
	char command[2048];

	snprintf(command, sizeof command, "%s %s -shared -fPIC -I'%s' '%s' -o '%s'",
		 getenv("XC_TEST_CC"), getenv("XC_TEST_CFLAGS"), getenv("XC_TEST_INCLUDE"),
		 source_path, test_path("%s", name));
	RUN(&output, "sh", "-c", command);
	ck_assert_msg(output.status == 0, "%s: %s", command, output.err);
}

START_TEST(function_found_in_any_library)
{
	begin(2);
	compile_library("libone.so", task_source("one.c", "one", "1"));
	assert_ok(xc_load(xc_all(client), test_path("libone.so"), &err), err);
	compile_library("libtwo.so", task_source("two.c", "two", "2"));
	assert_ok(xc_load(xc_all(client), test_path("libtwo.so"), &err), err);
	/* Names `one`, but does not define it. */
	load(source("three.c",
		    "#include <xcluster.h>\n/* one(task) { */ __attribute__((weak)) int one" TASK
		    ";\n"
		    "int three" TASK "\n{ if (!task) return one(task, in, out); *(int *)out = 3; "
		    "return 0; }\nint one_more" TASK "\n{ return 1; }\n"),
	     NULL);
	ck_assert_int_eq(call("one"), 1);
	ck_assert_int_eq(call("two"), 2);
	ck_assert_int_eq(call("three"), 3);
	assert_error(call_of(NULL, "four"), XC_ECODE, &err, "\"four\"");
	ck_assert_msg(strstr(err.text, "three.c, libtwo.so, libone.so") != NULL, "%s", err.text);
	/* The latest that defines it. */
	load(task_source("again.c", "one", "11"), NULL);
	ck_assert_int_eq(call("one"), 11);
	assert_ok(xc_load(xc_all(client), test_path("libone.so"), &err), err);
	ck_assert_int_eq(call("one"), 1);
	end();
}
END_TEST

START_TEST(function_of_named_library)
{
	begin(2);
	compile_library("libone.so", task_source("one.c", "one", "1"));
	assert_ok(xc_load(xc_all(client), test_path("libone.so"), &err), err);
	load(task_source("again.c", "one", "11"), NULL);
	ck_assert_int_eq(call_of("libone.so", "one"), 1);
	ck_assert_int_eq(call_of("again.c", "one"), 11);
	for (int i = 0; i < 3; i++) { /* also when they are sent together */
		struct xc_map_options a = { .function = "one", .library = "libone.so" };
		struct xc_map_options b = { .function = "one", .library = "again.c" };
		struct xc_result *results[20];
		int out[20] = { 0 };

		for (int k = 0; k < 20; k++) {
			results[k] = xc_apply_async(xc_balanced(client), NULL, NULL, 0, &out[k],
						    sizeof out[k], k % 3 ? &a : &b, &err);
			ck_assert_msg(results[k] != NULL, "%s", err.text);
		}
		for (int k = 0; k < 20; k++) {
			assert_ok(xc_wait(results[k], LIMIT, &err), err);
			xc_result_destroy(results[k]);
			ck_assert_int_eq(out[k], k % 3 ? 1 : 11);
		}
	}
	assert_error(call_of("again.c", "two"), XC_ECODE, &err, "no function two");
	assert_error(call_of("none.so", "one"), XC_ECODE, &err, "again.c, libone.so");
	end();
}
END_TEST

/* ---- The command ------------------------------------------------------------------------------
 */

START_TEST(exec_command)
{
	static struct output output;
	const char *file = source("statements", "int n = NUMBER;\nreturn n;\n");

	begin(3);
	XCLUSTER(&output, "exec", "int n = 1;\n(void)n;");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_str_eq(output.err, "");
	XCLUSTER(&output, "exec", "printf(\"hi %d\\n\", xc_task_engine(task));");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_str_eq(output.out, "[engine 0] hi 0\n[engine 1] hi 1\n[engine 2] hi 2\n");
	XCLUSTER(&output, "exec", "--engines", "0-1", "return xc_task_engine(task) * 4");
	ck_assert_int_eq(output.status, 1);
	ck_assert_str_eq(output.err, "xcluster: engine 1: failed with code 4\n");
	XCLUSTER(&output, "exec", "--engines=2,0", "--cflags=-DNUMBER=7", "--file", file);
	ck_assert_int_eq(output.status, 1);
	ck_assert_str_eq(output.err, "xcluster: all 2 engines: failed with code 7\n");
	XCLUSTER(&output, "exec", "--engines=2,0", "return 7 + xc_task_engine(task);");
	ck_assert_int_eq(output.status, 1);
	ck_assert_str_eq(output.err, "xcluster: engine 2: failed with code 9\n"
				     "xcluster: engine 0: failed with code 7\n");
	XCLUSTER(&output, "exec", "--engines=1", "nothing;");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "xcluster: engine 1: execute:1:1: error:") == output.err,
		      "%s", output.err);
	XCLUSTER(&output, "exec", "--compiler=no-such-compiler", ";");
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "no-such-compiler"));
	XCLUSTER(&output, "exec", "--engines=9", ";");
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "engine 9"));
	XCLUSTER(&output, "exec", "--engines=2-1", ";");
	ck_assert_int_eq(output.status, 2);
	XCLUSTER(&output, "exec");
	ck_assert_int_eq(output.status, 2);
	end();
	XCLUSTER(&output, "exec", ";");
	ck_assert_int_eq(output.status, 11);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("source");
	TCase *tests = separate_case(suite, "source");

	tcase_add_test(tests, load_source_and_map_by_name);
	tcase_add_test(tests, load_source_compiled_once_a_host);
	tcase_add_loop_test(tests, two_engines_compile_the_same, 0, 2);
	tcase_add_test(tests, load_source_cached_across_clusters);
	tcase_add_test(tests, load_source_flags);
	tcase_add_test(tests, a_changed_header_is_noticed);
	tcase_add_test(tests, load_source_late_joiner);
	tcase_add_test(tests, load_source_restarted_engine);
	tcase_add_test(tests, load_source_of_other_languages);
	tcase_add_test(tests, compiler_error_has_file_and_line);
	tcase_add_test(tests, compiler_missing);
	tcase_add_test(tests, a_compiler_that_hangs_is_killed);
	tcase_add_test(tests, a_crash_while_compiling);
	tcase_add_loop_test(tests, a_damaged_entry_is_rebuilt, 0, 2);
	tcase_add_loop_test(tests, a_cache_that_cannot_be_written, 0, 3);
	tcase_add_test(tests, execute_on_every_engine);
	tcase_add_test(tests, execute_sees_variables);
	tcase_add_test(tests, execute_error_line);
	tcase_add_test(tests, function_found_in_any_library);
	tcase_add_test(tests, function_of_named_library);
	tcase_add_test(tests, exec_command);
	return run_tests(suite);
}
