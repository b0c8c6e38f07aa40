/* security.c: who is let in: by the right key, for what it is for, and nobody else. */
#include "tests/hosts/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "libcluster/wire.h"
#include "proto/connection.h"

#define PORT 7400

static struct bed bed;
static struct output output;
static struct program engines;

/* ---- A cluster on ctl and node1 ------------------------------------------------- */

static void start(const char *options)
{
	bed_ok(&bed, "tester@ctl", "xcluster start -n 1 --ip eth0 --port %d %s", PORT, options);
	bed_copy(&bed, "tester@ctl", CLIENT_FILE, "node1", "client.json");
	bed_copy(&bed, "tester@ctl", ENGINE_FILE, "node1", "engines.json");
}

static void add_engine(void)
{
	bed_spawn(&bed, "tester@node1", &engines,
		  "exec xcluster engines -n 1 --foreground --connection engines.json");
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 2, 10));
}

static int count_jobs(void)
{
	return bed_count_jobs(&bed, "tester@ctl");
}

static void hello_is_refused(const char *file, const char *part)
{
	bed_run(&bed, "tester@node1", 15, &output, "XCLUSTER_CONNECTION=%s %s", file,
		bed_example("hello"));
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(output.elapsed < 11, "it took %g s", output.elapsed);
	ck_assert_msg(strstr(output.err, part) != NULL, "'%s' is not in '%s'", part, output.err);
	ck_assert_int_eq(count_jobs(), 0);
}

static void engines_are_refused(const char *file, const char *part)
{
	bed_run(&bed, "tester@node1", 15, &output,
		"xcluster engines -n 1 --foreground --connection %s", file);
	ck_assert_int_ne(output.status, 0);
	ck_assert_msg(output.elapsed < 11, "it took %g s", output.elapsed);
	ck_assert_msg(strstr(output.err, part) != NULL, "'%s' is not in '%s'", part, output.err);
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 1, 1));
}

/* A copy of node1's connection file with other texts. */
static void forge(const char *from, const char *to, const char *const edits[][2])
{
	char path[64];
	json_t *file;
	char *text;

	snprintf(path, sizeof path, "/home/tester/%s", from);
	file = bed_json(&bed, "node1", path);
	for (int i = 0; edits[i][0]; i++)
		json_object_set_new(file, edits[i][0], json_string(edits[i][1]));
	text = json_dumps(file, 0);
	bed_ok(&bed, "tester@node1", "umask 077; cat >%s <<'END'\n%s\nEND\n", to, text);
	free(text);
	json_decref(file);
}
#define FORGE(from, to, ...)                                                                       \
	forge(from, to, (const char *const[][2]){ __VA_ARGS__, { NULL, NULL } })

/* ---- Keys and roles ---------------------------------------------------------- */

