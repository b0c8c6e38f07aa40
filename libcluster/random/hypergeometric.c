/* hypergeometric.c: good ones among a sample without replacement: E. Stadlober, "The ratio of
 * uniforms approach for generating discrete random variates", algorithm HRUA (1990); one by
 * one where the sample, or what it leaves, is small. */
#include "libcluster/random/distributions.h"

/* log(k!) of small k, each rounded once. */
static const double log_factorials[] = {
	/* clang-format off */
	0.0, 0.0, 0.6931471805599453, 1.791759469228055,
	3.1780538303479458, 4.787491742782046, 6.579251212010101, 8.525161361065415,
	10.60460290274525, 12.801827480081469, 15.104412573075516, 17.502307845873887,
	19.987214495661885, 22.552163853123425, 25.19122118273868, 27.89927138384089,
	30.671860106080672, 33.50507345013689, 36.39544520803305, 39.339884187199495,
	42.335616460753485, 45.38013889847691, 48.47118135183523, 51.60667556776438,
	54.78472939811232, 58.00360522298052, 61.261701761002, 64.55753862700634,
	67.88974313718154, 71.25703896716801, 74.65823634883016, 78.0922235533153,
	81.55795945611504, 85.05446701758152, 88.58082754219768, 92.1361756036871,
	95.7196945421432, 99.33061245478743, 102.96819861451381, 106.63176026064346,
	110.32063971475739, 114.0342117814617, 117.77188139974507, 121.53308151543864,
	125.3172711493569, 129.12393363912722, 132.95257503561632, 136.80272263732635,
	140.67392364823425, 144.5657439463449, 148.47776695177302, 152.40959258449735,
	156.3608363030788, 160.3311282166309, 164.32011226319517, 168.32744544842765,
	172.3527971391628, 176.39584840699735, 180.45629141754378, 184.53382886144948,
	188.6281734236716, 192.7390472878449, 196.86618167289, 201.00931639928152,
	205.1681994826412, 209.34258675253685, 213.53224149456327, 217.73693411395422,
	221.95644181913033, 226.1905483237276, 230.43904356577696, 234.70172344281826,
	238.97838956183432, 243.2688490029827, 247.57291409618688, 251.8904022097232,
	256.22113555000954, 260.5649409718632, 264.9216497985528, 269.2910976510198,
	273.6731242856937, 278.0675734403661, 282.4742926876304, 286.893133295427,
	291.3239500942703, 295.76660135076065, 300.22094864701415, 304.6868567656687,
	309.1641935801469, 313.65282994987905, 318.1526396202093, 322.66349912672615,
	327.1852877037752, 331.7178871969285, 336.26118197919845, 340.815058870799,
	345.37940706226686, 349.95411804077025, 354.5390855194408, 359.1342053695754,
	363.73937555556347, 368.35449607240474, 372.979468885689, 377.61419787391867,
	382.25858877306, 386.91254912321756, 391.5759882173296, 396.24881705179155,
	400.93094827891576, 405.6222961611449, 410.32277652693733, 415.03230672824964,
	419.7508055995447, 424.4781934182571, 429.21439186665157, 433.9593239950148,
	438.71291418612117, 443.47508812091894, 448.2457727453846, 453.0248962384961,
	457.81238798127816, 462.6081785268749, 467.4121995716082, 472.2243839269806,
	477.04466549258564, 481.87297922988796,
	/* clang-format on */
};

