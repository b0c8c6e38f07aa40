/* cache.c: what was compiled on this host. An entry is a directory with a lock, and in
 * it the library, followed by the files that it was made of and a hash of it all. */
#include "libcluster/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"
#include "proto/sealed.h"

#define LIBRARY	   "library"
#define LOCK	   "lock"
#define FAILURE	   "failure"
#define WORK	   "work"
#define HASH_SIZE  32
#define TAIL_SIZE  (8 + HASH_SIZE) /* bytes of the library, hash */
#define ENTRY_NAME (2 * CACHE_KEY_SIZE)

/* ---- Directories -------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int entry_path(char *path, size_t size, const unsigned char *key, struct xc_error *err)
{
	char base[CLUSTER_PATH_MAX], name[ENTRY_NAME + 1];
	int r = cluster_cache_create(base, sizeof base, err);

	sodium_bin2hex(name, sizeof name, key, CACHE_KEY_SIZE);
	if (r == 0 && snprintf(path, size, "%s/%s", base, name) >= (int)size)
		r = error_set(err, -ENAMETOOLONG, "the path %s is too long", base);
	return r;
}

static int temporary(struct cache_entry *entry, struct xc_error *err)
{
	const char *base = getenv("TMPDIR");

	if (!base || base[0] != '/')
		base = "/tmp";
	entry->lock = -1;
	entry->is_temporary = true;
	if (snprintf(entry->directory, sizeof entry->directory, "%s/xcluster-XXXXXX", base) >=
		    (int)sizeof entry->directory ||
	    !mkdtemp(entry->directory))
		return error_set(err, -errno, "cannot make a directory in %.200s to compile in: %s",
				 base, strerror(errno));
	return 0;
}

int cache_enter_temporary(struct cache_entry *entry, struct xc_error *err)
{
	return temporary(entry, err);
}

/* Who had the lock before may have removed the directory meanwhile. */
static int lock_entry(const char *directory, int how, struct xc_error *err)
{
	char path[PATH_MAX];
	struct stat ours, theirs;
	int fd, r;

	snprintf(path, sizeof path, "%s/" LOCK, directory);
	for (;;) {
		if (mkdir(directory, 0700) < 0 && errno != EEXIST)
			return error_set(err, -errno, "cannot make %.300s: %s", directory,
					 strerror(errno));
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return error_set(err, -errno, "cannot open %.300s: %s", path,
					 strerror(errno));
		do
			r = flock(fd, how);
		while (r < 0 && errno == EINTR);
		r = r < 0 ? -errno : 0;
		if (r == 0 && fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 &&
		    ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
			return fd;
		close(fd);
		if (r < 0)
			return error_set(err, r, "cannot lock %.300s: %s", path, strerror(-r));
	}
}

int cache_enter(struct cache_entry *entry, const unsigned char key[CACHE_KEY_SIZE],
		struct xc_error *err)
{
	struct xc_error why = XC_ERROR_INIT;

	*entry = (struct cache_entry){ .lock = -1 };
	if (entry_path(entry->directory, sizeof entry->directory, key, &why) == 0)
		entry->lock = lock_entry(entry->directory, LOCK_EX, &why);
	if (entry->lock >= 0)
		return 0;
	log_line("compiling without the cache, which cannot be used: %s", why.text);
	return temporary(entry, err);
}

void cache_leave(struct cache_entry *entry)
{
	char work[PATH_MAX];

	if (entry->is_temporary) {
		remove_tree(entry->directory);
		return;
	}
	snprintf(work, sizeof work, "%s/" WORK, entry->directory);
	remove_tree(work);
	close(entry->lock);
}

int cache_work(const struct cache_entry *entry, char *path, struct xc_error *err)
{
	snprintf(path, PATH_MAX, "%s/" WORK, entry->directory);
	remove_tree(path); /* of one that was killed */
	if (mkdir(path, 0700) < 0)
		return error_set(err, -errno, "cannot make %.300s: %s", path, strerror(errno));
	return 0;
}

/* ---- Files that it was made of ---------------------------------------------------- */

/* One line each: modification time, size, path. */
static bool note_file(FILE *list, const char *path)
{
	struct stat st;

	if (path[0] != '/')
		return true; /* of the source itself, which the key names */
	if (strchr(path, '\n') || stat(path, &st) < 0)
		return false;
	fprintf(list, "%lld.%09ld %lld %s\n", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		(long long)st.st_size, path);
	return true;
}

/* Reads the next word of a rule, where `\` and line end is a blank; false at its end. */
static bool next_word(FILE *rule, char *word, size_t size)
{
	size_t used = 0;
	int c;

	while ((c = getc(rule)) != EOF) {
		bool blank = c == ' ' || c == '\n';

		if (c == '\\') {
			c = getc(rule);
			blank = c == '\n';
		}
		if (blank && used)
			break;
		if (!blank && used < size - 1)
			word[used++] = (char)c;
	}
	word[used] = '\0';
	return used > 0;
}

static bool list_files(FILE *list, const char *dependencies)
{
	FILE *rule = fopen(dependencies, "re");
	char path[PATH_MAX];
	bool all = true;

	while (all && rule && next_word(rule, path, sizeof path))
		all = note_file(list, path);
	if (rule)
		fclose(rule);
	return all;
}

static bool is_unchanged(const char *line, size_t length)
{
	char text[PATH_MAX + 64], now[64];
	const char *path;
	struct stat st;

	if (length >= sizeof text)
		return false;
	memcpy(text, line, length);
	text[length] = '\0';
	path = strchr(text, '/');
	if (!path || stat(path, &st) < 0)
		return false;
	snprintf(now, sizeof now, "%lld.%09ld %lld ", (long long)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec, (long long)st.st_size);
	return strlen(now) == (size_t)(path - text) && strncmp(now, text, strlen(now)) == 0;
}

static bool are_unchanged(const char *list, size_t size)
{
	const char *end = list + size, *line_end;

	for (; list < end; list = line_end + 1) {
		line_end = memchr(list, '\n', (size_t)(end - list));
		if (!line_end || !is_unchanged(list, (size_t)(line_end - list)))
			return false;
	}
	return true;
}

/* ---- Libraries ----------------------------------------------------------------------- */

/* The whole file, mapped; *size 0 and NULL when there is none. */
static const unsigned char *map_file(int fd, size_t *size)
{
	struct stat st;
	void *bytes;

	*size = 0;
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		return NULL;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return NULL;
	*size = (size_t)st.st_size;
	return bytes;
}

static int check_library(const unsigned char *bytes, size_t size)
{
	unsigned char hash[HASH_SIZE];
	uint64_t library;

	if (size < TAIL_SIZE)
		return -ENOENT;
	crypto_generichash(hash, sizeof hash, bytes, size - HASH_SIZE, NULL, 0);
	memcpy(&library, bytes + size - TAIL_SIZE, sizeof library);
	if (memcmp(hash, bytes + size - HASH_SIZE, HASH_SIZE) != 0 || library > size - TAIL_SIZE)
		return -ENOENT;
	if (!are_unchanged((const char *)bytes + library, size - TAIL_SIZE - library))
		return -ENOENT;
	return sealed_create("xcluster-source", &(struct span){ bytes, library }, 1);
}

int cache_load(const unsigned char key[CACHE_KEY_SIZE])
{
	char directory[PATH_MAX - 256], path[PATH_MAX];
	const unsigned char *bytes;
	size_t size;
	int file, r;

	if (entry_path(directory, sizeof directory, key, NULL) < 0)
		return -ENOENT;
	snprintf(path, sizeof path, "%s/" LIBRARY, directory);
	file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bytes = map_file(file, &size);
	r = bytes ? check_library(bytes, size) : -ENOENT;
	if (bytes)
		munmap((void *)(uintptr_t)bytes, size);
	if (r >= 0)
		futimens(file, NULL); /* used now: the last to be dropped */
	else if (bytes)
		log_line("the cache's %.64s is damaged or out of date: compiling anew",
			 strrchr(directory, '/') + 1);
	if (file >= 0)
		close(file);
	return r;
}

/* Under another name first, so that nobody ever sees half of it. */
static int store_library(const struct cache_entry *entry, struct span library, struct span list)
{
	uint64_t size = library.size;
	unsigned char hash[HASH_SIZE];
	struct span parts[] = { library, list, { &size, sizeof size }, { hash, sizeof hash } };
	char made[PATH_MAX], path[PATH_MAX];
	crypto_generichash_state state;
	int fd, r = 0;

	crypto_generichash_init(&state, NULL, 0, sizeof hash);
	for (int i = 0; i < 3; i++)
		crypto_generichash_update(&state, parts[i].data, parts[i].size);
	crypto_generichash_final(&state, hash, sizeof hash);
	snprintf(made, sizeof made, "%s/" WORK "/" LIBRARY ".new", entry->directory);
	snprintf(path, sizeof path, "%s/" LIBRARY, entry->directory);
	fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (int i = 0; r == 0 && i < 4; i++)
		r = write_whole(fd, parts[i]);
	close(fd);
	return r == 0 && rename(made, path) < 0 ? -errno : r;
}

int cache_keep(const struct cache_entry *entry, const char *path, const char *dependencies,
	       struct xc_error *err)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), copy = -1, r = 0;
	char *text = NULL;
	size_t size, text_size = 0;
	const unsigned char *bytes = map_file(file, &size);
	FILE *list = open_memstream(&text, &text_size);

	if (file >= 0)
		close(file);
	if (bytes)
		copy = sealed_create("xcluster-source", &(struct span){ bytes, size }, 1);
	if (bytes && copy >= 0 && list && !entry->is_temporary && list_files(list, dependencies) &&
	    fflush(list) == 0)
		r = store_library(entry, (struct span){ bytes, size },
				  (struct span){ text, text_size });
	if (r < 0)
		log_line("what was compiled does not go into the cache: %s", strerror(-r));
	if (list)
		fclose(list);
	free(text);
	if (!bytes)
		return error_set(err, XC_ECODE, "the compiler has made no library");
	munmap((void *)(uintptr_t)bytes, size);
	return copy < 0 ? error_set(err, copy, "no memory for the library: %s", strerror(-copy))
			: copy;
}

