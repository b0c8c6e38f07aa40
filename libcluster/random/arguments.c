/* arguments.c: judges the arguments of distributions, and says what is wrong with them. */
#include "libcluster/random/distributions.h"

static const char *const rule_texts[] = {
	[FINITE] = "a finite number",
	[NOT_NEGATIVE] = "a finite number, 0 or more",
	[POSITIVE] = "a finite number above 0",
	[PROBABILITY] = "in 0 to 1",
	[PROBABILITY_NOT_0] = "above 0 and not above 1",
	[PROBABILITY_NOT_1] = "0 or more and below 1",
	[POISSON_MEAN] = "0 or more and below 9.2e18, as counts are of 64 bits",
	[GEOMETRIC_RATE] = "5e-18 or more and not above 1, as counts are of 64 bits",
};

static bool keeps(double value, enum rule rule)
{
	switch (rule) {
	case FINITE:
		return isfinite(value);
	case NOT_NEGATIVE:
		return isfinite(value) && value >= 0;
	case POSITIVE:
		return isfinite(value) && value > 0;
	case PROBABILITY:
		return value >= 0 && value <= 1;
	case PROBABILITY_NOT_0:
		return value > 0 && value <= 1;
	case PROBABILITY_NOT_1:
		return value >= 0 && value < 1;
	case POISSON_MEAN:
		return value >= 0 && value <= POISSON_MEAN_MAX;
	case GEOMETRIC_RATE:
		return value >= GEOMETRIC_RATE_MIN && value <= 1;
	}
	return false;
}

int arguments_check(const char *distribution, const struct argument *arguments, size_t n,
		    struct xc_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (!keeps(arguments[i].value, arguments[i].rule))
			return error_set(err, -EINVAL, "%s: `%s` is %.17g, but must be %s",
					 distribution, arguments[i].name, arguments[i].value,
					 rule_texts[arguments[i].rule]);
	return 0;
}

int places_check(const char *distribution, const struct xc_rng *rng, const void *out, size_t n,
		 struct xc_error *err)
{
	if (!rng)
		return error_set(err, -EINVAL,
				 "%s: there is no generator to draw from: `rng` is NULL; make one "
				 "by xc_rng_new, or see why xc_task_rng gave none",
				 distribution);
	if (n && !out)
		return error_set(err, -EINVAL, "%s: %zu draws need a place: `out` is NULL",
				 distribution, n);
	return 0;
}
