/* xcluster: run your own C functions on every core you can reach.
 *
 * This is the one public header. It needs only the C standard library and
 * compiles as C11 and as C++.
 *
 * Conventions, true of every call unless its comment says otherwise:
 *
 *  - A call returns 0 (or a count) on success and a negative code on failure:
 *    -errno, or one of XC_ERRORS. A call that returns a pointer returns NULL.
 *  - The last parameter, `err`, may be NULL. On failure it says what was tried,
 *    on what, why it failed and what to do. Outputs are written only on success.
 *  - Without memory a call returns -ENOMEM, and the client is as before; a blocking
 *    call has cancelled its job. What arrives and finds no memory is kept: calls that
 *    wait return -ENOMEM; call again, and nothing is lost. Without descriptors: -EMFILE.
 *  - Calls block until the work is done. The `_async` form returns at once with
 *    a `struct xc_result *` that the caller owns and gives to xc_result_destroy.
 *  - The library starts no thread and installs no signal handler. A client and
 *    everything made from it belong to one thread at a time; tasks cannot use it,
 *    wherever they run. Work in flight moves on in the cluster by itself; the
 *    client learns of it, and sends what it held back to send together, inside
 *    any call that waits or asks.
 *  - A blocking call that a signal handler of the program interrupts cancels its
 *    job and returns -EINTR.
 *  - A client is of no use in a child made by fork: calls that wait or submit return
 *    XC_ELOST there. The child may open one of its own, exec, or exit.
 *  - Sizes are in bytes, times in seconds (double); a negative time-out means
 *    "no limit".
 */
#ifndef XCLUSTER_H
#define XCLUSTER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/* Some structs have the name of the call that fills them in. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#endif

#define XC_VERSION "0.1.0"

#if defined(__GNUC__)
#define XC_API		     __attribute__((visibility("default")))
#define XC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define XC_API
#define XC_PRINTF(fmt, args)
#endif

/* ---- Errors ------------------------------------------------------------ */

#define XC_ERRORS(X)                                                                               \
	X(XC_EFAILED, -2001, "items of the job did not end well")                                  \
	X(XC_ENOCLUSTER, -2002, "no such cluster is running")                                      \
	X(XC_ELOST, -2003, "the connection to the cluster is lost")                                \
	X(XC_EPROTO, -2004, "the peer does not speak this protocol")                               \
	X(XC_ECODE, -2005, "the function cannot be shipped to the engines")                        \
	X(XC_ENOVAR, -2006, "no such variable on the engine")                                      \
	X(XC_ENOENGINE, -2007, "no such engine")                                                   \
	X(XC_ESTORE, -2008, "the object store cannot take it")

enum {
#define XC_ERROR_ENUM(name, code, text) name = code,
	XC_ERRORS(XC_ERROR_ENUM)
#undef XC_ERROR_ENUM
};

struct xc_error {
	int code;	/* what the call returned */
	char text[508]; /* one line, never empty after a failure */
};
/* clang-format off */
#define XC_ERROR_INIT { 0, "" }
/* clang-format on */

/* The text of a code (of XC_ERRORS, or -errno); never NULL. */
XC_API const char *xc_strerror(int code);

/* The library's version at run time, as XC_VERSION. */
XC_API const char *xc_version(void);

/* ---- Arrays ------------------------------------------------------------ */

#define XC_DTYPES(X)                                                                               \
	X(XC_I8, 1, "i1")                                                                          \
	X(XC_U8, 1, "u1")                                                                          \
	X(XC_I16, 2, "i2")                                                                         \
	X(XC_U16, 2, "u2")                                                                         \
	X(XC_I32, 4, "i4")                                                                         \
	X(XC_U32, 4, "u4")                                                                         \
	X(XC_I64, 8, "i8")                                                                         \
	X(XC_U64, 8, "u8")                                                                         \
	X(XC_F32, 4, "f4")                                                                         \
	X(XC_F64, 8, "f8")                                                                         \
	X(XC_C64, 8, "c8")                                                                         \
	X(XC_C128, 16, "c16")

enum xc_dtype {
#define XC_DTYPE_ENUM(name, size, code) name,
	XC_DTYPES(XC_DTYPE_ENUM)
#undef XC_DTYPE_ENUM
};

#define XC_MAX_DIMS 8

/* A dense row-major array. ndim 0 is a scalar: one element. `data` is borrowed
 * where the caller made the struct, owned (see xc_array_free) where a call of
 * this library filled it in. */
struct xc_array {
	enum xc_dtype dtype;
	int ndim;
	int64_t shape[XC_MAX_DIMS];
	const void *data;
};

/* Elements, and bytes, of an array; -EINVAL when the shape is negative, has
 * more than XC_MAX_DIMS dimensions or overflows. */
XC_API int64_t xc_array_count(const struct xc_array *array);
XC_API int64_t xc_array_size(const struct xc_array *array);

/* Frees the data of an array that this library allocated and clears it. */
XC_API void xc_array_free(struct xc_array *array);

/* XC_ARRAY_F64(X, 442, 10): a `const struct xc_array *` that lives as long as
 * the enclosing block (in C++: the enclosing full expression). The dimensions
 * follow the pointer. */
#define XC_NARGS_(a1, a2, a3, a4, a5, a6, a7, a8, n, ...) n
#define XC_NARGS(...)					  XC_NARGS_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#ifdef __cplusplus
#define XC_ARRAY(type, pointer, ...) (::xc_array_ref(::xc_array_make(type, pointer, __VA_ARGS__)))
#define XC_SCALAR(type, pointer)     (::xc_array_ref(::xc_array_make(type, pointer)))
#else
#define XC_ARRAY(type, pointer, ...)                                                               \
	(&(const struct xc_array){ type, XC_NARGS(__VA_ARGS__), { __VA_ARGS__ }, pointer })
#define XC_SCALAR(type, pointer) (&(const struct xc_array){ type, 0, { 0 }, pointer })
#endif
#define XC_ARRAY_F64(pointer, ...)    XC_ARRAY(XC_F64, pointer, __VA_ARGS__)
#define XC_ARRAY_F32(pointer, ...)    XC_ARRAY(XC_F32, pointer, __VA_ARGS__)
#define XC_ARRAY_I32(pointer, ...)    XC_ARRAY(XC_I32, pointer, __VA_ARGS__)
#define XC_ARRAY_I64(pointer, ...)    XC_ARRAY(XC_I64, pointer, __VA_ARGS__)
#define XC_ARRAY_U64(pointer, ...)    XC_ARRAY(XC_U64, pointer, __VA_ARGS__)
#define XC_ARRAY_BYTES(pointer, size) XC_ARRAY(XC_U8, pointer, size)

/* ---- Random numbers ----------------------------------------------------- */

/* numpy's generators and sequences, bit for bit: numpy.random.Generator(PCG64(seed)) and
 * these calls give the same numbers, on every host. They need no client and no cluster. A
 * generator belongs to one thread at a time; generators know nothing of each other, nor of
 * the sequence that they were made from, which may be freed.
 *
 * Calls that return a draw give NaN where their arguments make no sense, and NaN (words: 0)
 * without a generator. Calls that return int say what is wrong: -EINVAL, or what else is
 * told, with nothing drawn and nothing written. Calls that return nothing do nothing with
 * NULL. */

enum xc_bitgen {
	XC_PCG64, /* the default here and in numpy */
	XC_PCG64DXSM,
	XC_PHILOX, /* Philox4x64-10 */
};

/* A seed sequence: entropy, and a spawn key that tells it from its relatives, mixed so that
 * whatever is seeded from two of them is independent. Given to xc_seedseq_free. */
struct xc_seedseq;

/* `entropy`: `words` words of 32 bits, copied. numpy's integers and lists are these: the digits of
 * each integer to the base of 2^32, the least significant first, at least one each.
 * `spawn_key` likewise. `pool_size`: 4 to 4096 words, 0: 4. Errors: -EINVAL, -ENOMEM. */
XC_API int xc_seedseq_new(struct xc_seedseq **seq, const uint32_t *entropy, size_t words,
			  const uint32_t *spawn_key, size_t key_words, size_t pool_size,
			  struct xc_error *err);
/* SeedSequence(seed). Errors: -EINVAL, -ENOMEM. */
XC_API int xc_seedseq_of(struct xc_seedseq **seq, uint64_t seed, struct xc_error *err);
/* Of 128 bits of entropy from the system, which xc_seedseq_entropy tells. Also errors of
 * getrandom(2). */
XC_API int xc_seedseq_fresh(struct xc_seedseq **seq, struct xc_error *err);
/* NULL is taken. */
XC_API void xc_seedseq_free(struct xc_seedseq *seq);

/* The next n children, counted on from the last call: owned by the caller, each. Errors:
 * -EINVAL, -ENOMEM. */
XC_API int xc_seedseq_spawn(struct xc_seedseq *seq, size_t n, struct xc_seedseq **children,
			    struct xc_error *err);
/* Child j, whether or not it was spawned, without the others. Errors: -EINVAL, -ENOMEM. */
XC_API int xc_seedseq_child(const struct xc_seedseq *seq, uint64_t j, struct xc_seedseq **child,
			    struct xc_error *err);

/* The first n words that it gives (generate_state). */
XC_API void xc_seedseq_generate32(const struct xc_seedseq *seq, uint32_t *out, size_t n);
XC_API void xc_seedseq_generate64(const struct xc_seedseq *seq, uint64_t *out, size_t n);

/* Write up to `max` words of what it was made from, or of its pool; return how many there
 * are. */
XC_API size_t xc_seedseq_entropy(const struct xc_seedseq *seq, uint32_t *words, size_t max);
XC_API size_t xc_seedseq_spawn_key(const struct xc_seedseq *seq, uint32_t *words, size_t max);
XC_API size_t xc_seedseq_pool(const struct xc_seedseq *seq, uint32_t *words, size_t max);

/* A bit generator, and draws from it. Given to xc_rng_free. */
struct xc_rng;

/* Generator(bitgen(seed)). Errors: -EINVAL, -ENOMEM. */
XC_API int xc_rng_new(struct xc_rng **rng, enum xc_bitgen bitgen, uint64_t seed,
		      struct xc_error *err);
/* Generator(bitgen(seq)). Errors: -EINVAL, -ENOMEM. */
XC_API int xc_rng_from(struct xc_rng **rng, enum xc_bitgen bitgen, const struct xc_seedseq *seq,
		       struct xc_error *err);
