/* network.c: where a controller listens, how peers on other hosts reach it, and what they
 * say when they cannot. */
#include "tests/hosts/cluster.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bed bed;
static struct output output;

/* ---- Helpers ---------------------------------------------------------------- */

static void start(const char *options)
{
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster start -n 1 %s", options);
	ck_assert_msg(output.status == 0, "start %s: %s", options, output.err);
}

/* Engines of node1 that join by the file. */
static void join(struct program *engines)
{
	bed_copy(&bed, "tester@ctl", ENGINE_FILE, "node1", "engines.json");
	bed_spawn(&bed, "tester@node1", engines,
		  "exec xcluster engines -n 1 --foreground --connection engines.json");
}

/* They end with their cluster. */
static void joined_ends(struct program *engines)
{
	ck_assert_int_eq(program_end(engines), 0);
	ck_assert(bed_wait_processes(&bed, "node1", "xcluster", 0, 5));
}

/* "HOST HOST ..." of the addresses in the file, and their ports, which are all the same. */
static int addresses(char *hosts, size_t size)
{
	json_t *file = bed_json(&bed, "ctl", "/home/tester/" CLIENT_FILE), *address;
	int port = -1;
	size_t i, n = 0;

	hosts[0] = '\0';
	json_array_foreach (json_object_get(file, "addresses"), i, address) {
		const char *text = json_string_value(address), *colon = strrchr(text, ':');

		ck_assert_int_eq(strncmp(text, "tcp://", 6), 0);
		n += (size_t)snprintf(hosts + n, size - n, "%s%.*s", i ? " " : "",
				      (int)(colon - text) - 6, text + 6);
		ck_assert(port < 0 || port == atoi(colon + 1));
		port = atoi(colon + 1);
	}
	json_decref(file);
	return port;
}

/* What a client on another host says that must fail, and within 11 s. */
static void expect_refusal(const char *host, const char *file, const char *const parts[])
{
	char place[32];

	snprintf(place, sizeof place, "tester@%s", host);
	bed_run(&bed, place, 15, &output, "XCLUSTER_CONNECTION=%s %s", file, bed_example("hello"));
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(output.elapsed < 11, "it took %g s", output.elapsed);
	for (int i = 0; parts[i]; i++)
		ck_assert_msg(strstr(output.err, parts[i]) != NULL, "'%s' is not in '%s'", parts[i],
			      output.err);
	ck_assert_int_eq(strlen(strchr(output.err, '\n')), 1);
}
#define REFUSED(host, file, ...)                                                                   \
	expect_refusal(host, file, (const char *const[]){ __VA_ARGS__, NULL })

/* ---- Where it listens -------------------------------------------------------- */

static const struct {
	const char *options, *hosts;
} forms[] = {
	{ "--ip 10.77.0.10", "10.77.0.10" },
	{ "--ip fd77::10", "[fd77::10]" },
	{ "--ip ctl", "10.77.0.10" },
	{ "--ip eth0", "10.77.0.10 [fd77::10]" },
	{ "--ip '*'", "10.77.0.10 [fd77::10]" },
	{ "--ip fd77::10 --ip 127.0.0.1,10.77.0.10", "[fd77::10] 127.0.0.1 10.77.0.10" },
	{ "--ip '*' --location ctl-v6,ctl", "ctl-v6 ctl" },
	{ "--ip eth0 --location nowhere.example --location 10.77.0.99,ctl",
	  "nowhere.example 10.77.0.99 ctl" },
};
#define FORMS ((int)(sizeof forms / sizeof forms[0]))

