/* test_records.c: lists of jobs, and orders about them. */
#include <errno.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engine;
static uint64_t record, seq, query;

static void begin(void)
{
	desk_open();
	desk.history.max = 10;
	desk.history.kept_max = 1 << 20;
	client = desk_client();
	agent = desk_agent(1);
	engine = desk_engine(agent, 0, 1);
	record = seq = query = 0;
}

static void submit(int64_t items)
{
	seq++;
	desk_submit(client,
		    (struct desk_job){ .seq = seq, .job = seq, .items = items, .chunk = 1 });
}

static void do_slice(void)
{
	struct msg_slice slice = DESK_EXPECT(engine, SLICE, slice);

	desk_done(engine, &slice, ++record, 0, slice.count, true);
}

static struct msg_answer answer(void)
{
	struct msg_answer m;

	while (desk_next(client) != MSG_ANSWER)
		ck_assert_uint_ne(client->m.type, 0);
	ck_assert_int_eq(msg_answer_get(&client->m.fields, &m), 0);
	ck_assert_uint_eq(m.id, query);
	return m;
}

struct entry {
	uint64_t number;
	char state[16];
	int64_t done;
	double submitted, started, finished;
};

static int list(struct msg_jobs m, struct entry *entries)
{
	unsigned char header[512];
	struct msg_answer a;
	struct reader r;

	m.id = ++query;
	desk_send(client, header, msg_jobs_pack(header, sizeof header, &m), NULL, 0);
	a = answer();
	ck_assert_int_eq(a.code, 0);
	reader_init(&r, zmq_msg_data(&client->m.frames[0]), zmq_msg_size(&client->m.frames[0]));
	for (uint64_t i = 0; i < a.count; i++) {
		ck_assert_mem_eq(get_bin(&r).data, client->session, OWNER_SIZE);
		entries[i].number = get_u64(&r);
		ck_assert_uint_eq(get_str(&r).size, strlen("label"));
		ck_assert_uint_eq(get_str(&r).size, strlen("test"));
		span_copy(entries[i].state, sizeof entries[i].state, get_str(&r));
		get_i64(&r);
		entries[i].done = get_i64(&r);
		get_i64(&r);
		get_i64(&r);
		entries[i].submitted = get_f64(&r);
		entries[i].started = get_f64(&r);
		entries[i].finished = get_f64(&r);
		get_u64(&r);
		get_u64(&r);
		get_u64(&r);
	}
	ck_assert(reader_is_done(&r));
	return (int)a.count;
}

START_TEST(test_states)
{
	static const char *const expected[] = { "queued", "cancelled", "running", "done" };
	struct entry e[10];
	int n;

	submit(1);
	do_slice();
	submit(9);
	submit(2);
	DESK_SEND(client, cancel, .seq = ++seq, .job = 3, .count = 2);
	submit(4);
	n = list((struct msg_jobs){ 0 }, e);
	ck_assert_int_eq(n, 4);
	for (int i = 0; i < n; i++) {
		ck_assert_str_eq(e[i].state, expected[i]);
		ck_assert_int_eq(list((struct msg_jobs){ .state = span_of(expected[i]) }, e + 4),
				 1);
		if (i > 0)
			ck_assert_double_le(e[i].submitted, e[i - 1].submitted);
	}
	ck_assert_double_gt(e[3].finished, e[3].submitted);
	ck_assert_double_eq(e[2].finished, 0);
	ck_assert_double_gt(e[2].started, 1e9);
	ck_assert_double_eq(e[0].started, 0);
	ck_assert_int_eq(list((struct msg_jobs){ .max = 2 }, e), 2);
	ck_assert_uint_eq(e[0].number, 5);
	ck_assert_int_eq(list((struct msg_jobs){ .label = span_of("l*") }, e), 4);
	ck_assert_int_eq(list((struct msg_jobs){ .label = span_of("l") }, e), 0);
	ck_assert_int_eq(list((struct msg_jobs){ .until = 1 }, e), 0);
	DESK_SEND(client, cancel, .seq = ++seq, .job = 2, .count = 9);
	ck_assert_int_eq(list((struct msg_jobs){ .state = span_of("cancelling") }, e), 1);
}
END_TEST

