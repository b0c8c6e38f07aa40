/* test_view.c: which engines there are, and which a call goes to. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

static struct guest_frame engines, agents;
static struct xc_error err;

static void begin(void)
{
	guest_open();
	engines.size = agents.size = 0;
	memset(&err, 0, sizeof err);
}

static int roster(uint64_t starting)
{
	int r = guest_roster(starting, guest_span(&engines), guest_span(&agents));

	engines.size = agents.size = 0;
	return r;
}

static void five_engines(void)
{
	guest_add_engine(&engines, 0, XCI_UP, "");
	guest_add_engine(&engines, 1, XCI_STARTING, "");
	guest_add_engine(&engines, 2, XCI_DOWN, "engine 2: killed");
	guest_add_engine(&engines, 4, XCI_UP, "");
	guest_add_engine(&engines, 3, XCI_GONE, "engine 3: exited");
	ck_assert_int_eq(roster(2), 0);
}

/* ---- The roster ------------------------------------------------------------------------- */

START_TEST(test_counts)
{
	int ids[3] = { -1, -1, -1 };

	five_engines();
	ck_assert_int_eq(xc_engine_count(guest), 2);
	ck_assert_int_eq(xc_engine_ids(guest, ids, 1), 2);
	ck_assert_int_eq(ids[0], 0);
	ck_assert_int_eq(ids[1], -1);
	ck_assert_int_eq(xc_engine_ids(guest, ids, 3), 2);
	ck_assert_int_eq(ids[1], 4);
	ck_assert_int_eq(xc_view_size(xc_all(guest)), 3); /* who is down comes back */
	guest_add_engine(&engines, 0, XCI_GONE, "");
	guest_add_engine(&engines, 1, XCI_UP, "");
	guest_add_engine(&engines, 2, XCI_UP, "");
	guest_add_engine(&engines, 2, XCI_UP, ""); /* twice is once */
	ck_assert_int_eq(roster(0), 0);
	ck_assert_int_eq(xc_engine_count(guest), 3);
	ck_assert_int_eq(xc_view_size(xc_balanced(guest)), 3);
}
END_TEST

START_TEST(test_agents)
{
	guest_add_agent(&agents, "here", "/a", 1);
	guest_add_agent(&agents, "there", "/b", 2);
	ck_assert_int_eq(roster(0), 0);
	ck_assert_int_eq(guest->agent_count, 2);
	ck_assert_str_eq(guest->agents[1].host, "there");
	ck_assert_str_eq(guest->agents[1].store, "/b");
	ck_assert_int_eq(roster(0), 0);
	ck_assert_int_eq(guest->agent_count, 0);
}
END_TEST

/* What was put into a store is gone with its agent. */
START_TEST(test_agent_gone)
{
	struct xci_shipped *shipped = calloc(1, sizeof *shipped);

	shipped->is_put = true;
	shipped->prev = shipped; /* a list of one */
	guest->shipped = shipped;
	guest->store = dup(0);
	memset(guest->store_session, 1, SESSION_SIZE);
	guest_add_agent(&agents, "here", "/a", 1);
	roster(0);
	ck_assert(shipped->is_put && guest->store >= 0);
	guest_add_agent(&agents, "here", "/a", 2);
	roster(0);
	ck_assert(!shipped->is_put);
	ck_assert_int_eq(guest->store, -1);
	guest->shipped = NULL;
	free(shipped);
}
END_TEST

START_TEST(test_roster_that_cannot_be)
{
	five_engines();
	switch (_i) {
	case 0:
		guest_add_engine(&engines, UINT64_MAX, XCI_UP, "");
		break;
	case 1:
		guest_add_engine(&engines, 0, XCI_SHUT + 1, "");
		break;
	case 2:
		guest_add_engine(&engines, 0, XCI_UP, "cut");
		engines.size -= 2;
		break;
	case 3:
		guest_add_agent(&agents, "here", "/a", 1);
		agents.size -= 1;
		break;
	default:
		memset(agents.bytes, 0xc1, 9);
		agents.size = 9;
	}
	ck_assert_int_eq(roster(0), XC_EPROTO);
	ck_assert_int_eq(xc_engine_count(guest), 2);
}
END_TEST

