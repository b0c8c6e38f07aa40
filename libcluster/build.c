/* build.c: source text compiled on this host: for engines, and XCLUSTER=inline. */
#include "libcluster/build.h"

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "libcluster/cache.h"
#include "libcluster/compiler.h"
#include "libcluster/header.h"
#include "proto/error.h"
#include "proto/log.h"

#define VERSION_LIMIT_MS 10000
#define LIBRARY		 "library.so"
#define DEPENDENCIES	 "dependencies.d"

struct build {
	const struct source *source;
	struct compiler compiler;
	struct words arguments;
	struct compiler_output *output; /* owned */
	unsigned char key[CACHE_KEY_SIZE];
};

/* ---- The command ---------------------------------------------------------------- */

static int add_directory(struct build *b)
{
	char option[SOURCE_LINE_MAX + 16], path[SOURCE_LINE_MAX + 1];
	struct stat st;

	span_copy(path, sizeof path, b->source->directory);
	if (path[0] != '/' || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0; /* it is of another host */
	if (b->compiler.language == SOURCE_FORTRAN) {
		snprintf(option, sizeof option, "-I%s", path);
		return words_add(&b->arguments, option);
	}
	return words_add(&b->arguments, "-iquote") | words_add(&b->arguments, path);
}

/* Libraries that the flags name must come after the source that needs them. */
static int add_arguments(struct build *b)
{
	static const char *const first[] = { "-shared", "-fPIC", "-I.", "-o", LIBRARY };
	static const char *const c_only[] = { "-MD", "-MF", DEPENDENCIES };
	char name[256];
	int r = 0;

	span_copy(name, sizeof name, b->source->name);
	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
		r |= words_add(&b->arguments, first[i]);
	for (size_t i = 0;
	     b->compiler.language != SOURCE_FORTRAN && i < sizeof c_only / sizeof c_only[0]; i++)
		r |= words_add(&b->arguments, c_only[i]);
	r |= add_directory(b);
	r |= words_add(&b->arguments, name);
	if (r < 0)
		return -ENOMEM;
	r = words_split(&b->arguments, b->source->flags);
	return r < 0 ? r : words_add(&b->arguments, "-lm");
}

/* ---- The key ----------------------------------------------------------------------- */

static void hash_text(crypto_generichash_state *state, const char *text)
{
	crypto_generichash_update(state, (const unsigned char *)text, strlen(text) + 1);
}

static void hash_span(crypto_generichash_state *state, struct span text)
{
	uint64_t size = text.size;

	crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
	crypto_generichash_update(state, text.data, text.size);
}

/* -march=native means something else on another host with the same home directory. */
static void hash_processor(crypto_generichash_state *state)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[8192];

	while (file && fgets(line, sizeof line, file) && line[0] != '\n')
		if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0 ||
		    strncmp(line, "model name", 10) == 0)
			hash_text(state, line);
	if (file)
		fclose(file);
}

/* A command that runs another compiler stays the same when that one changes: so it is
 * asked, too. */
static void hash_compiler(crypto_generichash_state *state, struct build *b)
{
	static const char *const version = "--version";
	struct words question = { 0 };
	struct stat st = { 0 };
	int64_t file[2];

	stat(b->compiler.command.list[0], &st);
	file[0] = st.st_size;
	file[1] = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	crypto_generichash_update(state, (const unsigned char *)file, sizeof file);
	if (words_add(&question, version) == 0 &&
	    compiler_run(&b->compiler, &question, "/", VERSION_LIMIT_MS, b->output) >= 0)
		hash_text(state, b->output->text);
	words_free(&question);
}

static void make_key(struct build *b)
{
	crypto_generichash_state state;
	struct utsname host;

	uname(&host);
	crypto_generichash_init(&state, NULL, 0, sizeof b->key);
	hash_text(&state, XC_VERSION);
	hash_text(&state, header_text);
	hash_text(&state, host.machine);
	hash_text(&state, gnu_get_libc_version());
	hash_compiler(&state, b);
	for (size_t i = 0; i < b->compiler.command.count; i++)
		hash_text(&state, b->compiler.command.list[i]);
	hash_text(&state, "");
	for (size_t i = 0; i < b->arguments.count; i++) {
		hash_text(&state, b->arguments.list[i]);
		if (strstr(b->arguments.list[i], "native"))
			hash_processor(&state);
	}
	hash_span(&state, b->source->text);
	crypto_generichash_final(&state, b->key, sizeof b->key);
}

/* ---- Compiling ------------------------------------------------------------------------ */

static int write_file(const char *directory, const char *name, struct span text,
		      struct xc_error *err)
{
	char path[PATH_MAX + 300];
	FILE *file;
	int r = 0;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "we");
	if (!file || fwrite(text.data, 1, text.size, file) != text.size || fflush(file) != 0)
		r = error_set(err, -errno, "cannot write %.300s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	return r;
}

