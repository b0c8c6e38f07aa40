/* elastic.c: how many engines there are to be: what `xcluster scale` says, and between
 * --min and --max what the queue is like. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/command.h"
#include "cmd/supervisor.h"
#include "proto/error.h"
#include "proto/log.h"

#define BUSY_TIME  1.0	/* s: all engines busy and items waiting, before more are started */
#define RETRY_TIME 30.0 /* s after a start that failed */
#define QUICK_MAX  3	/* jobs that end without an engine, in a row: no more are started */

static int have(const struct supervisor *s)
{
	return s->census.count + s->coming;
}

static void start_more(struct supervisor *s, int engines, double now, const char *why)
{
	struct xc_error err = XC_ERROR_INIT;

	if (engines < 1 || now < s->next_start)
		return;
	log_line("%d engines, %d waited for: starting %d more: %s", s->census.count, s->coming,
		 engines, why);
	s->trouble[0] = '\0';
	if (supervisor_start(s, engines, &err) == 0)
		return;
	s->next_start = now + RETRY_TIME;
	snprintf(s->trouble, sizeof s->trouble, "%.390s", err.text);
	log_line("cannot start more engines: %s; trying again in %g s", err.text, RETRY_TIME);
}

/* Twice as many at most: what waits may be short. */
static void grow(struct supervisor *s, double now)
{
	int most = s->request.max - have(s), more;

	if (s->census.waiting == 0 || s->census.idle > 0 || s->coming > 0 || most < 1) {
		s->busy_since = 0;
		return;
	}
	if (s->busy_since == 0)
		s->busy_since = now;
	if (now - s->busy_since < BUSY_TIME)
		return;
	more = have(s) > 1 ? have(s) : 1;
	if (more > s->census.waiting)
		more = (int)s->census.waiting;
	start_more(s, more < most ? more : most, now, "items wait, and no engine is idle");
	s->busy_since = 0;
}

static void shrink(struct supervisor *s, double now)
{
	int spare = s->census.up - s->request.min, count;
	int *ids;

	if (spare < 1 || s->census.waiting > 0 || s->asked ||
	    now - s->settled_at < s->request.idle_timeout)
		return;
	ids = calloc((size_t)spare, sizeof *ids);
	count = ids ? census_choose(&s->census, spare, now - s->request.idle_timeout, ids) : 0;
	if (count > 0) {
		log_line("%d engines have been idle for %g s: shutting them down", count,
			 s->request.idle_timeout);
		link_shut(&s->link, ids, count);
	}
	free(ids);
}

/* Those that somebody has just asked for, and those that were idle before, have the whole
 * time to be of use: it begins when all are there. */
static void settle(struct supervisor *s, double now)
{
	if (!s->asked || (s->census.up < s->asked && have(s) > s->census.up))
		return;
	s->asked = 0;
	s->settled_at = now;
}

void elastic_look(struct supervisor *s, double now)
{
	if (s->request.max == 0)
		return;
	settle(s, now);
	if (have(s) < s->request.min && s->quick_ends < QUICK_MAX)
		start_more(s, s->request.min - have(s), now, "there are to be so many at least");
	else
		grow(s, now);
	shrink(s, now);
}

/* ---- xcluster scale ------------------------------------------------------------------ */

static int read_target(const char *path)
{
	json_t *root = json_load_file(path, 0, NULL);
	const json_t *target = json_object_get(root, "engines");
	int n = json_is_integer(target) ? (int)json_integer_value(target) : -1;

	json_decref(root);
	return n >= 0 && n <= 1000000 ? n : -1;
}

void elastic_take_scale(struct supervisor *s)
{
	char path[CLUSTER_PATH_MAX];
	struct stat st;
	double written;
	int target;

	if (cluster_file(s->dir, path, sizeof path, CLUSTER_LAUNCHER_SCALE) < 0 ||
	    stat(path, &st) < 0)
		return;
	written = (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
	if (written == s->scale_seen)
		return;
	s->scale_seen = written;
	target = read_target(path);
	if (target < 0)
		return;
	log_line("%d engines are asked for; there are %d, and %d to come", target, s->census.count,
		 s->coming);
	s->asked = target;
	s->next_start = 0;
	s->quick_ends = 0;
	if (target > have(s))
		start_more(s, target - have(s), now_seconds(), "as `xcluster scale` says");
	else if (target < have(s))
		supervisor_drop(s, have(s) - target);
}
