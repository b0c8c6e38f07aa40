/* binomial.c: binomial and multinomial.
 *
 * Means above 30: V. Kachitvichyanukul and B. W. Schmeiser, "Binomial random variate
 * generation", algorithm BTPE (1988), whose names and steps these are; else by inversion. */
#include "libcluster/random/distributions.h"

struct binomial {
	int64_t n;
	double p; /* up to 0.5 */
	bool flipped;
	bool inverted;
	/* inversion */
	int64_t bound;
	double q_n;
	/* both */
	double q;
	/* BTPE */
	int64_t m;
	double npq, x_m, x_l, x_r, c, lambda_l, lambda_r, p1, p2, p3, p4;
};

static void begin_inversion(struct binomial *b)
{
	double n = (double)b->n, mean = n * b->p;
	double bound = mean + 10.0 * sqrt(mean * b->q + 1);

	b->q_n = exp(n * log(b->q));
	b->bound = to_int64(n < bound ? n : bound);
}

static void begin_btpe(struct binomial *b)
{
	double n = (double)b->n, mode = n * b->p + b->p, a;

	b->m = to_int64(floor(mode));
	b->npq = n * b->p * b->q;
	b->p1 = floor(2.195 * sqrt(b->npq) - 4.6 * b->q) + 0.5;
	b->x_m = (double)b->m + 0.5;
	b->x_l = b->x_m - b->p1;
	b->x_r = b->x_m + b->p1;
	b->c = 0.134 + 20.5 / (15.3 + (double)b->m);
	a = (mode - b->x_l) / (mode - b->x_l * b->p);
	b->lambda_l = a * (1.0 + a / 2.0);
	a = (b->x_r - mode) / (b->x_r * b->q);
	b->lambda_r = a * (1.0 + a / 2.0);
	b->p2 = b->p1 * (1.0 + 2.0 * b->c);
	b->p3 = b->p2 + b->c / b->lambda_l;
	b->p4 = b->p3 + b->c / b->lambda_r;
}

static void begin(struct binomial *b, int64_t n, double p)
{
	b->n = n;
	b->flipped = p > 0.5;
	b->p = b->flipped ? 1.0 - p : p;
	b->q = 1.0 - b->p;
	b->inverted = b->p * (double)n <= 30.0;
	if (b->inverted)
		begin_inversion(b);
	else
		begin_btpe(b);
}

static int64_t invert(struct xc_rng *rng, const struct binomial *b)
{
	int64_t x = 0;
	double p_x = b->q_n, u = rng_double(rng);

	while (u > p_x) {
		x++;
		if (x > b->bound) {
			x = 0;
			p_x = b->q_n;
			u = rng_double(rng);
		} else {
			u -= p_x;
			p_x = ((double)(b->n - x + 1) * b->p * p_x) / ((double)x * b->q);
		}
	}
	return x;
}

/* Steps 1 to 4: a candidate, and v to judge it by; `sure`: it is the draw. */
static int64_t propose(struct xc_rng *rng, const struct binomial *b, double *v, bool *sure)
{
	*sure = false;
	for (;;) {
		double u = rng_double(rng) * b->p4, x;
		int64_t y;

		*v = rng_double(rng);
		if (u <= b->p1) {
			*sure = true;
			return to_int64(floor(b->x_m - b->p1 * *v + u));
		}
		if (u <= b->p2) {
			x = b->x_l + (u - b->p1) / b->c;
			*v = *v * b->c + 1.0 - fabs((double)b->m - x + 0.5) / b->p1;
			if (*v > 1.0)
				continue;
			return to_int64(floor(x));
		}
		if (u <= b->p3) {
			y = to_int64(floor(b->x_l + log(*v) / b->lambda_l));
			if (y < 0 || *v == 0.0)
				continue;
			*v = *v * (u - b->p2) * b->lambda_l;
			return y;
		}
		y = to_int64(floor(b->x_r - log(*v) / b->lambda_r));
		if (y > b->n || *v == 0.0)
			continue;
		*v = *v * (u - b->p3) * b->lambda_r;
		return y;
	}
}

/* Step 5.1: f(y) / f(m) by recursion. */
static double ratio_to_mode(const struct binomial *b, int64_t y)
{
	double s = b->p / b->q;
	double a = s * (double)(b->n + 1);
	double f = 1.0;

	for (int64_t i = b->m + 1; i <= y; i++)
		f *= a / (double)i - s;
	for (int64_t i = y + 1; i <= b->m; i++)
		f /= a / (double)i - s;
	return f;
}

static double stirling(double x)
{
	double x2 = x * x;

	return (13680. - (462. - (132. - (99. - 140. / x2) / x2) / x2) / x2) / x / 166320.;
}

