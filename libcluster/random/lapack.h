/* lapack.h: LAPACK, loaded when it is needed, so that programs that do without need not have
 * it. */
#ifndef LIBCLUSTER_RANDOM_LAPACK_H
#define LIBCLUSTER_RANDOM_LAPACK_H

#include <stddef.h>

#include "xcluster.h"

/* As gfortran compiles them: the lengths of texts come last. Matrices go by columns. */
struct lapack {
	void (*dgesdd)(const char *jobz, const int *m, const int *n, double *a, const int *lda,
		       double *s, double *u, const int *ldu, double *vt, const int *ldvt,
		       double *work, const int *lwork, int *iwork, int *info, size_t length);
	void (*dsyevd)(const char *jobz, const char *uplo, const int *n, double *a, const int *lda,
		       double *w, double *work, const int *lwork, int *iwork, const int *liwork,
		       int *info, size_t length1, size_t length2);
	void (*dpotrf)(const char *uplo, const int *n, double *a, const int *lda, int *info,
		       size_t length);
	void (*dgemm)(const char *transa, const char *transb, const int *m, const int *n,
		      const int *k, const double *alpha, const double *a, const int *lda,
		      const double *b, const int *ldb, const double *beta, double *c,
		      const int *ldc, size_t length1, size_t length2);
};

/* NULL: there is none on this host, and `err` says what to install. It stays loaded. */
const struct lapack *lapack_get(struct xc_error *err);

#endif
