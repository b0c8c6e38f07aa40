/* fixture.h: small programs and libraries that a test builds on the fly. */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcluster.h"

/* A directory of its own, and its removal. Both fail the running test by
 * themselves, as all here does. */
void fixture_begin(void);
void fixture_end(void);

/* Path of a file in the directory, in one of a few static buffers. */
const char *fixture_path(const char *format, ...) XC_PRINTF(1, 2);

/* Writes a file of the directory. */
void fixture_write(const char *name, const char *text);

/* Reads a file whole; the caller frees it. */
uint8_t *fixture_read(const char *path, size_t *size);

/* Runs $CC, else cc, in the directory with these arguments; true on success. */
bool fixture_try_cc(const char *format, ...) XC_PRINTF(1, 2);
/* The same, success expected. */
void fixture_cc(const char *format, ...) XC_PRINTF(1, 2);

#endif
