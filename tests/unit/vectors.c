/* vectors.c: reading and comparing reference values. */
#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/vectors.h"

/* Of one file more are counted, but not said. */
#define REASONS 5

static const char *running_file;
static size_t running_case;
static bool case_failed;
static int reasons;
static size_t all_cases, all_passed;
static size_t files, files_read; /* asked for; gone through to the end */

/* Of the running case. */
struct room {
	struct room *next;
	_Alignas(16) uint8_t bytes[];
};
static struct room *rooms;

/* ---- Cases ---- */

void vectors_fail(const char *format, ...)
{
	va_list arguments;

	case_failed = true;
	if (reasons++ >= REASONS)
		return;
	printf("%s: case %zu: ", running_file, running_case);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

void *vectors_room(size_t n, size_t size)
{
	struct room *room = calloc(1, sizeof *room + n * size);

	ck_assert_ptr_nonnull(room);
	room->next = rooms;
	rooms = room;
	return room->bytes;
}

static void end_case(void)
{
	while (rooms) {
		struct room *next = rooms->next;

		free(rooms);
		rooms = next;
	}
}

static void path_of(const char *file, char *path, size_t size)
{
	const char *folder = getenv("XC_VECTORS");

	snprintf(path, size, "%s/%s", folder ? folder : SOURCE_ROOT "/tests/vectors", file);
}

/* N.B. a folder without any vectors is a mistake, not one without these. */
void vectors_may_lack(const char *file)
{
	char path[4096], other[4096];

	path_of(file, path, sizeof path);
	path_of("seedseq.json", other, sizeof other);
	if (!getenv("XC_VECTORS") || access(path, F_OK) == 0 || access(other, F_OK) < 0)
		return;
	printf("%s is not there: the one beside these tests is taken\n", path);
	unsetenv("XC_VECTORS");
}

static json_t *load(const char *file)
{
	char path[4096];
	json_error_t error;
	json_t *root;

	path_of(file, path, sizeof path);
	root = json_load_file(path, 0, &error);
	if (!root)
		ck_abort_msg("%s: %s, line %d", path, error.text, error.line);
	return root;
}

void vectors_run(const char *file, void (*check)(json_t *file, json_t *kase))
{
	json_t *root, *cases;
	size_t passed = 0, count;

	running_file = file;
	running_case = 0;
	reasons = 0;
	files++;
	root = load(file);
	cases = vectors_list(root, "cases");
	count = json_array_size(cases);
	/* Before any of them is checked: that may end the test. */
	all_cases += count;
	for (size_t i = 0; i < count; i++) {
		running_case = i;
		case_failed = false;
		check(root, json_array_get(cases, i));
		end_case();
		passed += !case_failed;
		all_passed += !case_failed;
	}
	json_decref(root);
	printf("%s: %zu of %zu cases passed\n", file, passed, count);
	files_read++;
	ck_assert_uint_eq(passed, count);
}

bool vectors_total(void)
{
	printf("%zu of %zu cases passed", all_passed, all_cases);
	if (files_read < files)
		printf(" in what could be read: %zu of %zu files could not, or not to their ends",
		       files - files_read, files);
	putchar('\n');
	return all_cases && all_passed == all_cases && files_read == files;
}

/* ---- Reading ---- */

json_t *vectors_member(json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	if (!member)
		ck_abort_msg("%s: case %zu has no \"%s\"", running_file, running_case, name);
	return member;
}

json_t *vectors_list(json_t *object, const char *name)
{
	json_t *list = vectors_member(object, name);

	if (json_array_size(list) == 0)
		ck_abort_msg("%s: case %zu: \"%s\" is no list, or an empty one", running_file,
			     running_case, name);
	return list;
}

const char *vectors_text(json_t *object, const char *name)
{
	const char *text = json_string_value(vectors_member(object, name));

	if (!text)
		ck_abort_msg("%s: case %zu: \"%s\" is no text", running_file, running_case, name);
	return text;
}

static void negate(uint64_t words[VECTORS_WORDS])
{
	bool carry = true;

	for (int i = 0; i < VECTORS_WORDS; i++) {
		words[i] = ~words[i] + carry;
		carry = carry && !words[i];
	}
}

void vectors_number(const char *text, uint64_t words[VECTORS_WORDS])
{
	const char *digit = text + (*text == '-');

	memset(words, 0, VECTORS_WORDS * sizeof *words);
	for (; *digit; digit++) {
		unsigned __int128 carry = (unsigned int)(*digit - '0');

		ck_assert_msg(*digit >= '0' && *digit <= '9', "%s is no number", text);
		for (int i = 0; i < VECTORS_WORDS; i++) {
			carry += (unsigned __int128)words[i] * 10;
			words[i] = (uint64_t)carry;
			carry >>= 64;
		}
	}
	if (*text == '-')
		negate(words);
}

uint64_t vectors_u64(json_t *value)
{
	uint64_t words[VECTORS_WORDS];

	if (json_is_integer(value))
		return (uint64_t)json_integer_value(value);
	ck_assert_msg(json_is_string(value), "%s: case %zu: a number is none", running_file,
		      running_case);
	vectors_number(json_string_value(value), words);
	return words[0];
}

size_t vectors_count(json_t *object, const char *name)
{
	return vectors_u64(vectors_member(object, name));
}

enum xc_bitgen vectors_bitgen(json_t *kase)
{
	const char *name = vectors_text(kase, "bitgen");

	if (strcmp(name, "PCG64") == 0)
		return XC_PCG64;
	if (strcmp(name, "PCG64DXSM") == 0)
		return XC_PCG64DXSM;
	ck_assert_str_eq(name, "Philox");
	return XC_PHILOX;
}

/* A number of any size as words, the least significant first, at least one: how many. */
static size_t to_words(const char *text, uint32_t *words)
{
	size_t count = 1;

	ck_assert_msg(text != NULL, "%s: case %zu: entropy and keys are texts", running_file,
		      running_case);
	words[0] = 0;
	for (; *text; text++) {
		uint64_t carry = (uint64_t)(*text - '0');

		ck_assert_msg(*text >= '0' && *text <= '9', "no number stands at %s", text);
		for (size_t i = 0; i < count; i++) {
			carry += (uint64_t)words[i] * 10;
			words[i] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			words[count++] = (uint32_t)carry;
	}
	return count;
}

/* The words of all items joined; nine digits have one at most. */
static uint32_t *list_to_words(json_t *list, size_t *count)
{
	size_t room = 0;
	uint32_t *words;

	for (size_t i = 0; i < json_array_size(list); i++)
		room += json_string_length(json_array_get(list, i)) / 9 + 1;
	words = vectors_room(room, sizeof *words);
	*count = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		*count += to_words(json_string_value(json_array_get(list, i)), words + *count);
	return words;
}

struct xc_seedseq *vectors_seedseq(json_t *entropy, json_t *spawn_key, json_t *pool_size)
{
	size_t words, key_words;
	uint32_t *entropy_words = list_to_words(entropy, &words);
	uint32_t *key = list_to_words(spawn_key, &key_words);
	struct xc_seedseq *seq;

	ck_assert_int_eq(xc_seedseq_new(&seq, entropy_words, words, key, key_words,
					(size_t)json_integer_value(pool_size), NULL),
			 0);
	return seq;
}

struct xc_rng *vectors_generator(json_t *kase)
{
	json_t *seed = vectors_member(kase, "seed");
	struct xc_seedseq *seq =
		vectors_seedseq(vectors_member(seed, "entropy"), vectors_member(seed, "spawn_key"),
				vectors_member(seed, "pool_size"));
	struct xc_rng *rng;

	ck_assert_int_eq(xc_rng_from(&rng, vectors_bitgen(kase), seq, NULL), 0);
	xc_seedseq_free(seq);
	return rng;
}

/* ---- Comparing ---- */

static bool has_length(const char *what, json_t *expected, size_t n)
{
	if (json_array_size(expected) == n)
		return true;
	vectors_fail("%s: %zu values are expected, not %zu", what, json_array_size(expected), n);
	return false;
}

void vectors_expect_u64(const char *what, json_t *expected, const uint64_t *words, size_t n)
{
	if (!has_length(what, expected, n))
		return;
	for (size_t i = 0; i < n; i++) {
		if (vectors_u64(json_array_get(expected, i)) == words[i])
			continue;
		vectors_fail("%s[%zu] is %" PRIu64 ", not %s", what, i, words[i],
			     json_string_value(json_array_get(expected, i)));
		return;
	}
}

void vectors_expect_u32(const char *what, json_t *expected, const uint32_t *words, size_t n)
{
	uint64_t *wide = vectors_room(n, sizeof *wide);

	for (size_t i = 0; i < n; i++)
		wide[i] = words[i];
	vectors_expect_u64(what, expected, wide, n);
}

void vectors_expect_double(const char *what, json_t *expected, double value)
{
	const char *text = json_string_value(expected);
	double wanted;

	ck_assert_ptr_nonnull(text);
	wanted = strtod(text, NULL);
	if (memcmp(&wanted, &value, sizeof value) != 0)
		vectors_fail("%s is %a, not %s", what, value, text);
}

void vectors_expect_doubles(const char *what, json_t *expected, const double *values, size_t n)
{
	char name[64];

	if (!has_length(what, expected, n))
		return;
	for (size_t i = 0; i < n && !case_failed; i++) {
		snprintf(name, sizeof name, "%s[%zu]", what, i);
		vectors_expect_double(name, json_array_get(expected, i), values[i]);
	}
}

void vectors_expect_text(const char *what, json_t *expected, const char *text)
{
	if (!json_is_string(expected) || strcmp(json_string_value(expected), text) != 0)
		vectors_fail("%s is %s, not %s", what, text, json_string_value(expected));
}

static void expect_number(const char *what, const char *name, json_t *state, const uint64_t *words)
{
	uint64_t expected[VECTORS_WORDS];

	vectors_number(vectors_text(state, name), expected);
	if (expected[0] != words[0] || expected[1] != words[1])
		vectors_fail("%s: %s is %#" PRIx64 " %016" PRIx64 ", not %s", what, name, words[1],
			     words[0], vectors_text(state, name));
}

static void expect_philox(const char *what, json_t *expected, const struct xc_rng_state *state)
{
	json_t *buffer = vectors_member(expected, "buffer");

	vectors_expect_u64(what, vectors_member(expected, "counter"), state->state, 4);
	vectors_expect_u64(what, vectors_member(expected, "key"), state->increment, 2);
	if (json_integer_value(vectors_member(expected, "buffer_pos")) != state->position) {
		vectors_fail("%s: the buffer's position is %d", what, state->position);
		return;
	}
	/* What was given out already says nothing. */
	for (int i = state->position; i < 4; i++)
		if (vectors_u64(json_array_get(buffer, (size_t)i)) != state->buffer[i])
			vectors_fail("%s: word %d of the buffer", what, i);
}

void vectors_expect_state(const char *what, json_t *expected, const struct xc_rng *rng)
{
	struct xc_rng_state state;
	bool has_half = json_integer_value(vectors_member(expected, "has_uint32"));

	ck_assert_int_eq(xc_rng_get_state(rng, &state, NULL), 0);
	if (state.bitgen == XC_PHILOX) {
		expect_philox(what, expected, &state);
	} else {
		expect_number(what, "state", expected, state.state);
		expect_number(what, "inc", expected, state.increment);
	}
	if (state.has_uint32 != has_half)
		vectors_fail("%s: has_uint32 is %u", what, (unsigned int)state.has_uint32);
	else if (has_half && vectors_u64(vectors_member(expected, "uinteger")) != state.uinteger)
		vectors_fail("%s: uinteger is %u", what, (unsigned int)state.uinteger);
}
