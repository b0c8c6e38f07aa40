/* test_namespace.c: an engine's variables, through the channel to its agent. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/runner.h"
#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

#define LARGE 4000 /* numbers: more than goes into a packet */

static struct engine *e;
static double values[LARGE];
static struct xc_error err;

static void begin(void)
{
	rig_open();
	rig_serve();
	e = rig.engine;
	for (int i = 0; i < LARGE; i++)
		values[i] = i;
	memset(&err, 0, sizeof err);
}

/* The same table as another process of the slot would find it. */
static struct engine again(void)
{
	struct engine other = { .channel = e->channel };

	ck_assert_msg(names_load(&other, &err) == 0, "%s", err.text);
	return other;
}

static void forget(struct engine *other)
{
	struct entry *entry, *next;

	HASH_ITER (hh, other->names, entry, next) {
		HASH_DEL(other->names, entry);
		if (entry->mapping)
			munmap(entry->mapping, entry->size);
		else
			free((void *)(uintptr_t)entry->array.data);
		free(entry);
	}
}

static void check(struct engine *who, const char *name, const struct xc_array *expected)
{
	const struct xc_array *array = names_get(who, name);

	ck_assert_msg(array != NULL, "no %s", name);
	ck_assert_int_eq(array->dtype, expected->dtype);
	ck_assert_int_eq(array->ndim, expected->ndim);
	ck_assert_int_eq(xc_array_size(array), xc_array_size(expected));
	ck_assert_mem_eq(array->data, expected->data, (size_t)xc_array_size(expected));
	ck_assert_uint_eq((uintptr_t)array->data % 64, 0);
}

START_TEST(test_set)
{
	static const int64_t sizes[] = {
		0, 1, 100, CHANNEL_INLINE_MAX / 8, CHANNEL_INLINE_MAX / 8 + 1, LARGE
	};
	const struct xc_array *array = XC_ARRAY_F64(values, sizes[_i]);
	struct engine other;

	ck_assert_msg(names_set_array(e, "X", array, &err) == 0, "%s", err.text);
	check(e, "X", array);
	/* The agent has it, too: it outlives this process. */
	other = again();
	check(&other, "X", array);
	forget(&other);
	/* Large ones are shared, and counted once. */
	ck_assert_uint_eq(rig.agent.store.used,
			  8 * sizes[_i] > CHANNEL_INLINE_MAX ? 8 * (uint64_t)sizes[_i] : 0);
}
END_TEST

START_TEST(test_replaced)
{
	struct engine other;

	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(names_set_array(e, "X", XC_ARRAY_F64(values, LARGE - i), &err), 0);
	check(e, "X", XC_ARRAY_F64(values, LARGE - 3));
	ck_assert_uint_eq(rig.agent.store.used, 8 * (LARGE - 3));
	ck_assert_int_eq(names_set_array(e, "X", XC_SCALAR(XC_F64, values), &err), 0);
	ck_assert_uint_eq(rig.agent.store.used, 0);
	other = again();
	check(&other, "X", XC_SCALAR(XC_F64, values));
	forget(&other);
}
END_TEST

START_TEST(test_unset)
{
	char text[100];
	struct engine other;

	names_list(e, text, sizeof text);
	ck_assert_str_eq(text, "it has none");
	for (int i = 0; i < 3; i++)
		names_set_array(e, (const char *[]){ "a", "b", "c" }[i],
				XC_ARRAY_F64(values, LARGE), &err);
	names_list(e, text, sizeof text);
	ck_assert_str_eq(text, "it has \"a\", \"b\", \"c\"");
	names_list(e, text, 12); /* no room for all of it */
	ck_assert_uint_lt(strlen(text), 12);
	ck_assert_int_eq(names_unset(e, span_of("b"), false, &err), 0);
	ck_assert_ptr_null(names_get(e, "b"));
	ck_assert_ptr_nonnull(names_get(e, "c"));
	ck_assert_int_eq(names_set_array(e, "c2", XC_ARRAY_F64(values, LARGE), &err), 0);
	ck_assert_int_eq(names_unset(e, span_of("c"), true, &err), 0);
	ck_assert_ptr_null(names_get(e, "c"));
	ck_assert_ptr_null(names_get(e, "c2"));
	ck_assert_ptr_nonnull(names_get(e, "a"));
	ck_assert_uint_eq(rig.agent.store.used, 8 * LARGE);
	ck_assert_int_eq(names_unset(e, (struct span){ 0 }, false, &err), 0);
	ck_assert_ptr_null(e->names);
	ck_assert_uint_eq(rig.agent.store.used, 0);
	other = again();
	ck_assert_ptr_null(other.names);
}
END_TEST

