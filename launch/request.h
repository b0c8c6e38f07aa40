/* request.h: what was asked of a launcher, and the file that it stands in. */
#ifndef LAUNCH_REQUEST_H
#define LAUNCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "xcluster.h"

#define LAUNCH_WORD_MAX	   256
#define LAUNCH_OPTIONS_MAX 256

/* All texts are without control characters; empty: not given. */
struct launch_request {
	char launcher[64];	    /* "local": agents on this host */
	char connection[4096];	    /* the file for engines */
	char script_template[4096]; /* absolute */
	char partition[LAUNCH_WORD_MAX], account[LAUNCH_WORD_MAX], qos[LAUNCH_WORD_MAX];
	char *options[LAUNCH_OPTIONS_MAX + 1]; /* owned; ends with NULL */
	int option_count;
	int n;	      /* engines */
	int jobs;     /* that they come in */
	int min, max; /* 0: not given */
	double idle_timeout;
	double walltime; /* seconds; 0: not given */
	double drain;	 /* seconds; below 0: not given */
	int threads;	 /* an engine's; 0: not given */
	bool bind;
	size_t store_limit; /* 0: not given */
};
#define LAUNCH_REQUEST_INIT                                                                        \
	{                                                                                          \
		.jobs = 1, .idle_timeout = 60, .drain = -1                                         \
	}

void launch_request_fini(struct launch_request *request);

/* Adds an option; -EINVAL when it has control characters, -E2BIG, -ENOMEM. */
int launch_request_option(struct launch_request *request, const char *option);

/* The file DIR/launch.json. */
int launch_request_write(const struct launch_request *request, const char *dir,
			 struct xc_error *err);
/* -ENOENT: the cluster has no launcher. */
int launch_request_read(struct launch_request *request, const char *dir, struct xc_error *err);

/* Writes JSON so that who reads meanwhile sees the old file or the new one. */
struct json_t;
int launch_write_json(const char *path, const struct json_t *json, struct xc_error *err);

#endif