START_TEST(a_wrong_key_is_refused)
{
	char public_key[41], secret_key[41], other[41], ignored[41];

	ck_assert_int_eq(zmq_curve_keypair(public_key, secret_key), 0);
	ck_assert_int_eq(zmq_curve_keypair(other, ignored), 0);
	start("");
	FORGE("client.json", "wrong.json", { "public_key", public_key },
	      { "secret_key", secret_key });
	hello_is_refused("wrong.json", "does not know the keys");
	FORGE("client.json", "server.json", { "server_key", other });
	hello_is_refused("server.json", "its key is not");
	FORGE("engines.json", "wrong.json", { "public_key", public_key },
	      { "secret_key", secret_key });
	engines_are_refused("wrong.json", "does not know the keys");
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

START_TEST(the_key_of_engines_lets_no_client_in_nor_the_other_way_round)
{
	start("");
	hello_is_refused("engines.json", "lets engines in, not clients");
	FORGE("engines.json", "forged.json", { "role", "client" });
	hello_is_refused("forged.json", "the key of an engine");
	FORGE("client.json", "forged.json", { "role", "engine" });
	engines_are_refused("forged.json", "the key of a client");
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

#define COUNT(type, name) +1
#define PUT(type, name)	  PUT_##type(w)
#define PUT_u64(w)	  put_u64(w, 1);
#define PUT_i64(w)	  put_i64(w, 1);
#define PUT_f64(w)	  put_f64(w, 1);
#define PUT_str(w)	  put_str(w, span_of("text"));
#define PUT_bin(w)	  put_bin(w, span_of("a session of him"));
#define PUT_MESSAGE(name, number, senders, frames)                                                 \
	case number:                                                                               \
		put_array(w, 1 FIELDS_##name(COUNT));                                              \
		put_u64(w, number);                                                                \
		FIELDS_##name(PUT) break;

/* A header that can be read. */
static void put_fields(struct writer *w, uint64_t type)
{
	switch (type) {
		MESSAGES(PUT_MESSAGE)
	}
	ck_assert(!w->bad);
}

/* Says each message that only others may say, with the keys of the file. */
static void say_what_others_may(const char *path, unsigned roles)
{
	struct connection *connection = calloc(1, sizeof *connection);
	struct xc_error err = XC_ERROR_INIT;
	void *context = zmq_ctx_new(), *dealer = zmq_socket(context, ZMQ_DEALER);
	unsigned char route[ROUTE_SIZE], session[16] = "a session of him";
	zmq_pollitem_t item = { .socket = dealer, .events = ZMQ_POLLIN };
	int n = 0;

	assert_ok(connection_read(path, connection, &err), err);
	route_make(route, roles & ROLE_CLIENT ? 'c' : 'a', session);
	zmq_setsockopt(dealer, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, connection->server_key, 41);
	zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, connection->public_key, 41);
	zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, connection->secret_key, 41);
	ck_assert_int_eq(zmq_connect(dealer, connection->addresses[0]), 0);
	for (uint64_t type = 1; type < 256; type++) {
		const struct message_info *info = message_info(type);
		unsigned char header[256];
		struct writer writer;

		if (!info || info->senders & roles)
			continue;
		writer_init(&writer, header, sizeof header);
		put_fields(&writer, type);
		ck_assert_int_ge(
			zmq_send(dealer, header, writer.used, info->frames ? ZMQ_SNDMORE : 0), 0);
		for (int i = 1; i <= info->frames; i++)
			zmq_send(dealer, "", 0, i < info->frames ? ZMQ_SNDMORE : 0);
		n++;
	}
	ck_assert_int_gt(n, 5);
	/* REFUSED, to the hellos, is all that may come. */
	while (zmq_poll(&item, 1, 500) > 0) {
		struct message m;

		message_init(&m);
		ck_assert_int_eq(message_receive(dealer, &m, false, false), 1);
		ck_assert_uint_eq(m.type, MSG_REFUSED);
		message_fini(&m);
	}
	zmq_close(dealer);
	zmq_ctx_term(context);
	free(connection);
}

START_TEST(no_message_of_another_role_is_taken)
{
	pid_t actor;
	char *log;

	start("");
	for (int i = 0; i < 2; i++) {
		actor = bed_fork(&bed, "tester@node1");
		if (actor == 0) {
			say_what_others_may(i ? "client.json" : "engines.json",
					    i ? ROLE_CLIENT : ROLE_AGENT | ROLE_ENGINE);
			exit(0);
		}
		bed_join(actor);
	}
	log = bed_read(&bed, "ctl", "/home/tester/.xcluster/default/controller.log");
	ck_assert_msg(log && strstr(log, "ignored SUBMIT from a connection with the key of an "
					 "engine"),
		      "%s", log);
	free(log);
	ck_assert_int_eq(count_jobs(), 0);
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 1, 1));
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

/* ---- Plain connections --------------------------------------------------------- */

