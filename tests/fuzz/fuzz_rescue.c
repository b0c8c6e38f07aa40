/* fuzz_rescue.c: a dead engine's page of any bytes: its agent lives on, and sends
 * only what can be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/log.h"
#include "proto/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In place of proto/log.c: nobody reads it. */
void log_open(const char *who)
{
	(void)who;
}

void log_copy(void (*copy)(void *argument, const char *line, size_t size), void *argument)
{
	(void)copy;
	(void)argument;
}

void log_redirect(int fd)
{
	(void)fd;
}

void log_line(const char *format, ...)
{
	(void)format;
}

static const struct agent_options options = { .n = 1 };
static struct agent agent;
static struct slot slot;
static struct page page;
static void *far;

static void begin(void)
{
	void *context = zmq_ctx_new();
	static unsigned char bytes[8192];
	struct failure_run run = { .first = 1, .count = 2, .state = XC_FAILED };

	far = zmq_socket(context, ZMQ_DEALER);
	agent.dealer = zmq_socket(context, ZMQ_DEALER);
	if (zmq_bind(far, "inproc://far") < 0 || zmq_connect(agent.dealer, "inproc://far") < 0)
		abort();
	agent.options = &options;
	slot = (struct slot){ .agent = &agent, .epoch = 1, .page = &page };
	slot.arena_fd = memfd_create("arena", 0);
	slot.sink = (struct sink){ .fd = memfd_create("output", 0), .log = -1 };
	failure_run_pack(bytes + 4096, 4096, &run);
	if (ftruncate(slot.arena_fd, (off_t)ARENA_SIZE) < 0 ||
	    pwrite(slot.arena_fd, bytes, sizeof bytes, 0) < 0 ||
	    write(slot.sink.fd, "what it printed\n", 16) < 0)
		abort();
}

static void check(struct message *m)
{
	struct msg_done done;

	if (m->type != MSG_DONE)
		return;
	if (msg_done_get(&m->fields, &done) < 0 || done.first < 0 || done.count < 0 ||
	    zmq_msg_size(&m->frames[1]) > 8192)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message m;
	int downs = 0;

	if (!far)
		begin();
	memset((void *)&page, 0, sizeof page);
	/* the first byte says how it died */
	if (size)
		memcpy((unsigned char *)&page + 8, data + 1,
		       size - 1 < sizeof page - 8 ? size - 1 : sizeof page - 8);
	page.magic = PAGE_MAGIC;
	slot.killed = size && data[0] & 1;
	slot.cause = (enum down_cause)(size ? (data[0] >> 1) % 6 : 0);
	slot_rescue(&slot, size && data[0] & 128 ? 9 : 256, true);
	message_init(&m);
	while (message_receive(far, &m, false, false) == 1) {
		check(&m);
		downs += m.type == MSG_DOWN;
	}
	message_fini(&m);
	if (downs != 1)
		abort();
	return 0;
}
