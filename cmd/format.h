/* format.h: sizes, times and tables for people. */
#ifndef CMD_FORMAT_H
#define CMD_FORMAT_H

#include <jansson.h>
#include <stddef.h>

/* "512 B", "1.5 GiB"; "3.2 s", "12m 05s", "3h 02m", "2d 03h". Return `text`. */
char *format_size(char *text, size_t size, double bytes);
char *format_time(char *text, size_t size, double seconds);

/* A column of a table of JSON objects: the member `key`, under `title`. Members
 * that are not there are "-". */
struct column {
	const char *title, *key;
	char *(*format)(char *text, size_t size, double value); /* of a number; NULL: as it is */
};

/* Prints the list of objects under their titles, indented by two blanks; columns
 * end with a title of NULL. */
void format_table(const json_t *list, const struct column *columns);

#endif