START_TEST(engines_of_another_host_join_by_each_form_of_address)
{
	struct program engines;
	char hosts[256];
	const char *text;

	start(forms[_i].options);
	ck_assert_int_gt(addresses(hosts, sizeof hosts), 1023);
	ck_assert_str_eq(hosts, forms[_i].hosts);
	join(&engines);
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 2, 10));
	text = bed_ok(&bed, "tester@ctl", "%s", bed_example("hello"));
	ck_assert_int_eq(count_engines_on(text, "ctl"), 1);
	ck_assert_int_eq(count_engines_on(text, "node1"), 1);
	bed_stop_cluster(&bed, "tester@ctl");
	joined_ends(&engines);
}
END_TEST

START_TEST(without_ip_nobody_listens_on_the_network)
{
	char hosts[256];

	start("");
	addresses(hosts, sizeof hosts);
	ck_assert_str_eq(hosts, "");
	ck_assert_str_eq(bed_ok(&bed, "ctl", "ss -Htlun | grep -v :22 || true"), "");
	bed_copy(&bed, "tester@ctl", CLIENT_FILE, "node1", "client.json");
	REFUSED("node1", "client.json", "ctl", "--ip");
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

/* N.B. agents have a port of their own, for each other. */
START_TEST(the_controller_has_one_port_for_all_addresses)
{
	char hosts[256], wanted[64];
	int port, pid;
	json_t *file;

	start("--ip '*'");
	port = addresses(hosts, sizeof hosts);
	file = bed_json(&bed, "ctl", "/home/tester/" CLIENT_FILE);
	pid = (int)json_integer_value(json_object_get(file, "pid"));
	json_decref(file);
	snprintf(wanted, sizeof wanted, "*:%d", port);
	ck_assert_str_eq(bed_ok(&bed, "ctl", "ss -Htulnp | grep pid=%d, | awk '{ print $5 }'", pid),
			 wanted);
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

START_TEST(a_port_is_given_or_is_the_first_free_one_of_a_range)
{
	char hosts[256];

	bed_ok(&bed, "root@ctl", "xcluster start -n 1 --ip 10.77.0.10 --port 7001");
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster start -n 1 --ip eth0 --port 7001");
	ck_assert_int_ne(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.err, "7001"));
	ck_assert_ptr_nonnull(strstr(output.err, "--port"));
	start("--ip eth0 --port 7001-7003");
	ck_assert_int_eq(addresses(hosts, sizeof hosts), 7002);
	bed_run(&bed, "root@ctl", LIMIT, &output,
		"xcluster start -n 1 --cluster-id b --ip eth0 --port 7001-7002");
	ck_assert_int_ne(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.err, "7001"));
	bed_ok(&bed, "root@ctl", "xcluster stop");
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

static const struct {
	const char *options, *part;
} wrong[] = {
	{ "--ip 10.77.0.99", "10.77.0.99" },
	{ "--ip nothing.example", "nothing.example" },
	{ "--ip fd77::99", "fd77::99" },
	{ "--ip eth0 --port 22", "22" },
};
#define WRONG ((int)(sizeof wrong / sizeof wrong[0]))

START_TEST(an_address_that_is_not_of_the_host_is_refused_by_name)
{
	bed_run(&bed, "tester@ctl", LIMIT, &output, "xcluster start -n 1 %s", wrong[_i].options);
	ck_assert_int_ne(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.err, wrong[_i].part));
	ck_assert(bed_wait_processes(&bed, "ctl", "xcluster", 0, 5));
}
END_TEST

START_TEST(reuse_keeps_port_and_keys)
{
	struct program engines;
	char hosts[256];
	int port;

	start("--ip eth0 --reuse");
	port = addresses(hosts, sizeof hosts);
	bed_copy(&bed, "tester@ctl", ENGINE_FILE, "node1", "engines.json");
	bed_stop_cluster(&bed, "tester@ctl");
	start("--ip eth0 --reuse");
	ck_assert_int_eq(addresses(hosts, sizeof hosts), port);
	bed_spawn(&bed, "tester@node1", &engines,
		  "exec xcluster engines -n 1 --foreground --connection engines.json");
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 2, 10));
	bed_stop_cluster(&bed, "tester@ctl");
	joined_ends(&engines);
	/* And the file of that start is worth nothing once keys are made anew. */
	start("--ip eth0");
	bed_run(&bed, "tester@node1", 15, &output,
		"xcluster engines -n 1 --foreground --connection engines.json");
	ck_assert_int_ne(output.status, 0);
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

