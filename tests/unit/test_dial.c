/* test_dial.c: connections to a controller over the network: made, broken, made again. */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcluster/dial.h"
#include "tests/unit/unit.h"

#define LIMIT_MS 10000
#define CALM_MS	 600 /* in which ZeroMQ would have dialled again, several times */

static void *context, *router;
static struct connection connection;
static struct dial dial;
static char server_secret[CONNECTION_KEY_SIZE], endpoint[CONNECTION_ADDRESS_MAX];
static unsigned char route[ROUTE_SIZE] = "a";

/* Names are looked up here: "two" is of two hosts, at the first of which nobody listens. */
#define OURS 0x7777

int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
		struct addrinfo **found)
{
	static const char *const hosts[] = { "127.0.0.1", "127.0.0.2" };
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*found = NULL;
	if (!name || strcmp(name, "two") != 0) {
		*(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
		return next(name, port, hints, found);
	}
	for (int i = 0; i < 2; i++) {
		struct {
			struct addrinfo info;
			struct sockaddr_in address;
		} *one = calloc(1, sizeof *one);

		one->info = (struct addrinfo){ .ai_family = AF_INET,
					       .ai_flags = OURS,
					       .ai_addrlen = sizeof one->address,
					       .ai_addr = (struct sockaddr *)&one->address,
					       .ai_next = *found };
		one->address.sin_family = AF_INET;
		one->address.sin_port = htons((uint16_t)atoi(port));
		ck_assert_int_eq(inet_pton(AF_INET, hosts[i], &one->address.sin_addr), 1);
		*found = &one->info;
	}
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	void (*next)(struct addrinfo *);

	if (list->ai_flags != OURS) {
		*(void **)&next = dlsym(RTLD_NEXT, "freeaddrinfo");
		next(list);
		return;
	}
	while (list) {
		struct addrinfo *rest = list->ai_next;

		free(list);
		list = rest;
	}
}

static void listen_at(const char *at)
{
	size_t size = sizeof endpoint;
	int yes = 1, none = 0;

	router = zmq_socket(context, ZMQ_ROUTER);
	zmq_setsockopt(router, ZMQ_LINGER, &none, sizeof none);
	zmq_setsockopt(router, ZMQ_CURVE_SERVER, &yes, sizeof yes);
	zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, server_secret, CONNECTION_KEY_SIZE);
	for (int i = 0; zmq_bind(router, at) < 0; i++) { /* its predecessor is being closed */
		ck_assert_int_eq(errno, EADDRINUSE);
		ck_assert_int_lt(i, LIMIT_MS / 10);
		poll(NULL, 0, 10);
	}
	zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &size);
}

static void begin(void)
{
	context = zmq_ctx_new();
	connection = (struct connection){ .heartbeat_timeout = 1 };
	ck_assert_int_eq(zmq_curve_keypair(connection.server_key, server_secret), 0);
	ck_assert_int_eq(zmq_curve_keypair(connection.public_key, connection.secret_key), 0);
	listen_at("tcp://127.0.0.1:*");
	dial = (struct dial)DIAL_INIT;
}

static void end(void)
{
	dial_close(&dial, 0);
	if (router)
		zmq_close(router);
	zmq_ctx_term(context);
}

/* The next event that is not of those that a break has several of. */
static void wait_for(enum dial_event wanted)
{
	zmq_pollitem_t item = { .socket = dial.monitor, .events = ZMQ_POLLIN };

	while (dial_event(&dial) != wanted)
		ck_assert_int_eq(zmq_poll(&item, 1, LIMIT_MS), 1);
}

static void say(uint64_t number)
{
	SEND_SIMPLE(dial.socket, NULL, bye, .id = number);
}

/* What the router gets within `ms`; 0: nothing. */
static uint64_t hear(int ms)
{
	zmq_pollitem_t item = { .socket = router, .events = ZMQ_POLLIN };
	struct msg_bye bye = { .id = 0 };
	struct message m;

	message_init(&m);
	if (zmq_poll(&item, 1, ms) == 1 && message_receive(router, &m, true, false) == 1)
		ck_assert_int_eq(msg_bye_get(&m.fields, &bye), 0);
	message_fini(&m);
	return bye.id;
}

static void connect_once(void)
{
	struct xc_error err = XC_ERROR_INIT;

	ck_assert_int_eq(dial_endpoint(&dial, context, &connection, endpoint, route, true, &err),
			 0);
	wait_for(DIAL_UP);
	ck_assert_int_eq(dial_wait_ms(&dial), -1);
	say(1);
	ck_assert_uint_eq(hear(LIMIT_MS), 1);
}