/* Philox(counter, key): words with the least significant first. NULL: all zero. Errors:
 * -EINVAL, -ENOMEM. */
XC_API int xc_rng_philox(struct xc_rng **rng, const uint64_t counter[4], const uint64_t key[2],
			 struct xc_error *err);
/* Another generator in the same state. Errors: -EINVAL, -ENOMEM. */
XC_API int xc_rng_copy(struct xc_rng **copy, const struct xc_rng *rng, struct xc_error *err);
/* NULL is taken. */
XC_API void xc_rng_free(struct xc_rng *rng);

/* Moves on by a number of n words in two's complement, the least significant first (so that
 * -1 is one word): PCG by so many draws of 64 bits, modulo 2^128; Philox by so many blocks of
 * four, modulo 2^256. What is buffered is dropped, also for 0. -EINVAL for NULL. */
XC_API int xc_rng_advance(struct xc_rng *rng, const uint64_t *delta, size_t n,
			  struct xc_error *err);
/* A copy, as far on as if about 2^127 numbers (of Philox 2^130) had been drawn, `jumps`
 * times. Errors: -EINVAL, -ENOMEM. */
XC_API int xc_rng_jumped(struct xc_rng **copy, const struct xc_rng *rng, uint64_t jumps,
			 struct xc_error *err);

/* All that a generator is: to be kept, compared and taken up again. Words with the least
 * significant first; what a generator does not have, or has given out, is 0, so that equal
 * states are equal bytes. */
struct xc_rng_state {
	enum xc_bitgen bitgen;
	int position;	       /* of Philox: of the next word in `buffer`; 4: none is left */
	uint64_t state[4];     /* PCG: two words of state; Philox: the counter */
	uint64_t increment[2]; /* PCG: odd; Philox: the key */
	uint64_t buffer[4];    /* of Philox */
	uint32_t has_uint32;   /* 1: `uinteger` is the next half word */
	uint32_t uinteger;
};
/* -EINVAL: NULL, or no state of a generator (the text says why). */
XC_API int xc_rng_get_state(const struct xc_rng *rng, struct xc_rng_state *state,
			    struct xc_error *err);
XC_API int xc_rng_set_state(struct xc_rng *rng, const struct xc_rng_state *state,
			    struct xc_error *err);

/* Words as the generator gives them; of 32 bits: the halves of one, the lower first. */
XC_API uint64_t xc_rng_next64(struct xc_rng *rng);
XC_API uint32_t xc_rng_next32(struct xc_rng *rng);
XC_API void xc_rng_fill(struct xc_rng *rng, uint64_t *out, size_t n);

/* Uniform in [0, 1). What a `_fill` writes is what n scalar draws give. */
XC_API double xc_random(struct xc_rng *rng);
XC_API void xc_random_fill(struct xc_rng *rng, double *out, size_t n);
XC_API float xc_random_f32(struct xc_rng *rng);
XC_API void xc_random_f32_fill(struct xc_rng *rng, float *out, size_t n);

/* Uniform in [low, high). */
XC_API double xc_uniform(struct xc_rng *rng, double low, double high);
XC_API int xc_uniform_fill(struct xc_rng *rng, double low, double high, double *out, size_t n,
			   struct xc_error *err);

XC_API double xc_standard_normal(struct xc_rng *rng);
XC_API void xc_standard_normal_fill(struct xc_rng *rng, double *out, size_t n);
XC_API double xc_normal(struct xc_rng *rng, double mean, double deviation);
XC_API int xc_normal_fill(struct xc_rng *rng, double mean, double deviation, double *out, size_t n,
			  struct xc_error *err);

XC_API double xc_standard_exponential(struct xc_rng *rng);
XC_API void xc_standard_exponential_fill(struct xc_rng *rng, double *out, size_t n);
/* `scale`: the mean. */
XC_API double xc_exponential(struct xc_rng *rng, double scale);
XC_API int xc_exponential_fill(struct xc_rng *rng, double scale, double *out, size_t n,
			       struct xc_error *err);

/* Integers, low <= x < high, or <= high with `endpoint`. One of 64 bits: */
XC_API int xc_integer(struct xc_rng *rng, int64_t low, int64_t high, bool endpoint, int64_t *out,
		      struct xc_error *err);
/* n of any integer type, within its range. N.B. n of 8 and 16 bits are other numbers than n
 * calls for one, as in numpy. -EINVAL. */
XC_API int xc_integers_fill(struct xc_rng *rng, enum xc_dtype dtype, int64_t low, int64_t high,
			    bool endpoint, void *out, size_t n, struct xc_error *err);
XC_API int xc_integers_u64_fill(struct xc_rng *rng, uint64_t low, uint64_t high, bool endpoint,
				uint64_t *out, size_t n, struct xc_error *err);
/* Fair coins: integers(0, 2, dtype=bool). */
XC_API void xc_bools_fill(struct xc_rng *rng, bool *out, size_t n);
/* bytes(n). N.B. none, too, moves the generator on. */
XC_API void xc_random_bytes(struct xc_rng *rng, void *out, size_t n);

/* Puts n elements of `size` bytes each in random order. */
XC_API void xc_shuffle(struct xc_rng *rng, void *base, size_t n, size_t size);
/* 0 to n - 1 in random order. */
XC_API void xc_permutation(struct xc_rng *rng, int64_t *out, size_t n);

/* All zero: with replacement, all alike. NULL is taken for that. */
struct xc_choice_options {
	const double *p; /* a probability for each; their sum must be 1 within 1.5e-8 */
	bool without_replacement;
	bool unshuffled; /* without replacement and `p`: faster, and in no random order */
};
/* clang-format off */
#ifdef __cplusplus
#define XC_CHOICE_OPTIONS_INIT {}
#else
#define XC_CHOICE_OPTIONS_INIT { 0 }
#endif
/* clang-format on */
/* n of 0 to population - 1 (choice). Without replacement it takes memory meanwhile: up to 32
 * bytes for each of the n, or, of more than a 50th of a large population, 8 bytes for each of
 * that; with `p` 8 or 16 bytes for each of it. Errors: -EINVAL, -ENOMEM. */
XC_API int xc_choice(struct xc_rng *rng, int64_t population, int64_t *out, size_t n,
		     const struct xc_choice_options *options, struct xc_error *err);

/* Mean and standard deviation (divisor n): numpy's mean() and std() of an array, bit for bit,
 * by pairwise sums. NaN for none. */
XC_API double xc_mean(const double *values, size_t n);
XC_API double xc_std(const double *values, size_t n);

/* ---- Distributions ------------------------------------------------------ */

/* Further draws of numpy's Generator (1.24), by its names and with its arguments, bit for
 * bit. Scalar draws give NaN, or -1 where they give counts, for arguments that make no sense
 * and without a generator, and draw nothing then. A `_fill` writes n of them to `out`, what n
 * scalar draws give; -EINVAL says what is wrong, with nothing written. No argument may be NaN
 * or infinite.
 *
 * N.B. where a number is made by exp, log or a power, as in gamma with a shape below 1, its
 * last bit is that of the host's C library: the same of glibc 2.28 and later on all processors
 * with fused operations. xc_gamma(3) says which those are. */

/* Gamma: of mean shape * scale; with shape 0 all are 0. */
XC_API double xc_standard_gamma(struct xc_rng *rng, double shape);
XC_API int xc_standard_gamma_fill(struct xc_rng *rng, double shape, double *out, size_t n,
				  struct xc_error *err);
XC_API double xc_gamma(struct xc_rng *rng, double shape, double scale);
XC_API int xc_gamma_fill(struct xc_rng *rng, double shape, double scale, double *out, size_t n,
			 struct xc_error *err);

/* Chi-square, Student's t and F, of `df` degrees of freedom, above 0 and not only whole ones;
 * `nonc`: the noncentrality, 0 or more. */
XC_API double xc_chisquare(struct xc_rng *rng, double df);
XC_API int xc_chisquare_fill(struct xc_rng *rng, double df, double *out, size_t n,
			     struct xc_error *err);
XC_API double xc_noncentral_chisquare(struct xc_rng *rng, double df, double nonc);
XC_API int xc_noncentral_chisquare_fill(struct xc_rng *rng, double df, double nonc, double *out,
					size_t n, struct xc_error *err);
XC_API double xc_standard_t(struct xc_rng *rng, double df);
XC_API int xc_standard_t_fill(struct xc_rng *rng, double df, double *out, size_t n,
			      struct xc_error *err);
XC_API double xc_f(struct xc_rng *rng, double dfnum, double dfden);
XC_API int xc_f_fill(struct xc_rng *rng, double dfnum, double dfden, double *out, size_t n,
		     struct xc_error *err);
XC_API double xc_noncentral_f(struct xc_rng *rng, double dfnum, double dfden, double nonc);
XC_API int xc_noncentral_f_fill(struct xc_rng *rng, double dfnum, double dfden, double nonc,
				double *out, size_t n, struct xc_error *err);

/* In 0 to 1. `a` and `b` are above 0, and not both below 1e-6. */
XC_API double xc_beta(struct xc_rng *rng, double a, double b);
XC_API int xc_beta_fill(struct xc_rng *rng, double a, double b, double *out, size_t n,
			struct xc_error *err);
/* n rows of d shares, which sum to 1; `alpha`: d numbers above 0. Also -ENOMEM. */
XC_API int xc_dirichlet_fill(struct xc_rng *rng, const double *alpha, size_t d, double *out,
			     size_t n, struct xc_error *err);

/* e to a normal. */
XC_API double xc_lognormal(struct xc_rng *rng, double mean, double sigma);
XC_API int xc_lognormal_fill(struct xc_rng *rng, double mean, double sigma, double *out, size_t n,
			     struct xc_error *err);
XC_API double xc_standard_cauchy(struct xc_rng *rng);
XC_API int xc_standard_cauchy_fill(struct xc_rng *rng, double *out, size_t n, struct xc_error *err);
/* Inverse Gaussian. */
XC_API double xc_wald(struct xc_rng *rng, double mean, double scale);
XC_API int xc_wald_fill(struct xc_rng *rng, double mean, double scale, double *out, size_t n,
			struct xc_error *err);
/* Around mu, in -pi to pi, with concentration kappa. */
XC_API double xc_vonmises(struct xc_rng *rng, double mu, double kappa);
XC_API int xc_vonmises_fill(struct xc_rng *rng, double mu, double kappa, double *out, size_t n,
			    struct xc_error *err);
