/* fuzz_elf.c: elf_inspect and elf_defines on any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is reported must lie within the image. */
static void use(const uint8_t *data, size_t size, const struct elf_info *info)
{
	for (size_t i = 0; i < info->needed_count; i++)
		if (info->needed[i] + strlen(elf_needed(data, info, i)) >= size)
			abort();
	if (info->sanitizer_name && info->sanitizer_name >= size)
		abort();
	if (memchr(info->interp, 0, sizeof info->interp) == NULL)
		abort();
	for (size_t i = 0; i < info->executable_count; i++)
		if (!elf_is_executable(info, info->executable[i].start) ||
		    info->executable[i].start >= info->executable[i].end)
			abort();
}

/* What engines and clients do to an image that they have accepted. */
static void change(const uint8_t *data, size_t size, const struct elf_info *info)
{
	size_t total = elf_origin_size(data, size, info, "/a/folder/of/it");
	uint8_t *copy = calloc(1, total);

	if (!copy)
		return;
	memcpy(copy, data, size);
	if (total > size)
		elf_expand_origin(copy, size, info, "/a/folder/of/it");
	elf_clear_pie(copy, info);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_info info;
	struct xc_error err;

	elf_defines(data, size, "task");
	if (elf_inspect(data, size, &info, &err) < 0)
		return 0;
	use(data, size, &info);
	change(data, size, &info);
	return 0;
}