/* Fewer agents than before, and then nonsense: none that is not there is looked at. */
START_TEST(test_agents_cut_short)
{
	guest->store = dup(0);
	for (int i = 1; i < 20; i++)
		guest_add_agent(&agents, "here", "/a", i);
	memset(guest->store_session, 19, SESSION_SIZE);
	ck_assert_int_eq(roster(0), 0);
	guest_add_agent(&agents, "here", "/a", 1);
	agents.bytes[agents.size++] = 0xc1;
	ck_assert_int_eq(roster(0), XC_EPROTO);
	ck_assert_int_eq(guest->store, -1);
}
END_TEST

START_TEST(test_wait_for_engines)
{
	five_engines();
	ck_assert_int_eq(xc_wait_for_engines(guest, 2, 0, &err), 0);
	ck_assert_int_eq(xc_wait_for_engines(guest, 3, 0, &err), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.text, "2 of 3"));
	/* One had failed before: the next may be on their way. */
	ck_assert_int_eq(xc_wait_for_engines(guest, 5, 0, &err), -ETIMEDOUT);
	ck_assert_int_eq(xc_wait_for_engines(guest, -1, 0, &err), -EINVAL);
}
END_TEST

/* ---- Views --------------------------------------------------------------------------------- */

START_TEST(test_list)
{
	const struct xc_view *view = NULL;
	uint32_t *ids;
	int n;

	five_engines();
	ck_assert_int_eq(xc_engines(guest, (int[]){ 4, 0 }, 2, &view, &err), 0);
	ck_assert_int_eq(xc_view_size(view), 2);
	ck_assert_int_eq(xci_view_targets(view, &ids, &n, &err), 0);
	ck_assert_int_eq(n, 2);
	ck_assert_uint_eq(ids[0], 4);
	ck_assert_uint_eq(ids[1], 0);
	free(ids);
}
END_TEST

static const struct {
	int ids[2], n, code;
} bad_lists[] = {
	{ { 0 }, 0, -EINVAL },		{ { 0 }, -1, -EINVAL },	    { { 0, 0 }, 2, -EINVAL },
	{ { 1 }, 1, XC_ENOENGINE },	{ { 3 }, 1, XC_ENOENGINE }, { { 9 }, 1, XC_ENOENGINE },
	{ { 0, -1 }, 2, XC_ENOENGINE },
};

START_TEST(test_bad_list)
{
	const struct xc_view *view = NULL;

	five_engines();
	ck_assert_int_eq(xc_engines(guest, bad_lists[_i].ids, bad_lists[_i].n, &view, &err),
			 bad_lists[_i].code);
	ck_assert_ptr_null(view);
	ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(test_all)
{
	uint32_t *ids;
	int n;

	ck_assert_int_eq(xci_view_targets(xc_all(guest), &ids, &n, &err), XC_ENOENGINE);
	five_engines();
	ck_assert_int_eq(xci_view_targets(xc_all(guest), &ids, &n, &err), 0);
	ck_assert_int_eq(n, 3);
	ck_assert_uint_eq(ids[0], 0);
	ck_assert_uint_eq(ids[1], 2);
	ck_assert_uint_eq(ids[2], 4);
	free(ids);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("view");

	tcase_add_checked_fixture(tests, begin, guest_close);
	tcase_add_test(tests, test_counts);
	tcase_add_test(tests, test_agents);
	tcase_add_test(tests, test_agent_gone);
	tcase_add_loop_test(tests, test_roster_that_cannot_be, 0, 5);
	tcase_add_test(tests, test_agents_cut_short);
	tcase_add_test(tests, test_wait_for_engines);
	tcase_add_test(tests, test_list);
	tcase_add_loop_test(tests, test_bad_list, 0, 7);
	tcase_add_test(tests, test_all);
	return unit_run(tests);
}