/* N.B. pareto is Lomax's, which begins at 0. */
XC_API double xc_weibull(struct xc_rng *rng, double a);
XC_API int xc_weibull_fill(struct xc_rng *rng, double a, double *out, size_t n,
			   struct xc_error *err);
XC_API double xc_pareto(struct xc_rng *rng, double a);
XC_API int xc_pareto_fill(struct xc_rng *rng, double a, double *out, size_t n,
			  struct xc_error *err);
XC_API double xc_power(struct xc_rng *rng, double a);
XC_API int xc_power_fill(struct xc_rng *rng, double a, double *out, size_t n, struct xc_error *err);
XC_API double xc_rayleigh(struct xc_rng *rng, double scale);
XC_API int xc_rayleigh_fill(struct xc_rng *rng, double scale, double *out, size_t n,
			    struct xc_error *err);
/* Moved by loc, stretched by scale. */
XC_API double xc_laplace(struct xc_rng *rng, double loc, double scale);
XC_API int xc_laplace_fill(struct xc_rng *rng, double loc, double scale, double *out, size_t n,
			   struct xc_error *err);
XC_API double xc_logistic(struct xc_rng *rng, double loc, double scale);
XC_API int xc_logistic_fill(struct xc_rng *rng, double loc, double scale, double *out, size_t n,
			    struct xc_error *err);
XC_API double xc_gumbel(struct xc_rng *rng, double loc, double scale);
XC_API int xc_gumbel_fill(struct xc_rng *rng, double loc, double scale, double *out, size_t n,
			  struct xc_error *err);
/* From left to right, most often mode. */
XC_API double xc_triangular(struct xc_rng *rng, double left, double mode, double right);
XC_API int xc_triangular_fill(struct xc_rng *rng, double left, double mode, double right,
			      double *out, size_t n, struct xc_error *err);

/* Successes in so many trials, each with probability p. */
XC_API int64_t xc_binomial(struct xc_rng *rng, int64_t trials, double p);
XC_API int xc_binomial_fill(struct xc_rng *rng, int64_t trials, double p, int64_t *out, size_t n,
			    struct xc_error *err);
/* n rows of d counts, each row of so many trials; the last of the d probabilities is taken to
 * be what the others leave of 1. */
XC_API int xc_multinomial_fill(struct xc_rng *rng, int64_t trials, const double *p, size_t d,
			       int64_t *out, size_t n, struct xc_error *err);
/* Failures before so many successes, which need not be whole. */
XC_API int64_t xc_negative_binomial(struct xc_rng *rng, double successes, double p);
XC_API int xc_negative_binomial_fill(struct xc_rng *rng, double successes, double p, int64_t *out,
				     size_t n, struct xc_error *err);
/* Trials up to the first success; p is 5e-18 or more, so that they fit 64 bits. */
XC_API int64_t xc_geometric(struct xc_rng *rng, double p);
XC_API int xc_geometric_fill(struct xc_rng *rng, double p, int64_t *out, size_t n,
			     struct xc_error *err);
/* Of mean `lam`. */
XC_API int64_t xc_poisson(struct xc_rng *rng, double lam);
XC_API int xc_poisson_fill(struct xc_rng *rng, double lam, int64_t *out, size_t n,
			   struct xc_error *err);
/* Good ones in a sample without replacement; fewer than 10^9 of each kind. */
XC_API int64_t xc_hypergeometric(struct xc_rng *rng, int64_t ngood, int64_t nbad, int64_t nsample);
XC_API int xc_hypergeometric_fill(struct xc_rng *rng, int64_t ngood, int64_t nbad, int64_t nsample,
				  int64_t *out, size_t n, struct xc_error *err);
/* Logarithmic series. */
XC_API int64_t xc_logseries(struct xc_rng *rng, double p);
XC_API int xc_logseries_fill(struct xc_rng *rng, double p, int64_t *out, size_t n,
			     struct xc_error *err);

/* ---- Tasks: what runs on the engines ----------------------------------- */

struct xc_task;

/* A task: runs one item on an engine, in the engine process's main thread.
 * `in`: the item's input: for a range the int64_t value start + i * step; for
 *       strided and packed items the item's bytes (aligned as in the caller's
 *       array for strided, to 1 byte for packed); NULL when it has none.
 * `out`: the item's result, out_size bytes, zeroed; NULL when out_size is 0.
 * Returns 0, or a positive failure code of its own: the item then ends as
 * failed and its result is not delivered. */
typedef int xc_task_fn(struct xc_task *task, const void *in, void *out);

/* Index of the running item in its job, from 0. 0 for xc_apply on a balanced view. */
XC_API int64_t xc_task_index(const struct xc_task *task);

/* Bytes of this item's input. */
XC_API size_t xc_task_in_size(const struct xc_task *task);

/* Bytes of room at the task's `out`: what the job has as out_size. */
XC_API size_t xc_task_out_size(const struct xc_task *task);

/* Id of the engine that runs the item. */
XC_API int xc_task_engine(const struct xc_task *task);

/* Which attempt this is, from 1. */
XC_API int xc_task_attempt(const struct xc_task *task);

/* Threads that numeric libraries may use in this engine, at least 1: what
 * --threads-per-engine or xc_set_threads said. For threads that the task starts itself. */
XC_API int xc_task_threads(const struct xc_task *task);

/* The variable `name` of this engine, borrowed until the task returns or sets
 * the same name; read-only, shared by all engines of the host. NULL when there
 * is none: then the failure text names the variable, and the task should
 * return XC_TASK_FAILED. */
XC_API const struct xc_array *xc_task_array(struct xc_task *task, const char *name);

/* Keeps a copy of `array` as variable `name` on this engine, for later tasks
 * and for xc_pull. Survives a crash of the engine. */
XC_API int xc_task_set(struct xc_task *task, const char *name, const struct xc_array *array);

/* The random stream of this item, for jobs with options.seed or options.seed_sequence: a
 * generator whose draws depend on these and on the item's index alone, so they are the
 * same on any engine, at each attempt, in whatever order items run. Made at the item's
 * first call; further calls give the same generator, as far as it was drawn from. Borrowed
 * until the task returns. NULL when the job has no seed: then the failure text says so, and
 * the task should return XC_TASK_FAILED. */
XC_API struct xc_rng *xc_task_rng(struct xc_task *task);

/* Sets the failure text of this item (cut at 1000 bytes) and returns
 * XC_TASK_FAILED, so that a task can `return xc_task_fail(task, ...)`. */
XC_API int xc_task_fail(struct xc_task *task, const char *format, ...) XC_PRINTF(2, 3);
/* The same with a text as it is, for languages that have no calls like printf's. */
XC_API int xc_task_fail_text(struct xc_task *task, const char *text);
#define XC_TASK_FAILED 1

/* Gives `size` bytes as this item's variable-length result, for jobs whose
 * out_size is 0. Copies. A second call replaces the first. */
XC_API int xc_task_return(struct xc_task *task, const void *data, size_t size);

/* True once the item is cancelled, by xc_cancel or, for the item that runs, by a
 * SIGINT (xc_interrupt): a long task should return soon. Costs one load. */
XC_API bool xc_task_is_cancelled(const struct xc_task *task);

/* Has fn(argument) called once, in the engine's main thread between tasks: when the
 * library that holds `fn` is unloaded (xc_unload), or when the engine ends in order
 * (xcluster stop, xc_engines_stop, the end of a private cluster), where it has 2 s.
 * What was registered last is called first. Never after a crash, nor after SIGKILL.
 * 0, -ENOMEM, -EINVAL; then the failure text says so. */
XC_API int xc_task_cleanup(struct xc_task *task, void (*fn)(void *argument), void *argument);

/* ---- Client ------------------------------------------------------------ */

struct xc_client;
struct xc_view;
struct xc_result;

/* Connects to a running cluster.
 * `cluster`: a cluster id; or the path of a connection file (anything with a
 * '/'); or NULL: what XCLUSTER says, else the file named by XCLUSTER_CONNECTION,
 * else the id "default".
 * XCLUSTER=local:N starts a private cluster of N engines (XCLUSTER=local: one for
 * each core this process may use), as xc_cluster_start does, for this client
 * alone; xc_close ends it.
 * XCLUSTER=inline:N starts nothing: tasks run in this process and thread, as if on N
 * engines (XCLUSTER=inline: one), with the same results and failures, within calls
 * that wait (those that only ask, as xc_is_ready and xc_process, run items for some
 * 10 ms, or one that takes longer). For debuggers, and where nothing may be started.
 * What ends an engine (a crash, exit) ends the program; a time limit is applied when
 * the item returns; calls of a task to the client are refused with -EDEADLK; what it
 * prints appears as it is, and xc_output has none of it; xc_signal is -ENOTSUP (but for
 * SIGINT, which does nothing); ids of jobs are good for this client alone. See
 * xcluster(7).
 * Waits at most 10 s for the controller's welcome. Errors: XC_ENOCLUSTER,
 * XC_EPROTO, -EACCES (a connection file that others can read), -ETIMEDOUT, -EINVAL
 * (XCLUSTER is not understood). */
XC_API int xc_open(struct xc_client **client, const char *cluster, struct xc_error *err);

/* Ends the session: jobs of this client that still run are cancelled (but see
 * XC_DISCONNECT_KEEP), results not fetched are dropped. Destroys views. Results are to be destroyed
 * before, or after: they stay readable but can no longer be waited for. Ends the private cluster of
 * XCLUSTER=local and waits until nothing is left of it. NULL is taken. */
XC_API void xc_close(struct xc_client *client);

/* Waits until at least `n` engines can run a task. Errors: -ETIMEDOUT (the text
 * says how many there are), XC_ENOENGINE at once when engines fail meanwhile and
 * too few are left, XC_ELOST. */
XC_API int xc_wait_for_engines(struct xc_client *client, int n, double timeout,
			       struct xc_error *err);

/* Number of engines known to be up; takes in what has arrived, never waits. */
XC_API int xc_engine_count(struct xc_client *client);

/* Writes up to `max` ids of engines that are up, ascending; returns how many
 * there are. */
XC_API int xc_engine_ids(struct xc_client *client, int *ids, int max);

