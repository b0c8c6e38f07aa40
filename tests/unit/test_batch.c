/* test_batch.c: single submissions go at once, or together with others. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

static const struct xc_map_options plain = XC_MAP_OPTIONS_INIT;
static struct xc_result *results[2000];
static int count, store;
static struct xc_error err;
static struct message m;
static struct msg_submit sent;
static int64_t out[2000];

static int task(struct xc_task *t, const void *in, void *result)
{
	(void)t;
	(void)in;
	(void)result;
	return 0;
}

static int other_task(struct xc_task *t, const void *in, void *result)
{
	(void)t;
	(void)in;
	(void)result;
	return 1;
}

/* As if this program were in the store already. */
static void ship_program(void)
{
	int pair[2];
	struct xci_shipped *shipped = calloc(1, sizeof *shipped);
	xc_task_fn *fn = task;

	shipped->key = xci_image_key(*(void **)&fn);
	shipped->image = calloc(1, sizeof *shipped->image);
	shipped->image->fd = -1;
	shipped->is_put = true;
	DL_APPEND(guest->shipped, shipped);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	guest->store = pair[0];
	store = pair[1];
}

static void begin(void)
{
	guest_open();
	ship_program();
	message_init(&m);
	count = 0;
	guest->up = 1;
}

static void end(void)
{
	for (int i = 0; i < count; i++)
		xc_result_destroy(results[i]);
	message_fini(&m);
	guest_close();
	close(store);
}

static void add(xc_task_fn *fn, int64_t in, const struct xc_map_options *options)
{
	struct xc_result *r =
		xci_batch_add(guest, fn, &in, sizeof in, &out[count], sizeof out[0], options, &err);

	ck_assert_msg(r != NULL, "%s", err.text);
	results[count++] = r;
}

/* The next job that was sent: its items, 0 if there is none. */
static int64_t sent_items(void)
{
	uint64_t type;

	do
		type = guest_sent(&m);
	while (type && type != MSG_SUBMIT);
	if (!type)
		return 0;
	ck_assert_int_eq(msg_submit_get(&m.fields, &sent), 0);
	return sent.items;
}

/* Engines with nothing to do get it at once, each in a job of its own. */
START_TEST(test_idle)
{
	add(task, 5, &plain);
	ck_assert_int_eq(sent_items(), 1);
	ck_assert_uint_eq(sent.form, FORM_STRIDED);
	ck_assert_uint_eq(sent.in_size, 8);
	ck_assert_mem_eq(zmq_msg_data(&m.frames[2]), (int64_t[]){ 5 }, 8);
	add(task, 6, &plain);
	ck_assert_int_eq(sent_items(), 1);
	ck_assert_uint_eq(sent.seq, 2);
}
END_TEST

static void make_busy(void)
{
	guest->singles = 100;
	guest->batch.since_ns = now_ns();
}

/* Busy engines: what comes until the next wait goes together, in order. */
START_TEST(test_busy)
{
	make_busy();
	for (int i = 0; i < 10; i++) {
		add(task, i, &plain);
		guest->batch.since_ns = now_ns(); /* however slow this machine is */
	}
	ck_assert_int_eq(sent_items(), 0);
	xci_pump(guest, 0);
	ck_assert_int_eq(sent_items(), 10);
	for (int64_t i = 0; i < 10; i++)
		ck_assert_mem_eq((char *)zmq_msg_data(&m.frames[2]) + 8 * i, &i, 8);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(results[i]->index, i);
	xci_pump(guest, 0);
	ck_assert_int_eq(sent_items(), 0);
}
END_TEST

/* Inputs of any sizes go together, too, then with their offsets. */
START_TEST(test_uneven)
{
	static const char *inputs[] = { "one", "", "three" };
	static const uint64_t offsets[] = { 0, 3, 3, 8 };

	make_busy();
	for (int i = 0; i < 3; i++) {
		results[count] = xci_batch_add(guest, task, inputs[i], strlen(inputs[i]),
					       &out[count], 8, &plain, &err);
		ck_assert_ptr_nonnull(results[count++]);
		guest->batch.since_ns = now_ns();
	}
	xci_pump(guest, 0);
	ck_assert_int_eq(sent_items(), 3);
	ck_assert_uint_eq(sent.form, FORM_PACKED);
	ck_assert_uint_eq(zmq_msg_size(&m.frames[2]), sizeof offsets + 8);
	ck_assert_mem_eq(zmq_msg_data(&m.frames[2]), offsets, sizeof offsets);
	ck_assert_mem_eq((char *)zmq_msg_data(&m.frames[2]) + sizeof offsets, "onethree", 8);
	for (int i = 0; i < 2; i++) { /* and the next ones in a row again */
		add(task, i, &plain);
		guest->batch.since_ns = now_ns();
	}
	xci_pump(guest, 0);
	ck_assert_int_eq(sent_items(), 2);
	ck_assert_uint_eq(sent.form, FORM_STRIDED);
	ck_assert_uint_eq(sent.in_size, 8);
}
END_TEST

