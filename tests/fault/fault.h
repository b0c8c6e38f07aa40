/* fault.h: allocations that fail when told to.
 *
 * The linker sends every allocation of our objects here (--wrap, see meson.build):
 * malloc and its kin; zmq_msg_init_size, which is where libzmq takes memory for us
 * and reports that there is none; and what reads and writes JSON, as a whole. Those
 * that libzmq and jansson make for themselves, and die of, go past. */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <stdbool.h>

#include "xcluster.h"

enum fault_mode {
	FAULT_ONCE,	 /* the n-th fails, those after it do not */
	FAULT_FROM_THEN, /* the n-th and all after it */
	FAULT_FRAMES,	 /* the same, of frames of messages only */
	FAULT_MODES,
};

/* The n-th allocation from here on, of those made inside FAULTY, is to fail. */
void fault_set(enum fault_mode mode, int n);
/* One has failed since. */
bool fault_hit(void);
void fault_arm(bool armed);

/* The value of an expression during which allocations count. */
#define FAULTY(expression)                                                                         \
	({                                                                                         \
		__typeof__(expression) value_;                                                     \
                                                                                                   \
		fault_arm(true);                                                                   \
		value_ = (expression);                                                             \
		fault_arm(false);                                                                  \
		value_;                                                                            \
	})

/* Calls `scenario` with the n-th allocation failing, in all modes, for n = 1, 2, ...
 * (beyond 200 not each: items repeat) until it goes through without a failure: then it must return
 * 0. Before that it must return 0, -ENOMEM, or `other` (0: none), with a text in `err` that says
 * why; and no descriptor may be left open. `after` (may be NULL) is called each time, with all the
 * memory there is. */
void fault_every(const char *name, int (*scenario)(struct xc_error *err), int other,
		 void (*after)(void));

/* Descriptors that this process has open. */
int fault_descriptors(void);

#endif