/* What there is to know of an engine. */
struct xc_engine_info {
	int id;
	char state[16]; /* "starting", "idle", "busy", "down" (starting again),
			   "failed", "stopping", "stopped" (xc_engines_stop) */
	char host[256]; /* empty once its agent is gone */
	int cores;	/* of that host */
	int pid;	/* of its process; 0 when it is not up */
	int restarts;
	int64_t items;	/* that it has run */
	double started; /* Unix time in seconds of its process's start; 0 without one */
	char label[64]; /* of the job that it runs now; may be empty */
	/* of that job: what of the items in its hands has not been reported yet; -1
	 * and 0 when it has none */
	int64_t first_item, item_count;
	char reason[256]; /* of its last end; may be empty */
	int threads;	  /* that its libraries may use, see xc_set_threads; 0: it is not up */
};
/* What the controller knows of engine `id`, up or not. A round trip. Errors:
 * XC_ENOENGINE when there never was one of this id, XC_ELOST, -ETIMEDOUT. */
XC_API int xc_engine_info(struct xc_client *client, int id, struct xc_engine_info *info,
			  struct xc_error *err);

/* The controller's report on engines, jobs, queue, memory and uptime as JSON
 * text, to be given to free(). A round trip. */
XC_API int xc_status_json(struct xc_client *client, char **json, struct xc_error *err);

/* Ends the cluster: controller, agents, engines. Returns once the controller
 * has taken the order, not when all is gone (see xc_cluster_stop). */
XC_API int xc_shutdown(struct xc_client *client, struct xc_error *err);

/* ---- Control over engines ----------------------------------------------- */

/* Sends a signal to the processes of the engines of a direct view. Waits for the
 * controller's answer, not for what the signal does.
 * SIGINT interrupts the item that runs: calls in which it waits return early (EINTR),
 * xc_task_is_cancelled says true, and if it then returns anything but 0 it ends as
 * XC_CANCELLED, "interrupted". The engine goes on with the next item; one that runs
 * none ignores it. Any other signal does what it does by default: one that ends the
 * process is a crash of the running item, and the engine is started again; so SIGKILL
 * is a way to restart it.
 * Errors, and then no engine was sent any: XC_ENOENGINE names those that are not up;
 * -EINVAL for a number that is no signal or a balanced view; -ENOTSUP with
 * XCLUSTER=inline, for any but SIGINT; XC_ELOST, -ETIMEDOUT. */
XC_API int xc_signal(const struct xc_view *view, int signal, struct xc_error *err);
/* The same with SIGINT. */
XC_API int xc_interrupt(const struct xc_view *view, struct xc_error *err);

/* From now on the numeric libraries in each engine of a direct view use up to `threads`
 * threads (1 to 65536): those that the engine has loaded (OpenBLAS, OpenMP, MKL, BLIS, also
 * within a shipped program) and those to come, and the processes that follow one that
 * crashed. With xc_all, engines that join later, too. Counts for more than what the engines
 * were started with. Waits until the engines have done it, each between two items. Status
 * warns when a host's engines may use more threads than there are cores. With
 * XCLUSTER=inline it is this process whose libraries are told.
 * Errors: -EINVAL, XC_ENOENGINE, XC_EFAILED with the engine, XC_ELOST, -ENOMEM. */
XC_API int xc_set_threads(const struct xc_view *view, int threads, struct xc_error *err);

enum xc_cancel {
	XC_CANCEL_QUEUED,  /* running items end; they may ask xc_task_is_cancelled */
	XC_CANCEL_RUNNING, /* engines that still run such items are killed, too */
};

/* Shuts the engines of a direct view down for good, and waits until their processes
 * are gone. They get nothing more. What they had been handed and not begun goes to
 * other engines; where it was for this engine alone, it ends as lost. The item that
 * runs ends first (XC_CANCEL_QUEUED), however long that takes, and is not asked to;
 * or its engine is killed (XC_CANCEL_RUNNING), and it runs elsewhere, or ends as
 * cancelled if it was for this engine alone. Then cleanups run (xc_task_cleanup).
 * Variables of the engine are lost. An agent without engines ends.
 * Afterwards xc_all is without them, and views that name them fail: XC_ENOENGINE,
 * "engine 2 was shut down".
 * Errors: XC_ENOENGINE (also for engines that are shut down already, and then none is
 * touched), -EINVAL, XC_ELOST; -EINTR when a signal handler of the program ran: they
 * end all the same. */
XC_API int xc_engines_stop(const struct xc_view *view, enum xc_cancel how, struct xc_error *err);

/* ---- Event loops of others --------------------------------------------- */

/* A descriptor that is readable when xc_process has something to do, for poll,
 * epoll and the loops built on them, level- or edge-triggered. It belongs to the
 * client and is always the same; it is not to be read. It also becomes readable
 * after calls that send or hold something back, and once a second, so that a dead
 * controller is noticed: being woken for nothing is normal. -errno on failure. */
XC_API int xc_fd(struct xc_client *client);

/* Sends what is held back and takes in all that has arrived; never waits.
 * Afterwards xc_fd is not readable until there is news, and xc_is_ready, xc_next
 * with a time-out of 0 and xc_result_progress tell what has come. XC_ELOST: the
 * cluster is gone; take xc_fd out of the loop then, as it stays readable. */
XC_API int xc_process(struct xc_client *client, struct xc_error *err);

/* ---- Views: which engines ---------------------------------------------- */

/* Direct view of all engines, those included that join later; work on it goes
 * to each of them. Borrowed; lives as long as the client. */
XC_API const struct xc_view *xc_all(struct xc_client *client);

/* Load-balanced view of all engines: each item goes to any of them. Borrowed. */
XC_API const struct xc_view *xc_balanced(struct xc_client *client);

/* Direct view of the listed engines, in this order. Owned by the client until
 * xc_close; `ids` is copied. Errors: XC_ENOENGINE names the id that is not up;
 * XC_ELOST if the cluster has ended; -EINVAL for an empty list or an id twice. */
XC_API int xc_engines(struct xc_client *client, const int *ids, int n, const struct xc_view **view,
		      struct xc_error *err);

/* Load-balanced view of the listed engines. Otherwise as xc_engines. Items whose
 * engines have all gone end as lost. */
XC_API int xc_balanced_over(struct xc_client *client, const int *ids, int n,
			    const struct xc_view **view, struct xc_error *err);

/* Share of the engines that this client's balanced jobs get when other clients
 * have work of the same priority, too: in proportion to the weights (1 unless
 * set), by measured time. Holds for jobs submitted from then on. */
XC_API int xc_set_weight(struct xc_client *client, double weight, struct xc_error *err);

/* Number of engines the view covers now. For xc_all that changes only within calls
 * that wait or ask for news, so outputs sized by it fit the next call. */
XC_API int xc_view_size(const struct xc_view *view);

/* The engines that the view covers now, in its order: writes up to `max` ids and
 * returns how many there are, as xc_view_size. */
XC_API int xc_view_ids(const struct xc_view *view, int *ids, int max);

/* Direct view of the i-th engine of a direct view, from 0; negative: from the end,
 * -1 the last. Owned by the client until xc_close; the same engines are the same
 * view, so indexing in a loop costs no memory. Errors: XC_ENOENGINE names index and
 * size, or the engine that is not up any more; XC_ELOST if the cluster has ended; -EINVAL
 * for a balanced view, whose engines have no order. */
XC_API int xc_view_at(const struct xc_view *view, int i, const struct xc_view **one,
		      struct xc_error *err);

/* Direct view of the engines start, start + step, ... before stop of a direct view,
 * as Python's view[start:stop:step]: negative start and stop count from the end,
 * what lies beyond an end is cut, a negative step goes backwards, and XC_END is a
 * start or stop left out. Ownership and errors as xc_view_at; a slice without an
 * engine is XC_ENOENGINE, a step of 0 -EINVAL. */
#define XC_END (-2147483647 - 1)
XC_API int xc_view_slice(const struct xc_view *view, int start, int stop, int step,
			 const struct xc_view **slice, struct xc_error *err);

/* ---- Map and apply ----------------------------------------------------- */

enum xc_on_failure {
	XC_CONTINUE, /* run every item whatever happens to others */
	XC_STOP,     /* the first item that ends badly cancels the rest: waiting
			returns as soon as what runs has ended, and results that
			are there are kept */
};

enum xc_on_disconnect {
	XC_DISCONNECT_CANCEL, /* the job is cancelled when its client closes or dies */
	XC_DISCONNECT_KEEP,   /* it goes on, and its results stay in the controller for
				 whoever attaches, see xc_attach; also when its result
				 is destroyed */
};

/* Which random stream an item has (xc_task_rng). Item i has number i; in an xc_map_stream
 * it is its place in the whole stream, and an xc_apply on a balanced view is item 0 of a
 * job of its own: give each a seed of its own there. */
enum xc_streams {
	XC_SPAWNED, /* item i: the generator of child i of the seed sequence, as numpy's
		       SeedSequence(seed).spawn(n)[i]; made without the other children, also
		       when the sequence has spawned before */
	XC_JUMPED,  /* item i: the generator of the seed sequence, as numpy's
		       PCG64(seed).jumped(i) */
};

/* Options of a job. All zero is the default; NULL is taken for that. */
struct xc_map_options {
	const char *function; /* used when `fn` is NULL: a function of the library or source
				 that this client loaded last of those that define it */
	const char *library;  /* with `function`: only of the one of this name, such as
				 "libtasks.so" or "tasks.c", without folder */
	int64_t start;	      /* ranges: item i gets start + i * step; */
	int64_t step;	      /* 0 stands for 1 */
	int64_t chunk;	      /* items handed out at a time; 0: by measured time */
	int max_attempts;     /* runs an item may take that end in failure, crash
				 or time-out; 0 stands for 1 */
	double time_limit;    /* seconds an item may run; 0: no limit. An engine
				 past it is killed and restarted */
	enum xc_on_failure on_failure;
	bool at_most_once; /* never run an item again whose engine was lost */
	bool progress;	   /* calls that wait show it on stderr if a terminal */
	const char *label; /* shown by `xcluster status` */
	int priority;	   /* of balanced jobs: higher ones go first, of all clients */
	enum xc_on_disconnect on_disconnect;
	bool output; /* lines that items print are shown on stderr as they come, as
			"[engine 3, item 17] line", by all calls that take in news;
			each once, those of an engine in their order */

	/* Of the random streams of the items, xc_task_rng. Seed 0: there are none; for a
	 * sequence of seed 0 use xc_seedseq_of. `seed_sequence`, in place of seed, is read
	 * during the call; its pool may have up to 64 words. */
	uint64_t seed;
	const struct xc_seedseq *seed_sequence;
	enum xc_bitgen bitgen;
	enum xc_streams streams;
};
/* clang-format off */
#ifdef __cplusplus
#define XC_MAP_OPTIONS_INIT {}
#else
#define XC_MAP_OPTIONS_INIT { 0 }
#endif
/* clang-format on */

