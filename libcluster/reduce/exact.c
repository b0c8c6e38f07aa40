/* exact.c: sums of doubles without rounding, but for once at the end: a fixed-point number with
 * room for all of them (Kulisch 1971), in digits of 32 bits. */
#include <math.h>
#include <string.h>

#include "libcluster/reduce/reduce.h"

#define LEAST  -1074 /* exponent of the last bit of a double */
#define DIGITS 68    /* 2^1024 down to 2^-1074, and 2^64 items */

struct exact {
	/* weight 2^(32 i + LEAST); each of 32 bits, but for the last one, which has the sign */
	int64_t digits[DIGITS];
	int64_t infinite[2]; /* positive, negative; */
	int64_t nan;
};

_Static_assert(sizeof(struct exact) == 8 * (DIGITS + 3), "no padding, also as others see it");

static void normalise(struct exact *e)
{
	int64_t carry = 0;

	for (int i = 0; i < DIGITS - 1; i++) {
		int64_t digit = e->digits[i] + carry;

		e->digits[i] = digit & 0xffffffff;
		carry = digit >> 32; /* towards less, as compilers have it */
	}
	e->digits[DIGITS - 1] += carry;
}

static void set(struct exact *e, double value)
{
	int exponent, at, shift;
	unsigned __int128 bits;
	double fraction;

	memset(e, 0, sizeof *e);
	if (isnan(value)) {
		e->nan = 1;
		return;
	}
	if (isinf(value)) {
		e->infinite[value < 0] = 1;
		return;
	}
	fraction = frexp(fabs(value), &exponent); /* [0.5, 1) */
	exponent -= 53;
	if (exponent < LEAST) { /* no bit of it is below */
		fraction = ldexp(fraction, 53 + exponent - LEAST);
		exponent = LEAST;
	} else {
		fraction = ldexp(fraction, 53);
	}
	at = (exponent - LEAST) / 32;
	shift = (exponent - LEAST) % 32;
	bits = (unsigned __int128)(uint64_t)fraction << shift;
	for (int i = 0; i < 3 && at + i < DIGITS; i++, bits >>= 32)
		e->digits[at + i] =
			value < 0 ? -(int64_t)(bits & 0xffffffff) : (int64_t)(bits & 0xffffffff);
	if (value < 0)
		normalise(e);
}

static void lift(const struct reduce *r, void *state, const void *leaf, int64_t item)
{
	struct exact *e = state;

	(void)item;
	for (size_t i = 0; i < r->spec.elements; i++)
		set(&e[i], reduce_value(r, leaf, i));
}

static void merge(const struct reduce *r, void *left, const void *right)
{
	struct exact *a = left;
	const struct exact *b = right;

	for (size_t k = 0; k < r->spec.elements; k++) {
		for (int i = 0; i < DIGITS; i++)
			a[k].digits[i] =
				(int64_t)((uint64_t)a[k].digits[i] + (uint64_t)b[k].digits[i]);
		normalise(&a[k]);
		for (int i = 0; i < 2; i++)
			a[k].infinite[i] |= b[k].infinite[i];
		a[k].nan |= b[k].nan;
	}
}

/* Bit i of a number that is not negative. */
static uint64_t bit(const struct exact *e, int i)
{
	return i < 0 ? 0 : (uint64_t)e->digits[i / 32] >> i % 32 & 1;
}

static int highest_bit(const struct exact *e)
{
	for (int i = DIGITS - 1; i >= 0; i--)
		if (e->digits[i])
			return 32 * i + 63 - __builtin_clzll((uint64_t)e->digits[i]);
	return -1;
}

static bool has_bits_below(const struct exact *e, int end)
{
	for (int i = 0; i < end / 32; i++)
		if (e->digits[i])
			return true;
	return end % 32 && ((uint64_t)e->digits[end / 32] & ((UINT64_C(1) << end % 32) - 1));
}

/* Half to even. */
static double magnitude(const struct exact *e)
{
	int high = highest_bit(e), low = high > 52 ? high - 52 : 0;
	uint64_t mantissa = 0;

	for (int i = high; i >= low; i--)
		mantissa = mantissa << 1 | bit(e, i);
	if (low > 0 && bit(e, low - 1) && ((mantissa & 1) || has_bits_below(e, low - 1)))
		mantissa++;
	return ldexp((double)mantissa, low + LEAST);
}

static double value_of(struct exact e)
{
	bool is_negative = e.digits[DIGITS - 1] < 0;

	if (e.nan || (e.infinite[0] && e.infinite[1]))
		return (double)NAN;
	if (e.infinite[0] || e.infinite[1])
		return e.infinite[0] ? (double)INFINITY : -(double)INFINITY;
	if (is_negative) {
		for (int i = 0; i < DIGITS; i++)
			e.digits[i] = -e.digits[i];
		normalise(&e);
	}
	return is_negative ? -magnitude(&e) : magnitude(&e);
}

static void finish(const struct reduce *r, const void *state, void *result)
{
	for (size_t i = 0; state && i < r->spec.elements; i++)
		((double *)result)[i] = value_of(((const struct exact *)state)[i]);
}

/* The last digit is that of so many items at most, so that no sum overflows. */
static bool is_valid(const struct reduce *r, const void *state, size_t size, int64_t items)
{
	const struct exact *e = state;

	(void)items;
	if (size != r->state_size)
		return false;
	for (size_t k = 0; k < r->spec.elements; k++) {
		for (int i = 0; i < DIGITS - 1; i++)
			if (e[k].digits[i] < 0 || e[k].digits[i] > 0xffffffff)
				return false;
		if (e[k].digits[DIGITS - 1] < INT32_MIN || e[k].digits[DIGITS - 1] > INT32_MAX)
			return false;
	}
	return true;
}

const struct reduce_kind reduce_exact = { .element_size = sizeof(struct exact),
					  .lift = lift,
					  .merge = merge,
					  .is_valid = is_valid,
					  .finish = finish };
