/* hosts_push.c: what bench/hosts_push.sh runs on the hosts: a push to all engines, or a plain
 * copy over a TCP connection. Prints seconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "xcluster.h"

#define MIB	    ((size_t)1 << 20)
#define ENGINES_MAX 1024

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "hosts_push: %s: %s\n", what, why);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* ---- Push ---------------------------------------------------------------------------------- */

static uint64_t sum(const uint64_t *data, int64_t n)
{
	uint64_t s = 0;

	for (int64_t i = 0; i < n; i++)
		s = 31 * s + data[i];
	return s;
}

static int sum_task(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, "big");

	(void)in;
	if (!array)
		return XC_TASK_FAILED;
	*(uint64_t *)out = sum(array->data, xc_array_count(array));
	return 0;
}

static void push(const char *connection, int engines, size_t mib)
{
	struct xc_error err = XC_ERROR_INIT;
	uint64_t sums[ENGINES_MAX], expected;
	struct xc_client *client;
	int64_t n = (int64_t)(mib * MIB / 8);
	uint64_t *data = malloc(mib * MIB);
	double begin;

	if (!data || engines > ENGINES_MAX)
		die("push", "no memory, or too many engines");
	for (int64_t i = 0; i < n; i++)
		data[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
	expected = sum(data, n);
	if (xc_open(&client, connection, &err) < 0 ||
	    xc_wait_for_engines(client, engines, 30, &err) < 0)
		die("push", err.text);
	begin = now();
	if (xc_push(xc_all(client), "big", XC_ARRAY_U64(data, n), &err) < 0)
		die("push", err.text);
	printf("%.3f\n", now() - begin);
	if (xc_apply(xc_all(client), sum_task, NULL, 0, sums, sizeof sums[0], NULL, &err) < 0)
		die("push", err.text);
	for (int i = 0; i < engines; i++)
		if (sums[i] != expected)
			die("push", "an engine has something else");
	if (xc_clear(xc_all(client), NULL, &err) < 0)
		die("push", err.text);
	xc_close(client);
}

/* ---- Plain copy ----------------------------------------------------------------------------- */

static void receive(const char *port, size_t mib)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)atoi(port)) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), file = memfd_create("copy", 0), fd, yes = 1;
	char *room = malloc(MIB);
	size_t left = mib * MIB;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (!room || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(listener, 1) < 0)
		die("receive", strerror(errno));
	puts("ready");
	fflush(stdout);
	fd = accept(listener, NULL, NULL);
	while (left > 0) {
		ssize_t n = recv(fd, room, MIB, 0);

		if (n <= 0 || write(file, room, (size_t)n) != n)
			die("receive", strerror(errno));
		left -= (size_t)n;
	}
	if (send(fd, "k", 1, 0) != 1)
		die("receive", strerror(errno));
}

static void copy(const char *host, const char *port, size_t mib)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *to;
	int file = memfd_create("data", 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t left = mib * MIB;
	off_t at = 0;
	char *data = malloc(MIB), byte;
	double begin;

	if (!data || getaddrinfo(host, port, &hints, &to) != 0)
		die(host, "unknown, or no memory");
	memset(data, 7, MIB);
	for (size_t i = 0; i < mib; i++)
		if (write(file, data, MIB) != (ssize_t)MIB)
			die("copy", strerror(errno));
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		die(host, strerror(errno));
	begin = now();
	while (left > 0) {
		ssize_t n = sendfile(fd, file, &at, left);

		if (n <= 0)
			die("copy", strerror(errno));
		left -= (size_t)n;
	}
	if (recv(fd, &byte, 1, 0) != 1)
		die("copy", "no answer");
	printf("%.3f\n", now() - begin);
	freeaddrinfo(to);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "push") == 0)
		push(argv[2], atoi(argv[3]), (size_t)atoll(argv[4]));
	else if (argc == 4 && strcmp(argv[1], "receive") == 0)
		receive(argv[2], (size_t)atoll(argv[3]));
	else if (argc == 5 && strcmp(argv[1], "copy") == 0)
		copy(argv[2], argv[3], (size_t)atoll(argv[4]));
	else
		die("usage", "push CONNECTION ENGINES MIB | receive PORT MIB | copy HOST PORT MIB");
	return 0;
}
