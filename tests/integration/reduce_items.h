/* reduce_items.h: what the tests of reductions share: engines, numbers that look random, and a call
 * that must not fail. */
#ifndef TESTS_INTEGRATION_REDUCE_ITEMS_H
#define TESTS_INTEGRATION_REDUCE_ITEMS_H

#include <string.h>

#include "tests/support/support.h"

#define ENGINES 7

static const int64_t sizes[] = { 0, 1, 2, 3, 7, 64, 1000, 4097 };
#define SIZES ((int)(sizeof sizes / sizeof sizes[0]))

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

/* Load-balanced over the first so many engines. */
static inline const struct xc_view *some(int engines)
{
	const struct xc_view *view;
	int ids[ENGINES];

	ck_assert_int_eq(xc_view_ids(xc_all(client), ids, ENGINES), ENGINES);
	assert_ok(xc_balanced_over(client, ids, engines, &view, &err), err);
	return view;
}

static inline uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static inline void reduce(int64_t n, xc_task_fn *fn, const struct xc_reduction *how, void *result)
{
	int64_t size = xc_reduction_size(how, &err);

	ck_assert_msg(size > 0, "%s", err.text);
	memset(result, 0xa5, (size_t)size);
	assert_ok(xc_map_reduce(xc_balanced(client), fn, n, how, result, (size_t)size, NULL, &err),
		  err);
}

#endif
