/* lines.c: a stream of unknown length: the lines of standard input, each turned
 * around on some engine, in their order and with bounded memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcluster.h>

static int turn_around(struct xc_task *task, const void *in, void *out)
{
	size_t size = xc_task_in_size(task);
	char *text = malloc(size + 1);
	int r;

	(void)out;
	if (!text)
		return xc_task_fail(task, "no memory for a line of %zu bytes", size);
	for (size_t i = 0; i < size; i++)
		text[i] = ((const char *)in)[size - 1 - i];
	r = xc_task_return(task, text, size);
	free(text);
	return r < 0;
}

struct reader {
	char *line;
	size_t room;
};

static int next_line(void *argument, struct xc_bytes *item)
{
	struct reader *reader = argument;
	ssize_t size = getline(&reader->line, &reader->room, stdin);

	if (size < 0)
		return 0;
	if (size > 0 && reader->line[size - 1] == '\n')
		size--;
	*item = (struct xc_bytes){ reader->line, (size_t)size };
	return 1;
}

static int print_line(void *argument, int64_t index, enum xc_state state, const void *data,
		      size_t size)
{
	(void)argument;
	if (state != XC_OK)
		printf("(line %lld %s)\n", (long long)index + 1, xc_state_name(state));
	else
		printf("%.*s\n", (int)size, size ? (const char *)data : "");
	return ferror(stdout);
}

int main(void)
{
	struct xc_stream_options stream = { .order = XC_IN_ORDER };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	struct reader reader = { NULL, 0 };
	int r = xc_open(&client, NULL, &err);

	if (r == 0)
		r = xc_wait_for_engines(client, 1, 30, &err);
	if (r == 0)
		r = xc_map_stream(xc_balanced(client), turn_around, next_line, print_line, &reader,
				  &stream, NULL, &err);
	if (r < 0)
		fprintf(stderr, "lines: %s\n", err.text);
	free(reader.line);
	xc_close(client);
	return r < 0 ? 1 : 0;
}
