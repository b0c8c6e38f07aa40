/* count.h: what libbenchcount.so counts in each process that it is preloaded into. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

enum count {
	COUNT_MESSAGES, /* sent */
	COUNT_PARTS,	/* of them */
	COUNT_ALLOCATIONS,
	COUNT_ALLOCATIONS_ZMQ, /* of libzmq and its C++ library */
	COUNTS,
};

/* A file of these, named by BENCH_COUNT_FILE; each process takes a free one. */
struct tally {
	_Atomic int32_t pid; /* 0: free */
	_Atomic uint64_t counts[COUNTS];
};

enum { TALLIES = 64 };

#endif
