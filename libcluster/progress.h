/* progress.h: a line on a terminal that says how far work has come. */
#ifndef LIBCLUSTER_PROGRESS_H
#define LIBCLUSTER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct xc_client;

struct xci_meter {
	uint64_t drawn_ns; /* last; 0: never */
	int length;	   /* columns of the line that stands there */
	bool is_open;	   /* the cursor is behind it */
	bool is_final;	   /* the last one was drawn */
};

/* Where work stands. */
struct xci_standing {
	const char *unit; /* NULL: items, which engines run */
	int64_t items;	  /* -1: nobody knows how many there will be */
	int64_t done, failed;
	int64_t left;  /* that engines may be running */
	double item_s; /* what one takes, as far as is known */
	uint64_t start_ns, end_ns;
};

/* Draws the line anew on a terminal at stderr, ten times a second at most; as `last`
 * once, for good. */
void xci_meter_draw(struct xci_meter *meter, struct xc_client *client,
		    const struct xci_standing *standing, bool last);
/* Nothing more is to be drawn: what follows begins on a line of its own. */
void xci_meter_close(struct xci_meter *meter);

#endif