/* One packed item. */
struct xc_bytes {
	const void *data;
	size_t size;
};

/* Applies `fn` to n items and waits.
 *
 * `fn`: a function of this program, static or not, or of a shared library it
 * has loaded; see xcluster(7) for what can be shipped. NULL with
 * options->function.
 * `out`: n * out_size bytes, item i's result at out + i * out_size, written as
 * results arrive, only for items that end well. out_size 0 (out NULL): items
 * have no result, or variable-length ones (xc_task_return), which only the
 * async form can hand over.
 * On a balanced view item i goes to any engine. On a direct view item i goes to
 * engine i * k / n of its k engines, i.e. in contiguous blocks.
 * n = 0 is a job that has ended.
 *
 * Returns 0 when all items ended well; XC_EFAILED when some did not, with a
 * text that counts them and quotes the first; XC_ECODE when fn cannot be
 * shipped; XC_ELOST; -EINVAL; -ENOMEM.
 *
 * xc_map_range: the items are the numbers start + i * step, all of which must be
 * within int64_t (-EINVAL).
 * xc_map: the items are the n elements of `in_size` bytes at `in`.
 * xc_map_packed: the items are `items[i]`, of any length.
 * Inputs are copied before the call returns, also by the async forms; `out`
 * must stay valid until the result is destroyed. */
XC_API int xc_map_range(const struct xc_view *view, xc_task_fn *fn, int64_t n, void *out,
			size_t out_size, const struct xc_map_options *options,
			struct xc_error *err);
XC_API int xc_map(const struct xc_view *view, xc_task_fn *fn, const void *in, size_t in_size,
		  int64_t n, void *out, size_t out_size, const struct xc_map_options *options,
		  struct xc_error *err);
XC_API int xc_map_packed(const struct xc_view *view, xc_task_fn *fn, const struct xc_bytes *items,
			 int64_t n, void *out, size_t out_size,
			 const struct xc_map_options *options, struct xc_error *err);

XC_API struct xc_result *xc_map_range_async(const struct xc_view *view, xc_task_fn *fn, int64_t n,
					    void *out, size_t out_size,
					    const struct xc_map_options *options,
					    struct xc_error *err);
XC_API struct xc_result *xc_map_async(const struct xc_view *view, xc_task_fn *fn, const void *in,
				      size_t in_size, int64_t n, void *out, size_t out_size,
				      const struct xc_map_options *options, struct xc_error *err);
XC_API struct xc_result *xc_map_packed_async(const struct xc_view *view, xc_task_fn *fn,
					     const struct xc_bytes *items, int64_t n, void *out,
					     size_t out_size, const struct xc_map_options *options,
					     struct xc_error *err);

/* Calls `fn` once on each engine of a direct view, each with the same `in_size`
 * bytes at `in` (may be 0, NULL), results in the view's order in
 * out[0..xc_view_size); or once on any engine of a balanced view. Many async
 * calls in a row on a balanced view are sent together when the engines are busy
 * anyway. Otherwise as xc_map. */
XC_API int xc_apply(const struct xc_view *view, xc_task_fn *fn, const void *in, size_t in_size,
		    void *out, size_t out_size, const struct xc_map_options *options,
		    struct xc_error *err);
XC_API struct xc_result *xc_apply_async(const struct xc_view *view, xc_task_fn *fn, const void *in,
					size_t in_size, void *out, size_t out_size,
					const struct xc_map_options *options, struct xc_error *err);

/* ---- Reductions -------------------------------------------------------- */

/* How the results of a map's items become one. The tree of combinations is fixed by the
 * index of the items alone: of 2^l items from a multiple of 2^l on, the two halves are
 * combined, the earlier one on the left; what has no right half goes up as it is. So the
 * bits of the result do not depend on engines, their number, chunk, crashes, retries or
 * XCLUSTER=inline. Engines combine what they run and send it every 0.2 s: memory grows with
 * log n, traffic with time. Of items that take longer than that, each one's result goes to
 * the client, which combines them. */
enum xc_reduce {
	XC_REDUCE_OWN = 1,   /* a function of the program combines two results */
	XC_REDUCE_SUM,	     /* of each element, in its own type; any dtype. Along the tree,
				rounding errors grow with log n. Integers wrap around */
	XC_REDUCE_SUM_EXACT, /* of each element, XC_F64 or XC_F32, as double: as if with
				unlimited precision, rounded once (Python's math.fsum) */
	XC_REDUCE_MOMENTS,   /* of each element, real: struct xc_moments */
	XC_REDUCE_MIN,	     /* of each element, real: struct xc_extreme. Of equal ones the */
	XC_REDUCE_MAX,	     /* first item counts; a NaN is below, and above, all others */
	XC_REDUCE_HISTOGRAM, /* of all elements, real: int64_t[bins + 3] */
	XC_REDUCE_QUANTILES, /* of all elements, real: double[count], values that are there */
};

/* left = left (+) right: two results of `size` bytes, `right` of later items. All three
 * are aligned to 16 bytes. Runs on the engines, and in the client for the last few; it
 * should depend on nothing but its arguments. */
typedef void xc_combine_fn(void *left, const void *right, const void *argument);

#define XC_ARGUMENT_MAX 512 /* bytes */

struct xc_reduction {
	enum xc_reduce kind;
	enum xc_dtype dtype; /* of what a task writes to `out`; not of XC_REDUCE_OWN: */
	int64_t elements;    /* so many of them; 0 stands for 1 */
	/* XC_REDUCE_OWN */
	size_t size; /* of an item's result, and of the whole one */
	xc_combine_fn *combine;
	const void *argument; /* of combine: bytes, without pointers; may be NULL */
	size_t argument_size; /* at most XC_ARGUMENT_MAX */
	/* XC_REDUCE_HISTOGRAM: bins of equal width from low to high, the last one with
	 * high in it, as numpy.histogram of doubles; then counts of values below low, above high,
	 * and of NaN */
	int64_t bins;
	double low, high;
	/* XC_REDUCE_QUANTILES: for each probability p a value v such that p lies between
	 * the shares of values below v and not above v, give or take rank_error. NaN is
	 * above all others. A result of few values is exact. */
	const double *probabilities;
	int64_t count;
	double rank_error; /* from 1e-6; 0 stands for 0.001 */
};
/* clang-format off */
#ifdef __cplusplus
#define XC_REDUCTION_INIT {}
#else
#define XC_REDUCTION_INIT { 0 }
#endif
/* clang-format on */

struct xc_moments {
	int64_t count;
	double mean;	 /* 0 of nothing */
	double m2;	 /* sum of squared differences from the mean */
	double variance; /* m2 / (count - 1); NaN below 2 */
};

struct xc_extreme {
	union {
		double f;   /* of XC_F32 and XC_F64 */
		int64_t i;  /* of signed integers */
		uint64_t u; /* of unsigned ones */
	} value;
	int64_t index; /* of the item; -1: there was none */
};

/* Bytes of the result; -EINVAL: the reduction is not valid, see `err`. */
XC_API int64_t xc_reduction_size(const struct xc_reduction *how, struct xc_error *err);

/* Applies `fn` to n items, combines their results and waits. A task writes its result to
 * `out` as in xc_map: `elements` of `dtype`, or `size` bytes for XC_REDUCE_OWN.
 * `result`: `result_size` bytes, which must be what xc_reduction_size says; written once
 * all items have ended well. Without items it is zero bytes, with -1 as index and NaN as
 * variance and quantiles.
 * Items are those of xc_map: with index, attempts, time limit (of an item with the
 * combinations that it completes), progress and failures; inputs, views and `options` are
 * as there. With the id of the job others may have its result, or run it again:
 * xc_attach_reduce, xc_resubmit_reduce. Where an item does not end well: XC_EFAILED.
 * Otherwise returns as xc_map; -EINVAL also for a `how` that is not valid; XC_ECODE also
 * when `combine` cannot be shipped.
 *
 * xc_map_reduce: the items are the numbers start + i * step, as of xc_map_range.
 * xc_map_reduce_array: the n elements of in_size bytes at `in`, as of xc_map.
 * xc_map_reduce_packed: items[i], as of xc_map_packed.
 * `how` and what it points to is copied; `result` must stay valid until the result of the
 * async forms is destroyed, and is filled in when that is ready. */
XC_API int xc_map_reduce(const struct xc_view *view, xc_task_fn *fn, int64_t n,
			 const struct xc_reduction *how, void *result, size_t result_size,
			 const struct xc_map_options *options, struct xc_error *err);
XC_API int xc_map_reduce_array(const struct xc_view *view, xc_task_fn *fn, const void *in,
			       size_t in_size, int64_t n, const struct xc_reduction *how,
			       void *result, size_t result_size,
			       const struct xc_map_options *options, struct xc_error *err);
XC_API int xc_map_reduce_packed(const struct xc_view *view, xc_task_fn *fn,
				const struct xc_bytes *items, int64_t n,
				const struct xc_reduction *how, void *result, size_t result_size,
				const struct xc_map_options *options, struct xc_error *err);

XC_API struct xc_result *xc_map_reduce_async(const struct xc_view *view, xc_task_fn *fn, int64_t n,
					     const struct xc_reduction *how, void *result,
					     size_t result_size,
					     const struct xc_map_options *options,
					     struct xc_error *err);
XC_API struct xc_result *xc_map_reduce_array_async(const struct xc_view *view, xc_task_fn *fn,
						   const void *in, size_t in_size, int64_t n,
						   const struct xc_reduction *how, void *result,
						   size_t result_size,
						   const struct xc_map_options *options,
						   struct xc_error *err);
XC_API struct xc_result *xc_map_reduce_packed_async(const struct xc_view *view, xc_task_fn *fn,
						    const struct xc_bytes *items, int64_t n,
						    const struct xc_reduction *how, void *result,
						    size_t result_size,
						    const struct xc_map_options *options,
						    struct xc_error *err);

/* ---- Variables on engines ---------------------------------------------- */

/* Sets variable `name` (1 to 255 bytes) on each engine of the direct view to a
 * copy of `array`. One copy a host, shared by its engines; it leaves this process
 * once, and goes on from host to host. Where this host has no engines the call, also
 * the async one, waits until one host has all of it. What is pushed to xc_all is
 * brought to engines that join later. Errors: XC_ESTORE when a host's store is full
 * (asked, used, limit), -ETIMEDOUT when no host takes it, -EINVAL. */