/* ---- Reaching it --------------------------------------------------------------- */

/* Listeners that are not the controller: sshd, the controller of another cluster, nobody. */
START_TEST(addresses_are_tried_in_turn_and_believed_by_their_key)
{
	struct program engines;

	bed_ok(&bed, "root@node2", "xcluster start -n 1 --ip eth0 --port 7100");
	start("--ip eth0 --port 7100 --location node3:22,node2:7100,node3:7100,ctl");
	join(&engines);
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 2, 10));
	bed_stop_cluster(&bed, "tester@ctl");
	joined_ends(&engines);
	bed_ok(&bed, "root@node2", "xcluster stop");
}
END_TEST

static void assert_works_on_ctl(const char *command, const char *remedy)
{
	bed_run(&bed, "tester@node1", LIMIT, &output,
		"XCLUSTER_CONNECTION=./client.json xcluster %s", command);
	ck_assert_int_ne(output.status, 0);
	ck_assert_msg(strstr(output.err, "of the host ctl") && strstr(output.err, remedy), "%s",
		      output.err);
}

START_TEST(a_client_of_another_host_reaches_the_cluster)
{
	struct program engines;

	start("--ip eth0");
	join(&engines);
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 2, 10));
	bed_copy(&bed, "tester@ctl", CLIENT_FILE, "node1", "client.json");
	ck_assert_int_eq(
		count_engines_on(bed_ok(&bed, "tester@node1", "XCLUSTER_CONNECTION=client.json %s",
					bed_example("hello")),
				 "ctl"),
		1);
	bed_ok(&bed, "tester@node1", "XCLUSTER_CONNECTION=client.json xcluster wait -n 2");
	assert_works_on_ctl("logs", "run `xcluster logs` there");
	assert_works_on_ctl("stop", "run `xcluster stop` there");
	assert_works_on_ctl("engines -n 1", "engines.json");
	bed_stop_cluster(&bed, "tester@ctl");
	joined_ends(&engines);
	REFUSED("node1", "client.json", "10.77.0.10:", "[fd77::10]:", "Connection refused");
}
END_TEST

