/* test_connection.c: the connection file: what is refused, and that it names why. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/connection.h"
#include "tests/unit/fixture.h"

static const char good[] = "{\"id\": \"mine\", \"version\": \"" XC_VERSION "\", \"host\": \"h1\", "
			   "\"dir\": \"/a/mine\", \"endpoint\": \"ipc:///a/mine/s\", \"pid\": 12, "
			   "\"role\": \"client\", \"heartbeat_timeout\": 5.0, "
			   "\"addresses\": [\"tcp://h1:4000\", \"tcp://[fd00::2]:4000\"], "
			   "\"server_key\": \"uTDH7@hLWyNif2x63fv/fkN)>NC3I}O/<=TLZlmI\", "
			   "\"public_key\": \"yT]ZubF]Al}LqexdI(mnq]CSc(>%mc!^kDZj<QYh\", "
			   "\"secret_key\": \"=Q4yHy]G91[Pe%)pZVISGaNh}qLDLrl/H!#qc8y1\"}";

static struct connection connection;
static struct xc_error err;

static int parse(const char *text)
{
	err = (struct xc_error)XC_ERROR_INIT;
	return connection_parse(text, strlen(text), "the-file", &connection, &err);
}

/* The good text with `from` replaced by `to`. */
static int parse_changed(const char *from, const char *to)
{
	static char text[8192];
	const char *at = strstr(good, from);

	ck_assert_ptr_nonnull(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	return parse(text);
}

static void assert_refused(int r, int code, const char *part)
{
	ck_assert_int_eq(r, code);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.text, part) != NULL, "'%s' is not in '%s'", part, err.text);
}

START_TEST(test_good)
{
	ck_assert_int_eq(parse(good), 0);
	ck_assert_str_eq(connection.id, "mine");
	ck_assert_str_eq(connection.version, XC_VERSION);
	ck_assert_str_eq(connection.host, "h1");
	ck_assert_str_eq(connection.dir, "/a/mine");
	ck_assert_str_eq(connection.endpoint, "ipc:///a/mine/s");
	ck_assert_str_eq(connection.path, "the-file");
	ck_assert_int_eq(connection.pid, 12);
	ck_assert_int_eq(connection.role, CONNECTION_CLIENT);
	ck_assert_int_eq(connection.address_count, 2);
	ck_assert_str_eq(connection.addresses[1], "tcp://[fd00::2]:4000");
	ck_assert_str_eq(connection.secret_key, "=Q4yHy]G91[Pe%)pZVISGaNh}qLDLrl/H!#qc8y1");
}
END_TEST

START_TEST(test_fields_to_come_are_ignored)
{
	ck_assert_int_eq(parse_changed("\"pid\"", "\"later\": [1], \"pid\""), 0);
}
END_TEST

static const struct {
	const char *from, *to, *part;
} faults[] = {
	{ "\"id\"", "\"di\"", "\"id\" is missing" },
	{ "\"host\"", "\"x\"", "\"host\" is missing" },
	{ "\"pid\"", "\"x\"", "\"pid\" is missing" },
	{ "\"mine\"", "7", "\"id\" must be a text" },
	{ "\"mine\"", "\"\"", "\"id\" is not valid" },
	{ "\"mine\"", "\"../x\"", "\"id\" is not valid" },
	{ "\"h1\"", "\"a\\nb\"", "\"host\" is not valid" },
	{ "\"/a/mine\"", "\"a/mine\"", "\"dir\" is not valid" },
	{ "ipc://", "file:", "\"endpoint\" is not valid" },
	{ "12", "\"12\"", "\"pid\" must be" },
	{ "12", "-1", "\"pid\" must be" },
	{ "12", "1.5", "\"pid\" must be" },
	{ "12", "99999999999", "\"pid\" must be" },
	{ "\"" XC_VERSION "\"", "\"new\"", "\"version\" is not valid" },
	{ "\"" XC_VERSION "\"", "\"77.1\"", "77.1" },
	{ "\"pid\"", "\"id\": \"x\", \"pid\"", "duplicate" },
	{ "{", "[", "not a connection file" },
	{ "c8y1\"}", "c8y1\"", "not a connection file" },
	{ "\"client\"", "\"king\"", "\"role\" must be" },
	{ "\"role\"", "\"x\"", "\"role\" must be" },
	{ "5.0", "0", "\"heartbeat_timeout\" must be" },
	{ "5.0", "\"5\"", "\"heartbeat_timeout\" must be" },
	{ "\"addresses\"", "\"x\"", "\"addresses\" must be a list" },
	{ "tcp://h1:4000", "udp://h1:4000", "not tcp://HOST:PORT" },
	{ "tcp://h1:4000", "tcp://h1", "not tcp://HOST:PORT" },
	{ "tcp://h1:4000", "tcp://h1:0", "not tcp://HOST:PORT" },
	{ "tcp://h1:4000", "tcp://h1:65536", "not tcp://HOST:PORT" },
	{ "tcp://h1:4000", "tcp://h1:40x0", "not tcp://HOST:PORT" },
	{ "tcp://h1:4000", "tcp://:4000", "not tcp://HOST:PORT" },
	{ "tcp://h1:4000", "tcp://h1;a:4000", "not tcp://HOST:PORT" },
	{ "tcp://h1:4000", "tcp://a:b:4000", "not tcp://HOST:PORT" },
	{ "[fd00::2]", "fd00::2", "not tcp://HOST:PORT" },
	{ "[fd00::2]", "[]", "not tcp://HOST:PORT" },
	{ "\"server_key\"", "\"x\"", "\"server_key\" is not a key" },
	{ "uTDH7", "uTDH", "\"server_key\" is not a key" },
	{ "yT]Zu", "yT]Z ", "\"public_key\" is not a key" },
	{ "\"=Q4yHy]", "\"=Q4yHy\\\\", "\"secret_key\" is not a key" },
};