XC_API int xc_push(const struct xc_view *view, const char *name, const struct xc_array *array,
		   struct xc_error *err);
XC_API struct xc_result *xc_push_async(const struct xc_view *view, const char *name,
				       const struct xc_array *array, struct xc_error *err);

/* Fetches variable `name` from each engine of the direct view into
 * arrays[0..xc_view_size), in the view's order; each is owned by the caller
 * (xc_array_free). Large ones come in parts, straight to where they stay. Errors:
 * XC_EFAILED with the engine and the variable; -ESTALE when it was set again and
 * again meanwhile, as nobody gets parts of two values. */
XC_API int xc_pull(const struct xc_view *view, const char *name, struct xc_array *arrays,
		   struct xc_error *err);
XC_API struct xc_result *xc_pull_async(const struct xc_view *view, const char *name,
				       struct xc_error *err);
/* The array that engine `i` of the view sent for an xc_pull_async that is
 * ready; owned by the caller. */
XC_API int xc_result_array(struct xc_result *result, int64_t i, struct xc_array *array,
			   struct xc_error *err);

/* Divides `array` along its first dimension into contiguous parts, as even as
 * possible, larger ones first, and sets variable `name` of engine i of the
 * direct view to part i. */
XC_API int xc_scatter(const struct xc_view *view, const char *name, const struct xc_array *array,
		      struct xc_error *err);
XC_API struct xc_result *xc_scatter_async(const struct xc_view *view, const char *name,
					  const struct xc_array *array, struct xc_error *err);

/* Fetches variable `name` from each engine and joins the parts along the first
 * dimension, in the view's order. `array` is owned by the caller. The parts
 * must agree in dtype and in all other dimensions (-EINVAL). */
XC_API int xc_gather(const struct xc_view *view, const char *name, struct xc_array *array,
		     struct xc_error *err);
/* The same from an xc_pull_async that is ready. */
XC_API int xc_result_gather(struct xc_result *result, struct xc_array *array, struct xc_error *err);

/* Removes variable `name` (NULL: all) from the engines of the direct view;
 * from xc_all also for engines that join later. */
XC_API int xc_clear(const struct xc_view *view, const char *name, struct xc_error *err);

/* Loads a shared library on every engine of the direct view, so that its
 * functions can be named in xc_map_options.function, and brings it to engines
 * that join later when the view is xc_all. Errors: XC_EFAILED with the engine
 * and the loader's words (a missing library is named), XC_ECODE. */
XC_API int xc_load(const struct xc_view *view, const char *path, struct xc_error *err);

/* The inverse of xc_load: closes the library on every engine of the direct view,
 * between tasks: functions that its tasks registered (xc_task_cleanup), its atexit
 * handlers and destructors run. Its functions then cannot be named any more (XC_ECODE),
 * until it is loaded again. From xc_all it is also not brought to engines that join
 * later. `path` is as given to xc_load, or that of the same file. Threads that the
 * library started must have ended. Engines that do not have it succeed. Errors:
 * XC_EFAILED with the engine, XC_ECODE when there is no such library. */
XC_API int xc_unload(const struct xc_view *view, const char *path, struct xc_error *err);
/* ---- Source instead of a library ---------------------------------------- */

/* How to compile. All zero is the default; NULL is taken for that. */
struct xc_source_options {
	const char *compiler; /* a command, with options if need be; NULL: what CC (CXX, FC)
				 says in the engines' environment, else cc (c++, gfortran) */
	const char *flags;    /* in words, quoted as for a shell; NULL: "-O2". Paths in it
				 should be absolute. Libraries (-lfoo) as well */
	double time_limit;    /* seconds the compiler may take; 0: 120 */
};
/* clang-format off */
#ifdef __cplusplus
#define XC_SOURCE_OPTIONS_INIT {}
#else
#define XC_SOURCE_OPTIONS_INIT { 0 }
#endif
/* clang-format on */

/* Compiles the source file at `path` (.c; .cc, .cpp, .cxx; .f90 and other Fortran) on
 * each host of the direct view, once, with that host's own compiler, and loads it there
 * as xc_load does: its functions can be named in xc_map_options.function, and it is
 * brought to engines that join later when the view is xc_all. In C++ such functions are
 * extern "C", in Fortran bind(c). #include <xcluster.h> works on hosts that lack it;
 * #include "..." is of the file's own folder where the host has that. Hosts keep what
 * they have compiled; a change of text, flags, compiler or, in C and C++, of an included
 * file has it compiled again. Blocks until all engines have it. Warnings go to the
 * engines' logs. Errors: XC_ECODE with the compiler's words ("tasks.c:12:5: error: ..."),
 * a compiler that is missing or was killed at the time limit, or a file that cannot be
 * read; -EINVAL for a name of another kind, and as xc_load. */
XC_API int xc_load_source(const struct xc_view *view, const char *path,
			  const struct xc_source_options *options, struct xc_error *err);

/* Runs C statements: once on each engine of a direct view, items in its order, or once on
 * any engine of a balanced one. They stand in a task function, where `task` is the task
 * (xc_task_array(task, "X") finds variables); the headers stdio, stdlib, string, math,
 * stdint and xcluster.h are included, lines for the preprocessor may stand at the start.
 * `return 3;` is a failure with code 3; without return all is well. They are compiled as by
 * xc_load_source, and each text that was executed stays loaded until the engine ends.
 * What they print is output of the item. Errors: XC_EFAILED when they failed, XC_ECODE
 * with the compiler's words ("execute:1:8: error: ...", lines counted from the first
 * statement), and as xc_apply. */
XC_API int xc_execute(const struct xc_view *view, const char *statements,
		      const struct xc_source_options *options, struct xc_error *err);
XC_API struct xc_result *xc_execute_async(const struct xc_view *view, const char *statements,
					  const struct xc_source_options *options,
					  struct xc_error *err);

/* ---- Linear algebra ----------------------------------------------------- */

/* Tasks of the library libxcluster-blas, on OpenBLAS, named in options->function, with fn
 * NULL. It need not be loaded: whoever names one brings it to the engines; their hosts need
 * OpenBLAS. Each takes a struct xc_blas_args and gives a struct xc_blas_report, or nothing
 * (out_size 0):
 *
 *   struct xc_blas_args args = { .n = 5000, .seed = 1, .threads = 2, .out = "L" };
 *   xc_apply(view, NULL, &args, sizeof args, reports, sizeof *reports,
 *            &(struct xc_map_options){ .function = "xc_blas_cholesky" }, &err);
 *
 * Matrices are variables of the engine, XC_F64 and row-major; a vector is one column. Where
 * no variable is named, the matrix is made of standard normals, as numpy's
 * default_rng(seed).standard_normal gives them, b after a, and c after b. An m or k of 0 stands
 * for n, or, where it counts right-hand sides, for 1.
 *
 *   xc_blas_normal     out = m x n normals
 *   xc_blas_crossprod  out = a'a                     a: m x n
 *   xc_blas_gemm       out = alpha a b + beta c      a: m x k, b: k x n, c: m x n
 *   xc_blas_cholesky   out = L, with L L' = a        a: n x n, of which the lower triangle
 *                                                    counts; made: X'X of X n x n
 *   xc_blas_solve      out = x, with a x = b         a: n x n, b: n x k
 *   xc_blas_lstsq      out = x, of the shortest that make a x - b shortest; a: m x n, b: m x k
 *   xc_blas_svd        out.u, out.s, out.vt: a = u diag(s) vt, without what is multiplied by
 *                      nothing                       a: m x n
 *
 * An item fails, and says why, when there is no such variable, shapes do not fit, the matrix
 * is singular or not positive definite, elements are not finite, or memory is short. */
struct xc_blas_args {
	int64_t m, n, k;
	uint64_t seed;
	double alpha; /* 0 stands for 1 */
	double beta;
	int threads; /* that OpenBLAS may use in this task; 0: as many as the engine has */
	bool transpose_a, transpose_b; /* gemm: a' in place of a, b' in place of b */
	bool item_stream;	       /* normals of xc_task_rng: the job has a seed of its own */
	char a[64], b[64], c[64];      /* names of variables; "": none */
	char out[64];		       /* that the result is kept as; "": it is dropped */
};

struct xc_blas_report {
	int engine;
	int threads;	  /* that OpenBLAS was allowed */
	int threads_used; /* that have computed, each a tenth of what the busiest has, or more */
	int rank;	  /* of a, as xc_blas_lstsq has found */
	int64_t m, n, k;
	double seconds;		/* of the operation alone */
	double prepare_seconds; /* before it: making or copying operands */
	double cpu_seconds;	/* of all threads in the operation */
	double gflops;	   /* 1e9 additions and multiplications a second; for lstsq and svd, which
			      take more, those of a QR and of a Golub-Reinsch-Chan factorisation */
	double residual;   /* size of what is wrong for a vector of numbers near 1 and -1, or of the
			      equations' rest, relative to the operands: about 1e-16 is right */
	char library[256]; /* OpenBLAS's own words: version and options; its kernels */
};

/* How the covariance is taken apart: numpy's `method`. */
enum xc_factor {
	XC_FACTOR_SVD, /* the default here and in numpy */
	XC_FACTOR_EIGH,
	XC_FACTOR_CHOLESKY, /* fastest; needs a positive definite one */
};

/* n vectors of d normals each with this mean and d x d covariance, one after the other in
 * `out`: numpy's multivariate_normal(mean, cov, n, method=...), from the same draws. The
 * values agree to rounding, as LAPACK's own differ in the last bits from build to build, and
 * where eigenvalues are equal or nearly so in more. The first call loads OpenBLAS, or
 * whatever LAPACK the system has, which may start threads (OPENBLAS_NUM_THREADS=1: none).
 * Errors, and then nothing is drawn: -EINVAL (also for a covariance that is not symmetric and
 * positive semidefinite within 1e-8), -ENOENT (no LAPACK on this host), -EDOM, -ENOMEM. */
XC_API int xc_multivariate_normal(struct xc_rng *rng, const double *mean, const double *cov,
				  size_t d, enum xc_factor factor, double *out, size_t n,
				  struct xc_error *err);

/* ---- Distributed matrices ----------------------------------------------- */

