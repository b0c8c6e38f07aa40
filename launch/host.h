/* host.h: parsing one host, shared by hosts.c and hostfile.c. */
#ifndef LAUNCH_HOST_H
#define LAUNCH_HOST_H

#include <stddef.h>

#include "launch/hosts.h"

/* Fills in name and target of "[user@]host[:number]"; *number: after the ':', within
 * the text, or NULL. -EINVAL: *error is a static text that says why. */
int host_parse(const char *text, size_t size, struct host *host, const char **number, char **error);

/* Decimal digits, from 1 to max; -EINVAL. */
int host_number(const char *text, size_t size, int max);

void host_fini(struct host *host);

/* Takes what *host owns, on success. */
int hosts_add(struct hosts *hosts, struct host *host, struct xc_error *err);

#endif