/* The monitor has been told, and nobody has asked it yet. */
static void break_connection(void)
{
	zmq_pollitem_t item = { .socket = dial.monitor, .events = ZMQ_POLLIN };
	char at[CONNECTION_ADDRESS_MAX];

	zmq_close(router);
	router = NULL;
	ck_assert_int_eq(zmq_poll(&item, 1, LIMIT_MS), 1);
	strcpy(at, endpoint);
	listen_at(at);
}

/* Or the other side takes it for the one after what was lost with the connection. */
START_TEST(what_is_sent_after_a_break_that_was_not_heard_of_does_not_come_by_itself)
{
	struct xc_error err = XC_ERROR_INIT;

	connect_once();
	break_connection();
	say(3);
	ck_assert_uint_eq(hear(CALM_MS), 0);
	wait_for(DIAL_DOWN);
	ck_assert(dial_is_due(&dial));
	ck_assert_int_eq(dial_again(&dial, context, &connection, route, &err), 0);
	wait_for(DIAL_UP);
	say(4);
	ck_assert_uint_eq(hear(LIMIT_MS), 4);
}
END_TEST

/* False: there is a connection. */
static bool dial_when_due(void)
{
	zmq_pollitem_t item = { .socket = dial.monitor, .events = ZMQ_POLLIN };
	struct xc_error err = XC_ERROR_INIT;

	while (!dial_is_due(&dial)) {
		zmq_poll(&item, 1, dial_wait_ms(&dial));
		while (dial_event(&dial) != DIAL_NOTHING)
			;
		if (dial.is_up && !dial.is_down)
			return false;
	}
	ck_assert_int_eq(dial_again(&dial, context, &connection, route, &err), 0);
	return true;
}

/* As a tunnel does whose other end is gone: it must not be dialled as fast as it closes. */
START_TEST(who_closes_at_once_is_dialled_less_and_less_often)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	struct xc_error err = XC_ERROR_INIT;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t start = now_ns();

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
	ck_assert_int_eq(dial_endpoint(&dial, context, &connection, endpoint, route, true, &err),
			 0);
	for (int i = 0; i < 4; i++) {
		struct pollfd item = { .fd = fd, .events = POLLIN };

		ck_assert_int_eq(poll(&item, 1, LIMIT_MS), 1);
		close(accept(fd, NULL, NULL));
		ck_assert(dial_when_due());
	}
	/* half of 50 + 100 + 200 + 250 ms at least */
	ck_assert_uint_ge(now_ns() - start, UINT64_C(300000000));
	ck_assert_str_eq(dial.endpoint, endpoint);
	close(fd);
}
END_TEST

START_TEST(where_nobody_listens_is_dialled_again)
{
	struct xc_error err = XC_ERROR_INIT;

	connect_once();
	zmq_close(router);
	router = NULL;
	wait_for(DIAL_DOWN);
	for (int i = 0; i < 3; i++)
		ck_assert(dial_when_due());
	listen_at(endpoint);
	while (dial_when_due())
		;
	say(2);
	ck_assert_uint_eq(hear(LIMIT_MS), 2);
	ck_assert_str_eq(err.text, "");
}
END_TEST

/* ---- Names ------------------------------------------------------------------------------ */

START_TEST(all_addresses_of_a_name_are_tried_and_the_one_that_answers_is_kept)
{
	struct xc_error err = XC_ERROR_INIT;

	strcpy(connection.endpoint, "ipc:///nowhere");
	strcpy(connection.host, "another");
	snprintf(connection.addresses[0], sizeof connection.addresses[0], "tcp://two%s",
		 strrchr(endpoint, ':'));
	connection.address_count = 1;
	ck_assert_msg(dial_controller(&dial, context, &connection, route, true, 10, NULL, &err) ==
			      0,
		      "%s", err.text);
	ck_assert_str_eq(dial.endpoint, endpoint); /* so that no name has to be looked up later */
}
END_TEST

START_TEST(a_name_is_refused_when_all_its_addresses_are)
{
	char name[CONNECTION_ADDRESS_MAX];

	snprintf(name, sizeof name, "tcp://two%s", strrchr(endpoint, ':'));
	ck_assert(!dial_is_refused(name));
	zmq_close(router);
	router = NULL;
	for (int i = 0; !dial_is_refused(name); i++) { /* it is being closed */
		ck_assert_int_lt(i, LIMIT_MS / 10);
		poll(NULL, 0, 10);
	}
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("dial");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests,
		       what_is_sent_after_a_break_that_was_not_heard_of_does_not_come_by_itself);
	tcase_add_test(tests, who_closes_at_once_is_dialled_less_and_less_often);
	tcase_add_test(tests, where_nobody_listens_is_dialled_again);
	tcase_add_test(tests, all_addresses_of_a_name_are_tried_and_the_one_that_answers_is_kept);
	tcase_add_test(tests, a_name_is_refused_when_all_its_addresses_are);
	return unit_run(tests);
}
