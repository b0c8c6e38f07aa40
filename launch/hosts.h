/* hosts.h: lists of hosts, as --hosts and host files give them. */
#ifndef LAUNCH_HOSTS_H
#define LAUNCH_HOSTS_H

#include "xcluster.h"

#define HOSTS_MAX	 4096
#define HOST_ENGINES_MAX 4096 /* of one host */

struct host {
	char *name;	    /* as it was given, for texts: user@host:port */
	char *target;	    /* for ssh: [user@]host */
	char *log;	    /* name of the file for what the host prints: NAME-ssh.log */
	int port;	    /* 0: as ssh is configured */
	int engines;	    /* 0: not given; after hosts_complete: the host's cores */
	int family;	    /* of the addresses: 4, 6; 0: any */
	char *command;	    /* of xcluster there; NULL: not given */
	char *directory;    /* to work in; NULL: where ssh begins */
	char **environment; /* NAME=VALUE, ended by NULL; NULL: none */
	int times;	    /* named so often without a number of engines */
	int line;	    /* of the host file; 0: of a list */
};

/* Owns all of it. */
struct hosts {
	struct host *list;
	int count;
};
#define HOSTS_INIT                                                                                 \
	{                                                                                          \
		0                                                                                  \
	}

/* Adds "[user@]host[:engines],...". -EINVAL: the text names what is wrong. */
int hosts_add_list(struct hosts *hosts, const char *list, struct xc_error *err);

/* Adds the lines of a host file; errors name file and line. */
int hosts_add_file(struct hosts *hosts, const char *path, struct xc_error *err);
int hosts_parse_file(struct hosts *hosts, const char *text, size_t size, const char *path,
		     struct xc_error *err);

/* Makes one of hosts that stand several times, gives `engines` (0: none) to those
 * without a number, and all the names of their logs. */
int hosts_complete(struct hosts *hosts, int engines, struct xc_error *err);

void hosts_fini(struct hosts *hosts);

#endif
