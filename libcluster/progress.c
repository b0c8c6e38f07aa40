/* progress.c: one line on a terminal, redrawn while a job runs. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libcluster/client.h"

#define BAR_MAX 40

static int columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

static void bar(char *text, int width, double part)
{
	int full = (int)(part * width);

	for (int i = 0; i < width; i++)
		text[i] = i < full ? '#' : '.';
	text[width] = '\0';
}

static int facts(const struct xc_result *result, char *text, size_t size, bool last)
{
	double elapsed = (double)((last ? result->end_ns : now_ns()) - result->start_ns) / 1e9;
	double rate = elapsed > 0 ? (double)result->done / elapsed : 0;
	int64_t left = result->items - result->done;
	int n = snprintf(text, size, "%lld/%lld items  %.3g/s", (long long)result->done,
			 (long long)result->items, rate);

	if (last)
		n += snprintf(text + n, size - (size_t)n, "  %.3g s", elapsed);
	else if (rate > 0)
		n += snprintf(text + n, size - (size_t)n, "  %.0f s left", (double)left / rate);
	if (result->failed)
		n += snprintf(text + n, size - (size_t)n, "  %lld failed",
			      (long long)result->failed);
	return n;
}

void xci_progress_show(struct xc_result *result, bool last)
{
	char text[200], graph[BAR_MAX + 1] = "";
	double part = result->items ? (double)result->done / (double)result->items : 1;
	int width, n;

	if (!isatty(STDERR_FILENO))
		return;
	if (result->client)
		result->client->is_drawn = !last;
	n = facts(result, text, sizeof text, last);
	width = columns();
	if (width > 0 && n >= width)
		text[width - 1] = '\0';
	if (width > n + 14) {
		bar(graph, width - n - 5 < BAR_MAX ? width - n - 5 : BAR_MAX, part);
		fprintf(stderr, "\r\033[K[%s] %s%s", graph, text, last ? "\n" : "");
	} else {
		fprintf(stderr, "\r\033[K%s%s", text, last ? "\n" : "");
	}
	fflush(stderr);
}