static struct msg_answer manage(enum manage what, uint64_t number, int64_t index)
{
	DESK_SEND(client, manage, .id = ++query, .what = what,
		  .owner = { client->session, OWNER_SIZE }, .number = number, .index = index);
	return answer();
}

START_TEST(test_purge)
{
	for (int i = 0; i < 3; i++) {
		submit(1);
		do_slice();
	}
	submit(1);
	ck_assert_int_eq(manage(MANAGE_PURGE, 9, -1).code, -ENOENT);
	ck_assert_int_eq(manage(MANAGE_PURGE, 4, -1).code, -EBUSY);
	ck_assert_int_eq(manage(MANAGE_PURGE, 1, 0).code, -EINVAL);
	ck_assert_uint_eq(manage(MANAGE_PURGE, 1, -1).count, 1);
	ck_assert_int_eq(manage(MANAGE_PURGE, 1, -1).code, -ENOENT);
	ck_assert_uint_eq(manage(MANAGE_PURGE_ALL, 0, -1).count, 2);
	ck_assert_uint_eq(manage(MANAGE_PURGE_ALL, 0, -1).count, 0);
	ck_assert_int_eq(desk.history.count, 0);
	ck_assert_ptr_null(desk.history.fat);
	ck_assert_ptr_nonnull(desk.clients->jobs);
}
END_TEST

START_TEST(test_cancel)
{
	desk_submit(client,
		    (struct desk_job){
			    .seq = 1, .job = 1, .items = 9, .chunk = 1, .flags = JOB_APART });
	ck_assert_int_eq(manage(MANAGE_CANCEL, 1, 9).code, -ENOENT);
	ck_assert_uint_eq(manage(MANAGE_CANCEL, 1, 8).count, 1);
	ck_assert_int_eq(desk.clients->jobs->ended, 1);
	ck_assert(!desk.clients->jobs->cancelled);
	ck_assert_int_eq(manage(MANAGE_CANCEL_RUNNING, 1, -1).code, 0);
	ck_assert(desk.clients->jobs->cancelled);
	do_slice();
	do_slice();
	ck_assert_int_eq(manage(MANAGE_CANCEL, 1, -1).code, -EALREADY);
}
END_TEST

/* Items have ended, but the engine's last word on their slice is to come: the client,
 * who was told that they have, may do with the job what is done with ended ones. */
START_TEST(test_ended_before_the_last_word)
{
	struct msg_slice slices[2];
	struct entry e[10];

	for (int i = 0; i < 2; i++) {
		submit(1);
		slices[i] = DESK_EXPECT(engine, SLICE, slice);
		desk_done(engine, &slices[i], ++record, 0, 1, false);
	}
	ck_assert_int_eq(list((struct msg_jobs){ .state = span_of("done") }, e), 2);
	ck_assert_double_ge(e[0].finished, e[0].submitted);
	ck_assert_int_eq(desk.history.count, 0);
	DESK_SEND(client, attach, .seq = ++seq, .job = 7, .owner = { client->session, OWNER_SIZE },
		  .number = 1, .again = 1, .index = -1);
	while (desk_next(client) != MSG_ATTACHED)
		ck_assert_uint_ne(client->m.type, 0);
	ck_assert_int_eq(list((struct msg_jobs){ .label = span_of("label") }, e), 3);
	ck_assert_uint_eq(manage(MANAGE_PURGE, 1, -1).count, 1);
	ck_assert_int_eq(manage(MANAGE_PURGE, 1, -1).code, -ENOENT);
	ck_assert_uint_eq(manage(MANAGE_PURGE_ALL, 0, -1).count, 1);
	ck_assert_uint_eq(manage(MANAGE_PURGE_ALL, 0, -1).count, 0);
	ck_assert_int_eq(list((struct msg_jobs){ 0 }, e), 1);
	ck_assert_uint_eq(e[0].number, 7);
	ck_assert_uint_eq(HASH_COUNT(desk.clients->jobs), 3);
	desk_done(engine, &slices[0], ++record, 1, 0, true);
	desk_done(engine, &slices[1], ++record, 1, 0, true);
	ck_assert_uint_eq(HASH_COUNT(desk.clients->jobs), 1);
	ck_assert_int_eq(desk.history.count, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("records");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_states);
	tcase_add_test(tests, test_purge);
	tcase_add_test(tests, test_cancel);
	tcase_add_test(tests, test_ended_before_the_last_word);
	return unit_run(tests);
}
