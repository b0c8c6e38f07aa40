/* page.c: words shared by engine and agent: the right to run items (compare-and-
 * swap), and which of them are cancelled. */
#include "engine/page.h"

#define MASK 0xffffffu

static uint64_t word(uint64_t slice, int64_t next, int64_t end)
{
	return slice << 48 | (uint64_t)next << 24 | (uint64_t)end;
}

static int64_t word_next(uint64_t w)
{
	return w >> 24 & MASK;
}

static int64_t word_end(uint64_t w)
{
	return w & MASK;
}

static uint16_t word_slice(uint64_t w)
{
	return (uint16_t)(w >> 48);
}

void claim_begin(struct page *page, uint64_t slice, int64_t count)
{
	_Atomic uint64_t *claim = &page->claim[slice % PAGE_CLAIMS];
	uint64_t old = atomic_load(claim);

	while (word_slice(old) != (uint16_t)slice &&
	       !atomic_compare_exchange_weak(claim, &old, word(slice, 0, count)))
		;
}

int64_t claim_next(struct page *page, uint64_t slice, int64_t want, int64_t *first)
{
	_Atomic uint64_t *claim = &page->claim[slice % PAGE_CLAIMS];
	uint64_t old = atomic_load_explicit(claim, memory_order_relaxed);
	int64_t next, end;

	do {
		next = word_next(old);
		end = word_end(old);
		if (next >= end)
			return 0;
		if (want > end - next)
			want = end - next;
	} while (!atomic_compare_exchange_weak(claim, &old, word(slice, next + want, end)));
	*first = next;
	return want;
}

int64_t claim_take(struct page *page, uint64_t slice, int64_t count, bool all)
{
	_Atomic uint64_t *claim = &page->claim[slice % PAGE_CLAIMS];
	uint64_t old = atomic_load(claim);
	int64_t next, end, keep;

	do {
		if (word_slice(old) == (uint16_t)slice) {
			next = word_next(old);
			end = word_end(old);
		} else if ((int16_t)(word_slice(old) - (uint16_t)slice) > 0) {
			return count; /* long finished: its word serves another slice */
		} else {
			next = 0;
			end = count;
		}
		keep = all ? 0 : (end - next) / 2;
		if (next >= end)
			return end;
	} while (!atomic_compare_exchange_weak(claim, &old, word(slice, next, next + keep)));
	return next + keep;
}

void cancel_item(struct page *page, uint64_t slice, int64_t item)
{
	_Atomic uint64_t *cancel = &page->cancel[slice % PAGE_CLAIMS];
	uint64_t old = atomic_load(cancel);

	while (old != slice &&
	       !atomic_compare_exchange_weak(cancel, &old, cancel_word(slice, item)))
		;
}