/* A matrix of doubles that is divided into the blocks of a grid, one on each engine of it.
 * The blocks are variables of the engines: they stay when an engine crashes, and are lost
 * with an engine that is shut down or whose host goes away. Products are made by the engines
 * of the result with OpenBLAS (libxcluster-blas, as above); blocks that they need from
 * others go from store to store, once a host, and not by the client; on one host they are
 * not copied at all. A matrix is of one client, and is to be freed before xc_close. When the
 * client closes without that, or its program ends in whatever way, the blocks are removed from
 * the engines, behind what these still compute for it: jobs that go on without their client are
 * not to count on them. */
struct xc_matrix;

/* All zero is the default; NULL is taken for that. */
struct xc_matrix_layout {
	int grid_rows; /* of blocks. 0: as many as there are engines for with grid_cols */
	int grid_cols; /* likewise; so 0 x 1 divides by rows. Both 0: as square as may be */
	size_t room;   /* bytes of other engines' blocks from which on an engine of this matrix
			  takes no more before it has multiplied these: larger products are
			  made in steps; 0: 1 GiB */
};
/* clang-format off */
#ifdef __cplusplus
#define XC_MATRIX_LAYOUT_INIT {}
#else
#define XC_MATRIX_LAYOUT_INIT { 0 }
#endif
/* clang-format on */

/* A matrix of zeros of rows x cols, at least 1 each, on the first grid_rows * grid_cols
 * engines of a direct view, row by row of the grid. Rows and columns are divided as evenly
 * as possible, larger parts first; parts may be empty. Errors: -EINVAL (the text names what
 * is wrong, as a grid with more blocks than engines), XC_ENOENGINE, and those of xc_apply
 * and of libxcluster-blas. */
XC_API int xc_matrix_new(struct xc_matrix **matrix, const struct xc_view *view, int64_t rows,
			 int64_t cols, const struct xc_matrix_layout *layout, struct xc_error *err);
/* A matrix of the elements of `array`, of dtype XC_F64 and two dimensions, or one: a column.
 * Needs no OpenBLAS. Errors: -EINVAL, XC_ESTORE, and those of xc_push. */
XC_API int xc_matrix_scatter(struct xc_matrix **matrix, const struct xc_view *view,
			     const struct xc_array *array, const struct xc_matrix_layout *layout,
			     struct xc_error *err);
/* All of it, as one array that the caller owns (xc_array_free). Errors as of xc_pull. */
XC_API int xc_matrix_gather(const struct xc_matrix *matrix, struct xc_array *array,
			    struct xc_error *err);
/* Removes its blocks from the engines, and waits for that. NULL is taken. */
XC_API void xc_matrix_free(struct xc_matrix *matrix);

/* C = alpha op(A) op(B) + beta C, where op is the transpose or nothing. Grids and engines
 * of the three may differ, and C may be A or B; with beta 0, C is not read. An engine that
 * crashes meanwhile costs time. After an error C is as before. Errors: -EINVAL (sizes that
 * do not fit, matrices of different clients), XC_EFAILED with engine and reason,
 * XC_ENOENGINE (an engine is gone, and with it what it had), XC_ESTORE, XC_ELOST. */
XC_API int xc_matrix_gemm(bool transpose_a, bool transpose_b, double alpha,
			  const struct xc_matrix *a, const struct xc_matrix *b, double beta,
			  struct xc_matrix *c, struct xc_error *err);
/* C = A'A, where C is n x n if A has n columns. If A is divided by rows alone and is long,
 * each engine makes the product of its rows, and these are added; else as xc_matrix_gemm,
 * but what is symmetric within a block is made once. Errors as of xc_matrix_gemm. */
XC_API int xc_matrix_crossprod(const struct xc_matrix *a, struct xc_matrix *c,
			       struct xc_error *err);

struct xc_matrix_info {
	int64_t rows, cols;
	int grid_rows, grid_cols;
	const struct xc_view *view; /* direct, of its engines in the order of the blocks */
	const char *name; /* of the variable that holds a block on each of them: for tasks of your
			     own, which may also set it, to the same shape. It is another one
			     after each call that has changed the matrix; borrowed until then */
};
XC_API int xc_matrix_info(const struct xc_matrix *matrix, struct xc_matrix_info *info,
			  struct xc_error *err);

/* Block i, counted along the rows of the grid. */
struct xc_matrix_block {
	int engine; /* its id */
	int64_t first_row, first_col;
	int64_t rows, cols; /* may be 0 */
};
XC_API int xc_matrix_block(const struct xc_matrix *matrix, int i, struct xc_matrix_block *block,
			   struct xc_error *err);

/* ---- Results ----------------------------------------------------------- */

/* Waits until every item has ended. Returns 0; XC_EFAILED when some ended
 * badly; -ETIMEDOUT; XC_ELOST; -EINTR when a signal handler of the program ran, and
 * -ENOMEM (call again to go on waiting). */
XC_API int xc_wait(struct xc_result *result, double timeout, struct xc_error *err);

/* True when every item has ended, or can no longer as the cluster is lost or the
 * client closed (xc_wait then says XC_ELOST); takes in what has arrived, never waits. */
XC_API bool xc_is_ready(struct xc_result *result);

struct xc_progress {
	int64_t items;	/* of the job */
	int64_t done;	/* ended, in whatever way */
	int64_t failed; /* ended in any way but ok */
};
/* As of what has arrived; never waits. */
XC_API struct xc_progress xc_result_progress(struct xc_result *result);

/* Seconds from submission until ready (or now); the sum of the seconds that its
 * items took on engines, less those in which an engine waited for a core that
 * others had (so about what one core would need alone); and their ratio. */
XC_API double xc_result_elapsed(struct xc_result *result);
XC_API double xc_result_serial_time(struct xc_result *result);
XC_API double xc_result_speedup(struct xc_result *result);

/* Item states. Each item ends in exactly one. */
#define XC_STATES(X)                                                                               \
	X(XC_OK, "ok")                                                                             \
	X(XC_FAILED, "failed")	     /* returned a code of its own */                              \
	X(XC_CRASHED, "crashed")     /* its engine died of it */                                   \
	X(XC_TIMED_OUT, "timed out") /* ran past its time limit */                                 \
	X(XC_CANCELLED, "cancelled")                                                               \
	X(XC_LOST, "lost") /* its engine went away, attempts used up */
enum xc_state {
#define XC_STATE_ENUM(name, text) name,
	XC_STATES(XC_STATE_ENUM)
#undef XC_STATE_ENUM
};
XC_API const char *xc_state_name(enum xc_state state);

/* A run of consecutive items that ended in the same bad way. */
struct xc_failure {
	int64_t first; /* item */
	int64_t count; /* items in the run, at least 1 */
	enum xc_state state;
	int code;	  /* failed: the task's own code; crashed: the signal, or
			     0 if the engine exited */
	int attempts;	  /* runs used up */
	int engine;	  /* id of the last engine, -1 if none */
	const char *text; /* borrowed from the result; never NULL */
	const char *host; /* of that engine, borrowed likewise; empty if none */
};
/* Number of runs of failures so far, and the i-th in the order they came. At
 * most 10000 runs are kept; items beyond are counted in xc_progress.failed. */
XC_API int64_t xc_failure_count(struct xc_result *result);
XC_API int xc_failure(struct xc_result *result, int64_t i, struct xc_failure *failure);

/* One paragraph on how items ended badly, for a person: counts by state, code and
 * text, the most frequent first, with their first items and engines; empty when
 * none did. Ends with a zero byte, cut to `size` bytes; returns the length that it
 * has uncut, as snprintf. `text` may be NULL if `size` is 0. -EINVAL, -ENOMEM. */
XC_API int xc_failure_summary(struct xc_result *result, char *text, size_t size);

enum xc_order {
	XC_ANY_ORDER, /* as they end */
	XC_IN_ORDER,  /* by index */
};

/* Waits for the next item that has ended and not been handed out yet: 1 with its
 * index; 0 when all were handed out; XC_ELOST, -ETIMEDOUT, -EINTR, -ENOMEM. Its
 * result is where that of a finished job is (`out`, xc_result_item), and
 * xc_item_state tells how it ended; that it ended badly is no error here. Each of
 * the two orders goes through all items by itself. */
XC_API int xc_next(struct xc_result *result, enum xc_order order, double timeout, int64_t *item,
		   struct xc_error *err);

/* How item `i` ended: an enum xc_state; -EAGAIN while it has not, as far as has
 * arrived; -EINVAL when there is no such item; -ENOMEM. Takes nothing in. */
XC_API int xc_item_state(struct xc_result *result, int64_t i);

/* The variable-length result of item `i` (xc_task_return), borrowed from the
 * result; NULL when the item has none or has not ended well. */
XC_API const void *xc_result_item(struct xc_result *result, int64_t i, size_t *size);

/* What item `item` has printed: by stdio, write(2) on descriptors 1 and 2, C++ streams,
 * child processes; stdout and stderr in one, in their order. Also while it runs (then
 * as of 0.3 s ago, and parts may be missing until it has ended) and of items that
 * failed or crashed; takes in what has arrived, never waits. Of an item that ran
 * several times it is the output of each run, one behind the other. Borrowed until the
 * next call with this client that takes in news, or until the result is destroyed;
 * a zero byte follows the `*size` bytes (`size` may be NULL). NULL: nothing, no such
 * item, or no memory for it now.
 *
 * Of each run 1 MiB is kept, its beginning and its end, of a job 16 MiB and 100000
 * items; a line "[... N bytes cut ...]" stands where bytes are missing. Output of a
 * member of a batch (many xc_apply_async) is that of item 0 of its own result. With
 * XCLUSTER=inline nothing is kept: NULL. */
XC_API const char *xc_output(struct xc_result *result, int64_t item, size_t *size);

/* The first item above `after` (-1: of all) that has printed, as far as has arrived;
 * -1: there is none. Takes nothing in. */
XC_API int64_t xc_output_next(struct xc_result *result, int64_t after);

/* Items that each engine ran: fills up to `max` pairs, ascending by engine id;
 * returns the number of engines. */
XC_API int xc_result_engines(struct xc_result *result, int *ids, int64_t *items, int max);

/* Cancels what has not ended; does not wait. One of many xc_apply_async is cancelled
 * alone, also when it went to an engine together with others. */
XC_API int xc_cancel(struct xc_result *result, enum xc_cancel how, struct xc_error *err);

/* Forgets a result; cancels what has not ended, unless it is of xc_attach or of a job
 * with XC_DISCONNECT_KEEP, which go on. NULL is taken. */
XC_API void xc_result_destroy(struct xc_result *result);

/* ---- Jobs by id -------------------------------------------------------- */

