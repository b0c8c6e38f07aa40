/* test_elf.c: what elf_inspect says of images that compilers make, and of damaged ones. */
#include <check.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/elf.h"
#include "tests/unit/fixture.h"

static uint8_t *bytes;
static size_t size;
static struct elf_info info;
static struct xc_error err;

static void begin(void)
{
	fixture_begin();
	fixture_write("main.c", "int value = 7;\nint main(void) { return value; }\n");
	fixture_write("library.c", "int data = 3;\nint task(void) { return data; }\n");
	fixture_write("local.c", "static _Thread_local long own[4];\n"
				 "int main(void) { return own[0]++ == 1; }\n");
	bytes = NULL;
}

static void end(void)
{
	free(bytes);
	fixture_end();
}

static void take(const char *name)
{
	free(bytes);
	bytes = fixture_read(fixture_path("%s", name), &size);
}

static void inspect(const char *name)
{
	take(name);
	err.text[0] = 0;
	ck_assert_msg(elf_inspect(bytes, size, &info, &err) == 0, "%s: %s", name, err.text);
}

static void expect_refused(const char *word)
{
	memset(&err, 0, sizeof err);
	ck_assert_int_eq(elf_inspect(bytes, size, &info, &err), XC_ECODE);
	ck_assert_msg(strstr(err.text, word) != NULL, "\"%s\" lacks \"%s\"", err.text, word);
}

START_TEST(test_pie)
{
	fixture_cc("-fPIE -pie main.c -o main");
	inspect("main");
	ck_assert_int_eq(info.kind, ELF_PIE);
	ck_assert_int_eq(info.type, ET_DYN);
	ck_assert_uint_eq(info.machine, elf_own_machine());
	ck_assert(!info.foreign);
	ck_assert(info.has_dynamic);
	ck_assert_uint_gt(info.pie_flag_offset, 0);
	ck_assert_uint_eq(info.tls_size, 0);
	ck_assert_ptr_nonnull(strstr(info.interp, "ld-"));
	ck_assert_int_eq(info.sanitizer, ELF_SANITIZER_NONE);
}
END_TEST

START_TEST(test_clear_pie)
{
	uint64_t offset;

	fixture_cc("-fPIE -pie main.c -o main");
	inspect("main");
	offset = info.pie_flag_offset;
	elf_clear_pie(bytes, &info);
	ck_assert_int_eq(elf_inspect(bytes, size, &info, &err), 0);
	ck_assert_uint_eq(info.pie_flag_offset, 0);
	ck_assert_int_eq(info.kind, ELF_PIE); /* still told from a library */
	ck_assert_uint_eq(((ElfW(Dyn) *)(void *)(bytes + offset - 8))->d_tag, DT_FLAGS_1);
}
END_TEST

START_TEST(test_fixed)
{
	fixture_cc("-fno-pie -no-pie main.c -o main");
	inspect("main");
	ck_assert_int_eq(info.kind, ELF_FIXED);
	ck_assert_uint_eq(info.pie_flag_offset, 0);
}
END_TEST

START_TEST(test_static)
{
	fixture_cc("-static main.c -o main");
	inspect("main");
	ck_assert_int_eq(info.kind, ELF_STATIC);
	ck_assert(!info.has_dynamic);
	ck_assert_str_eq(info.interp, "");
}
END_TEST

START_TEST(test_static_pie)
{
	if (!fixture_try_cc("-static-pie -fPIE main.c -o main"))
		return;
	inspect("main");
	ck_assert_int_eq(info.kind, ELF_STATIC);
}
END_TEST

START_TEST(test_object_file)
{
	fixture_cc("-c main.c");
	inspect("main.o");
	ck_assert_int_eq(info.kind, ELF_OTHER);
}
END_TEST

