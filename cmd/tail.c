/* tail.c: the last lines of a log. */
#include "cmd/tail.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

off_t tail_offset(int fd, int lines)
{
	char block[4096];
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0)
		return 0;
	end = st.st_size;
	/* The line end of the last line does not begin another one. */
	if (end > 0 && pread(fd, block, 1, end - 1) == 1 && block[0] == '\n')
		end--;
	while (end > 0) {
		off_t start = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
		ssize_t n = pread(fd, block, (size_t)(end - start), start);

		for (ssize_t i = n - 1; i >= 0; i--)
			if (block[i] == '\n' && --lines <= 0)
				return start + i + 1;
		end = start;
	}
	return 0;
}

/* Then a daemon cannot even write why it ended. */
static bool is_disk_full(FILE *file)
{
	struct statvfs st;

	return fstatvfs(fileno(file), &st) == 0 && st.f_blocks > 0 && st.f_bavail == 0;
}

void tail_print(FILE *out, const char *path, int lines, const char *prefix)
{
	FILE *file = fopen(path, "re");
	size_t room = 0;
	char *line = NULL;
	ssize_t n, count = 0;

	if (!file) {
		fprintf(out, "%s(it has written no log)\n", prefix);
		return;
	}
	fseeko(file, tail_offset(fileno(file), lines), SEEK_SET);
	while ((n = getline(&line, &room, file)) > 0) {
		if (count++ == 0)
			fprintf(out, "%s%s ends with:\n", prefix, path);
		fprintf(out, "%s  %s%s", prefix, line, line[n - 1] == '\n' ? "" : "\n");
	}
	if (count == 0)
		fprintf(out, "%s%s is empty%s\n", prefix, path,
			is_disk_full(file) ? ": the disk is full" : "");
	free(line);
	fclose(file);
}
