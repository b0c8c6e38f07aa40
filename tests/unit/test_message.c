/* test_message.c: every message of the table: round trip, damage, documentation. */
#include <stdio.h>
#include <string.h>

#include "proto/message.h"
#include "tests/unit/unit.h"
#include "xcluster.h"

/* One entry a message: its fields as bytes that differ, packed and read back. */
struct trial {
	const char *name;
	uint64_t type;
	int fields;
	size_t (*pack)(void *buffer, size_t size, int variant);
	int (*get)(struct reader *r);
	bool (*same)(struct reader *r, int variant);
};

static const char filler[] = "the quick brown fox jumps over the lazy dog and runs away";

static uint64_t some_u64(int n, int variant)
{
	static const uint64_t values[] = { 0, 1, 300, UINT64_MAX };

	return variant < 4 ? values[(n + variant) % 4] : (uint64_t)n * 77777;
}

static int64_t some_i64(int n, int variant)
{
	static const int64_t values[] = { 0, -1, INT64_MIN, INT64_MAX };

	return variant < 4 ? values[(n + variant) % 4] : -(int64_t)n * 55555;
}

static double some_f64(int n, int variant)
{
	return n / 7.0 - variant;
}

static struct span some_str(int n, int variant)
{
	return (struct span){ filler, (size_t)(7 * n + 13 * variant) % sizeof filler };
}

#define some_bin some_str

static bool same_u64(uint64_t a, uint64_t b)
{
	return a == b;
}

static bool same_i64(int64_t a, int64_t b)
{
	return a == b;
}

