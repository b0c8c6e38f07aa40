/* look.c: what is on the hosts of a bed, seen from outside. */
#include "tests/hosts/bed.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Processes --------------------------------------------------------------- */

static ino_t pid_space(pid_t pid)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* What ps would show as the command; "" for the dead. */
static void read_title(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	FILE *stream;
	size_t n = 0;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	stream = fopen(path, "re");
	if (stream) {
		n = fread(text, 1, size - 1, stream);
		fclose(stream);
	}
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static bool is_counted(pid_t pid, pid_t init, const char *name)
{
	char comm[64], command[256];

	if (pid == init)
		return false;
	/* The dead that nobody has waited for yet have no command line. */
	read_title(pid, "cmdline", command, sizeof command);
	if (!command[0])
		return false;
	read_title(pid, "comm", comm, sizeof comm);
	if (name)
		return strcmp(comm, name) == 0;
	return !starts_with(command, "sshd: /usr/sbin/sshd [listener]");
}

int bed_count_processes(const struct bed *bed, const char *host, const char *name)
{
	pid_t init = bed_host(bed, host);
	ino_t space = pid_space(init);
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	ck_assert_ptr_nonnull(proc);
	while (space != 0 && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (isdigit((unsigned char)entry->d_name[0]) && pid_space(pid) == space &&
		    is_counted(pid, init, name))
			n++;
	}
	closedir(proc);
	return n;
}

struct wanted {
	const struct bed *bed;
	const char *host, *name;
	int n;
};

static bool has_processes(void *arg)
{
	const struct wanted *wanted = arg;

	return bed_count_processes(wanted->bed, wanted->host, wanted->name) == wanted->n;
}

bool bed_wait_processes(const struct bed *bed, const char *host, const char *name, int n,
			double limit)
{
	struct wanted wanted = { bed, host, name, n };

	return wait_until(has_processes, &wanted, limit);
}

/* ---- Files ------------------------------------------------------------------- */

/* Links are followed as the host would. */
static int open_there(const struct bed *bed, const char *host, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC,
				.mode = flags & O_CREAT ? 0644 : 0,
				.resolve = RESOLVE_IN_ROOT };
	char root[64];
	int dir, fd;

	snprintf(root, sizeof root, "/proc/%d/root", (int)bed_host(bed, host));
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
	close(dir);
	return fd;
}

char *bed_read(const struct bed *bed, const char *host, const char *path)
{
	char name[64];
	char *text;
	int fd = open_there(bed, host, path, O_RDONLY);

	if (fd < 0)
		return NULL;
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	text = read_file(name);
	close(fd);
	return text;
}

void bed_write(const struct bed *bed, const char *host, const char *path, const char *text)
{
	int fd = open_there(bed, host, path, O_WRONLY | O_CREAT | O_TRUNC);

	ck_assert_msg(fd >= 0, "cannot write %s of %s", path, host);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
}

/* ---- Network ----------------------------------------------------------------- */

void bed_bytes(const struct bed *bed, const char *host, int64_t *sent, int64_t *received)
{
	long long in = -1, out = -1;
	char path[64];
	char *text, *line;

	snprintf(path, sizeof path, "/proc/%d/net/dev", (int)bed_host(bed, host));
	text = read_file(path);
	ck_assert_msg(text != NULL, "the host %s is gone", host);
	line = strstr(text, "eth0:");
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(sscanf(line, "eth0: %lld %*d %*d %*d %*d %*d %*d %*d %lld", &in, &out), 2);
	free(text);
	*sent = out;
	*received = in;
}