static void log_output(const char *name, const struct compiler_output *output)
{
	for (const char *at = output->text; *at;) {
		size_t length = strcspn(at, "\n");

		if (length > 0)
			log_line("compiling %s: %.*s", name, (int)length, at);
		at += length + (at[length] == '\n');
	}
}

static int refuse(const struct build *b, const char *name, int status, struct xc_error *err)
{
	const char *compiler = b->compiler.name;
	char errors[400];

	if (status == -ETIMEDOUT)
		return error_set(err, XC_ECODE,
				 "%.100s took longer than %g s over %.100s and was killed: raise "
				 "time_limit in the options of the source if it needs more",
				 compiler, (double)b->source->limit_ms / 1e3, name);
	if (status < 0)
		return error_set(err, status, "cannot run the compiler %.100s: %s", compiler,
				 strerror(-status));
	compiler_errors(b->output, errors, sizeof errors);
	if (!errors[0])
		return error_set(
			err, XC_ECODE, "%.100s could not compile %.100s: it %s %d", compiler, name,
			status > 128 ? "was ended by signal" : "said nothing, and exit status",
			status > 128 ? status - 128 : status);
	return error_set(err, XC_ECODE, "%s", errors);
}

/* Compiles in the entry: the library's descriptor. */
static int compile(struct build *b, const struct cache_entry *entry, struct xc_error *err)
{
	char work[PATH_MAX], library[PATH_MAX + 32], dependencies[PATH_MAX + 32], name[256];
	int r = cache_work(entry, work, err);

	span_copy(name, sizeof name, b->source->name);
	if (r == 0)
		r = write_file(work, name, b->source->text, err);
	if (r == 0)
		r = write_file(work, "xcluster.h", span_of(header_text), err);
	if (r < 0)
		return r;
	r = compiler_run(&b->compiler, &b->arguments, work, b->source->limit_ms, b->output);
	log_output(name, b->output);
	if (r != 0)
		return refuse(b, name, r, err);
	snprintf(library, sizeof library, "%s/" LIBRARY, work);
	snprintf(dependencies, sizeof dependencies, "%s/" DEPENDENCIES, work);
	return cache_keep(entry, library, dependencies, err);
}

static bool is_full(int r, const struct xc_error *err)
{
	return r == -ENOSPC || r == -EDQUOT ||
	       (r == XC_ECODE && strstr(err->text, "No space left on device"));
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts); /* that of the times of files */
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int compile_alone(struct build *b, struct xc_error *err)
{
	struct cache_entry entry;
	uint64_t since = wall_ns();
	int r = cache_enter(&entry, b->key, err);

	if (r < 0)
		return r;
	r = entry.is_temporary ? -ENOENT : cache_load(b->key);
	if (r == -ENOENT && cache_failure(&entry, since, err)) {
		r = err->code;
	} else if (r == -ENOENT) {
		r = compile(b, &entry, err);
		if (is_full(r, err) && !entry.is_temporary) {
			log_line("compiling without the cache, which is full");
			cache_leave(&entry);
			r = cache_enter_temporary(&entry, err);
			if (r < 0)
				return r;
			r = compile(b, &entry, err);
		} else if (r < 0) {
			cache_note_failure(&entry, err);
		}
	}
	cache_leave(&entry);
	if (r >= 0)
		cache_trim(CACHE_BYTES, CACHE_ENTRIES);
	return r;
}

static int build(struct build *b, struct xc_error *err)
{
	int r;

	b->output = malloc(sizeof *b->output);
	if (!b->output)
		return error_set(err, -ENOMEM, "out of memory");
	r = compiler_find(&b->compiler, b->source, err);
	if (r < 0)
		return r;
	r = add_arguments(b);
	if (r < 0)
		return error_set(err, r == -EINVAL ? XC_ECODE : r, "%s",
				 r == -EINVAL ? "the compiler's flags have a quote that is not "
						"closed"
					      : "out of memory");
	make_key(b);
	r = cache_load(b->key);
	return r == -ENOENT ? compile_alone(b, err) : r;
}

int build_open(int *fd, uint64_t size, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT;
	void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, *fd, 0) : MAP_FAILED;
	struct source source;
	struct build b = { .source = &source };
	int r;

	if (bytes == MAP_FAILED)
		return 0; /* whoever opens it tells */
	r = source_parse(&source, bytes, size);
	if (r < 0)
		error_set(&local, r, "the source in the store cannot be read");
	else if (r == 1)
		r = build(&b, &local);
	if (r < 0)
		error_set(err, r, "%s", local.text[0] ? local.text : error_text(r));
	if (r > 0) {
		close(*fd);
		*fd = r;
	}
	free(b.output);
	compiler_fini(&b.compiler);
	words_free(&b.arguments);
	munmap(bytes, size);
	return r < 0 ? r : 0;
}
