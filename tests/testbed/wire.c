/* wire.c: an Ethernet switch between TAP devices, with a delay and a loss for each pair.
 *
 *   wire DEVICE...     makes the devices and says "ready"
 *
 * then takes lines "set FROM TO DELAY_US LOSS_PERMILLE" ("*" is any device) and answers each
 * with "ok" or "error". */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PORTS	  64
#define FRAME	  65536
#define AT_ONCE	  64 /* frames of a port before the next has its turn */
#define ADDRESSES 256

struct frame {
	uint64_t due_ns, number;
	int port, size;
	unsigned char *bytes;
};

static int n_ports;
static int fds[PORTS];
static char **names;
static unsigned delay_us[PORTS][PORTS], loss_permille[PORTS][PORTS];

/* Where an address was last seen; port 0 is none. */
static struct {
	unsigned char address[6];
	int port;
} seen[ADDRESSES];

/* A heap by the time at which frames are due. */
static struct frame *heap;
static size_t heap_used, heap_room;
static uint64_t next_number;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The same losses each time. */
static uint64_t draw(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static bool is_sooner(size_t a, size_t b)
{
	return heap[a].due_ns != heap[b].due_ns ? heap[a].due_ns < heap[b].due_ns
						: heap[a].number < heap[b].number;
}

static void swap(size_t a, size_t b)
{
	struct frame frame = heap[a];

	heap[a] = heap[b];
	heap[b] = frame;
}

static void push(struct frame frame)
{
	size_t i = heap_used;

	if (heap_used == heap_room) {
		heap_room = heap_room ? 2 * heap_room : 1024;
		heap = realloc(heap, heap_room * sizeof *heap);
		if (!heap)
			abort();
	}
	heap[heap_used++] = frame;
	for (; i > 0 && is_sooner(i, (i - 1) / 2); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static struct frame pop(void)
{
	struct frame first = heap[0];

	heap[0] = heap[--heap_used];
	for (size_t i = 0, best = 0;; i = best) {
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < heap_used; child++)
			if (is_sooner(child, best))
				best = child;
		if (best == i)
			return first;
		swap(i, best);
	}
}

/* A device that is down, or full, loses frames, as cables do. */
static void deliver(int port, const unsigned char *bytes, int size)
{
	if (write(fds[port], bytes, (size_t)size) < 0)
		return;
}

static void forward(int from, int to, const unsigned char *bytes, int size)
{
	struct frame frame = { .port = to, .size = size };

	if (loss_permille[from][to] > 0 && draw() % 1000 < loss_permille[from][to])
		return;
	if (delay_us[from][to] == 0) {
		deliver(to, bytes, size);
		return;
	}
	frame.bytes = malloc((size_t)size);
	if (!frame.bytes)
		return;
	memcpy(frame.bytes, bytes, (size_t)size);
	frame.due_ns = now_ns() + delay_us[from][to] * 1000ull;
	frame.number = next_number++;
	push(frame);
}

static unsigned slot_of(const unsigned char *address)
{
	return (address[0] ^ address[1] ^ address[2] ^ address[3] ^ address[4] ^ address[5]) %
	       ADDRESSES;
}

static void switch_frame(int from, const unsigned char *bytes, int size)
{
	unsigned source = slot_of(bytes + 6), target = slot_of(bytes);
	bool is_group = bytes[0] & 1;

	memcpy(seen[source].address, bytes + 6, 6);
	seen[source].port = from + 1;
	if (!is_group && seen[target].port > 0 && memcmp(seen[target].address, bytes, 6) == 0) {
		forward(from, seen[target].port - 1, bytes, size);
		return;
	}
	for (int to = 0; to < n_ports; to++)
		if (to != from)
			forward(from, to, bytes, size);
}

static bool is_meant(const char *pattern, int port)
{
	return strcmp(pattern, "*") == 0 || strcmp(pattern, names[port]) == 0;
}

static bool obey(const char *line)
{
	char from[64], to[64];
	unsigned delay, loss;

	if (sscanf(line, "set %63s %63s %u %u", from, to, &delay, &loss) != 4)
		return false;
	for (int i = 0; i < n_ports; i++) {
		for (int j = 0; j < n_ports; j++) {
			if (!is_meant(from, i) || !is_meant(to, j))
				continue;
			delay_us[i][j] = delay;
			loss_permille[i][j] = loss;
		}
	}
	return true;
}

static int open_device(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
		perror(name);
		exit(1);
	}
	return fd;
}

static void deliver_due(void)
{
	while (heap_used > 0 && heap[0].due_ns <= now_ns()) {
		struct frame frame = pop();

		deliver(frame.port, frame.bytes, frame.size);
		free(frame.bytes);
	}
}

static void take_frames(int port)
{
	static unsigned char bytes[FRAME];
	ssize_t size;

	for (int k = 0; k < AT_ONCE; k++) {
		size = read(fds[port], bytes, sizeof bytes);
		if (size < 14)
			return;
		switch_frame(port, bytes, (int)size);
	}
}

static const struct timespec *until_due(struct timespec *left)
{
	uint64_t now = now_ns(), ns;

	if (heap_used == 0)
		return NULL;
	ns = heap[0].due_ns > now ? heap[0].due_ns - now : 0;
	left->tv_sec = (time_t)(ns / 1000000000u);
	left->tv_nsec = (long)(ns % 1000000000u);
	return left;
}

int main(int argc, char **argv)
{
	struct pollfd events[PORTS + 1];
	struct timespec left;
	char line[256];

	n_ports = argc - 1;
	names = argv + 1;
	if (n_ports < 1 || n_ports > PORTS) {
		fprintf(stderr, "usage: wire DEVICE... (1 to %d)\n", PORTS);
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < n_ports; i++) {
		fds[i] = open_device(names[i]);
		events[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	}
	events[n_ports] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	puts("ready");
	for (;;) {
		deliver_due();
		if (ppoll(events, (nfds_t)n_ports + 1, until_due(&left), NULL) < 0 &&
		    errno != EINTR)
			return 1;
		for (int i = 0; i < n_ports; i++) {
			if (events[i].revents & POLLIN)
				take_frames(i);
			else if (events[i].revents)
				events[i].fd =
					-1; /* the host has crashed, and its device with it */
		}
		if (events[n_ports].revents) {
			if (!fgets(line, sizeof line, stdin))
				return 0;
			puts(obey(line) ? "ok" : "error");
		}
	}
}