static bool same_f64(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_str(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#define same_bin same_str

#define COUNT(type, name) +1
#define FILL(type, name)  m.name = some_##type(++n, variant);
#define SAME(type, name)  same = same_##type(m.name, some_##type(++n, variant)) && same;

#define TRIAL(upper, lower)                                                                        \
	static size_t pack_##lower(void *buffer, size_t size, int variant)                         \
	{                                                                                          \
		struct msg_##lower m;                                                              \
		int n = 0;                                                                         \
                                                                                                   \
		FIELDS_##upper(FILL) return msg_##lower##_pack(buffer, size, &m);                  \
	}                                                                                          \
	static int get_##lower(struct reader *r)                                                   \
	{                                                                                          \
		struct msg_##lower m;                                                              \
                                                                                                   \
		return msg_##lower##_get(r, &m);                                                   \
	}                                                                                          \
	static bool same_##lower(struct reader *r, int variant)                                    \
	{                                                                                          \
		struct msg_##lower m;                                                              \
		bool same = msg_##lower##_get(r, &m) == 0;                                         \
		int n = 0;                                                                         \
                                                                                                   \
		FIELDS_##upper(SAME) return same;                                                  \
	}

MESSAGE_STRUCTS(TRIAL)

#define ROW(upper, lower)                                                                          \
	{ #upper, MSG_##upper, 0 FIELDS_##upper(COUNT), pack_##lower, get_##lower, same_##lower },

static const struct trial trials[] = { MESSAGE_STRUCTS(ROW) };
#define TRIALS ((int)(sizeof trials / sizeof *trials))

static unsigned char header[HEADER_MAX];

START_TEST(test_round_trip)
{
	const struct trial *t = &trials[_i];

	for (int variant = 0; variant < 8; variant++) {
		size_t size = t->pack(header, sizeof header, variant);
		struct reader r;

		ck_assert_uint_gt(size, 0);
		ck_assert_uint_eq(message_type(&r, header, size), t->type);
		ck_assert_msg(t->same(&r, variant), "%s, variant %d", t->name, variant);
	}
}
END_TEST

START_TEST(test_cut_anywhere)
{
	const struct trial *t = &trials[_i];
	size_t size = t->pack(header, sizeof header, 4);

	for (size_t n = 0; n < size; n++) {
		unsigned char *copy = malloc(n ? n : 1);
		struct reader r;

		memcpy(copy, header, n);
		ck_assert_msg(!message_type(&r, copy, n) || t->get(&r) == XC_EPROTO,
			      "%s cut to %zu bytes", t->name, n);
		free(copy);
	}
}
END_TEST

START_TEST(test_no_room)
{
	const struct trial *t = &trials[_i];
	size_t size = t->pack(header, sizeof header, 3);

	for (size_t n = 0; n < size; n++)
		ck_assert_uint_eq(t->pack(header, n, 3), 0);
}
END_TEST

START_TEST(test_bytes_left_over)
{
	const struct trial *t = &trials[_i];
	size_t size = t->pack(header, sizeof header, 1);
	struct reader r;

	header[size] = 0;
	ck_assert(!message_type(&r, header, size + 1) || t->get(&r) == XC_EPROTO);
}
END_TEST

/* Writes the head of an array of that many elements: its size. */
static size_t put_count(unsigned char *bytes, int count)
{
	if (count <= 15) {
		bytes[0] = (unsigned char)(0x90 + count);
		return 1;
	}
	bytes[0] = 0xdc;
	bytes[1] = (unsigned char)(count >> 8);
	bytes[2] = (unsigned char)count;
	return 3;
}

/* The array says how many there are: one field more or less is no such message. */
START_TEST(test_field_count)
{
	const struct trial *t = &trials[_i];
	size_t size = t->pack(header, sizeof header, 1);
	unsigned char copy[HEADER_MAX], head[3];
	size_t old = put_count(head, 1 + t->fields), new;
	struct reader r;

	ck_assert_mem_eq(header, head, old);
	for (int change = -1; change <= 1; change += 2) {
		new = put_count(copy, 1 + t->fields + change);
		memcpy(copy + new, header + old, size - old);
		ck_assert_msg(!message_type(&r, copy, new + size - old) || t->get(&r) == XC_EPROTO,
			      "%s with a count of %+d", t->name, change);
	}
	/* and one that is there in truth */
	new = put_count(copy, 1 + t->fields + 1);
	memcpy(copy + new, header + old, size - old);
	copy[new + size - old] = 0xc2;
	ck_assert(!message_type(&r, copy, new + size - old + 1) || t->get(&r) == XC_EPROTO);
}
END_TEST

/* Each field in turn is something of another type. */
START_TEST(test_wrong_types)
{
	const struct trial *t = &trials[_i];
	unsigned char copy[HEADER_MAX];

	for (int wrong = 0; wrong < t->fields; wrong++) {
		size_t used = put_count(copy, 1 + t->fields), first;
		struct reader r;

		copy[used++] = (unsigned char)t->type;
		first = used;
		for (int i = 0; i < t->fields; i++)
			copy[used++] = 0xc0; /* nil: of no field's type */
		ck_assert_uint_eq(message_type(&r, copy, used), t->type);
		ck_assert_int_eq(t->get(&r), XC_EPROTO);
		copy[first + (size_t)wrong] = 0x91; /* a container */
		ck_assert_uint_eq(message_type(&r, copy, used), t->type);
		ck_assert_int_eq(t->get(&r), XC_EPROTO);
	}
}
END_TEST

START_TEST(test_table)
{
	uint64_t last = 0;
	int messages = 0;

#define CHECK(upper, number, from, raw)                                                            \
	ck_assert_uint_gt(number, last);                                                           \
	last = number;                                                                             \
	ck_assert_ptr_nonnull(message_info(number));                                               \
	ck_assert_str_eq(message_info(number)->name, #upper);                                      \
	ck_assert_uint_eq(message_info(number)->senders, (unsigned)(from));                        \
	ck_assert_int_eq(message_info(number)->frames, raw);                                       \
	ck_assert_int_le(raw, MESSAGE_FRAMES_MAX);                                                 \
	messages++;
	MESSAGES(CHECK)
#undef CHECK
	ck_assert_int_eq(messages, TRIALS);
	ck_assert_ptr_null(message_info(0));
	ck_assert_ptr_null(message_info(last + 1));
	ck_assert_ptr_null(message_info(UINT64_MAX));
}
END_TEST

START_TEST(test_no_message)
{
	static const unsigned char none[][4] = {
		{ 0x91, 0 },		    /* type 0 */
		{ 0x91, 0x7f },		    /* a type that is none */
		{ 0x91, 0xa1, 'x' },	    /* a text for a type */
		{ 1, 2, 3 },		    /* no array */
		{ 0xdf, 0xff, 0xff, 0xff }, /* a cut map */
	};
	struct reader r;

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		ck_assert_uint_eq(message_type(&r, none[i], sizeof none[i]), 0);
	ck_assert_uint_eq(message_type(&r, "", 0), 0);
}
END_TEST

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	size_t n;

	if (!file) {
		free(text);
		return NULL;
	}
	n = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	text[n] = '\0';
	return text;
}

/* "### NAME" at the beginning of a line, and nothing behind it that makes it
 * another name. */
static bool has_heading(const char *text, const char *name)
{
	char heading[64];
	size_t n = (size_t)snprintf(heading, sizeof heading, "\n### %s", name);

	for (const char *at = text; (at = strstr(at, heading)); at += n)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", at[n]) || !at[n])
			return true;
	return false;
}

START_TEST(test_documented)
{
	char *text = read_text(SOURCE_ROOT "/docs/protocol.md");

	ck_assert_msg(text != NULL, "docs/protocol.md is not there");
	ck_assert_msg(has_heading(text, trials[_i].name),
		      "docs/protocol.md has no section \"### %s\"", trials[_i].name);
	free(text);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("message");

	tcase_add_loop_test(tests, test_round_trip, 0, TRIALS);
	tcase_add_loop_test(tests, test_cut_anywhere, 0, TRIALS);
	tcase_add_loop_test(tests, test_no_room, 0, TRIALS);
	tcase_add_loop_test(tests, test_bytes_left_over, 0, TRIALS);
	tcase_add_loop_test(tests, test_field_count, 0, TRIALS);
	tcase_add_loop_test(tests, test_wrong_types, 0, TRIALS);
	tcase_add_test(tests, test_table);
	tcase_add_test(tests, test_no_message);
	tcase_add_loop_test(tests, test_documented, 0, TRIALS);
	return unit_run(tests);
}
