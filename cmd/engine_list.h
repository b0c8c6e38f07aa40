/* engine_list.h: lists of engines as users write them: 0,2-5. */
#ifndef CMD_ENGINE_LIST_H
#define CMD_ENGINE_LIST_H

#include <argp.h>

#include "xcluster.h"

#define ENGINE_LIST_MAX 8192

struct engine_list {
	int *ids; /* owned, in the order given; NULL: no list was given */
	int count;
};

/* -EINVAL names what is wrong: no number, a range that goes down, an engine twice,
 * or too many; -ENOMEM. */
int engine_list_parse(struct engine_list *list, const char *text, struct xc_error *err);
void engine_list_fini(struct engine_list *list);

/* The value of --engines; what is not valid ends the program with a sentence. */
void option_engines(struct argp_state *state, struct engine_list *list, const char *arg);

/* The direct view of the list; without one, of all engines. */
int engine_list_view(const struct engine_list *list, struct xc_client *client,
		     const struct xc_view **view, struct xc_error *err);

/* An order to engines, with a number of its own. */
typedef int engine_order_fn(const struct xc_view *view, int number, struct xc_error *err);

/* Connects to cluster `id` (NULL: the default one), gives the order to the engines of the
 * list, and says what failed: the status to exit with. */
int engine_list_order(const struct engine_list *list, const char *id, engine_order_fn *order,
		      int number);

#endif
