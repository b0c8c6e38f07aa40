/* test_store.c: objects live by references, within a limit; variables hold them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/store.h"
#include "proto/task.h"
#include "tests/unit/unit.h"

#define LIMIT 10000

static struct store store;
static struct variable *table;
static struct xc_error err;

static void begin(void)
{
	store_init(&store, LIMIT);
	table = NULL;
	memset(&err, 0, sizeof err);
}

static void end(void)
{
	variable_unset(&store, &table, (struct span){ 0 }, false);
	store_fini(&store);
}

static const unsigned char *id(int n)
{
	static unsigned char ids[8][OBJECT_SIZE];

	memset(ids[n], n + 1, OBJECT_SIZE);
	return ids[n];
}

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static int memfd(size_t size, int seals)
{
	int fd = memfd_create("object", MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static struct object *put(int n, size_t size)
{
	struct object *object = NULL;

	ck_assert_int_eq(store_put(&store, id(n), memfd(size, SEALS), size, false, &object, &err),
			 0);
	return object;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(test_references)
{
	struct object *object = put(0, 100);
	int fd = object->fd;

	ck_assert_ptr_eq(store_find(&store, id(0)), object);
	ck_assert_ptr_null(store_find(&store, id(1)));
	ck_assert_uint_eq(store.used, 100);
	object_ref(object);
	object_unref(&store, object);
	ck_assert_uint_eq(store.used, 100);
	object_unref(&store, object);
	ck_assert_ptr_null(store_find(&store, id(0)));
	ck_assert_uint_eq(store.used, 0);
	ck_assert(!is_open(fd));
	object_unref(&store, NULL);
}
END_TEST

/* The same object again: one copy, one more reference. */
START_TEST(test_put_twice)
{
	struct object *object = put(0, 100), *again;
	int fd = memfd(100, SEALS);

	ck_assert_int_eq(store_put(&store, id(0), fd, 100, false, &again, &err), 0);
	ck_assert_ptr_eq(again, object);
	ck_assert(!is_open(fd));
	ck_assert_uint_eq(store.used, 100);
	object_unref(&store, object);
	ck_assert_ptr_nonnull(store_find(&store, id(0)));
}
END_TEST

START_TEST(test_limit)
{
	struct object *object;
	int fd = memfd(LIMIT, SEALS);

	put(0, 6000);
	ck_assert_int_eq(store_check_room(&store, 4000, &err), 0);
	ck_assert_int_eq(store_check_room(&store, 4001, &err), XC_ESTORE);
	ck_assert_ptr_nonnull(strstr(err.text, "4001"));
	ck_assert_ptr_nonnull(strstr(err.text, "6000"));
	ck_assert_ptr_nonnull(strstr(err.text, "10000"));
	ck_assert_int_eq(store_check_room(&store, UINT64_MAX, &err), XC_ESTORE);
	ck_assert_int_eq(store_put(&store, id(1), fd, LIMIT, false, &object, &err), XC_ESTORE);
	ck_assert(is_open(fd)); /* taken on success only */
	ck_assert_uint_eq(store.used, 6000);
	object_unref(&store, store_find(&store, id(0)));
	ck_assert_int_eq(store_put(&store, id(1), fd, LIMIT, false, &object, &err), 0);
}
END_TEST

/* Another agent's: it counts the bytes. */
START_TEST(test_borrowed)
{
	struct object *object;

	ck_assert_int_eq(
		store_put(&store, id(0), memfd(2 * LIMIT, SEALS), 2 * LIMIT, true, &object, &err),
		0);
	ck_assert_uint_eq(store.used, 0);
	object_unref(&store, object);
	ck_assert_uint_eq(store.used, 0);
}
END_TEST

START_TEST(test_what_could_change)
{
	static const int seals[] = { 0, SEALS & ~F_SEAL_WRITE, SEALS & ~F_SEAL_SHRINK,
				     SEALS & ~F_SEAL_GROW };
	struct object *object;
	int fd, pipe_fds[2];

	for (size_t i = 0; i < sizeof seals / sizeof *seals; i++) {
		fd = memfd(100, seals[i]);
		ck_assert_int_eq(store_put(&store, id(0), fd, 100, false, &object, &err), -EINVAL);
		close(fd);
	}
	fd = memfd(100, SEALS);
	ck_assert_int_eq(store_put(&store, id(0), fd, 101, false, &object, &err), -EINVAL);
	close(fd);
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(store_put(&store, id(0), pipe_fds[0], 0, false, &object, &err), -EINVAL);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	ck_assert_ptr_null(store.objects);
}
END_TEST

/* ---- Variables ------------------------------------------------------------------------- */

static unsigned char frame[ARRAY_HEADER_SIZE + 64];
static const double values[8] = { 1, 2, 3 };

