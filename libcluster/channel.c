/* channel.c: packets with descriptors over a unix socket. */
#include "libcluster/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/error.h"

#define CALL_LIMIT_S 30

#define PUT(type, name)	  put_##type(&w, p->name);
#define GET(type, name)	  p->name = get_##type(&r);
#define COUNT(type, name) +1

int channel_send(int fd, const struct channel_packet *p)
{
	unsigned char buffer[CHANNEL_MAX];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = buffer };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct writer w;

	writer_init(&w, buffer, sizeof buffer);
	put_array(&w, 0 CHANNEL_FIELDS(COUNT));
	CHANNEL_FIELDS(PUT)
	if (w.bad)
		return -EMSGSIZE;
	iov.iov_len = w.used;
	if (p->fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &p->fd, sizeof(int));
	}
	while (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The first descriptor of the message; any more are closed. */
static int take_descriptor(struct msghdr *msg)
{
	int found = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (found < 0)
				found = fd;
			else
				close(fd);
		}
	}
	return found;
}

int channel_receive(int fd, struct channel_packet *p, void *buffer, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buffer, .iov_len = CHANNEL_MAX };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof control.bytes };
	struct reader r;
	ssize_t n;

	do
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	p->fd = take_descriptor(&msg);
	if (n == 0) {
		if (p->fd >= 0)
			close(p->fd);
		p->fd = -1;
		return 0;
	}
	reader_init(&r, buffer, (size_t)n);
	if (get_array(&r) != 0 CHANNEL_FIELDS(COUNT))
		r.bad = true;
	CHANNEL_FIELDS(GET)
	if (!reader_is_done(&r) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		if (p->fd >= 0)
			close(p->fd);
		p->fd = -1;
		return XC_EPROTO;
	}
	return 1;
}

int channel_call(int fd, const struct channel_packet *request, struct channel_packet *reply,
		 void *buffer, struct xc_error *err)
{
	char text[sizeof err->text];
	int r = channel_send(fd, request);

	if (r < 0)
		return error_set(err, r, "the object store does not take requests: %s",
				 error_text(r));
	r = channel_receive(fd, reply, buffer, 0);
	if (r == 0)
		r = -ECONNRESET;
	if (r < 0)
		return error_set(err, r, "the object store does not answer: %s", error_text(r));
	if (reply->code >= 0)
		return 0;
	if (reply->fd >= 0)
		close(reply->fd);
	reply->fd = -1;
	span_copy(text, sizeof text, reply->text);
	r = (int)reply->code;
	return error_set(err, r, "%s", text[0] ? text : error_text(r));
}

int channel_connect(const char *path, const void *session, struct xc_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct channel_packet hello = { .code = OP_HELLO, .number = PROTOCOL_VERSION, .fd = -1 };
	struct timeval limit = { .tv_sec = CALL_LIMIT_S };
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];
	int fd, r;

	if (strlen(path) >= sizeof address.sun_path)
		return error_set(err, -ENAMETOOLONG, "the store's path %s is too long", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		r = error_set(err, -errno, "cannot reach the object store %s: %s", path,
			      strerror(errno));
		goto fail;
	}
	r = channel_call(fd, &hello, &reply, buffer, err);
	if (r < 0)
		goto fail;
	if (reply.fd >= 0)
		close(reply.fd);
	if (session && (reply.object.size != SESSION_SIZE ||
			memcmp(reply.object.data, session, SESSION_SIZE))) {
		r = error_set(err, -ENOENT, "the object store at %s is another agent's", path);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return r;
}

static int reserve(int fd, uint64_t size, struct xc_error *err)
{
	struct channel_packet request = { .code = OP_RESERVE, .number = size, .fd = -1 };
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];

	return channel_call(fd, &request, &reply, buffer, err);
}

static int put(int fd, const void *id, int file, uint64_t size, struct xc_error *err)
{
	struct channel_packet request = {
		.code = OP_PUT, .object = { id, OBJECT_SIZE }, .number = size, .fd = file
	};
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];

	return channel_call(fd, &request, &reply, buffer, err);
}

int channel_put_file(int fd, const void *id, int file, uint64_t size, struct xc_error *err)
{
	int r = reserve(fd, size, err);

	return r < 0 ? r : put(fd, id, file, size, err);
}

/* write(2) and not a mapping: no page-faults, no pages zeroed in vain, and a
 * memory that is full is an error and not a signal. */
static int fill(int file, const char *data, uint64_t size, struct xc_error *err)
{
	uint64_t done = 0;

	while (done < size) {
		size_t part = size - done < (1 << 30) ? (size_t)(size - done) : 1 << 30;
		ssize_t n = write(file, data + done, part);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, errno == ENOSPC ? XC_ESTORE : -errno,
					 "cannot put %llu bytes into shared memory: %s",
					 (unsigned long long)size, strerror(errno));
		done += (uint64_t)n;
	}
	if (fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_set(err, -errno, "cannot seal shared memory: %s", strerror(errno));
	return 0;
}

int channel_put_bytes(int fd, const void *id, const void *data, uint64_t size, struct xc_error *err)
{
	int file = memfd_create("xcluster-object", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

	if (file < 0) /* before anything is reserved */
		return error_set(err, -errno, "cannot make shared memory: %s", strerror(errno));
	r = reserve(fd, size, err);
	if (r == 0)
		r = fill(file, data, size, err);
	if (r == 0)
		r = put(fd, id, file, size, err);
	close(file);
	return r;
}