/* ---- Failures -------------------------------------------------------------------------- */

void cache_note_failure(const struct cache_entry *entry, const struct xc_error *err)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/" FAILURE, entry->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		if (write_whole(fd, (struct span){ err, sizeof *err }) < 0)
			unlink(path);
		close(fd);
	}
}

bool cache_failure(const struct cache_entry *entry, uint64_t since_ns, struct xc_error *err)
{
	struct xc_error noted;
	char path[PATH_MAX];
	struct stat st;
	bool found;
	int fd;

	snprintf(path, sizeof path, "%s/" FAILURE, entry->directory);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	found = fstat(fd, &st) == 0 &&
		(uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec >=
			since_ns &&
		read(fd, &noted, sizeof noted) == sizeof noted && noted.code < 0;
	close(fd);
	if (found) {
		noted.text[sizeof noted.text - 1] = '\0';
		*err = noted;
	}
	return found;
}

/* ---- Bounds ----------------------------------------------------------------------------- */

struct old {
	char name[ENTRY_NAME + 1];
	struct timespec used;
	uint64_t size;
};

static int by_age(const void *a, const void *b)
{
	const struct timespec *x = &((const struct old *)a)->used;
	const struct timespec *y = &((const struct old *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static struct old *list_entries(const char *base, int *count)
{
	DIR *dir = opendir(base);
	struct old *list = NULL, *grown;
	struct dirent *entry;
	char path[PATH_MAX];
	struct stat st;

	*count = 0;
	while (dir && (entry = readdir(dir))) {
		if (strlen(entry->d_name) != ENTRY_NAME ||
		    strspn(entry->d_name, "0123456789abcdef") != ENTRY_NAME)
			continue;
		grown = realloc(list, ((size_t)*count + 1) * sizeof *list);
		if (!grown)
			break;
		list = grown;
		memcpy(list[*count].name, entry->d_name, ENTRY_NAME + 1);
		snprintf(path, sizeof path, "%.3800s/%s/" LIBRARY, base, entry->d_name);
		memset(&st, 0, sizeof st);
		if (stat(path, &st) < 0)
			st.st_size = 0; /* a failure, or killed: goes first */
		list[*count].used = st.st_mtim;
		list[(*count)++].size = (uint64_t)st.st_size;
	}
	if (dir)
		closedir(dir);
	return list;
}

static bool drop(const char *base, const char *name)
{
	char path[PATH_MAX - 256];
	int lock;

	snprintf(path, sizeof path, "%.3700s/%s", base, name);
	lock = lock_entry(path, LOCK_EX | LOCK_NB, NULL);
	if (lock < 0)
		return false;
	remove_tree(path);
	close(lock);
	return true;
}

int cache_trim(uint64_t bytes, int entries)
{
	char base[CLUSTER_PATH_MAX];
	struct old *list;
	uint64_t total = 0;
	int count, left, dropped = 0;

	if (cluster_cache_create(base, sizeof base, NULL) < 0)
		return 0;
	list = list_entries(base, &count);
	for (int i = 0; i < count; i++)
		total += list[i].size;
	if (count > 0)
		qsort(list, (size_t)count, sizeof *list, by_age);
	left = count;
	for (int i = 0; i < count && (left > entries || total > bytes); i++) {
		if (!drop(base, list[i].name))
			continue;
		total -= list[i].size;
		left--;
		dropped++;
	}
	free(list);
	return dropped;
}
