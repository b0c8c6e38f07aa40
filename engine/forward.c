/* forward.c: an agent on another host sends its log, and those of its engines, to the
 * controller, which keeps them with its own. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/log.h"

#define LOG_PART   65536	/* of a log at a tick */
#define LAST_PARTS 16		/* when its engine has died */
#define KEPT_MAX   (256 * 1024) /* of the agent's while there is no connection */
#define OWN	   INT64_C(-1)	/* LOG.slot of the agent's */

static void keep_line(void *argument, const char *line, size_t size)
{
	struct forward *f = argument;
	char *text;

	if (f->size + size > KEPT_MAX || !(text = realloc(f->text, f->size + size)))
		return; /* it is in the file all the same */
	f->text = text;
	memcpy(f->text + f->size, line, size);
	f->size += size;
}

void forward_open(struct agent *agent)
{
	if (agent->is_remote)
		log_copy(keep_line, &agent->forward);
}

static void send_part(struct agent *agent, int64_t slot, const char *text, size_t size)
{
	unsigned char header[HEADER_MAX];
	struct msg_log m = { .slot = slot };
	zmq_msg_t frame;

	if (frame_copy(&frame, text, size) == 0)
		agent_send(agent, header, msg_log_pack(header, sizeof header, &m), &frame, 1);
}

static void send_own(struct agent *agent)
{
	struct forward *f = &agent->forward;

	for (size_t at = 0; at < f->size; at += LOG_PART)
		send_part(agent, OWN, f->text + at,
			  f->size - at < LOG_PART ? f->size - at : LOG_PART);
	free(f->text);
	f->text = NULL;
	f->size = 0;
}

/* What has come to an engine's log since; the file begins anew when it is too long. True
 * if there is more. */
static bool send_engine(struct slot *slot)
{
	char path[PATH_MAX + 64], *text;
	struct stat st;
	ssize_t n;
	int fd;

	if (slot->sink.log < 0 || fstat(slot->sink.log, &st) < 0)
		return false;
	if (st.st_size < slot->forwarded)
		slot->forwarded = 0;
	if (st.st_size == slot->forwarded)
		return false;
	snprintf(path, sizeof path, "/proc/self/fd/%d", slot->sink.log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	text = fd < 0 ? NULL : malloc(LOG_PART);
	n = text ? pread(fd, text, LOG_PART, slot->forwarded) : -1;
	if (n > 0) {
		send_part(slot->agent, slot->index, text, (size_t)n);
		slot->forwarded += n;
	}
	free(text);
	if (fd >= 0)
		close(fd);
	return n > 0 && slot->forwarded < st.st_size;
}

static bool is_possible(const struct agent *agent)
{
	return agent->is_remote && agent->welcomed && !agent->ledger.is_broken;
}

void forward_rest(struct slot *slot)
{
	for (int i = 0; i < LAST_PARTS && is_possible(slot->agent) && send_engine(slot); i++)
		;
}

void forward_tick(struct agent *agent)
{
	if (!is_possible(agent))
		return;
	if (agent->forward.size > 0)
		send_own(agent);
	for (int i = 0; agent->slots && i < agent->options->n; i++)
		send_engine(&agent->slots[i]);
}

void forward_close(struct agent *agent)
{
	log_copy(NULL, NULL);
	free(agent->forward.text);
	agent->forward = (struct forward){ .text = NULL };
}
