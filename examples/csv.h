/* csv.h: a table of numbers from a CSV file. */
#ifndef EXAMPLES_CSV_H
#define EXAMPLES_CSV_H

#include <stddef.h>
#include <stdint.h>

struct csv {
	int64_t rows;
	int64_t columns;
	double *values; /* rows x columns, finite; to be given to free() */
};

/* Reads a file with a line of column names and at least one line of numbers.
 * Fields are separated by commas and may stand in double quotes; blanks around
 * them, CR before LF, a byte order mark and empty lines are passed over.
 * Returns 0 or -errno (-EINVAL for what is wrong in the file), then `why` (of
 * `why_size` bytes) is one sentence with the file and the line. */
int csv_read(struct csv *csv, const char *path, char *why, size_t why_size);

#endif
