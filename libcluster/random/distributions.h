/* distributions.h: how a distribution becomes the two calls that the header declares, and
 * the draws that several distributions share. All are numpy's of Generator, bit for bit.
 *
 * A distribution `name` is a static draw_name(rng, ...), which may rely on its arguments,
 * and a static check_name(err, ...), which CHECK makes where each is judged by itself; of
 * these DRAWS makes xc_name(rng, ...) and xc_name_fill(rng, ..., out, n, err). */
#ifndef LIBCLUSTER_RANDOM_DISTRIBUTIONS_H
#define LIBCLUSTER_RANDOM_DISTRIBUTIONS_H

#include <errno.h>
#include <math.h>

#include "libcluster/random/rng.h"
#include "proto/error.h"

enum rule {
	FINITE,
	NOT_NEGATIVE,
	POSITIVE,
	PROBABILITY,
	PROBABILITY_NOT_0,
	PROBABILITY_NOT_1,
	POISSON_MEAN,	/* so that no count passes an int64_t */
	GEOMETRIC_RATE, /* likewise */
};

/* The largest mean of a Poisson distribution: 2^63 - 1 is 10 standard deviations off. */
#define POISSON_MEAN_MAX (0x1p63 - 30370004999.76 /* 10 * sqrt(2^63) */)

/* The least probability of a geometric distribution: the longest that an exponential draw can
 * be, 44.5, makes 8.9e18 trials of it. */
#define GEOMETRIC_RATE_MIN 5e-18

struct argument {
	const char *name;
	double value;
	enum rule rule;
};

#define ARGUMENT(value, rule)                                                                      \
	{                                                                                          \
#value, value, rule                                                                \
	}

/* 0, or -EINVAL with a text of the first that breaks its rule. None may be NaN or infinite:
 * numpy's methods may not end then. */
int arguments_check(const char *distribution, const struct argument *arguments, size_t n,
		    struct xc_error *err);
/* The same of a generator and a place of n numbers. */
int places_check(const char *distribution, const struct xc_rng *rng, const void *out, size_t n,
		 struct xc_error *err);

/* A list in parentheses, as more arguments. */
#define MORE(...) , ##__VA_ARGS__

#define CHECK(name, parameters, ...)                                                               \
	static int check_##name(struct xc_error *err MORE parameters)                              \
	{                                                                                          \
		const struct argument arguments[] = { __VA_ARGS__ };                               \
                                                                                                   \
		return arguments_check(#name, arguments, sizeof arguments / sizeof arguments[0],   \
				       err);                                                       \
	}

/* `none`: what the scalar call returns for arguments that make no sense. */
#define DRAWS(type, none, name, parameters, values)                                                \
	XC_API type xc_##name(struct xc_rng *rng MORE parameters)                                  \
	{                                                                                          \
		return !rng || check_##name(NULL MORE values) ? (none)                             \
							      : draw_##name(rng MORE values);      \
	}                                                                                          \
                                                                                                   \
	XC_API int xc_##name##_fill(struct xc_rng *rng MORE parameters, type *out, size_t n,       \
				    struct xc_error *err)                                          \
	{                                                                                          \
		int r = places_check(#name, rng, out, n, err);                                     \
                                                                                                   \
		if (!r)                                                                            \
			r = check_##name(err MORE values);                                         \
		for (size_t i = 0; !r && i < n; i++)                                               \
			out[i] = draw_##name(rng MORE values);                                     \
		return r;                                                                          \
	}

#define REALS(name, parameters, values)	 DRAWS(double, NAN, name, parameters, values)
#define COUNTS(name, parameters, values) DRAWS(int64_t, -1, name, parameters, values)

/* Shape 0 or more. */
double rng_standard_gamma(struct xc_rng *rng, double shape);
int64_t rng_poisson(struct xc_rng *rng, double lam);

/* As numpy's conversion on x86-64 does it: what an int64_t does not hold gives INT64_MIN. */
static inline int64_t to_int64(double x)
{
	return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}

#endif
