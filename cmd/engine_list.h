/* engine_list.h: engines as the command line names them. */
#ifndef CMD_ENGINE_LIST_H
#define CMD_ENGINE_LIST_H

#include "xcluster.h"

/* Ids such as "0,2-5": ascending, each once; *ids to be given to free(). -EINVAL tells
 * what cannot be read; -ENOMEM. */
int engine_list_parse(const char *text, int **ids, int *count, struct xc_error *err);

#endif