START_TEST(test_results_of_each)
{
	int64_t values[10];

	make_busy();
	for (int i = 0; i < 10; i++) {
		values[i] = 100 + i;
		add(task, i, &plain);
		guest->batch.since_ns = now_ns();
	}
	xci_pump(guest, 0);
	ck_assert_int_eq(guest_result((struct msg_result){ .count = 10, .final = 1 },
				      (struct span){ NULL, 0 },
				      (struct span){ values, sizeof values }),
			 0);
	for (int i = 0; i < 10; i++) {
		ck_assert(results[i]->is_ready);
		ck_assert_int_eq(out[i], 100 + i);
	}
	ck_assert_int_eq(guest->singles, 100);
}
END_TEST

/* Another function or other options: another job, after the first. */
START_TEST(test_not_the_same)
{
	struct xc_map_options labelled = { .label = "b" };

	make_busy();
	add(task, 1, &plain);
	add(other_task, 2, &plain);
	ck_assert_int_eq(sent_items(), 1);
	add(other_task, 3, &labelled);
	xci_pump(guest, 0);
	ck_assert_int_ge(sent_items(), 1);
	ck_assert_int_eq(sent_items(), 1);
	ck_assert_mem_eq(sent.label.data, "b", 1);
	ck_assert_int_eq(sent_items(), 0);
}
END_TEST

START_TEST(test_bounded)
{
	int64_t n, total = 0;

	make_busy();
	for (int i = 0; i < 1500; i++) {
		add(task, i, &plain);
		guest->batch.since_ns = now_ns();
	}
	xci_pump(guest, 0);
	while ((n = sent_items()) > 0) {
		ck_assert_int_le(n, 512);
		total += n;
	}
	ck_assert_int_eq(total, 1500);
}
END_TEST

START_TEST(test_too_old)
{
	make_busy();
	add(task, 1, &plain);
	sent_items();
	add(task, 2, &plain);
	guest->batch.since_ns -= 1000000000;
	add(task, 3, &plain);
	ck_assert_int_ge(sent_items(), 1);
}
END_TEST

/* Destroyed before it was sent: its item goes, and nobody hears of it. */
START_TEST(test_destroyed)
{
	make_busy();
	for (int i = 0; i < 3; i++) {
		add(task, i, &plain);
		guest->batch.since_ns = now_ns();
	}
	xc_result_destroy(results[1]);
	results[1] = NULL;
	xci_pump(guest, 0);
	ck_assert_int_eq(sent_items(), 3);
	ck_assert_int_eq(guest->singles, 102);
}
END_TEST

/* A job that comes next must not overtake what is held back. */
START_TEST(test_order_of_submission)
{
	struct xc_result *job;

	make_busy();
	add(task, 1, &plain);
	job = xc_map_range_async(xc_balanced(guest), task, 7, out, sizeof *out, NULL, &err);
	ck_assert_ptr_nonnull(job);
	ck_assert_int_eq(sent_items(), 1);
	ck_assert_int_eq(sent_items(), 7);
	xc_result_destroy(job);
}
END_TEST

START_TEST(test_lost)
{
	int64_t in = 1;

	guest->is_lost = true;
	ck_assert_ptr_null(xci_batch_add(guest, task, &in, 8, out, 8, &plain, &err));
	ck_assert_int_eq(err.code, XC_ELOST);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("batch");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_idle);
	tcase_add_test(tests, test_busy);
	tcase_add_test(tests, test_uneven);
	tcase_add_test(tests, test_results_of_each);
	tcase_add_test(tests, test_not_the_same);
	tcase_add_test(tests, test_bounded);
	tcase_add_test(tests, test_too_old);
	tcase_add_test(tests, test_destroyed);
	tcase_add_test(tests, test_order_of_submission);
	tcase_add_test(tests, test_lost);
	return unit_run(tests);
}
