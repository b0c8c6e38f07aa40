/* test_image.c: from a function pointer in one program to its code in another. */
#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/program.h"
#include "libcluster/image.h"
#include "tests/unit/fixture.h"

typedef int task_fn(int);
typedef task_fn *get_task_fn(void);

static struct program *volatile kept; /* else no one would write it */

/* A client: finds the image of its task, writes it to argv[1], tells where the
 * task stands. With argv[2] it waits for a line first. */
static const char client[] =
	"#include <stdio.h>\n"
	"#include <unistd.h>\n"
	"#include <sys/sendfile.h>\n"
	"#include <fcntl.h>\n"
	"#include \"libcluster/image.h\"\n"
	"#ifndef TASK\n"
	"#define TASK\n"
	"static int calls = 40;\n"
	"static int task(int x) {\n"
	"	printf(\"task of %d\\n\", x); fflush(stdout);\n"
	"	return ++calls + x;\n"
	"}\n"
	"#else\n"
	"#include TASK\n"
	"#endif\n"
	"int main(int argc, char **argv) {\n"
	"	struct xc_error err = XC_ERROR_INIT;\n"
	"	struct xci_image *image;\n"
	"	uint64_t offset;\n"
	"	off_t at = 0;\n"
	"	if (argc > 2 && (puts(\"ready\") < 0 || fflush(stdout) || getchar() < 0))\n"
	"		return 2;\n"
	"	if (xci_image_find((void *)task, &image, &offset, &err) < 0) {\n"
	"		puts(err.text);\n"
	"		return 1;\n"
	"	}\n"
	"	printf(\"%llu\\n\", (unsigned long long)offset);\n"
	"	int out = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);\n"
	"	if (sendfile(out, image->fd, &at, image->size) != (ssize_t)image->size)\n"
	"		return 3;\n"
	"	xci_image_destroy(image);\n"
	"	return 0;\n"
	"}\n";

static struct xc_error err;
static unsigned char hash[PROGRAM_HASH_SIZE];

static void begin(void)
{
	fixture_begin();
	fixture_write("client.c", client);
	fixture_write("tasks.c", "static int calls = LEVEL;\n"
				 "static int hidden(int x) { return ++calls + x; }\n"
				 "int (*get_task(void))(int) { return hidden; }\n"
				 "int task(int x) { return hidden(x); }\n"
				 "int not_code = 3;\n");
	fixture_cc("-c -g -fPIC -std=c11 -D_GNU_SOURCE -I" SOURCE_ROOT " -I" SOURCE_ROOT
		   "/include " SOURCE_ROOT "/libcluster/image.c " SOURCE_ROOT
		   "/libcluster/object.c " SOURCE_ROOT "/proto/elf.c " SOURCE_ROOT
		   "/proto/elf_dynamic.c " SOURCE_ROOT "/proto/elf_origin.c " SOURCE_ROOT
		   "/proto/error.c");
	fixture_cc("--version >/dev/null && ar cr libship.a *.o && rm *.o");
}

static void reset(void)
{
	memset(&err, 0, sizeof err);
}

static void expect_words(const char *word, const char *other)
{
	ck_assert_msg(strstr(err.text, word) != NULL, "\"%s\" lacks \"%s\"", err.text, word);
	ck_assert_msg(strstr(err.text, other) != NULL, "\"%s\" lacks \"%s\"", err.text, other);
	ck_assert_msg(strstr(err.text, "/proc/self/fd") == NULL, "\"%s\" tells of a descriptor",
		      err.text);
}

/* Builds a client; `flags` also name its libraries. */
#define CLIENT                                                                                     \
	"client.c -D_GNU_SOURCE -I" SOURCE_ROOT " -I" SOURCE_ROOT "/include -L. -lship -lsodium"
static void build_client(const char *name, const char *flags)
{
	fixture_cc("%s -o %s " CLIENT " %s", flags, name, flags);
}

/* ---- A client that runs ------------------------------------------------ */

