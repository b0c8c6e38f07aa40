/* test_status.c: the controller's report. */
#include <jansson.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engine;

static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(2);
	engine = desk_engine(agent, 0, 1);
}

static json_t *report(void)
{
	struct msg_report answer;
	json_t *root;

	DESK_SEND(client, query, .id = 5);
	answer = DESK_EXPECT(client, REPORT, report);
	ck_assert_uint_eq(answer.id, 5);
	root = json_loadb(zmq_msg_data(&client->m.frames[0]), zmq_msg_size(&client->m.frames[0]), 0,
			  NULL);
	ck_assert_ptr_nonnull(root);
	return root;
}

static json_int_t number(const json_t *root, const char *a, const char *b)
{
	return json_integer_value(json_object_get(json_object_get(root, a), b));
}

static const char *word(const json_t *root, const char *list, size_t i, const char *name)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(root, list), i), name));
}

START_TEST(test_report)
{
	json_t *root, *job;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 10 });
	root = report();
	ck_assert_uint_eq(json_array_size(json_object_get(root, "engines")), 2);
	ck_assert_str_eq(word(root, "engines", 0, "state"), "busy");
	ck_assert_str_eq(word(root, "engines", 1, "state"), "starting");
	ck_assert_str_eq(word(root, "agents", 0, "host"), "here");
	ck_assert_int_eq(json_integer_value(json_object_get(root, "clients")), 1);
	ck_assert_int_eq(number(root, "queue", "items"), 80);
	ck_assert_int_eq(number(root, "queue", "slices"), 2);
	job = json_array_get(json_object_get(root, "jobs"), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(job, "running")), 20);
	ck_assert_str_eq(json_string_value(json_object_get(job, "label")), "label");
	ck_assert_int_gt(json_integer_value(json_object_get(root, "rss")), 0);
	json_decref(root);
}
END_TEST

START_TEST(test_engine_words)
{
	json_t *root = report();

	ck_assert_str_eq(word(root, "engines", 0, "state"), "idle");
	json_decref(root);
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
		  .restarting = 1, .text = span_of("why"));
	DESK_SEND(agent, down, .slot = 1, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
		  .text = span_of("why"));
	root = report();
	ck_assert_str_eq(word(root, "engines", 0, "state"), "down");
	ck_assert_str_eq(word(root, "engines", 1, "state"), "failed");
	ck_assert_str_eq(word(root, "engines", 1, "reason"), "engine 1: why");
	json_decref(root);
	(void)engine;
}
END_TEST

/* Two engines of a host with three cores. */
START_TEST(test_warnings)
{
	json_t *root;

	desk.agents->cores = desk.agents->usable = 3;
	desk_engine(agent, 1, 1);
	DESK_SEND(engine, threads, .threads = 2);
	root = report();
	ck_assert_int_eq(json_integer_value(json_object_get(
				 json_array_get(json_object_get(root, "engines"), 0), "threads")),
			 2);
	ck_assert_uint_eq(json_array_size(json_object_get(root, "warnings")), 0);
	json_decref(root);
	DESK_SEND(engine, threads, .threads = 3);
	root = report();
	ck_assert_uint_eq(json_array_size(json_object_get(root, "warnings")), 1);
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_array_get(json_object_get(root, "warnings"), 0)),
		       "2 x 1 to 3, which is 4, for 3"));
	json_decref(root);
	DESK_SEND(engine, threads, .threads = UINT64_MAX); /* nonsense is nothing */
	root = report();
	ck_assert_uint_eq(json_array_size(json_object_get(root, "warnings")), 0);
	json_decref(root);
}
END_TEST

/* A stranger's label need not be text: the job is listed all the same. */
START_TEST(test_bytes_that_are_no_text)
{
	struct span frames[3] = { span_of("task"), { NULL, 0 }, { NULL, 0 } };
	json_t *root;

	DESK_SEND_FRAMES(client, submit, frames, 3, .seq = 1, .job = 1, .items = 100, .chunk = 1,
			 .max_attempts = 1, .label = span_of("\xff\xfe"));
	root = report();
	ck_assert_uint_eq(json_array_size(json_object_get(root, "jobs")), 1);
	json_decref(root);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("status");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_report);
	tcase_add_test(tests, test_engine_words);
	tcase_add_test(tests, test_warnings);
	tcase_add_test(tests, test_bytes_that_are_no_text);
	return unit_run(tests);
}