START_TEST(test_library)
{
	fixture_cc("-shared -fPIC library.c -o liblibrary.so -Wl,--no-as-needed -lm "
		   "-Wl,--build-id=0x0123456789abcdef");
	inspect("liblibrary.so");
	ck_assert_int_eq(info.kind, ELF_LIBRARY);
	ck_assert_uint_eq(info.build_id_size, 8);
	ck_assert_mem_eq(info.build_id, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	ck_assert_uint_eq(info.needed_count, 2);
	ck_assert_ptr_nonnull(strstr(elf_needed(bytes, &info, 0), "libm.so"));
	ck_assert_ptr_nonnull(strstr(elf_needed(bytes, &info, 1), "libc.so"));
}
END_TEST

START_TEST(test_no_build_id)
{
	fixture_cc("-shared -fPIC library.c -o liblibrary.so -Wl,--build-id=none");
	inspect("liblibrary.so");
	ck_assert_uint_eq(info.build_id_size, 0);
}
END_TEST

START_TEST(test_thread_local)
{
	fixture_cc("local.c -o local");
	inspect("local");
	ck_assert_int_eq(info.kind, ELF_PIE);
	ck_assert_uint_eq(info.tls_size, 4 * sizeof(long));
}
END_TEST

START_TEST(test_sanitizer)
{
	if (!fixture_try_cc("-fsanitize=address main.c -o main"))
		return;
	inspect("main");
	ck_assert_int_eq(info.sanitizer, ELF_SANITIZER_ADDRESS);
	/* gcc links the shared runtime, clang the static one. */
	ck_assert(info.sanitizer_inside != (info.sanitizer_name != 0));
	ck_assert_str_eq(elf_sanitizer_text(info.sanitizer), "AddressSanitizer");
}
END_TEST

START_TEST(test_sanitizer_symbols)
{
	fixture_write("strong.c", "void __asan_init(void);\nvoid f(void) { __asan_init(); }\n");
	fixture_write("weak.c", "__attribute__((weak)) void __asan_init(void);\n"
				"void f(void) { if (__asan_init) __asan_init(); }\n");
	fixture_cc("-shared -fPIC strong.c -o libstrong.so");
	inspect("libstrong.so");
	ck_assert_int_eq(info.sanitizer, ELF_SANITIZER_ADDRESS);
	ck_assert(!info.sanitizer_inside);
	fixture_cc("-shared -fPIC weak.c -o libweak.so");
	inspect("libweak.so");
	ck_assert_int_eq(info.sanitizer, ELF_SANITIZER_NONE);
}
END_TEST

/* The entry point is code, the program header table is not. */
START_TEST(test_executable)
{
	ElfW(Ehdr) header;

	fixture_cc("-fPIE -pie main.c -o main");
	inspect("main");
	memcpy(&header, bytes, sizeof header);
	ck_assert(elf_is_executable(&info, header.e_entry));
	ck_assert(!elf_is_executable(&info, 0));
	ck_assert(!elf_is_executable(&info, header.e_phoff));
	ck_assert(!elf_is_executable(&info, UINT64_MAX));
	ck_assert(!elf_is_executable(&info, info.executable[0].end));
	ck_assert(!elf_is_executable(&info, info.executable[0].start - 1));
}
END_TEST

START_TEST(test_foreign)
{
	uint16_t other = elf_own_machine() == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
	char text[32];

	fixture_cc("-shared -fPIC library.c -o liblibrary.so");
	take("liblibrary.so");
	memcpy(bytes + offsetof(ElfW(Ehdr), e_machine), &other, sizeof other);
	ck_assert_int_eq(elf_inspect(bytes, size, &info, &err), 0);
	ck_assert_uint_eq(info.machine, other);
	bytes[EI_CLASS] = bytes[EI_CLASS] == ELFCLASS64 ? ELFCLASS32 : ELFCLASS64;
	ck_assert_int_eq(elf_inspect(bytes, size, &info, &err), 0);
	ck_assert(info.foreign);
	ck_assert_int_eq(info.kind, ELF_LIBRARY);
	ck_assert_str_eq(elf_machine_name(EM_AARCH64, text), "aarch64");
	ck_assert_str_eq(elf_machine_name(0x1234, text), "machine 4660");
}
END_TEST

START_TEST(test_other_byte_order)
{
	uint8_t header[64] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2MSB };

	header[17] = ET_EXEC;
	header[19] = EM_S390;
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		return;
	ck_assert_int_eq(elf_inspect(header, sizeof header, &info, &err), 0);
	ck_assert(info.foreign);
	ck_assert_uint_eq(info.machine, EM_S390);
	ck_assert_int_eq(info.kind, ELF_FIXED);
}
END_TEST

START_TEST(test_not_elf)
{
	fixture_write("text", "not a program\n");
	take("text");
	expect_refused("not an ELF file");
	size = 0;
	expect_refused("not an ELF file");
}
END_TEST

START_TEST(test_damaged)
{
	ElfW(Ehdr) header;

	fixture_cc("-shared -fPIC library.c -o liblibrary.so");
	take("liblibrary.so");
	memcpy(&header, bytes, sizeof header);
	header.e_phoff = UINT64_MAX;
	memcpy(bytes, &header, sizeof header);
	expect_refused("program header table");
}
END_TEST

/* In a heap block of exactly that size, so that sanitizers see the first byte
 * read beyond it. */
static void inspect_exactly(size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct elf_info found;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, length);
	if (elf_inspect(copy, length, &found, NULL) == 0)
		elf_clear_pie(copy, &found);
	free(copy);
}

START_TEST(test_every_truncation)
{
	fixture_cc("-shared -fPIC -nostdlib -s library.c -o liblibrary.so");
	take("liblibrary.so");
	for (size_t length = 0; length < size; length += length < 2048 ? 1 : 37)
		inspect_exactly(length);
}
END_TEST