struct child {
	pid_t pid;
	int in;
	FILE *out;
};

static void child_start(struct child *child, const char *name, bool wait)
{
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	child->pid = fork();
	ck_assert_int_ge(child->pid, 0);
	if (child->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(fixture_path("%s", name), name, fixture_path("%s.image", name),
		      wait ? "wait" : NULL, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	child->in = in[1];
	child->out = fdopen(out[0], "r");
	ck_assert_ptr_nonnull(child->out);
}

static int child_end(struct child *child, char *line, size_t size)
{
	int status;

	ck_assert_msg(fgets(line, (int)size, child->out) != NULL, "the client said nothing");
	line[strcspn(line, "\n")] = 0;
	fclose(child->out);
	close(child->in);
	ck_assert_int_eq(waitpid(child->pid, &status, 0), child->pid);
	return status;
}

/* Runs a client that is to succeed; returns where its task stands. */
static uint64_t ship(const char *name)
{
	struct child child;
	char line[600];

	child_start(&child, name, false);
	ck_assert_msg(child_end(&child, line, sizeof line) == 0, "%s: %s", name, line);
	return strtoull(line, NULL, 10);
}

/* Runs one that is to be refused. */
static void expect_client_refused(const char *name, const char *word, const char *other)
{
	struct child child;

	child_start(&child, name, false);
	ck_assert_int_eq(WEXITSTATUS(child_end(&child, err.text, sizeof err.text)), 1);
	expect_words(word, other);
	expect_words(name, "shared library");
}

/* ---- The engine's side ------------------------------------------------- */

static int sealed_memfd(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

static int memfd_of(const char *file)
{
	size_t size;
	uint8_t *bytes = fixture_read(fixture_path("%s", file), &size);
	int fd = sealed_memfd(bytes, size);

	free(bytes);
	return fd;
}

static struct program *open_image(const char *name)
{
	struct program *program = NULL;
	int fd = memfd_of(fixture_path("%s.image", name) + strlen(fixture_path("%s", "")));

	ck_assert_msg(program_open(&program, fd, hash, name, &err) == 0, "%s", err.text);
	return program;
}

static void expect_engine_refuses(int fd, const char *name, const char *word, const char *other)
{
	struct program *program = NULL;

	ck_assert_int_eq(program_open(&program, fd, hash, name, &err), XC_ECODE);
	ck_assert_ptr_null(program);
	expect_words(word, other);
	ck_assert_int_eq(close(fd), 0); /* it was not taken */
}

static task_fn *function_at(struct program *program, uint64_t offset)
{
	task_fn *task = (task_fn *)program_function(program, offset, &err);

	ck_assert_msg(task != NULL, "%s", err.text);
	return task;
}

/* ---- Programs ---------------------------------------------------------- */

START_TEST(test_program)
{
	struct program *program;
	uint64_t offset;
	char line[80];
	task_fn *task;
	FILE *file;
	int saved;

	build_client("plain", "");
	offset = ship("plain");
	program = open_image("plain");
	task = function_at(program, offset);
	fflush(stdout);
	saved = dup(1);
	file = fopen(fixture_path("printed"), "w+");
	dup2(fileno(file), 1);
	ck_assert_int_eq(task(1), 42);
	ck_assert_int_eq(task(2), 44);
	dup2(saved, 1);
	close(saved);
	rewind(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
	ck_assert_str_eq(line, "task of 1\n");
	fclose(file);
	ck_assert_str_eq(program_name(program), "plain");
	program_close(program);
}
END_TEST

START_TEST(test_two_builds)
{
	struct program *first, *second;
	uint64_t offset[2];

	fixture_write("level.h", "static int calls = LEVEL;\n"
				 "static int task(int x) { return ++calls + x; }\n");
	build_client("twice", "-DTASK='\"level.h\"' -DLEVEL=100");
	offset[0] = ship("twice");
	first = open_image("twice");
	build_client("twice", "-DTASK='\"level.h\"' -DLEVEL=200");
	offset[1] = ship("twice");
	second = open_image("twice");
	ck_assert_int_eq(function_at(first, offset[0])(0), 101);
	ck_assert_int_eq(function_at(second, offset[1])(0), 201);
	ck_assert_int_eq(function_at(first, offset[0])(0), 102);
	program_close(second);
	program_close(first);
}
END_TEST

START_TEST(test_rebuilt_while_running)
{
	struct program *program;
	struct child child;
	char line[600];

	fixture_write("old.h", "static int task(int x) { return x + 1000; }\n");
	fixture_write("new.h", "static int unused(int x) { return x * 3; }\n"
			       "int (*keep)(int) = unused;\n"
			       "static int task(int x) { return x + 2000; }\n");
	build_client("rebuilt", "-DTASK='\"old.h\"'");
	child_start(&child, "rebuilt", true);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, child.out));
	build_client("rebuilt.new", "-DTASK='\"new.h\"'");
	ck_assert_int_eq(rename(fixture_path("rebuilt.new"), fixture_path("rebuilt")), 0);
	ck_assert_int_eq(write(child.in, "\n", 1), 1);
	ck_assert_msg(child_end(&child, line, sizeof line) == 0, "%s", line);
	program = open_image("rebuilt");
	ck_assert_int_eq(function_at(program, strtoull(line, NULL, 10))(1), 1001);
	program_close(program);
}
END_TEST

START_TEST(test_openmp)
{
	struct program *program;
	uint64_t offset;

	fixture_write("omp.h", "#include <omp.h>\n"
			       "static int task(int x) {\n"
			       "	int sum = 0;\n"
			       "#pragma omp parallel for reduction(+ : sum) num_threads(2)\n"
			       "	for (int i = 0; i < 1000; i++) sum += x;\n"
			       "	return sum;\n"
			       "}\n");
	if (!fixture_try_cc("-fopenmp -o omp -DTASK='\"omp.h\"' " CLIENT))
		return;
	offset = ship("omp");
	program = open_image("omp");
	ck_assert_int_eq(function_at(program, offset)(3), 3000);
	kept = program; /* its threads live on in libgomp */
}
END_TEST

/* Variables of a library that the program names live in the program. */
START_TEST(test_variables_of_a_library)
{
	struct program *program;
	uint64_t offset;
	task_fn *task;

	fixture_write("shared.c",
		      "int level = 7;\n"
		      "int *const constant = &level;\n"
		      "int from_start;\n"
		      "__attribute__((constructor)) static void f(void) { from_start = 5; }\n"
		      "int get_level(void) { return level; }\n");
	fixture_write("shared.h", "extern int level, from_start;\n"
				  "extern int *const constant;\n"
				  "int get_level(void);\n"
				  "static int task(int x) {\n"
				  "	if (x) level = x;\n"
				  "	return get_level() + 100 * level + 10000 * from_start +\n"
				  "	       (constant ? 0 : 1000000);\n"
				  "}\n");
	fixture_cc("-shared -fPIC shared.c -o libshared_data.so");
	fixture_cc("-o shared -DTASK='\"shared.h\"' " CLIENT " -lshared_data -Wl,-rpath,%s",
		   fixture_path("."));
	offset = ship("shared");
	program = open_image("shared");
	task = function_at(program, offset);
	ck_assert_int_eq(task(0), 50707);
	ck_assert_int_eq(task(8), 50808);
	program_close(program);
}
END_TEST

START_TEST(test_fixed_refused)
{
	build_client("fixed", "-no-pie -fno-pie");
	expect_client_refused("fixed", "-no-pie", "rebuild it with -fPIE -pie");
}
END_TEST

START_TEST(test_static_refused)
{
	if (!fixture_try_cc("-static -o static " CLIENT " -lpthread"))
		return;
	expect_client_refused("static", "statically", "without -static");
}
END_TEST

START_TEST(test_thread_local_refused)
{
	fixture_write("local.h", "static _Thread_local int own = 3;\n"
				 "static int task(int x) { return own += x; }\n");
	build_client("local", "-DTASK='\"local.h\"'");
	expect_client_refused("local", "thread-local", "_Thread_local");
}
END_TEST

/* A program can come without the client's checks, too. */
START_TEST(test_engine_checks_programs)
{
	fixture_write("main.c", "_Thread_local int own; int main(void) { return own++; }\n");
	fixture_cc("-fno-pie -no-pie main.c -o raw_fixed");
	expect_engine_refuses(memfd_of("raw_fixed"), "raw_fixed", "fixed addresses", "raw_fixed");
	fixture_cc("-fPIE -pie main.c -o raw_local");
	expect_engine_refuses(memfd_of("raw_local"), "raw_local", "thread-local data", "raw_local");
}
END_TEST

START_TEST(test_other_libc)
{
	uint64_t offset;
	uint8_t *bytes;
	size_t size;
	char *interp;

	build_client("musl", "");
	offset = ship("musl");
	ck_assert_uint_gt(offset, 0);
	bytes = fixture_read(fixture_path("musl.image"), &size);
	interp = memmem(bytes, size, "/ld-linux", 9);
	if (interp) {
		memcpy(interp, "/ld-other", 9);
		expect_engine_refuses(sealed_memfd(bytes, size), "musl", "another C library",
				      "ld-other");
	}
	free(bytes);
}
END_TEST

START_TEST(test_sanitized)
{
	struct program *program = NULL;
	struct child child;
	char line[600];
	int fd, r;

	if (!fixture_try_cc("-fsanitize=address -o sanitized " CLIENT))
		return;
	child_start(&child, "sanitized", false);
	if (child_end(&child, err.text, sizeof err.text) != 0) {
		expect_words("contains the runtime of AddressSanitizer", "shared library");
		return;
	}
	snprintf(line, sizeof line, "%s", err.text);
	fd = memfd_of("sanitized.image");
	r = program_open(&program, fd, hash, "sanitized", &err);
#if defined(__SANITIZE_ADDRESS__)
	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_int_eq(function_at(program, strtoull(line, NULL, 10))(1), 42);
	program_close(program);
#else
	ck_assert_int_eq(r, XC_ECODE);
	expect_words("AddressSanitizer", "this engine is not");
	close(fd);
#endif
}
END_TEST

START_TEST(test_sanitized_undefined)
{
	struct program *program;
	struct child child;

	if (!fixture_try_cc("-fsanitize=undefined -o undefined " CLIENT))
		return;
	child_start(&child, "undefined", false);
	if (child_end(&child, err.text, sizeof err.text) != 0) {
		/* clang's runtime is static and has thread-local data. */
		expect_words("contains the runtime of UndefinedBehaviorSanitizer",
			     "shared library");
		return;
	}
	program = open_image("undefined");
	ck_assert_int_eq(function_at(program, strtoull(err.text, NULL, 10))(1), 42);
	program_close(program);
}
END_TEST

START_TEST(test_other_machine)
{
	uint16_t other = EM_S390;
	uint8_t *bytes;
	size_t size;

	fixture_cc("-shared -fPIC -DLEVEL=1 tasks.c -o libother.so");
	bytes = fixture_read(fixture_path("libother.so"), &size);
	memcpy(bytes + offsetof(ElfW(Ehdr), e_machine), &other, sizeof other);
	expect_engine_refuses(sealed_memfd(bytes, size), "libother.so", "another architecture",
			      "s390x");
	free(bytes);
}
END_TEST

START_TEST(test_missing_library)
{
	fixture_write("gone.c", "int gone(void) { return 1; }\n");
	fixture_write("gone.h", "int gone(void);\n"
				"static int task(int x) { return gone() + x; }\n");
	fixture_cc("-shared -fPIC gone.c -o libgone.so.4 -Wl,-soname,libgone.so.4");
	fixture_cc("-o needs -DTASK='\"gone.h\"' " CLIENT " ./libgone.so.4 -Wl,-rpath,%s",
		   fixture_path("."));
	ship("needs");
	ck_assert_int_eq(unlink(fixture_path("libgone.so.4")), 0);
	expect_engine_refuses(memfd_of("needs.image"), "needs",
			      "libgone.so.4 is missing on this host", "needs needs it");
}
END_TEST

/* Libraries found beside the program are so still when only its copy is loaded. */
START_TEST(test_origin)
{
	struct program *program;
	uint64_t offset;

	fixture_write("beside.c", "int beside(void) { return 500; }\n");
	fixture_write("beside.h", "int beside(void);\n"
				  "static int calls;\n"
				  "static int task(int x) { return beside() + x + calls++; }\n");
	fixture_cc("-shared -fPIC beside.c -o libbeside.so");
	fixture_cc("-o origin -DTASK='\"beside.h\"' " CLIENT
		   " -lbeside -Wl,-rpath,/nowhere:'$ORIGIN'/nothing:'${ORIGIN}'");
	offset = ship("origin");
	program = open_image("origin");
	ck_assert_int_eq(function_at(program, offset)(1), 501);
	ck_assert_int_eq(function_at(program, offset)(1), 502);
	program_close(program);
}
END_TEST

START_TEST(test_origin_of_a_library)
{
	struct program *program;
	struct xci_image *image;
	int fd;

	fixture_write("below.c", "int below(void) { return 600; }\n");
	fixture_write("above.c", "int below(void); int task(int x) { return below() + x; }\n");
	fixture_cc("-shared -fPIC below.c -o libbelow.so");
	fixture_cc("-shared -fPIC above.c -o libabove.so -L. -lbelow "
		   "-Wl,--disable-new-dtags,-rpath,'$ORIGIN'");
	ck_assert_msg(xci_image_load(fixture_path("libabove.so"), &image, &err) == 0, "%s",
		      err.text);
	fd = dup(image->fd);
	ck_assert_msg(program_open(&program, fd, image->hash, image->name, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(((task_fn *)program_symbol(program, "task", &err))(6), 606);
	program_close(program);
	xci_image_destroy(image);
}
END_TEST

START_TEST(test_undefined_symbol)
{
	fixture_write("undefined.c", "int nowhere(void);\nint task(void) { return nowhere(); }\n");
	fixture_cc("-shared -fPIC undefined.c -o libundefined.so");
	expect_engine_refuses(memfd_of("libundefined.so"), "libundefined.so",
			      "cannot load libundefined.so", "undefined symbol: nowhere");
}
END_TEST

START_TEST(test_damaged_image)
{
	expect_engine_refuses(sealed_memfd((const uint8_t *)"hello", 5), "letter", "letter",
			      "not an ELF file");
	expect_engine_refuses(sealed_memfd((const uint8_t *)"", 0), "nothing", "nothing", "empty");
}
END_TEST

START_TEST(test_unsealed_image)
{
	struct program *program = NULL;
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_eq(program_open(&program, fd, hash, "open", &err), -EINVAL);
	expect_words("open", "not a sealed memfd");
	close(fd);
}
END_TEST

START_TEST(test_outside_code)
{
	struct program *program;
	uint64_t offset;

	build_client("bounds", "");
	offset = ship("bounds");
	program = open_image("bounds");
	ck_assert_ptr_nonnull(program_function(program, offset, &err));
	ck_assert_ptr_null(program_function(program, 0, &err));
	expect_words("bounds", "not in its code");
	ck_assert_ptr_null(program_function(program, UINT64_MAX, &err));
	ck_assert_ptr_null(program_function(program, offset + (1u << 30), &err));
	program_close(program);
}
END_TEST

/* ---- Libraries --------------------------------------------------------- */

static void *load_tasks(const char *name, int level, const char *flags)
{
	void *library;

	fixture_cc("-shared -fPIC -DLEVEL=%d tasks.c -o %s %s", level, name, flags);
	library = dlopen(fixture_path("%s", name), RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(library != NULL, "%s", dlerror());
	return library;
}

static task_fn *hidden_task(void *library)
{
	get_task_fn *get = (get_task_fn *)dlsym(library, "get_task");

	ck_assert_ptr_nonnull(get);
	return get();
}

static void replace_tasks(const char *name, int level, const char *flags)
{
	fixture_cc("-shared -fPIC -DLEVEL=%d tasks.c -o new.so %s", level, flags);
	ck_assert_int_eq(rename(fixture_path("new.so"), fixture_path("%s", name)), 0);
}

static void check_library(task_fn *task, int first)
{
	struct program *program;
	struct xci_image *image;
	uint64_t offset;
	int fd;

	ck_assert_msg(xci_image_find((void *)task, &image, &offset, &err) == 0, "%s", err.text);
	ck_assert_uint_eq((uintptr_t)task, xci_image_key((void *)task) + offset);
	fd = dup(image->fd);
	ck_assert_int_eq(program_open(&program, fd, image->hash, image->name, &err), 0);
	ck_assert_mem_eq(program_hash(program), image->hash, sizeof image->hash);
	ck_assert_int_eq(function_at(program, offset)(0), first);
	program_close(program);
	xci_image_destroy(image);
}

START_TEST(test_library)
{
	void *library = load_tasks("libtasks.so", 10, "-Wl,--build-id");

	check_library(hidden_task(library), 11);
	check_library((task_fn *)dlsym(library, "task"), 11);
	dlclose(library);
}
END_TEST

START_TEST(test_image)
{
	void *library = load_tasks("libimage.so", 10, "");
	unsigned char expected[XCI_HASH_SIZE];
	struct xci_image *image;
	uint64_t offset;
	uint8_t *bytes;
	size_t size;

	ck_assert_int_eq(xci_image_find((void *)hidden_task(library), &image, &offset, &err), 0);
	bytes = fixture_read(fixture_path("libimage.so"), &size);
	crypto_generichash(expected, sizeof expected, bytes, size, NULL, 0);
	ck_assert_mem_eq(image->hash, expected, sizeof expected);
	ck_assert_uint_eq(image->size, size);
	ck_assert_str_eq(image->name, "libimage.so");
	ck_assert_int_eq(fcntl(image->fd, F_GET_SEALS),
			 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	ck_assert_int_eq(write(image->fd, "x", 1), -1);
	free(bytes);
	/* The image keeps the library, so that its key stays its own. */
	ck_assert_int_eq(dlclose(library), 0);
	library = dlopen(fixture_path("libimage.so"), RTLD_NOW | RTLD_NOLOAD);
	ck_assert_ptr_nonnull(library);
	dlclose(library);
	xci_image_destroy(image);
	ck_assert_ptr_null(dlopen(fixture_path("libimage.so"), RTLD_NOW | RTLD_NOLOAD));
}
END_TEST

START_TEST(test_library_with_thread_local)
{
	void *library;

	fixture_write("threads.c", "static _Thread_local int own = 70;\n"
				   "int task(int x) { return ++own + x; }\n");
	fixture_cc("-shared -fPIC threads.c -o libthreads.so");
	library = dlopen(fixture_path("libthreads.so"), RTLD_NOW | RTLD_LOCAL);
	ck_assert_ptr_nonnull(library);
	check_library((task_fn *)dlsym(library, "task"), 71);
	dlclose(library);
}
END_TEST

static void expect_find_refused(const void *fn, const char *word, const char *other)
{
	struct xci_image *image = NULL;
	uint64_t offset;

	ck_assert_int_eq(xci_image_find(fn, &image, &offset, &err), XC_ECODE);
	ck_assert_ptr_null(image);
	expect_words(word, other);
}

START_TEST(test_library_rebuilt)
{
	void *library = load_tasks("librebuilt.so", 10, "-Wl,--build-id");
	task_fn *task = hidden_task(library);

	replace_tasks("librebuilt.so", 20, "-Wl,--build-id");
	expect_find_refused((void *)task, "librebuilt.so was rebuilt since",
			    "start the program again");
	/* The same build put there again is the same code. */
	replace_tasks("librebuilt.so", 10, "-Wl,--build-id");
	check_library(task, 11);
	ck_assert_int_eq(unlink(fixture_path("librebuilt.so")), 0);
	expect_find_refused((void *)task, "librebuilt.so", "No such file");
	dlclose(library);
}
END_TEST

START_TEST(test_library_without_build_id)
{
	void *library = load_tasks("libplain.so", 10, "-Wl,--build-id=none");
	task_fn *task = hidden_task(library);

	check_library(task, 11);
	replace_tasks("libplain.so", 20, "-Wl,--build-id=none");
	expect_find_refused((void *)task, "libplain.so was rebuilt since",
			    "start the program again");
	dlclose(library);
}
END_TEST

START_TEST(test_library_by_relative_name)
{
	void *library;
	char *here = get_current_dir_name();

	fixture_cc("-shared -fPIC -DLEVEL=30 tasks.c -o librelative.so");
	ck_assert_int_eq(chdir(fixture_path(".")), 0);
	library = dlopen("./librelative.so", RTLD_NOW | RTLD_LOCAL);
	ck_assert_ptr_nonnull(library);
	ck_assert_int_eq(chdir(here), 0);
	check_library(hidden_task(library), 31);
	dlclose(library);
	free(here);
}
END_TEST

/* A task may itself map: its function then is in an image from the cluster. */
START_TEST(test_shipped_again)
{
	struct program *program;
	uint64_t offset;

	build_client("again", "");
	offset = ship("again");
	program = open_image("again");
	check_library(function_at(program, offset), 41);
	program_close(program);
}
END_TEST

START_TEST(test_not_a_function)
{
	void *library = load_tasks("libdata.so", 10, "");
	void *heap = malloc(16);

	expect_find_refused(NULL, "NULL", "xc_load");
	expect_find_refused(heap, "not a function of this program", "loaded");
	expect_find_refused(dlsym(library, "not_code"), "points to data of", "libdata.so");
	expect_find_refused(dlsym(RTLD_DEFAULT, "getpid"), "libc.so", "a task of yours");
	ck_assert_uint_eq(xci_image_key(NULL), 0);
	ck_assert_uint_eq(xci_image_key(heap), 0);
	free(heap);
	dlclose(library);
}
END_TEST

START_TEST(test_load)
{
	struct program *program;
	struct xci_image *image;
	task_fn *task;
	int fd;

	fixture_cc("-shared -fPIC -DLEVEL=50 tasks.c -o libloaded.so");
	ck_assert_int_eq(xci_image_load(fixture_path("libloaded.so"), &image, &err), 0);
	fd = dup(image->fd);
	ck_assert_int_eq(program_open(&program, fd, image->hash, image->name, &err), 0);
	task = (task_fn *)program_symbol(program, "task", &err);
	ck_assert_ptr_nonnull(task);
	ck_assert_int_eq(task(1), 52);
	ck_assert_ptr_null(program_symbol(program, "hidden", &err));
	expect_words("libloaded.so exports no function hidden", "static");
	ck_assert_ptr_null(program_symbol(program, "getpid", &err));
	ck_assert_ptr_null(program_symbol(program, "not_code", &err));
	program_close(program);
	xci_image_destroy(image);
}
END_TEST

static void expect_load_refused(const char *path, const char *word)
{
	struct xci_image *image = NULL;

	ck_assert_int_eq(xci_image_load(path, &image, &err), XC_ECODE);
	ck_assert_ptr_null(image);
	expect_words(word, strrchr(path, '/') + 1);
}

START_TEST(test_load_refused)
{
	uint16_t other = elf_own_machine() == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
	FILE *file;

	fixture_write("main.c", "int main(void) { return 0; }\n");
	fixture_write("empty.so", "");
	fixture_cc("-fno-pie -no-pie main.c -o program");
	fixture_cc("-shared -fPIC -DLEVEL=1 tasks.c -o libforeign.so");
	fixture_cc("-c main.c");
	file = fopen(fixture_path("libforeign.so"), "r+");
	ck_assert_int_eq(fseek(file, offsetof(ElfW(Ehdr), e_machine), SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(&other, sizeof other, 1, file), 1);
	fclose(file);
	expect_load_refused(fixture_path("libmissing.so"), "No such file");
	expect_load_refused(fixture_path("main.c"), "not an ELF file");
	expect_load_refused(fixture_path("empty.so"), "empty");
	expect_load_refused(fixture_path("main.o"), "neither a shared library");
	expect_load_refused(fixture_path("program"), "-no-pie");
	expect_load_refused(fixture_path("libforeign.so"), "another architecture");
	expect_load_refused("/tmp", "not a file");
}
END_TEST

/* N.B. dlopen knows what it loaded by name: a number that comes back must not
 * find the old program. */
START_TEST(test_descriptors)
{
	struct program *program;
	int fd;

	for (int level = 1; level <= 3; level++) {
		fixture_cc("-shared -fPIC -DLEVEL=%d tasks.c -o libnumber.so", level);
		fd = memfd_of("libnumber.so");
		ck_assert_int_eq(program_open(&program, fd, hash, "libnumber.so", &err), 0);
		ck_assert_int_eq(((task_fn *)program_symbol(program, "task", &err))(0), level + 1);
		program_close(program);
	}
}
END_TEST

static void add_programs(TCase *tests)
{
	tcase_add_test(tests, test_program);
	tcase_add_test(tests, test_two_builds);
	tcase_add_test(tests, test_rebuilt_while_running);
	tcase_add_test(tests, test_openmp);
	tcase_add_test(tests, test_variables_of_a_library);
	tcase_add_test(tests, test_fixed_refused);
	tcase_add_test(tests, test_static_refused);
	tcase_add_test(tests, test_thread_local_refused);
	tcase_add_test(tests, test_engine_checks_programs);
	tcase_add_test(tests, test_other_libc);
	tcase_add_test(tests, test_sanitized);
	tcase_add_test(tests, test_sanitized_undefined);
	tcase_add_test(tests, test_other_machine);
	tcase_add_test(tests, test_missing_library);
	tcase_add_test(tests, test_origin);
	tcase_add_test(tests, test_origin_of_a_library);
	tcase_add_test(tests, test_undefined_symbol);
	tcase_add_test(tests, test_damaged_image);
	tcase_add_test(tests, test_unsealed_image);
	tcase_add_test(tests, test_outside_code);
}

static void add_libraries(TCase *tests)
{
	tcase_add_test(tests, test_library);
	tcase_add_test(tests, test_image);
	tcase_add_test(tests, test_library_with_thread_local);
	tcase_add_test(tests, test_library_rebuilt);
	tcase_add_test(tests, test_library_without_build_id);
	tcase_add_test(tests, test_library_by_relative_name);
	tcase_add_test(tests, test_shipped_again);
	tcase_add_test(tests, test_not_a_function);
	tcase_add_test(tests, test_load);
	tcase_add_test(tests, test_load_refused);
	tcase_add_test(tests, test_descriptors);
}

int main(void)
{
	Suite *suite = suite_create("image");
	TCase *programs = tcase_create("programs");
	TCase *libraries = tcase_create("libraries");
	SRunner *runner;
	int failed;

	tcase_add_unchecked_fixture(programs, begin, fixture_end);
	tcase_add_checked_fixture(programs, reset, NULL);
	tcase_set_timeout(programs, 60);
	add_programs(programs);
	suite_add_tcase(suite, programs);
	tcase_add_unchecked_fixture(libraries, begin, fixture_end);
	tcase_add_checked_fixture(libraries, reset, NULL);
	tcase_set_timeout(libraries, 60);
	add_libraries(libraries);
	suite_add_tcase(suite, libraries);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