START_TEST(an_unreachable_controller_is_told_with_what_each_address_answered)
{
	start("--ip eth0 --location ctl,node3:22,node3:7200,nowhere.example:7200");
	bed_copy(&bed, "tester@ctl", CLIENT_FILE, "node1", "client.json");
	bed_cut(&bed, "node1", "ctl");
	REFUSED("node1", "client.json", "default", " ctl:", "no answer", "node3:22: something else",
		"node3:7200: Connection refused", "nowhere.example:7200: ");
	bed_heal(&bed, "node1", "ctl");
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

START_TEST(engines_of_an_unreachable_controller_say_so_and_end)
{
	start("--ip eth0");
	bed_copy(&bed, "tester@ctl", ENGINE_FILE, "node1", "engines.json");
	bed_cut(&bed, "node1", "ctl");
	bed_run(&bed, "tester@node1", 20, &output,
		"xcluster engines -n 1 --foreground --connection engines.json");
	ck_assert_int_ne(output.status, 0);
	ck_assert_msg(output.elapsed < 11, "it took %g s", output.elapsed);
	ck_assert_ptr_nonnull(strstr(output.err, "10.77.0.10:"));
	ck_assert_ptr_nonnull(strstr(output.err, "[fd77::10]:"));
	ck_assert(bed_wait_processes(&bed, "node1", "xcluster", 0, 1));
	bed_heal(&bed, "node1", "ctl");
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

START_TEST(versions_that_do_not_fit_say_both)
{
	start("--ip eth0");
	bed_copy(&bed, "tester@ctl", CLIENT_FILE, "node1", "client.json");
	bed_copy(&bed, "tester@ctl", ENGINE_FILE, "node1", "engines.json");
	bed_ok(&bed, "tester@node1",
	       "sed -i 's/\"version\": \"[^\"]*\"/\"version\": \"9.8.7\"/' "
	       "client.json engines.json");
	REFUSED("node1", "client.json", "9.8.7", XC_VERSION);
	bed_run(&bed, "tester@node1", 15, &output,
		"xcluster engines -n 1 --foreground --connection engines.json");
	ck_assert_int_ne(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.err, "9.8.7"));
	ck_assert_ptr_nonnull(strstr(output.err, XC_VERSION));
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

/* ---- A host that goes -------------------------------------------------------- */

static double time_of_loss(const struct bed *other, const char *options)
{
	struct program engines;
	double crashed;

	bed_ok(other, "tester@ctl", "xcluster start -n 1 --ip eth0 %s", options);
	bed_copy(other, "tester@ctl", ENGINE_FILE, "node1", "engines.json");
	bed_spawn(other, "tester@node1", &engines,
		  "exec xcluster engines -n 1 --foreground --connection engines.json");
	ck_assert(bed_wait_engines(other, "tester@ctl", 2, 10));
	crashed = now();
	bed_crash(other, "node1");
	ck_assert(bed_wait_engines(other, "tester@ctl", 1, 15));
	crashed = now() - crashed;
	program_end(&engines);
	bed_ok(other, "tester@ctl", "xcluster stop");
	return crashed;
}

START_TEST(the_loss_of_a_host_is_noticed_in_5_s_or_as_set)
{
	static const struct {
		const char *options;
		double least, most;
	} rows[] = { { "", 2.0, 7.0 }, { "--heartbeat-timeout 0.5", 0.1, 1.5 } };
	struct bed other;
	double seconds;

	bed_start(&other, &(struct bed_options){ .nodes = 1 });
	seconds = time_of_loss(&other, rows[_i].options);
	ck_assert_msg(seconds > rows[_i].least && seconds < rows[_i].most, "it took %g s", seconds);
	bed_stop(&other);
}
END_TEST

static void clear_bed(void)
{
	bed_clear(&bed);
}

int main(void)
{
	Suite *suite = suite_create("network");
	TCase *tests = shared_case(suite, "listening");

	tcase_add_checked_fixture(tests, clear_bed, NULL);
	tcase_add_loop_test(tests, engines_of_another_host_join_by_each_form_of_address, 0, FORMS);
	tcase_add_test(tests, without_ip_nobody_listens_on_the_network);
	tcase_add_test(tests, the_controller_has_one_port_for_all_addresses);
	tcase_add_test(tests, a_port_is_given_or_is_the_first_free_one_of_a_range);
	tcase_add_loop_test(tests, an_address_that_is_not_of_the_host_is_refused_by_name, 0, WRONG);
	tcase_add_test(tests, reuse_keeps_port_and_keys);
	tests = shared_case(suite, "reaching");
	tcase_add_checked_fixture(tests, clear_bed, NULL);
	tcase_add_test(tests, addresses_are_tried_in_turn_and_believed_by_their_key);
	tcase_add_test(tests, a_client_of_another_host_reaches_the_cluster);
	tcase_add_test(tests, an_unreachable_controller_is_told_with_what_each_address_answered);
	tcase_add_test(tests, engines_of_an_unreachable_controller_say_so_and_end);
	tcase_add_test(tests, versions_that_do_not_fit_say_both);
	tests = shared_case(suite, "loss");
	tcase_add_loop_test(tests, the_loss_of_a_host_is_noticed_in_5_s_or_as_set, 0, 2);
	return bed_tests(&bed, &(struct bed_options){ .nodes = 3 }, suite);
}
