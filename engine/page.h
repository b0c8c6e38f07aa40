/* page.h: the memory that an engine shares with its agent.
 *
 * The engine alone writes it, but for the claim words (see claim_take), the
 * cancel words, `ending` and nothing else. After the engine's death the agent reads it as
 * bytes of a stranger: the user's code may have written anywhere. */
#ifndef ENGINE_PAGE_H
#define ENGINE_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_MAGIC	UINT64_C(0x7863706167653031)
#define PAGE_CLAIMS	4  /* slices that can be in an engine's hands */
#define PAGE_RECORDS	64 /* pieces sent, not yet acknowledged */
#define SLICE_ITEMS_MAX ((INT64_C(1) << 24) - 1)

/* A finished piece of a slice, as sent in DONE. Items count from the slice's
 * first; offsets are of the arena. */
struct record {
	uint64_t record; /* number, from 1 */
	uint64_t slice;
	int64_t first;
	int64_t count;
	uint64_t busy_ns;
	uint64_t waited_ns; /* of these, for a core that others had */
	uint64_t last;
	uint64_t payload, payload_size;
	uint64_t failures, failures_size;
};

/* The piece being made. `done` items of it are finished, their results within
 * the first payload_used bytes. */
struct piece {
	_Atomic uint64_t slice; /* 0: none */
	int64_t first;
	_Atomic int64_t done;
	uint64_t payload;
	_Atomic uint64_t payload_used;
	uint64_t failures;
	_Atomic uint64_t failures_used;
	int64_t base;		  /* the slice's first item in its job */
	uint64_t out_size;	  /* 0: records of any length */
	_Atomic uint64_t printed; /* items of it whose output is among the failures */
};

struct page {
	uint64_t magic;
	_Atomic uint64_t claim[PAGE_CLAIMS];
	_Atomic uint64_t cancel[PAGE_CLAIMS]; /* a slice, or an item: see cancel_word */
	_Atomic int64_t item;		      /* running, within its slice; -1 none */
	_Atomic uint64_t ending;	      /* enum ending */
	_Atomic uint64_t item_start_ns;	      /* 0: no limit to watch */
	_Atomic uint64_t limit_ns;
	_Atomic uint64_t acked;	  /* records up to this one are free */
	_Atomic uint64_t written; /* last record */
	_Atomic uint64_t output;  /* where in the output the running item's begins */
	struct piece piece;
	struct record records[PAGE_RECORDS];
};

/* page.ending: the end of an engine in order */
enum ending {
	ENDING_NOT,
	ENDING_ASKED, /* by the agent: no item more */
	ENDING_BEGUN, /* by the engine: cleanups run */
};

/* What a cancel word holds when one item of a slice is cancelled. */
static inline uint64_t cancel_word(uint64_t slice, int64_t item)
{
	return UINT64_C(1) << 63 | slice << 24 | ((uint64_t)item & 0xffffff);
}

/* The word says that this item is cancelled, unless it says more already. */
void cancel_item(struct page *page, uint64_t slice, int64_t item);

/* Virtual size of the arena's file; only what is written takes memory. */
#define ARENA_SIZE (UINT64_C(1) << 36)

/* The same of what an engine prints: offsets only grow, what was taken is freed. */
#define OUTPUT_SIZE (UINT64_C(1) << 40)

/* output.c: what is kept of [from, to): its bytes in `*text`, to be given to free();
 * `*cut`: how many are missing in its middle. NULL and 0: all of them. */
size_t output_read(int fd, uint64_t from, uint64_t to, char **text, uint64_t *cut);

/* Engine: makes the slice's items available to claim_next, unless the agent has
 * already taken from it. */
void claim_begin(struct page *page, uint64_t slice, int64_t count);
/* Engine: claims up to `want` items: their number, 0 when none are left. */
int64_t claim_next(struct page *page, uint64_t slice, int64_t want, int64_t *first);
/* Agent: takes the later half of the items not claimed (the last one, if there
 * is one), or all of them; `count` is the slice's size as given to the engine.
 * Returns the new end: items from there on will not run. */
int64_t claim_take(struct page *page, uint64_t slice, int64_t count, bool all);

#endif