/* Bytes of the text that names a job within its cluster, with the zero at its end. */
#define XC_JOB_ID_SIZE 40

/* Writes the id of the job that the result is of, also of one that has ended; any client
 * of the cluster may use it below, in this process or another. For an xc_apply on a
 * balanced view, which may go together with others: of that one call. Sends what is held
 * back, but waits for nothing. -EINVAL, -ENOMEM; XC_ELOST when the client was closed
 * before the job was sent. */
XC_API int xc_result_id(struct xc_result *result, char id[XC_JOB_ID_SIZE]);

/* A result of a job of any client of this cluster, pending or ended: one round trip.
 * Owned by the caller, and as any other: it can be waited for, watched item by item and
 * cancelled, and gives all results and failures from the first, times counted from now.
 * Destroying it leaves the job alone. Several may be attached to a job, its own client
 * included; nobody's pace holds up its own client.
 * `out`: `out_bytes` of room for items * out_size bytes, as of xc_map; NULL and 0 for
 * jobs whose results have no fixed size, or to do without them.
 * A job that its client's end cancels ends for those attached, too. Of jobs that have
 * ended the controller knows the last thousand (`xcluster start --history`), and of their
 * results and inputs the last 8 MB; for more of one job set XC_DISCONNECT_KEEP: such a job
 * stays until somebody has had its results and it is one of the oldest, or xc_purge. Of
 * all such jobs the controller takes 1 GB of results (`--kept-limit`): above it gives up
 * what somebody has had already, and hands out no more items of jobs without a client
 * until somebody fetches.
 * Errors: -ENOENT (no such job, or forgotten), -EMSGSIZE (`out` is too small; the text
 * says what is needed), -EINVAL (no id; `out` for results of no fixed size), -ENODATA (its
 * results are not there any more), XC_ELOST, -ETIMEDOUT, -ENOMEM. */
XC_API struct xc_result *xc_attach(struct xc_client *client, const char *id, void *out,
				   size_t out_bytes, struct xc_error *err);

/* Runs a job that has ended again, in whatever way it did, as a new job of this client
 * with the same function, inputs, engines and options. Otherwise as xc_map_async. Variables
 * and programs are not brought again: where they are gone, the items fail and say so.
 * `out` as of xc_attach. Errors as xc_attach; -EBUSY when the job has not ended, -ENODATA
 * when its inputs are not there any more. */
XC_API struct xc_result *xc_resubmit(struct xc_client *client, const char *id, void *out,
				     size_t out_bytes, struct xc_error *err);

/* xc_attach and xc_resubmit for an xc_map_reduce: its results are combined here, as they
 * were to be for its own client, with the same bits. `how` is the reduction that the job was
 * submitted with, `combine` the same function, though perhaps of another program; of
 * XC_REDUCE_QUANTILES other probabilities may be asked for. `result` is written as by
 * xc_map_reduce, and must stay valid until the result has ended or was destroyed.
 * Errors as xc_attach; -EINVAL also for a `how` that is not that of the job (the text names
 * the field), and for a job that is no xc_map_reduce. */
XC_API struct xc_result *xc_attach_reduce(struct xc_client *client, const char *id,
					  const struct xc_reduction *how, void *result,
					  size_t result_size, struct xc_error *err);
XC_API struct xc_result *xc_resubmit_reduce(struct xc_client *client, const char *id,
					    const struct xc_reduction *how, void *result,
					    size_t result_size, struct xc_error *err);

/* Which jobs. All zero: all. */
struct xc_job_query {
	const char *label; /* NULL: any; may have *, ? and [...] as in file names */
	const char *state; /* NULL: any; else as in struct xc_job_info */
	double since;	   /* submitted at this time or later, in seconds since 1970; */
	double until;	   /* and before this one; 0: no bound */
	int max;	   /* at most so many, the newest; 0: all */
};
/* clang-format off */
#ifdef __cplusplus
#define XC_JOB_QUERY_INIT {}
#else
#define XC_JOB_QUERY_INIT { 0 }
#endif
/* clang-format on */

struct xc_job_info {
	char id[XC_JOB_ID_SIZE];
	char label[64];
	char client[64]; /* name of the program that submitted it */
	char state[16];	 /* "queued": nothing of it has begun; "running"; "cancelling";
			    "done"; "failed": not all items ended well; "cancelled" */
	int64_t items, done, failed;
	int priority;
	double submitted, started, finished; /* seconds since 1970; 0: not yet */
	uint64_t result_bytes;		     /* of its results so far; 0 when they are gone */
	bool has_results;		     /* it can be attached to */
	bool has_inputs;		     /* it can be run again, once it has ended */
};
/* Jobs of all clients, pending and ended, the newest first. `*jobs`: `*count` of them,
 * to be given to free(). Items that went together, of xc_apply on a balanced view, are
 * one job here. One round trip. Errors: -EINVAL (names what is not valid), XC_ELOST,
 * -ETIMEDOUT, -ENOMEM. */
XC_API int xc_jobs(struct xc_client *client, const struct xc_job_query *query,
		   struct xc_job_info **jobs, int *count, struct xc_error *err);

/* Cancels a job by its id, whosever it is; does not wait for its end. Otherwise as
 * xc_cancel. Errors: -ENOENT, -EINVAL, -EALREADY (it has ended), XC_ELOST, -ETIMEDOUT. */
XC_API int xc_job_cancel(struct xc_client *client, const char *id, enum xc_cancel how,
			 struct xc_error *err);

/* Has the controller forget a job that has ended, with its results, or (NULL) all of
 * them: returns how many. Results on their way to their own client arrive all the same.
 * Errors: -EBUSY (it has not ended), -ENOENT, -EINVAL, XC_ELOST, -ETIMEDOUT. */
XC_API int xc_purge(struct xc_client *client, const char *id, struct xc_error *err);

/* What an engine has before it. */
struct xc_queue {
	int engine;	   /* its id */
	int slices;	   /* runs of items that were sent to it and have not ended */
	int64_t queued;	   /* items that only it may run, not yet sent to it */
	int64_t running;   /* items sent to it that have not ended */
	int64_t completed; /* items that it has run */
};
/* Fills in up to `max` queues of engines that have not failed, ascending by id; returns
 * how many there are. `unassigned` (may be NULL): items that any engine may run, not yet
 * sent to one. One round trip. Errors: -EINVAL, XC_ELOST, -ETIMEDOUT. */
XC_API int xc_queue_status(struct xc_client *client, struct xc_queue *queues, int max,
			   int64_t *unassigned, struct xc_error *err);

/* ---- Streams: items of unknown number ----------------------------------- */

/* Gives the next item: fills in `item` and returns 1; 0 when there are no more; a
 * negative code ends the stream with it. The bytes are copied before the next
 * call. While it waits nothing is sent or given. */
typedef int xc_next_fn(void *argument, struct xc_bytes *item);

/* Takes item `index`, counted from 0 as `next` gave them: how it ended and, if well,
 * its result, valid until it returns (NULL, 0: it has none). Anything but 0 ends the
 * stream and cancels what is in flight. */
typedef int xc_give_fn(void *argument, int64_t index, enum xc_state state, const void *data,
		       size_t size);

/* Options of a stream. All zero is the default; NULL is taken for that. */
struct xc_stream_options {
	enum xc_order order;
	int64_t window_items; /* taken from `next` and not yet given; 0: 4096 */
	size_t window_bytes;  /* of their inputs, from which on no more are taken;
				 0: 64 MB */
	size_t out_size;      /* bytes of each result, at the task's `out`; 0: those
				 of xc_task_return */
};
/* clang-format off */
#define XC_STREAM_OPTIONS_INIT { 0 }
/* clang-format on */

/* Applies `fn` to the items of `next`, as many as there are, and hands each result
 * to `give`, both in this thread and with `argument`; waits until the end. They may
 * use the client, but not close it. Items go to the engines in jobs of bounded
 * size, so xc_task_index is 0 in all of them; on a direct view each such job is
 * divided as by xc_map. Of `options`, `start` and `step` say nothing here. With
 * XC_STOP nothing more is taken after a failure, and what was taken is cancelled.
 * Every item taken is given once, unless an error ends the stream.
 *
 * Returns 0 when all items ended well; XC_EFAILED when some did not (the text
 * counts them and quotes the first); -ECANCELED when `give` ended it; what `next`
 * returned when negative, once all before is given; otherwise as xc_map. */
XC_API int xc_map_stream(const struct xc_view *view, xc_task_fn *fn, xc_next_fn *next,
			 xc_give_fn *give, void *argument, const struct xc_stream_options *stream,
			 const struct xc_map_options *options, struct xc_error *err);

/* ---- A private cluster -------------------------------------------------- */

struct xc_cluster;

struct xc_cluster_options {
	const char *id;		/* NULL: a name of its own */
	int threads_per_engine; /* 0: cores / n */
	double engine_timeout;	/* seconds until all must be up, not negative; 0: 60 */
	bool bind;		/* pin engines to cores */
};

/* Starts a cluster of n engines on this machine (0: one for each core this
 * process may use) by running the `xcluster` command: of XCLUSTER_COMMAND, else
 * the one installed with this library, else of PATH. It ends with
 * xc_cluster_stop, or with this process however that ends (and those that it has
 * forked, if they live on without exec). Returns when all
 * engines can run a task. */
XC_API int xc_cluster_start(struct xc_cluster **cluster, int n,
			    const struct xc_cluster_options *options, struct xc_error *err);

/* Path of the connection file, for xc_open. Borrowed. */
XC_API const char *xc_cluster_connection(const struct xc_cluster *cluster);

/* Stops it and waits until nothing is left of it. NULL is taken. A child made by fork
 * only lets go of it: it is its parent's. */
XC_API int xc_cluster_stop(struct xc_cluster *cluster, struct xc_error *err);

#ifdef __cplusplus
}
#pragma GCC diagnostic pop
/* The address of a temporary, for XC_ARRAY within one expression. */
static inline const xc_array *xc_array_ref(const xc_array &array)
{
	return &array;
}
/* Dimensions of any integer type, which braces alone would not take. */
template <typename... Dims>
static inline xc_array xc_array_make(xc_dtype dtype, const void *data, Dims... dims)
{
	static_assert(sizeof...(Dims) <= XC_MAX_DIMS, "at most XC_MAX_DIMS dimensions");
	return xc_array{
		dtype, static_cast<int>(sizeof...(Dims)), { static_cast<int64_t>(dims)... }, data
	};
}
#endif

#endif
