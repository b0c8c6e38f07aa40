/* compiler.h: this host's compilers, run as children of an engine, or of the program
 * with XCLUSTER=inline. */
#ifndef LIBCLUSTER_COMPILER_H
#define LIBCLUSTER_COMPILER_H

#include <limits.h>

#include "libcluster/words.h"
#include "proto/source.h"

#define COMPILER_OUTPUT_MAX 65536

struct compiler {
	enum source_language language;
	struct words command; /* owned; the first word is its path */
	char name[256];	      /* as asked for */
};

/* What a run of it has printed, cut. */
struct compiler_output {
	char text[COMPILER_OUTPUT_MAX + 1];
	size_t size;
};

/* The compiler that the source names, else that of CC, CXX or FC, else cc, c++ or
 * gfortran. XC_ECODE: there is none on this host, with what to do; -ENOMEM. */
int compiler_find(struct compiler *c, const struct source *s, struct xc_error *err);
void compiler_fini(struct compiler *c);

/* Runs it with these arguments more in `directory`, its output into `out`, killed
 * after `limit_ms` and with this process. Its exit code, or 128 + signal;
 * -ETIMEDOUT; -errno. */
int compiler_run(const struct compiler *c, const struct words *arguments, const char *directory,
		 uint64_t limit_ms, struct compiler_output *out);

/* The errors among what it printed, in one line that holds as many of them whole as
 * fit. */
void compiler_errors(const struct compiler_output *out, char *text, size_t size);

#endif