static struct span small_array(int n)
{
	array_header_write(frame, XC_ARRAY_F64(values, n), NULL);
	memcpy(frame + ARRAY_HEADER_SIZE, values, 8 * (size_t)n);
	return (struct span){ frame, ARRAY_HEADER_SIZE + 8 * (size_t)n };
}

static struct span object_array(int object, int64_t n)
{
	array_header_write(frame, XC_ARRAY_F64(NULL, n), id(object));
	return (struct span){ frame, ARRAY_HEADER_SIZE };
}

static int set(const char *name, struct span array)
{
	return variable_set(&store, &table, span_of(name), array, &err);
}

START_TEST(test_set_and_unset)
{
	ck_assert_int_eq(set("X", small_array(3)), 0);
	ck_assert_int_eq(set("y", small_array(2)), 0);
	ck_assert_int_eq(set("X", small_array(1)), 0);
	ck_assert_uint_eq(HASH_COUNT(table), 2);
	ck_assert_ptr_nonnull(variable_at(table, 1));
	ck_assert_ptr_null(variable_at(table, 2));
	ck_assert_ptr_null(variable_at(table, UINT64_MAX));
	variable_unset(&store, &table, span_of("nobody"), false);
	ck_assert_uint_eq(HASH_COUNT(table), 2);
	variable_unset(&store, &table, span_of("y"), false);
	ck_assert_str_eq(variable_at(table, 0)->name, "X");
	ck_assert_uint_eq(variable_at(table, 0)->frame_size, ARRAY_HEADER_SIZE + 8);
	variable_unset(&store, &table, (struct span){ 0 }, false);
	ck_assert_ptr_null(table);
}
END_TEST

START_TEST(test_unset_by_prefix)
{
	static const char *const names[] = { "a", "a_", "a_1", "a_2.3@4", "b", "ba_" };
	static const char *const left[] = { "a", "b", "ba_" };
	struct object *object = put(0, 800);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_int_eq(set(names[i], object_array(0, 100)), 0);
	object_unref(&store, object);
	variable_unset(&store, &table, span_of("a_1111"), true);
	ck_assert_uint_eq(HASH_COUNT(table), 6);
	variable_unset(&store, &table, span_of("a_"), true);
	ck_assert_uint_eq(HASH_COUNT(table), 3);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_str_eq(variable_at(table, i)->name, left[i]);
	ck_assert_uint_eq(store.used, 800);
	variable_unset(&store, &table, (struct span){ 0 }, true);
	ck_assert_uint_eq(store.used, 0);
}
END_TEST

START_TEST(test_holds_its_object)
{
	struct object *object = put(0, 800);

	ck_assert_int_eq(set("X", object_array(0, 100)), 0);
	ck_assert_int_eq(set("same", object_array(0, 100)), 0);
	object_unref(&store, object);
	ck_assert_uint_eq(store.used, 800);
	ck_assert_int_eq(set("X", small_array(1)), 0);
	ck_assert_uint_eq(store.used, 800);
	variable_unset(&store, &table, span_of("same"), false);
	ck_assert_uint_eq(store.used, 0);
}
END_TEST

/* The same object set again must not go away in between. */
START_TEST(test_set_again)
{
	struct object *object = put(0, 800);

	ck_assert_int_eq(set("X", object_array(0, 100)), 0);
	object_unref(&store, object);
	ck_assert_int_eq(set("X", object_array(0, 100)), 0);
	ck_assert_uint_eq(store.used, 800);
}
END_TEST

START_TEST(test_no_variable)
{
	char name[257];

	memset(name, 'n', sizeof name);
	name[256] = '\0';
	ck_assert_int_eq(set("", small_array(1)), XC_EPROTO);
	ck_assert_int_eq(set(name, small_array(1)), XC_EPROTO);
	name[255] = '\0';
	ck_assert_int_eq(set(name, small_array(1)), 0);
	ck_assert_int_eq(set("X", (struct span){ "none", 4 }), XC_EPROTO);
	ck_assert_int_eq(set("X", object_array(5, 1)), -ENOENT);
	ck_assert_uint_eq(HASH_COUNT(table), 1);
}
END_TEST

/* An engine would map more than there is, and die of SIGBUS when it reads it. */
START_TEST(test_larger_than_its_object)
{
	put(0, 800);
	ck_assert_int_eq(set("X", object_array(0, 101)), XC_EPROTO);
	ck_assert_ptr_null(table);
	ck_assert_int_eq(set("X", object_array(0, 100)), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("store");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_references);
	tcase_add_test(tests, test_put_twice);
	tcase_add_test(tests, test_limit);
	tcase_add_test(tests, test_borrowed);
	tcase_add_test(tests, test_what_could_change);
	tcase_add_test(tests, test_set_and_unset);
	tcase_add_test(tests, test_unset_by_prefix);
	tcase_add_test(tests, test_holds_its_object);
	tcase_add_test(tests, test_set_again);
	tcase_add_test(tests, test_no_variable);
	tcase_add_test(tests, test_larger_than_its_object);
	return unit_run(tests);
}
