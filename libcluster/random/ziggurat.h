/* ziggurat.h: standard normals and exponentials by the ziggurat of G. Marsaglia and W. W.
 * Tsang (2000), with 256 layers: the part of it that nearly all draws take. */
#ifndef LIBCLUSTER_RANDOM_ZIGGURAT_H
#define LIBCLUSTER_RANDOM_ZIGGURAT_H

#include <string.h>

#include "libcluster/random/rng.h"

#define ZIGGURAT_HIDDEN __attribute__((visibility("hidden")))

struct ziggurat_layer {
	uint64_t k; /* below it a draw is within the layer for sure */
	double w;   /* from integers to the variate */
};

/* f, the density at the outer edge of each layer. */
extern const struct ziggurat_layer ziggurat_normal_layers[256] ZIGGURAT_HIDDEN;
extern const double ziggurat_normal_edges[256] ZIGGURAT_HIDDEN;
extern const struct ziggurat_layer ziggurat_exponential_layers[256] ZIGGURAT_HIDDEN;
extern const double ziggurat_exponential_edges[256] ZIGGURAT_HIDDEN;

/* The draw that `word` gives, or what _rest makes of it when false. */
static inline bool ziggurat_normal(uint64_t word, double *x)
{
	const struct ziggurat_layer *layer = &ziggurat_normal_layers[word & 255];
	uint64_t a = word >> 9 & 0xfffffffffffff;
	double size = (double)(int64_t)a * layer->w;
	uint64_t bits;

	/* Its sign: a branch would be guessed wrong every other time. */
	memcpy(&bits, &size, sizeof bits);
	bits |= (word & 256) << 55;
	memcpy(x, &bits, sizeof bits);
	return a < layer->k;
}

static inline bool ziggurat_exponential(uint64_t word, double *x)
{
	const struct ziggurat_layer *layer = &ziggurat_exponential_layers[word >> 3 & 255];
	uint64_t a = word >> 11;

	*x = (double)(int64_t)a * layer->w;
	return a < layer->k;
}

/* The draw that begins with a word that the calls above did not settle. */
double ziggurat_normal_rest(struct xc_rng *rng, uint64_t word);
double ziggurat_exponential_rest(struct xc_rng *rng, uint64_t word);

#endif
