/* fuzz_channel.c: packets to an agent's store, as an engine and as a visitor may
 * send them: each has a length of two bytes, a byte of flags, and its bytes. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct agent_options options = { .n = 1 };

static int sealed(void)
{
	int fd = memfd_create("object", MFD_ALLOW_SEALING);

	if (ftruncate(fd, 64) < 0)
		abort();
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	return fd;
}

static void send_packet(int fd, const uint8_t *data, size_t size, int ride)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (ride >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof ride);
		memcpy(CMSG_DATA(c), &ride, sizeof ride);
	}
	if (sendmsg(fd, &msg, MSG_DONTWAIT) < 0)
		abort();
}

static void take_replies(int fd)
{
	static char buffer[CHANNEL_MAX];
	struct channel_packet reply;

	while (channel_receive(fd, &reply, buffer, MSG_DONTWAIT) == 1)
		if (reply.fd >= 0)
			close(reply.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent agent = { .options = &options, .epoll = -1, .listener.fd = -1 };
	struct slot slot = { .agent = &agent, .epoch = 1, .arena_fd = -1 };
	int pair[2], object = sealed();
	bool goes_on = true;

	agent.slots = &slot;
	store_init(&agent.store, 1000);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	slot.channel.fd = pair[0];
	while (size >= 3 && goes_on) {
		size_t length = data[0] | (size_t)data[1] << 8;
		int ride = data[2] & 1 ? object : -1;

		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		send_packet(pair[1], data, length, ride);
		goes_on = service_engine(&slot);
		take_replies(pair[1]);
		data += length;
		size -= length;
	}
	variable_unset(&agent.store, &slot.variables, (struct span){ 0 }, false);
	refs_clear(&agent.store, &slot.refs);
	service_fini(&agent);
	if (agent.store.objects || agent.store.used)
		abort(); /* a reference was lost */
	store_fini(&agent.store);
	close(pair[0]);
	close(pair[1]);
	close(object);
	return 0;
}
