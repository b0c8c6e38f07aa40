/* csv.c: reading a table of numbers with a header, and saying where it is wrong. */
#include "csv.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file being read. */
struct reader {
	const char *path;
	FILE *file;
	int64_t line_number;
	char *line; /* of getline */
	size_t line_size;
	struct csv csv;
	int64_t row_capacity;
	char *why;
	size_t why_size;
};

static int complain(const struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int complain(const struct reader *reader, const char *format, ...)
{
	va_list ap;
	int n;

	n = snprintf(reader->why, reader->why_size, "%s, line %lld: ", reader->path,
		     (long long)reader->line_number);
	if (n < 0 || (size_t)n >= reader->why_size)
		return -EINVAL;
	va_start(ap, format);
	vsnprintf(reader->why + n, reader->why_size - (size_t)n, format, ap);
	va_end(ap);
	return -EINVAL;
}

static int complain_errno(const struct reader *reader, const char *what)
{
	int code = errno ? errno : EIO;

	snprintf(reader->why, reader->why_size, "%s: %s: %s", reader->path, what, strerror(code));
	return -code;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char *skip_blanks(char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

/* Reads the next line that is not empty into reader->line. Returns 1, 0 at the
 * end of the file, or a negative code. */
static int next_line(struct reader *reader)
{
	ssize_t n;

	do {
		errno = 0;
		n = getline(&reader->line, &reader->line_size, reader->file);
		if (n < 0)
			return errno ? complain_errno(reader, "cannot read it") : 0;
		reader->line_number++;
		if (strlen(reader->line) != (size_t)n)
			return complain(reader, "there is a zero byte: this is not a text file");
		if (reader->line_number == 1 && !strncmp(reader->line, "\xef\xbb\xbf", 3))
			memmove(reader->line, reader->line + 3, strlen(reader->line + 3) + 1);
	} while (!*skip_blanks(reader->line));
	return 1;
}

/* Takes the field at *rest, stripped of blanks and quotes, and moves *rest
 * behind the comma, or to NULL after the last one. NULL when a quote is open. */
static char *next_field(char **rest)
{
	char *field = skip_blanks(*rest);
	bool quoted = *field == '"';
	char *end, *comma;

	if (quoted) {
		end = strchr(++field, '"');
		if (!end)
			return NULL;
		comma = skip_blanks(end + 1);
		if (*comma && *comma != ',')
			return NULL;
	} else {
		end = comma = field + strcspn(field, ",");
		while (end > field && is_blank(end[-1]))
			end--;
	}
	*rest = *comma ? comma + 1 : NULL;
	*end = '\0';
	return field;
}

static bool parse_number(const char *field, double *number)
{
	char *end;

	*number = strtod(field, &end);
	return end != field && !*end;
}

static int read_header(struct reader *reader)
{
	bool has_name = false;
	int64_t columns = 0;
	char *rest;
	int r = next_line(reader);

	if (r < 0)
		return r;
	if (r == 0) {
		reader->line_number = 1;
		return complain(reader, "the file is empty; a line of column names is wanted");
	}
	for (rest = reader->line; rest; columns++) {
		char *field = next_field(&rest);
		double number;

		if (!field)
			return complain(reader, "column %lld has a quote out of place",
					(long long)columns + 1);
		has_name |= !parse_number(field, &number);
	}
	if (!has_name)
		return complain(reader, "there are only numbers; a line of column names is wanted");
	if (columns < 2)
		return complain(reader, "there is only one column; features and, last, the target "
					"are wanted, separated by commas");
	reader->csv.columns = columns;
	return 0;
}

static int reserve_row(struct reader *reader)
{
	int64_t capacity = reader->row_capacity ? 2 * reader->row_capacity : 256;
	double *values;

	if (reader->csv.rows < reader->row_capacity)
		return 0;
	values = reallocarray(reader->csv.values, (size_t)capacity,
			      (size_t)reader->csv.columns * sizeof *values);
	if (!values)
		return complain_errno(reader, "cannot hold it");
	reader->csv.values = values;
	reader->row_capacity = capacity;
	return 0;
}

static int read_field(struct reader *reader, char **rest, int64_t column, double *number)
{
	char *field = next_field(rest);

	if (!field)
		return complain(reader, "column %lld has a quote out of place", (long long)column);
	if (!*field)
		return complain(reader, "column %lld is empty; a number is wanted",
				(long long)column);
	if (!parse_number(field, number))
		return complain(reader, "column %lld is '%.40s', which is not a number",
				(long long)column, field);
	if (!isfinite(*number))
		return complain(reader, "column %lld is '%.40s'; only finite numbers can be used",
				(long long)column, field);
	return 0;
}

static int read_row(struct reader *reader)
{
	int64_t columns = reader->csv.columns;
	int64_t column = 0;
	double *row;
	char *rest;
	int r = reserve_row(reader);

	if (r < 0)
		return r;
	row = reader->csv.values + reader->csv.rows * columns;
	for (rest = reader->line; rest; column++) {
		if (column == columns)
			return complain(reader, "there are more than the header's %lld columns",
					(long long)columns);
		r = read_field(reader, &rest, column + 1, &row[column]);
		if (r < 0)
			return r;
	}
	if (column < columns)
		return complain(reader, "there are %lld columns, but the header has %lld",
				(long long)column, (long long)columns);
	reader->csv.rows++;
	return 0;
}

static int read_table(struct reader *reader)
{
	int r = read_header(reader);

	if (r < 0)
		return r;
	while ((r = next_line(reader)) > 0) {
		r = read_row(reader);
		if (r < 0)
			return r;
	}
	if (r == 0 && reader->csv.rows == 0)
		return complain(reader, "there are no rows after the column names");
	return r;
}

int csv_read(struct csv *csv, const char *path, char *why, size_t why_size)
{
	struct reader reader = { .path = path, .why = why, .why_size = why_size };
	int r;

	reader.file = fopen(path, "re");
	if (!reader.file)
		return complain_errno(&reader, "cannot open it");
	r = read_table(&reader);
	if (r < 0)
		free(reader.csv.values);
	else
		*csv = reader.csv;
	free(reader.line);
	fclose(reader.file);
	return r;
}
