/* fault.c: allocations that fail when told to. */
#include "tests/fault/fault.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define ENOUGH 5000 /* more allocations than any scenario makes */

static enum fault_mode fault_mode;
static int left; /* allocations until the one that fails */
static int hits;
static bool is_armed;
static pthread_t owner; /* libzmq has threads; ours is the one that counts */

void fault_set(enum fault_mode mode, int n)
{
	fault_mode = mode;
	left = n;
	hits = 0;
}

bool fault_hit(void)
{
	return hits > 0;
}

void fault_arm(bool armed)
{
	owner = pthread_self();
	is_armed = armed;
}

static bool fails(const char *function)
{
	if (!is_armed || !pthread_equal(owner, pthread_self()))
		return false;
	if (fault_mode == FAULT_FRAMES && strcmp(function, "zmq_msg_init_size") != 0)
		return false;
	if (left > INT_MIN)
		left--;
	if (left > 0 || (left < 0 && fault_mode == FAULT_ONCE))
		return false;
	hits++;
	errno = ENOMEM;
	return true;
}

/* ---- What the linker puts in the place of the originals -------------------------- */

#define WRAP(type, failure, name, parameters, arguments)                                           \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return fails(#name) ? (failure) : __real_##name arguments;                         \
	}

WRAP(void *, NULL, malloc, (size_t size), (size))
WRAP(void *, NULL, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, NULL, realloc, (void *old, size_t size), (old, size))
WRAP(char *, NULL, strdup, (const char *text), (text))
WRAP(char *, NULL, strndup, (const char *text, size_t size), (text, size))
WRAP(DIR *, NULL, opendir, (const char *path), (path))
WRAP(int, -1, scandir,
     (const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
      int (*compare)(const struct dirent **, const struct dirent **)),
     (path, list, filter, compare))
WRAP(json_t *, NULL, json_loadb, (const char *text, size_t size, size_t flags, json_error_t *error),
     (text, size, flags, error))
WRAP(json_t *, NULL, json_loads, (const char *text, size_t flags, json_error_t *error),
     (text, flags, error))
WRAP(char *, NULL, json_dumps, (const json_t *json, size_t flags), (json, flags))
WRAP(int, -1, zmq_msg_init_size, (zmq_msg_t * message, size_t size), (message, size))

/* ---- Every n ------------------------------------------------------------------------ */

int fault_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void every(enum fault_mode mode, const char *name, int (*scenario)(struct xc_error *err),
		  int other, void (*after)(void))
{
	for (int n = 1; n < ENOUGH; n += n < 200 ? 1 : n / 50) {
		struct xc_error err = XC_ERROR_INIT;
		int before = fault_descriptors(), r;

		fault_set(mode, n);
		r = scenario(&err);
		fault_arm(false);
		if (r != 0) {
			ck_assert_msg(hits > 0 && (r == -ENOMEM || (other && r == other)),
				      "%s, allocation %d: %d: %s", name, n, r, err.text);
			ck_assert_msg(err.code == r && err.text[0],
				      "%s, allocation %d: %d without a reason: %d \"%s\"", name, n,
				      r, err.code, err.text);
		}
		if (after)
			after();
		ck_assert_msg(fault_descriptors() <= before,
			      "%s, allocation %d: a descriptor is left open", name, n);
		if (hits == 0)
			return;
	}
	ck_abort_msg("%s: no end after %d allocations", name, ENOUGH);
}

void fault_every(const char *name, int (*scenario)(struct xc_error *err), int other,
		 void (*after)(void))
{
	struct xc_error err = XC_ERROR_INIT;

	fault_set(FAULT_ONCE, INT_MAX); /* what is made once and kept is there now */
	ck_assert_msg(scenario(&err) == 0, "%s: %s", name, err.text);
	if (after)
		after();
	for (int mode = 0; mode < FAULT_MODES; mode++)
		every((enum fault_mode)mode, name, scenario, other, after);
}
