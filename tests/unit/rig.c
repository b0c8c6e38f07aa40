/* rig.c: an engine and its agent's slot within one process. */
#include "tests/unit/rig.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "engine/runner.h"

struct rig rig;

static const struct agent_options options = { .n = 1 };
static pthread_t server;
static bool is_served;

static void *connect_ends(const char *name, void **near)
{
	void *far = zmq_socket(rig.context, ZMQ_DEALER);

	*near = zmq_socket(rig.context, ZMQ_DEALER);
	zmq_setsockopt(far, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	zmq_setsockopt(*near, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	ck_assert_int_eq(zmq_bind(far, name), 0);
	ck_assert_int_eq(zmq_connect(*near, name), 0);
	return far;
}

static struct engine *engine_new(int channel, int arena_fd)
{
	struct engine *e = calloc(1, sizeof *e);

	rig.output = memfd_create("output", MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(rig.output, (off_t)OUTPUT_SIZE), 0);
	ck_assert_int_eq(fcntl(rig.output, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	ck_assert_int_eq(output_open(e, rig.output), 0);
	e->channel = channel;
	e->arena_fd = arena_fd;
	e->schedstat = -1;
	e->page = rig.page;
	e->arena = rig.arena;
	e->epoch = 3;
	e->id = 7;
	e->now.want = 1;
	return e;
}

static void engine_free(struct engine *e)
{
	struct pending *pending, *next_pending;
	struct entry *entry, *next;

	HASH_ITER (hh, e->names, entry, next) {
		HASH_DEL(e->names, entry);
		if (entry->mapping)
			munmap(entry->mapping, entry->size);
		else
			free((void *)(uintptr_t)entry->array.data);
		free(entry);
	}
	DL_FOREACH_SAFE (e->pending, pending, next_pending) {
		message_fini(&pending->message);
		free(pending);
	}
	zmq_close(e->dealer);
	output_close(e);
	close(e->channel);
	free(e->now.frame);
	free(e->scratch);
	free(e);
}

void rig_open(void)
{
	int pair[2], arena_fd = memfd_create("arena", 0);

	memset(&rig, 0, sizeof rig);
	rig.context = zmq_ctx_new();
	message_init(&rig.m);
	ck_assert_int_eq(ftruncate(arena_fd, (off_t)ARENA_SIZE), 0);
	rig.arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			 arena_fd, 0);
	ck_assert_ptr_ne(rig.arena, MAP_FAILED);
	rig.page = mmap(NULL, sizeof *rig.page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	ck_assert_ptr_ne(rig.page, MAP_FAILED);
	rig.page->magic = PAGE_MAGIC;
	rig.page->item = -1;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	rig.agent.options = &options;
	rig.agent.epoll = rig.agent.listener.fd = -1;
	rig.agent.slots = &rig.slot;
	store_init(&rig.agent.store, 1 << 20);
	rig.slot = (struct slot){ .agent = &rig.agent,
				  .epoch = 3,
				  .pid = 1,
				  .state = SLOT_RUNNING,
				  .channel.fd = pair[0],
				  .arena_fd = arena_fd,
				  .page = rig.page };
	rig.from_agent = connect_ends("inproc://agent", &rig.agent.dealer);
	rig.engine = engine_new(pair[1], arena_fd);
	rig.slot.sink =
		(struct sink){ .fd = rig.output, .log = memfd_create("log", 0), .item = -1 };
	fcntl(rig.slot.sink.log, F_SETFL, O_APPEND);
	rig.from_engine = connect_ends("inproc://engine", &rig.engine->dealer);
}

static void *serve(void *arg)
{
	struct pollfd ready = { .fd = rig.slot.channel.fd, .events = POLLIN };

	(void)arg;
	do
		poll(&ready, 1, -1);
	while (service_engine(&rig.slot));
	return NULL;
}

void rig_serve(void)
{
	ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
	is_served = true;
}

void rig_close(void)
{
	engine_free(rig.engine); /* closes the channel: the server ends */
	if (is_served)
		pthread_join(server, NULL);
	is_served = false;
	message_fini(&rig.m);
	zmq_close(rig.from_engine);
	zmq_close(rig.from_agent);
	zmq_close(rig.agent.dealer);
	zmq_ctx_term(rig.context);
	variable_unset(&rig.agent.store, &rig.slot.variables, (struct span){ 0 }, false);
	refs_clear(&rig.agent.store, &rig.slot.refs);
	service_fini(&rig.agent);
	store_fini(&rig.agent.store);
	close(rig.slot.channel.fd);
	close(rig.slot.arena_fd);
	sink_close(&rig.slot);
	munmap(rig.arena, ARENA_SIZE);
	munmap(rig.page, sizeof *rig.page);
}

uint64_t rig_next(void *socket)
{
	return message_receive(socket, &rig.m, false, false) == 1 ? rig.m.type : 0;
}

size_t rig_frame_size(int i)
{
	return zmq_msg_size(&rig.m.frames[i]);
}

const void *rig_frame(int i)
{
	return zmq_msg_data(&rig.m.frames[i]);
}

int rig_memfd(const void *data, size_t size)
{
	int fd = memfd_create("object", MFD_ALLOW_SEALING);

	ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}
