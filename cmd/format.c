/* format.c: sizes, times and tables for people. */
#include "cmd/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CELL_MAX    256
#define COLUMNS_MAX 16

char *format_size(char *text, size_t size, double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;

	for (; bytes >= 1024 && i + 1 < sizeof units / sizeof units[0]; i++)
		bytes /= 1024;
	snprintf(text, size, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
	return text;
}

char *format_time(char *text, size_t size, double seconds)
{
	long s = seconds > 0 && seconds < 1e12 ? (long)seconds : 0;

	if (s < 60)
		snprintf(text, size, "%.1f s", seconds);
	else if (s < 3600)
		snprintf(text, size, "%ldm %02lds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, size, "%ldh %02ldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, size, "%ldd %02ldh", s / 86400, s / 3600 % 24);
	return text;
}

/* Neither line ends nor what would steer the terminal: C0, DEL, and C1 in UTF-8. */
static void defuse(char *text)
{
	char *to = text;

	for (; *text; text++) {
		const unsigned char *c = (const unsigned char *)text;
		bool is_c1 = c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0;

		*to++ = is_c1 || *c < ' ' || *c == 0x7F ? '?' : *text;
		text += is_c1;
	}
	*to = '\0';
}

/* Characters of a UTF-8 text. */
static int width_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

static void format_cell(char *text, const json_t *object, const struct column *column)
{
	const json_t *value = json_object_get(object, column->key);

	if (json_is_number(value) && column->format)
		column->format(text, CELL_MAX, json_number_value(value));
	else if (json_is_string(value) && json_string_length(value) > 0)
		snprintf(text, CELL_MAX, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, CELL_MAX, "%lld", (long long)json_integer_value(value));
	else if (json_is_number(value))
		snprintf(text, CELL_MAX, "%g", json_number_value(value));
	else
		snprintf(text, CELL_MAX, "-");
	defuse(text);
}

static void print_cell(const struct column *column, int width, const char *text)
{
	/* Nothing is padded at the end of a line. */
	if (column[1].title)
		printf("  %s%*s", text, width - width_of(text), "");
	else
		printf("  %s\n", text);
}

void format_table(const json_t *list, const struct column *columns)
{
	int widths[COLUMNS_MAX] = { 0 };
	char text[CELL_MAX];
	json_t *object;
	size_t i;

	for (int c = 0; c < COLUMNS_MAX && columns[c].title; c++) {
		widths[c] = (int)strlen(columns[c].title);
		json_array_foreach (list, i, object) {
			format_cell(text, object, &columns[c]);
			if (width_of(text) > widths[c])
				widths[c] = width_of(text);
		}
	}
	for (int c = 0; c < COLUMNS_MAX && columns[c].title; c++)
		print_cell(&columns[c], widths[c], columns[c].title);
	json_array_foreach (list, i, object)
		for (int c = 0; c < COLUMNS_MAX && columns[c].title; c++) {
			format_cell(text, object, &columns[c]);
			print_cell(&columns[c], widths[c], text);
		}
}