START_TEST(test_faults)
{
	assert_refused(parse_changed(faults[_i].from, faults[_i].to), XC_EPROTO, faults[_i].part);
	ck_assert_ptr_nonnull(strstr(err.text, "the-file"));
}
END_TEST

START_TEST(test_too_long_for_its_field)
{
	char text[400];

	memset(text, 'h', sizeof text);
	memcpy(text, "\"", 1);
	memcpy(text + sizeof text - 2, "\"", 2);
	assert_refused(parse_changed("\"h1\"", text), XC_EPROTO, "\"host\" is not valid");
}
END_TEST

START_TEST(test_not_an_object)
{
	assert_refused(parse("[1, 2]"), XC_EPROTO, "no JSON object");
	assert_refused(parse(""), XC_EPROTO, "not a connection file");
	assert_refused(connection_parse("\0{}", 3, "the-file", &connection, &err), XC_EPROTO,
		       "the-file");
}
END_TEST

START_TEST(test_output_only_on_success)
{
	connection.pid = 77;
	ck_assert_int_lt(parse_changed("12", "0"), 0);
	ck_assert_int_eq(connection.pid, 77);
	ck_assert_int_lt(connection_parse("{}", 2, "the-file", &connection, NULL), 0);
}
END_TEST

/* ---- Files -------------------------------------------------------------------- */

static const char *path;

static void begin(void)
{
	fixture_begin();
	path = fixture_path("c.json");
}

static int read_with_mode(mode_t mode)
{
	fixture_write("c.json", good);
	ck_assert_int_eq(chmod(path, mode), 0);
	err = (struct xc_error)XC_ERROR_INIT;
	return connection_read(path, &connection, &err);
}

START_TEST(test_write_and_read)
{
	struct connection other;
	struct stat st;

	ck_assert_int_eq(parse(good), 0);
	fixture_write("c.json", "something older");
	ck_assert_int_eq(connection_write(path, &connection, &err), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(connection_read(path, &other, &err), 0);
	ck_assert_str_eq(other.path, path);
	ck_assert_str_eq(other.endpoint, connection.endpoint);
	ck_assert_int_eq(other.pid, connection.pid);
}
END_TEST

START_TEST(test_write_leaves_nothing_on_failure)
{
	ck_assert_int_eq(parse(good), 0);
	ck_assert_int_eq(connection_write(fixture_path("no/c.json"), &connection, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no/c.json"));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(connection_write(path, &connection, &err), -EISDIR);
	ck_assert_int_eq(rmdir(path), 0);
	/* Fails if there is anything else in it. */
	ck_assert_int_eq(rmdir(fixture_path(".")), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(test_modes)
{
	static const mode_t bad[] = { 0644, 0640, 0604, 0620, 0601 };

	ck_assert_int_eq(read_with_mode(0600), 0);
	ck_assert_int_eq(read_with_mode(0400), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_refused(read_with_mode(bad[i]), -EACCES, "chmod 600");
		ck_assert_ptr_nonnull(strstr(err.text, path));
	}
}
END_TEST

START_TEST(test_not_a_file)
{
	assert_refused(connection_read(path, &connection, &err), XC_ENOCLUSTER, "xcluster start");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	assert_refused(connection_read(path, &connection, &err), XC_EPROTO, "regular");
	assert_refused(connection_read(fixture_path("."), &connection, &err), XC_EPROTO, "regular");
}
END_TEST

START_TEST(test_too_large)
{
	fixture_write("c.json", good);
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(truncate(path, CONNECTION_SIZE_MAX + 1), 0);
	assert_refused(connection_read(path, &connection, &err), XC_EPROTO, "too large");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connection");
	TCase *texts = tcase_create("texts"), *files = tcase_create("files");
	SRunner *runner;
	int failed;

	tcase_add_test(texts, test_good);
	tcase_add_test(texts, test_fields_to_come_are_ignored);
	tcase_add_loop_test(texts, test_faults, 0, sizeof faults / sizeof faults[0]);
	tcase_add_test(texts, test_too_long_for_its_field);
	tcase_add_test(texts, test_not_an_object);
	tcase_add_test(texts, test_output_only_on_success);
	suite_add_tcase(suite, texts);
	tcase_add_checked_fixture(files, begin, fixture_end);
	tcase_add_test(files, test_write_and_read);
	tcase_add_test(files, test_write_leaves_nothing_on_failure);
	tcase_add_test(files, test_modes);
	tcase_add_test(files, test_not_a_file);
	tcase_add_test(files, test_too_large);
	suite_add_tcase(suite, files);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
