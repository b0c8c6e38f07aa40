/* vectors.h: reading files of tests/vectors, whose README.md describes them, and comparing
 * what comes out with them. What differs is said and counts against the running case. */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcluster.h"

/* Runs `check` on each case of the file, in $XC_VECTORS or else beside these tests, and says
 * how many passed; the running test fails if not all did. */
void vectors_run(const char *file, void (*check)(json_t *file, json_t *kase));
/* The same of all files so far; false if there was none, or one failed or could not be read:
 * the cases of those that could not are not among those counted. */
bool vectors_total(void);
/* Vectors kept elsewhere may be without this file: then that beside these tests is taken. */
void vectors_may_lack(const char *file);

/* The running case has failed; this is why. */
void vectors_fail(const char *format, ...) XC_PRINTF(1, 2);

/* n elements, all zero, which go with the running case. */
void *vectors_room(size_t n, size_t size);

/* ---- Reading ---- */

json_t *vectors_member(json_t *object, const char *name);
/* With an element or more. */
json_t *vectors_list(json_t *object, const char *name);
const char *vectors_text(json_t *object, const char *name);
/* A decimal of up to 256 bits and a sign: in two's complement, the least significant word
 * first. */
#define VECTORS_WORDS 5
void vectors_number(const char *text, uint64_t words[VECTORS_WORDS]);
/* The lowest word of a decimal, or a number. */
uint64_t vectors_u64(json_t *value);
/* A count of things: a decimal, or a number. */
size_t vectors_count(json_t *object, const char *name);
enum xc_bitgen vectors_bitgen(json_t *kase);
struct xc_seedseq *vectors_seedseq(json_t *entropy, json_t *spawn_key, json_t *pool_size);
/* Of "bitgen" and "seed". */
struct xc_rng *vectors_generator(json_t *kase);

/* ---- Comparing ---- */

void vectors_expect_u32(const char *what, json_t *expected, const uint32_t *words, size_t n);
void vectors_expect_u64(const char *what, json_t *expected, const uint64_t *words, size_t n);
/* Bit for bit. */
void vectors_expect_double(const char *what, json_t *expected, double value);
void vectors_expect_doubles(const char *what, json_t *expected, const double *values, size_t n);
void vectors_expect_text(const char *what, json_t *expected, const char *text);
void vectors_expect_state(const char *what, json_t *expected, const struct xc_rng *rng);

/* The steps of a case of "format": "sequence". */
void vectors_check_sequence(json_t *file, json_t *kase);

#endif