static void say_hello_plainly(void)
{
	void *context = zmq_ctx_new(), *dealer = zmq_socket(context, ZMQ_DEALER), *monitor;
	unsigned char route[ROUTE_SIZE], session[16] = "a session of him";
	zmq_pollitem_t items[2] = { { .socket = dealer, .events = ZMQ_POLLIN } };
	char endpoint[64];
	int no = 0;

	snprintf(endpoint, sizeof endpoint, "tcp://10.77.0.10:%d", PORT);
	route_make(route, 'c', session);
	zmq_setsockopt(dealer, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(dealer, ZMQ_LINGER, &no, sizeof no);
	ck_assert_int_eq(zmq_socket_monitor(dealer, "inproc://monitor",
					    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
						    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
						    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL),
			 0);
	monitor = zmq_socket(context, ZMQ_PAIR);
	zmq_connect(monitor, "inproc://monitor");
	items[1] = (zmq_pollitem_t){ .socket = monitor, .events = ZMQ_POLLIN };
	ck_assert_int_eq(zmq_connect(dealer, endpoint), 0);
	SEND_SIMPLE(dealer, NULL, hello_client, .protocol = PROTOCOL_VERSION,
		    .session = { session, sizeof session }, .pid = 1, .host = span_of("node1"),
		    .name = span_of("stranger"));
	/* It is shown the door, and never hears a word. N.B. if it was the first to see that
	 * they differ, ZeroMQ does not dial again. */
	for (int i = 0; i < 3; i++) {
		unsigned char event[6];
		uint16_t number;
		char address[64];

		if (zmq_poll(items, 2, 5000) == 0 && i > 0)
			break;
		ck_assert_int_ne(items[0].revents | items[1].revents, 0);
		ck_assert(!(items[0].revents & ZMQ_POLLIN));
		ck_assert_int_eq(zmq_recv(monitor, event, sizeof event, 0), sizeof event);
		zmq_recv(monitor, address, sizeof address, 0);
		memcpy(&number, event, sizeof number);
		ck_assert_int_ne(number, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	}
	zmq_close(monitor);
	zmq_close(dealer);
	zmq_ctx_term(context);
}

START_TEST(a_client_without_encryption_is_not_let_in)
{
	pid_t actor;

	start("");
	actor = bed_fork(&bed, "tester@node1");
	if (actor == 0) {
		say_hello_plainly();
		exit(0);
	}
	bed_join(actor);
	ck_assert_int_eq(count_jobs(), 0);
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

/* ---- Files and processes ----------------------------------------------------- */

START_TEST(files_that_others_can_read_are_refused)
{
	start("");
	ck_assert_str_eq(bed_ok(&bed, "tester@ctl",
				"cd .xcluster; stat -c '%%a %%n' . default default/certs "
				"default/*.json default/controller.sock | sort"),
			 "600 default/connection.json\n600 default/controller.sock\n"
			 "600 default/engines.json\n700 .\n700 default\n700 default/certs");
	for (int i = 0; i < 3; i++) {
		static const char *const modes[] = { "644", "640", "602" };

		bed_ok(&bed, "tester@node1", "chmod %s client.json engines.json", modes[i]);
		hello_is_refused("client.json", "chmod 600");
		engines_are_refused("engines.json", "chmod 600");
	}
	bed_ok(&bed, "tester@node1", "chmod 600 client.json engines.json");
	bed_run(&bed, "root@node1", 15, &output, "XCLUSTER_CONNECTION=/home/tester/client.json %s",
		bed_example("hello"));
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "belongs to another user"));
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

/* Root may open any file and socket; the controller looks at who it is. */
START_TEST(the_unix_socket_serves_its_user_alone)
{
	bed_ok(&bed, "tester@ctl", "xcluster start -n 1");
	bed_ok(&bed, "root@ctl", "umask 077; cat /home/tester/" CLIENT_FILE " >stolen.json");
	bed_run(&bed, "root@ctl", 15, &output, "XCLUSTER_CONNECTION=stolen.json %s",
		bed_example("hello"));
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "another user") != NULL, "%s", output.err);
	ck_assert_int_eq(count_jobs(), 0);
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

START_TEST(no_key_is_in_arguments_environments_or_logs)
{
	start("");
	add_engine();
	bed_ok(&bed, "tester@ctl", "%s", bed_example("hello"));
	for (int i = 0; i < 2; i++) {
		const char *host = i ? "node1" : "ctl";

		bed_ok(&bed, "tester@node1",
		       "umask 077; sed -n 's/.*\"secret_key\": \"\\(.*\\)\".*/\\1/p' client.json "
		       "engines.json >keys; test $(wc -l <keys) -eq 2; scp -qp keys %s:keys2",
		       host);
		/* Proves that it would be found: in the files that are its place. */
		bed_ok(&bed, host, "grep -qF -f /home/tester/keys2 /home/tester/keys2");
		ck_assert_str_eq(bed_ok(&bed, host,
					"grep -laF -f /home/tester/keys2 /proc/[0-9]*/cmdline "
					"/proc/[0-9]*/environ /home/tester/.xcluster/default/*.log "
					"/tmp/xcluster-*/*/*.log 2>/dev/null || true"),
				 "");
	}
	bed_stop_cluster(&bed, "tester@ctl");
	ck_assert_int_eq(program_end(&engines), 0);
}
END_TEST

static void clear_bed(void)
{
	bed_clear(&bed);
}

int main(void)
{
	Suite *suite = suite_create("security");
	TCase *tests = shared_case(suite, "keys");

	tcase_add_checked_fixture(tests, clear_bed, NULL);
	tcase_add_test(tests, a_wrong_key_is_refused);
	tcase_add_test(tests, the_key_of_engines_lets_no_client_in_nor_the_other_way_round);
	tcase_add_test(tests, no_message_of_another_role_is_taken);
	tcase_add_test(tests, a_client_without_encryption_is_not_let_in);
	tcase_add_test(tests, files_that_others_can_read_are_refused);
	tcase_add_test(tests, the_unix_socket_serves_its_user_alone);
	tcase_add_test(tests, no_key_is_in_arguments_environments_or_logs);
	return bed_tests(&bed, &(struct bed_options){ .nodes = 1 }, suite);
}