static double log_factorial(int64_t k)
{
	static const double half_log_2pi = 0.9189385332046728;
	double x = (double)k;

	if (k < (int64_t)(sizeof log_factorials / sizeof log_factorials[0]))
		return log_factorials[k];
	return (x + 0.5) * log(x) - x +
	       (half_log_2pi + (1.0 / x) * (1 / 12.0 - 1 / (360.0 * x * x)));
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Takes the sample, or what it leaves, whichever is smaller. */
static int64_t one_by_one(struct xc_rng *rng, int64_t good, int64_t bad, int64_t sample)
{
	int64_t total = good + bad, left = total, good_left = good;
	bool complement = sample > total / 2;
	int64_t to_take = complement ? total - sample : sample;

	for (; to_take > 0 && good_left > 0 && left > good_left; to_take--) {
		left--;
		if ((int64_t)rng_interval(rng, (uint64_t)left) < good_left)
			good_left--;
	}
	if (left == good_left)
		good_left -= to_take;
	return complement ? good_left : good - good_left;
}

struct hrua {
	int64_t fewer, more; /* of good and bad */
	int64_t sample;	     /* up to half of all */
};

/* log of the weights' denominator for k of the fewer. */
static double log_weight(const struct hrua *h, int64_t k)
{
	return log_factorial(k) + log_factorial(h->fewer - k) + log_factorial(h->sample - k) +
	       log_factorial(h->more - h->sample + k);
}

static int64_t ratio_of_uniforms(struct xc_rng *rng, const struct hrua *h)
{
	static const double d1 = 1.7155277699214135; /* 2 * sqrt(2 / e) */
	static const double d2 = 0.8989161620588988; /* 3 - 2 * sqrt(3 / e) */
	double all = (double)(h->fewer + h->more), sample = (double)h->sample;
	double p = (double)h->fewer / all, q = (double)h->more / all;
	double a = sample * p + 0.5;
	double variance = (all - sample) * sample * p * q / (all - 1);
	double c = sqrt(variance + 0.5);
	double width = d1 * c + d2;
	int64_t mode = (int64_t)floor((sample + 1) * (double)(h->fewer + 1) / (all + 2));
	double g = log_weight(h, mode);
	double most = (double)(min(h->sample, h->fewer) + 1), bound = floor(a + 16 * c);

	if (most < bound)
		bound = most;
	for (;;) {
		double u = rng_double(rng);
		double v = rng_double(rng);
		double x = a + width * (v - 0.5) / u, t;
		int64_t k;

		if (!(x >= 0.0 && x < bound))
			continue;
		k = (int64_t)floor(x);
		t = g - log_weight(h, k);
		if (u * (4.0 - u) - 3.0 <= t)
			return k;
		if (u * (u - t) >= 1)
			continue;
		if (2.0 * log(u) <= t)
			return k;
	}
}

static int64_t draw_hypergeometric(struct xc_rng *rng, int64_t ngood, int64_t nbad, int64_t nsample)
{
	int64_t total = ngood + nbad, k;
	struct hrua h = { min(ngood, nbad), ngood > nbad ? ngood : nbad,
			  min(nsample, total - nsample) };

	if (nsample < 10 || nsample > total - 10)
		return one_by_one(rng, ngood, nbad, nsample);
	k = ratio_of_uniforms(rng, &h);
	if (ngood > nbad)
		k = h.sample - k;
	return h.sample < nsample ? ngood - k : k;
}

/* numpy's own limit: above, HRUA loses its accuracy. */
#define HYPERGEOMETRIC_MAX 1000000000

static int check_hypergeometric(struct xc_error *err, int64_t ngood, int64_t nbad, int64_t nsample)
{
	if (ngood < 0 || nbad < 0 || ngood >= HYPERGEOMETRIC_MAX || nbad >= HYPERGEOMETRIC_MAX)
		return error_set(err, -EINVAL,
				 "hypergeometric: `ngood` is %lld and `nbad` %lld: both must be 0 "
				 "or more and below 1000000000",
				 (long long)ngood, (long long)nbad);
	if (nsample < 0 || nsample > ngood + nbad)
		return error_set(err, -EINVAL,
				 "hypergeometric: `nsample` is %lld, but there are %lld to take",
				 (long long)nsample, (long long)(ngood + nbad));
	return 0;
}

COUNTS(hypergeometric, (int64_t ngood, int64_t nbad, int64_t nsample), (ngood, nbad, nsample))
