/* loader.c: what engines, and XCLUSTER=inline in their place, ask the dynamic loader. */
#include "libcluster/loader.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "proto/error.h"

/* What the library of linear algebra needs, and who has it. */
#define OPENBLAS	  "libopenblas.so"
#define OPENBLAS_PACKAGES " (package libopenblas0 on Debian and Ubuntu, openblas elsewhere)"

int loader_refuse_sanitizer(const struct elf_info *info, const char *name, struct xc_error *err)
{
	return error_set(err, XC_ECODE,
			 "%s is built with %s, this engine is not: rebuild it without, or start an "
			 "xcluster built with the same sanitizer",
			 name, elf_sanitizer_text(info->sanitizer));
}

/* libubsan is content to be loaded later. */
int loader_check_sanitizer(const struct elf_info *info, const void *bytes, const char *name,
			   struct xc_error *err)
{
	void *runtime;

	if (info->sanitizer == ELF_SANITIZER_NONE || info->sanitizer == ELF_SANITIZER_UNDEFINED)
		return 0;
	if (info->sanitizer_inside)
		return loader_refuse_sanitizer(info, name, err);
	if (!info->sanitizer_name)
		return 0; /* dlopen will tell */
	runtime = dlopen((const char *)bytes + info->sanitizer_name, RTLD_LAZY | RTLD_NOLOAD);
	if (!runtime)
		return loader_refuse_sanitizer(info, name, err);
	dlclose(runtime);
	return 0;
}

/* Appends up to `length` bytes of text. */
static void append(char *to, size_t size, const char *text, size_t length)
{
	size_t used = strlen(to);

	snprintf(to + used, size - used, "%.*s", (int)length, text);
}

/* The loader's words, with the library's name in place of its path. */
static void translate(const char *path, const char *name, const char *words, char *text,
		      size_t size)
{
	const char *at;

	text[0] = 0;
	while ((at = strstr(words, path)) != NULL) {
		append(text, size, words, (size_t)(at - words));
		append(text, size, name, strlen(name));
		words = at + strlen(path);
	}
	append(text, size, words, strlen(words));
}

int loader_refused(const char *path, const char *name, const char *words, struct xc_error *err)
{
	const char *missing = strstr(words, ": cannot open shared object file");
	char text[512];

	if (missing && strncmp(words, path, strlen(path)) != 0)
		return error_set(
			err, XC_ECODE,
			"%.*s is missing on this host: %s needs it; install it%s, or put its "
			"folder into LD_LIBRARY_PATH and start the engines again",
			(int)(missing - words), words, name,
			strncmp(words, OPENBLAS, strlen(OPENBLAS)) == 0 ? OPENBLAS_PACKAGES : "");
	translate(path, name, words, text, sizeof text);
	return error_set(err, XC_ECODE, "cannot load %s: %s", name, text);
}

void *loader_symbol(void *handle, const struct link_map *map, const struct elf_info *info,
		    const char *name, const char *symbol, struct xc_error *err)
{
	void *address = dlsym(handle, symbol);
	struct link_map *found = NULL;
	Dl_info place;

	/* dlsym also looks through the libraries that this one needs. */
	if (address && dladdr1(address, &place, (void **)&found, RTLD_DL_LINKMAP) && found == map &&
	    elf_is_executable(info, (uintptr_t)address - map->l_addr))
		return address;
	error_set(err, XC_ECODE,
		  "%s exports no function %s: check the name, and that it is neither static nor "
		  "hidden",
		  name, symbol);
	return NULL;
}
