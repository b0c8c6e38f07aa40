/* log1p.c: log(1 + x) for x in (-1, 0] with the same bits everywhere. That of the C library
 * differs in the last place between its versions, and between processors with and without
 * fused operations, so that one stream would give two results in a cluster of mixed hosts.
 * These bits are those of glibc 2.36 on x86-64 processors with fused operations, where most
 * of numpy runs; fma() gives them on others, too.
 *
 * The method and its constants are those of FreeBSD's s_log1p.c:
 *
 * Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
 * Developed at SunPro, a Sun Microsystems, Inc. business.
 * Permission to use, copy, modify, and distribute this software is freely granted, provided
 * that this notice is preserved.
 */
#include <math.h>
#include <string.h>

#include "libcluster/random/rng.h"

#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW	 0x1.a39ef35793c76p-33

static uint64_t bits_of(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static double double_of(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

/* Of log((1 + s) / (1 - s)) what is beyond 2s, divided by s; z = s * s. N.B. the order of
 * the sums, and what is fused, are part of the result; so below. */
static double remainder_of(double z)
{
	double z2 = z * z, z4 = z2 * z2, z6 = z2 * z4;
	double r2 = fma(z, 0x1.2492494229359p-2, 0x1.999999997fa04p-2);
	double r3 = fma(z, 0x1.7466496cb03dep-3, 0x1.c71c51d8e78afp-3);
	double r4 = fma(z, 0x1.2f112df3e5244p-3, 0x1.39a09d078c69fp-3);
	double r = fma(z, 0x1.5555555555593p-1, z2 * r2);

	return fma(z6, r4, fma(z4, r3, r));
}

/* log(1 + f) for f in about sqrt(0.5) - 1 to sqrt(2) - 1, plus k log 2 and the error
 * `correction` that f has. */
static double reduced_log(double f, int k, double correction)
{
	double half = 0.5 * f * f;
	double s = f / (2.0 + f);
	double r = s * (half + remainder_of(s * s));

	if (k == 0)
		return f - (half - r);
	correction = fma(k, LN2_LOW, correction);
	return fma(k, LN2_HIGH, -((half - (r + correction)) - f));
}

/* The same where f is below 2^-20 in size. */
static double tiny_log(double f, int k, double correction)
{
	double r = 0.5 * f * f * fma(-f, 0x1.5555555555555p-1, 1.0);

	if (k == 0)
		return f - r;
	correction = fma(k, LN2_LOW, correction);
	if (f == 0)
		return fma(k, LN2_HIGH, correction);
	return fma(k, LN2_HIGH, -((r - correction) - f));
}

double random_log1p(double x)
{
	const uint64_t mantissa = 0xfffffffffffff;
	double u, correction;
	uint64_t bits;
	int k;

	if (x > -0x1p-54)
		return x;
	if (x > -0x1p-29)
		return x - x * x * 0.5;
	/* That constant, as words: bfd2bec3. */
	if (bits_of(x) >> 32 <= 0xbfd2bec3)
		return reduced_log(x, 0, 0);
	u = 1.0 + x;
	correction = (x - (u - 1.0)) / u;
	bits = bits_of(u);
	k = (int)(bits >> 52) - 1023;
	bits &= mantissa;
	/* u is scaled to between sqrt(0.5) and sqrt(2). */
	if (bits >> 32 < 0x6a09e) {
		u = double_of(bits | (uint64_t)0x3ff << 52);
		bits >>= 32;
	} else {
		k++;
		u = double_of(bits | (uint64_t)0x3fe << 52);
		bits = (0x100000 - (bits >> 32)) >> 2;
	}
	if (bits == 0)
		return tiny_log(u - 1.0, k, correction);
	return reduced_log(u - 1.0, k, correction);
}
