/* fuzz_reduce.c: payloads of nodes of any bytes into a reduction: a byte for its kind and one for
 * its items, then payloads: two bytes of length, one of the first item, one of their count, one
 * of how many ended well. First of all, the bytes as a spec. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/reduce/reduce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void join(void *left, const void *right, const void *argument)
{
	(void)argument;
	for (int i = 0; i < 24; i++)
		((unsigned char *)left)[i] ^= ((const unsigned char *)right)[i];
}

static void read_spec(const uint8_t *data, size_t size)
{
	struct reduce_spec spec;
	struct reduce r;

	/* Sketches of any size would be slow to clear. */
	if (reduce_spec_parse(&spec, (struct span){ data, size }) < 0 || spec.elements > 4096 ||
	    spec.bins > 4096)
		return;
	if (reduce_init(&r, &spec) < 0)
		return;
	if (r.state_size < 1 || r.state_size > REDUCE_STATE_MAX)
		abort();
	reduce_fini(&r);
}

static void ask(const struct tree *tree)
{
	const double probabilities[] = { 0, 0.3, 1 };
	const void *root = tree_root(tree);
	double result[64] = { 0 };

	if (!root)
		return;
	if (tree->reduce.spec.kind == XC_REDUCE_QUANTILES)
		sketch_quantiles(&tree->reduce, root, probabilities, 3, result);
	else if (tree->reduce.kind->finish)
		tree->reduce.kind->finish(&tree->reduce, root, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reduce_spec spec = { .dtype = XC_F64, .elements = 2, .high = 1 };
	struct tree tree;

	read_spec(data, size);
	if (size < 2)
		return 0;
	spec.kind = 1 + data[0] % XC_REDUCE_QUANTILES;
	spec.size = spec.kind == XC_REDUCE_OWN ? 24 : 0;
	spec.bins = 5;
	spec.levels = 6;
	if (tree_init(&tree, &spec, data[1]) < 0)
		abort();
	tree.reduce.combine = join;
	for (data += 2, size -= 2; size >= 5;) {
		size_t length = data[0] | (size_t)data[1] << 8;
		struct span payload = { data + 5, length < size - 5 ? length : size - 5 };

		tree_take(&tree, payload, data[2], data[3], data[4]);
		data += 5 + payload.size;
		size -= 5 + payload.size;
	}
	ask(&tree);
	tree_fini(&tree);
	return 0;
}