/* Steps 5.2 and 5.3: squeezes, then the logarithm of f(y) / f(m). */
static bool accept_far(const struct binomial *b, int64_t y, int64_t distance, double v)
{
	double k = (double)distance;
	double rho = (k / b->npq) * ((k * (k / 3.0 + 0.625) + 0.16666666666666666) / b->npq + 0.5);
	/* N.B. numpy squares the integer, which may wrap. */
	double t = (double)(int64_t)(0 - (uint64_t)distance * (uint64_t)distance) / (2 * b->npq);
	double a = log(v);
	double x1 = (double)(y + 1), f1 = (double)(b->m + 1);
	double z = (double)(b->n + 1 - b->m), w = (double)(b->n - y + 1);

	if (a < t - rho)
		return true;
	if (a > t + rho)
		return false;
	return !(a > b->x_m * log(f1 / x1) + ((double)(b->n - b->m) + 0.5) * log(z / w) +
			     (double)(y - b->m) * log(w * b->p / (x1 * b->q)) + stirling(f1) +
			     stirling(z) + stirling(x1) + stirling(w));
}

static int64_t btpe(struct xc_rng *rng, const struct binomial *b)
{
	for (;;) {
		double v;
		bool sure;
		int64_t y = propose(rng, b, &v, &sure);
		int64_t distance;

		if (sure)
			return y;
		distance = y > b->m ? y - b->m : b->m - y;
		if (distance > 20 && (double)distance < b->npq / 2.0 - 1) {
			if (accept_far(b, y, distance, v))
				return y;
		} else if (!(v > ratio_to_mode(b, y))) {
			return y;
		}
	}
}

static int64_t draw(struct xc_rng *rng, const struct binomial *b)
{
	int64_t y = b->inverted ? invert(rng, b) : btpe(rng, b);

	return b->flipped ? b->n - y : y;
}

static int check_binomial(const char *name, int64_t n, double p, struct xc_error *err)
{
	const struct argument arguments[] = { ARGUMENT(p, PROBABILITY) };

	if (n < 0 || n == INT64_MAX)
		return error_set(err, -EINVAL,
				 "%s: `trials` is %lld, but must be 0 or more and below 2^63 - 1",
				 name, (long long)n);
	return arguments_check(name, arguments, 1, err);
}

/* N.B. nothing is drawn for no trials, nor for p of 0; but for p of 1 something is. */
static bool is_never(int64_t n, double p)
{
	return n == 0 || p == 0.0;
}

XC_API int64_t xc_binomial(struct xc_rng *rng, int64_t trials, double p)
{
	struct binomial b;

	if (!rng || check_binomial("binomial", trials, p, NULL))
		return -1;
	if (is_never(trials, p))
		return 0;
	begin(&b, trials, p);
	return draw(rng, &b);
}

XC_API int xc_binomial_fill(struct xc_rng *rng, int64_t trials, double p, int64_t *out, size_t n,
			    struct xc_error *err)
{
	struct binomial b;
	int r = places_check("binomial", rng, out, n, err);

	if (!r)
		r = check_binomial("binomial", trials, p, err);
	if (r)
		return r;
	if (!is_never(trials, p))
		begin(&b, trials, p);
	for (size_t i = 0; i < n; i++)
		out[i] = is_never(trials, p) ? 0 : draw(rng, &b);
	return 0;
}

/* ---- Multinomial ---- */

static void draw_multinomial(struct xc_rng *rng, int64_t trials, const double *p, size_t d,
			     int64_t *out)
{
	double left = 1.0;
	struct binomial b;

	for (size_t i = 0; i < d; i++)
		out[i] = 0;
	for (size_t i = 0; i + 1 < d && trials > 0; i++) {
		double share = p[i] / left;

		if (!is_never(trials, share)) {
			begin(&b, trials, share);
			out[i] = draw(rng, &b);
		}
		trials -= out[i];
		left -= p[i];
	}
	if (trials > 0)
		out[d - 1] = trials;
}

/* The sum but for the last, as numpy adds (W. Kahan). */
static double kahan_sum(const double *p, size_t d)
{
	double sum = p[0], lost = 0.0;

	for (size_t i = 1; i + 1 < d; i++) {
		double y = p[i] - lost, t = sum + y;

		lost = t - sum - y;
		sum = t;
	}
	return d > 1 ? sum : 0.0;
}

XC_API int xc_multinomial_fill(struct xc_rng *rng, int64_t trials, const double *p, size_t d,
			       int64_t *out, size_t n, struct xc_error *err)
{
	int r = places_check("multinomial", rng, out, n, err);

	if (r)
		return r;
	if (!p || !d)
		return error_set(err, -EINVAL, "multinomial: `p` must have an element or more");
	for (size_t i = 0; !r && i < d; i++)
		r = check_binomial("multinomial", trials, p[i], err);
	if (r)
		return r;
	if (kahan_sum(p, d) > 1.0 + 1e-12)
		return error_set(err, -EINVAL,
				 "multinomial: the first %zu of `p` have a sum of %.17g, above 1",
				 d - 1, kahan_sum(p, d));
	for (size_t i = 0; i < n; i++)
		draw_multinomial(rng, trials, p, d, out + i * d);
	return 0;
}
