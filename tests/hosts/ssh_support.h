/* ssh_support.h: what the tests of ssh starts share. */
#ifndef TESTS_HOSTS_SSH_SUPPORT_H
#define TESTS_HOSTS_SSH_SUPPORT_H

#include "tests/hosts/bed.h"

/* No process and no file of a cluster is on the nodes of the bed, at the latest after a
 * few seconds; nor a process on ctl. Call it when no cluster is to run. */
void assert_hosts_clean(const struct bed *bed);

/* Engines of the host that are up, as the cluster of the place sees them. */
int count_up(const struct bed *bed, const char *place, const char *host);

/* Runs the example `hello` at the place: engines that have answered from this host. */
int count_greetings(const struct bed *bed, const char *place, const char *host);

/* `xcluster start ...` on the place, expected to fail: what it says is in output->err. */
void refused_start(const struct bed *bed, const char *place, struct output *output,
		   const char *options);

/* The text is in what was said, or the test fails with that. */
void assert_said(const struct output *output, const char *text);

/* Waits until the shell text succeeds at the place. */
void bed_await(const struct bed *bed, const char *place, double limit, const char *text);

#endif