START_TEST(test_store_full)
{
	rig.agent.store.limit = 1000;
	ck_assert_int_eq(names_set_array(e, "X", XC_ARRAY_F64(values, LARGE), &err), XC_ESTORE);
	ck_assert_ptr_nonnull(strstr(err.text, "1000"));
	ck_assert_ptr_null(names_get(e, "X"));
}
END_TEST

static struct span object_frame(const unsigned char *id, int64_t n)
{
	static unsigned char frame[ARRAY_HEADER_SIZE];

	array_header_write(frame, XC_ARRAY_F64(NULL, n), id);
	return (struct span){ frame, sizeof frame };
}

/* A pushed array: it is in the store, and the frame names it. */
START_TEST(test_pushed_object)
{
	unsigned char id[OBJECT_SIZE] = { 5 };

	ck_assert_int_eq(channel_put_bytes(e->channel, id, values, sizeof values, &err), 0);
	ck_assert_int_eq(names_set(e, span_of("X"), object_frame(id, LARGE), &err), 0);
	check(e, "X", XC_ARRAY_F64(values, LARGE));
	ck_assert_int_eq(names_set(e, span_of("Y"), object_frame(id, LARGE + 1), &err), XC_EPROTO);
	ck_assert_ptr_nonnull(strstr(err.text, "32000"));
	id[0]++;
	ck_assert_int_eq(names_set(e, span_of("Y"), object_frame(id, LARGE), &err), -ENOENT);
	ck_assert_ptr_null(names_get(e, "Y"));
}
END_TEST

START_TEST(test_no_variable)
{
	ck_assert_int_eq(names_set(e, span_of(""), object_frame(NULL, 0), &err), XC_EPROTO);
	ck_assert_int_eq(names_set(e, span_of("X"), span_of("none"), &err), XC_EPROTO);
	ck_assert_str_ne(err.text, "");
}
END_TEST

/* Programs come out of the same store. */
START_TEST(test_programs)
{
	unsigned char id[OBJECT_SIZE] = { 6 };

	ck_assert_ptr_null(programs_get(e, (struct span){ id, 5 }, span_of("loo"), true, &err));
	ck_assert_int_eq(err.code, XC_EPROTO);
	ck_assert_ptr_null(
		programs_get(e, (struct span){ id, OBJECT_SIZE }, span_of("loo"), true, &err));
	ck_assert_int_eq(err.code, -ENOENT);
	ck_assert_int_eq(channel_put_bytes(e->channel, id, "no program", 10, &err), 0);
	ck_assert_ptr_null(
		programs_get(e, (struct span){ id, OBJECT_SIZE }, span_of("loo"), true, &err));
	ck_assert_int_eq(err.code, XC_ECODE);
	ck_assert_ptr_nonnull(strstr(err.text, "loo is not what its hash says"));
	/* What fits its name is looked at. */
	crypto_generichash(id, sizeof id, (const unsigned char *)"no program", 10, NULL, 0);
	ck_assert_int_eq(channel_put_bytes(e->channel, id, "no program", 10, &err), 0);
	ck_assert_ptr_null(
		programs_get(e, (struct span){ id, OBJECT_SIZE }, span_of("loo"), true, &err));
	ck_assert_int_eq(err.code, XC_ECODE);
	ck_assert_ptr_null(strstr(err.text, "hash"));
	ck_assert_ptr_nonnull(strstr(err.text, "loo"));
	ck_assert_ptr_null(e->programs);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("namespace");

	tcase_add_checked_fixture(tests, begin, rig_close);
	tcase_add_loop_test(tests, test_set, 0, 6);
	tcase_add_test(tests, test_replaced);
	tcase_add_test(tests, test_unset);
	tcase_add_test(tests, test_store_full);
	tcase_add_test(tests, test_pushed_object);
	tcase_add_test(tests, test_no_variable);
	tcase_add_test(tests, test_programs);
	return unit_run(tests);
}