START_TEST(test_flipped_bytes)
{
	uint32_t state = 1;

	fixture_cc("-fPIE -pie -s main.c -o main");
	take("main");
	for (int round = 0; round < 3000; round++) {
		size_t at;
		uint8_t old;

		state = state * 1664525u + 1013904223u;
		at = (state >> 8) % (round % 2 ? size : 1024);
		old = bytes[at];
		bytes[at] = (uint8_t)(state >> 3);
		inspect_exactly(size);
		bytes[at] = old;
	}
}
END_TEST

START_TEST(test_output_only_on_success)
{
	fixture_write("text", "\x7f"
			      "ELF");
	take("text");
	info.machine = 77;
	ck_assert_int_lt(elf_inspect(bytes, size, &info, NULL), 0);
	ck_assert_uint_eq(info.machine, 77);
}
END_TEST

static void expect_functions(const char *name)
{
	take(name);
	ck_assert(elf_defines(bytes, size, "task"));
	ck_assert(elf_defines(bytes, size, "weak_task"));
	ck_assert(elf_defines(bytes, size, "protected_task"));
	ck_assert(elf_defines(bytes, size, "task_7"));
	ck_assert(elf_defines(bytes, size, "task_39"));
	ck_assert(!elf_defines(bytes, size, "hidden_task"));
	ck_assert(!elf_defines(bytes, size, "static_task"));
	ck_assert(!elf_defines(bytes, size, "data"));
	ck_assert(!elf_defines(bytes, size, "imported"));
	ck_assert(!elf_defines(bytes, size, "tas"));
	ck_assert(!elf_defines(bytes, size, "task_40"));
	ck_assert(!elf_defines(bytes, size, ""));
}

static void write_functions(void)
{
	char text[4096] = "int data = 1;\nint imported(void);\n"
			  "static int static_task(void) { return imported(); }\n"
			  "int task(void) { return static_task(); }\n"
			  "__attribute__((weak)) int weak_task(void) { return 2; }\n"
			  "__attribute__((visibility(\"hidden\"))) int hidden_task(void)"
			  "{ return 3; }\n"
			  "__attribute__((visibility(\"protected\"))) int protected_task(void)"
			  "{ return 4; }\n";

	for (int i = 0; i < 40; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
			 "int task_%d(void) { return %d; }\n", i, i);
	fixture_write("functions.c", text);
}

START_TEST(test_functions)
{
	write_functions();
	fixture_cc("-shared -fPIC -Wl,--hash-style=gnu functions.c -o gnu.so");
	expect_functions("gnu.so");
	fixture_cc("-shared -fPIC -Wl,--hash-style=sysv functions.c -o sysv.so");
	expect_functions("sysv.so");
	fixture_cc("-shared -fPIC -s -Wl,--hash-style=both functions.c -o both.so");
	expect_functions("both.so");
	fixture_cc("-c functions.c -o functions.o");
	take("functions.o");
	ck_assert(!elf_defines(bytes, size, "task"));
}
END_TEST

/* Whatever is damaged, nothing outside is read: sanitizers tell. */
START_TEST(test_functions_of_damaged_files)
{
	static const char *const styles[] = { "gnu", "sysv" };
	uint8_t *copy;

	write_functions();
	fixture_cc("-shared -fPIC -s -Wl,--hash-style=%s functions.c -o damaged.so", styles[_i]);
	take("damaged.so");
	for (size_t cut = 0; cut < size; cut += 97) {
		copy = malloc(cut + 1);
		memcpy(copy, bytes, cut);
		elf_defines(copy, cut, "task_39");
		free(copy);
	}
	/* The tables stand at the begin. */
	for (size_t at = 0; at < 4096 && at < size; at++) {
		uint8_t old = bytes[at];

		bytes[at] ^= 0xff;
		elf_defines(bytes, size, "task_39");
		bytes[at] = old;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elf");
	TCase *tests = tcase_create("elf");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_pie);
	tcase_add_test(tests, test_clear_pie);
	tcase_add_test(tests, test_fixed);
	tcase_add_test(tests, test_static);
	tcase_add_test(tests, test_static_pie);
	tcase_add_test(tests, test_object_file);
	tcase_add_test(tests, test_library);
	tcase_add_test(tests, test_no_build_id);
	tcase_add_test(tests, test_thread_local);
	tcase_add_test(tests, test_sanitizer);
	tcase_add_test(tests, test_sanitizer_symbols);
	tcase_add_test(tests, test_executable);
	tcase_add_test(tests, test_foreign);
	tcase_add_test(tests, test_other_byte_order);
	tcase_add_test(tests, test_not_elf);
	tcase_add_test(tests, test_damaged);
	tcase_add_test(tests, test_every_truncation);
	tcase_add_test(tests, test_flipped_bytes);
	tcase_add_test(tests, test_output_only_on_success);
	tcase_add_test(tests, test_functions);
	tcase_add_loop_test(tests, test_functions_of_damaged_files, 0, 2);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
