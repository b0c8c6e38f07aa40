/* test_handle.c: what a task may call, and what its runner is then asked. */
#include <errno.h>
#include <string.h>

#include "libcluster/task.h"
#include "tests/unit/unit.h"

static struct xc_array array = { .dtype = XC_F64, .ndim = 0 };
static int calls;
static size_t given;

static const struct xc_array *on_array(struct xc_task *task, const char *name)
{
	(void)task;
	return strcmp(name, "X") == 0 ? &array : NULL;
}

static int on_set(struct xc_task *task, const char *name, const struct xc_array *value)
{
	(void)task;
	(void)name;
	(void)value;
	calls++;
	return 0;
}

static int on_give(struct xc_task *task, const void *data, size_t size)
{
	(void)task;
	(void)data;
	given = size;
	calls++;
	return 0;
}

static const struct xc_task_ops ops = { .array = on_array, .set = on_set, .give = on_give };
static _Atomic uint64_t cancel;
static struct xc_task task;

static void begin(void)
{
	cancel = 0;
	calls = 0;
	task = (struct xc_task){ .ops = &ops,
				 .index = 5,
				 .in_size = 8,
				 .out_size = 24,
				 .engine = 3,
				 .attempt = 2,
				 .cancel = &cancel,
				 .cancel_value = 9,
				 .cancel_item = 77 };
}

START_TEST(test_facts)
{
	ck_assert_int_eq(xc_task_index(&task), 5);
	ck_assert_uint_eq(xc_task_in_size(&task), 8);
	ck_assert_uint_eq(xc_task_out_size(&task), 24);
	ck_assert_int_eq(xc_task_engine(&task), 3);
	ck_assert_int_eq(xc_task_attempt(&task), 2);
	ck_assert(!xc_task_is_cancelled(&task));
	cancel = 8; /* another slice */
	ck_assert(!xc_task_is_cancelled(&task));
	cancel = 76; /* another item */
	ck_assert(!xc_task_is_cancelled(&task));
	cancel = 77;
	ck_assert(xc_task_is_cancelled(&task));
	cancel = 9;
	ck_assert(xc_task_is_cancelled(&task));
}
END_TEST

START_TEST(test_fail)
{
	ck_assert_int_eq(xc_task_fail(&task, "row %d of %s", 7, "X"), XC_TASK_FAILED);
	ck_assert(task.has_text);
	ck_assert_str_eq(task.text, "row 7 of X");
	xc_task_fail(&task, "%02000d", 1);
	ck_assert_uint_eq(strlen(task.text), 1000);
	ck_assert_int_eq(xc_task_fail_text(&task, "100 %s"), XC_TASK_FAILED);
	ck_assert_str_eq(task.text, "100 %s");
	xc_task_fail_text(&task, NULL);
	ck_assert_str_eq(task.text, "");
}
END_TEST

START_TEST(test_variables)
{
	struct xc_array none = { .dtype = XC_F64, .ndim = 1, .shape = { 3 } };

	ck_assert_ptr_eq(xc_task_array(&task, "X"), &array);
	ck_assert_ptr_null(xc_task_array(&task, NULL));
	ck_assert(task.has_text);
	ck_assert_int_eq(xc_task_set(&task, "Y", &none), -EINVAL); /* no data */
	none.shape[0] = 0;
	ck_assert_int_eq(xc_task_set(&task, "Y", &none), 0);
	none.shape[0] = -1;
	ck_assert_int_eq(xc_task_set(&task, "Y", &none), -EINVAL);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(test_return)
{
	ck_assert_int_eq(xc_task_return(&task, "abc", 3), 0);
	ck_assert_uint_eq(given, 3);
	ck_assert_int_eq(xc_task_return(&task, NULL, 0), 0);
	ck_assert_int_eq(xc_task_return(&task, NULL, 1), -EINVAL);
	ck_assert_int_eq(calls, 2);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("handle");

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_test(tests, test_facts);
	tcase_add_test(tests, test_fail);
	tcase_add_test(tests, test_variables);
	tcase_add_test(tests, test_return);
	return unit_run(tests);
}
