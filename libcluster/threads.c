/* threads.c: how many threads numeric libraries use: those that are loaded, and those to
 * come. */
#include "libcluster/threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME(name)    name,
#define SETTERS_MAX   64
#define OBJECTS_FIRST 64

typedef void set_threads(int threads);

const char *const thread_variables[] = { THREAD_VARIABLES(NAME) };
const int thread_variable_count = sizeof thread_variables / sizeof thread_variables[0];

int threads_of_text(const char *text)
{
	char *end;
	long n;

	if (!text)
		return 0;
	n = strtol(text, &end, 10);
	if (end == text || (*end && *end != ',') || n < 1 || n > THREADS_MAX)
		return 0;
	return (int)n;
}

int threads_of_environment(void)
{
	int most = 0;

	for (int i = 0; i < thread_variable_count; i++) {
		int n = threads_of_text(getenv(thread_variables[i]));

		most = n > most ? n : most;
	}
	return most;
}

/* ---- Libraries that are loaded ----------------------------------------------------------- */

struct objects {
	char **names; /* owned */
	size_t count, room;
	bool failed;
};

/* N.B. the loader holds its lock here: nothing can be opened before this has returned. */
static int add_object(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct objects *o = argument;

	(void)size;
	if (o->count == o->room) {
		size_t room = o->room ? 2 * o->room : OBJECTS_FIRST;
		char **names = realloc(o->names, room * sizeof *names);

		if (!names) {
			o->failed = true;
			return 1;
		}
		o->names = names;
		o->room = room;
	}
	o->names[o->count] = strdup(info->dlpi_name);
	if (!o->names[o->count]) {
		o->failed = true;
		return 1;
	}
	o->count++;
	return 0;
}

static void objects_fini(struct objects *o)
{
	for (size_t i = 0; i < o->count; i++)
		free(o->names[i]);
	free(o->names);
}

/* The same library is found from each that needs it: it is told once. */
struct told {
	set_threads *setters[SETTERS_MAX];
	int count;
};

static void tell(void *handle, const char *symbol, int threads, struct told *told)
{
	set_threads *set;

	*(void **)&set = dlsym(handle, symbol);
	for (int i = 0; set && i < told->count; i++)
		if (told->setters[i] == set)
			return;
	if (!set || told->count == SETTERS_MAX)
		return;
	told->setters[told->count++] = set;
	set(threads);
}

static void tell_object(const char *name, int threads, struct told *told)
{
	/* OpenMP before what may be built on it, which then has the last word. */
	static const char *const symbols[] = { "omp_set_num_threads", "openblas_set_num_threads",
					       "openblas_set_num_threads64_", "MKL_Set_Num_Threads",
					       "bli_thread_set_num_threads" };
	void *handle = dlopen(*name ? name : NULL, RTLD_LAZY | RTLD_NOLOAD);

	if (!handle)
		return;
	for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
		tell(handle, symbols[i], threads, told);
	dlclose(handle);
}

int threads_apply(int threads)
{
	struct objects objects = { 0 };
	struct told told = { .count = 0 };
	char text[16];
	int r = 0;

	snprintf(text, sizeof text, "%d", threads);
	for (int i = 0; i < thread_variable_count; i++)
		if (setenv(thread_variables[i], text, 1) < 0)
			r = -ENOMEM;
	dl_iterate_phdr(add_object, &objects);
	for (size_t i = 0; i < objects.count; i++)
		tell_object(objects.names[i], threads, &told);
	if (objects.failed)
		r = -ENOMEM;
	objects_fini(&objects);
	return r;
}
