/* connection.c: reading and writing the connection file. */
#include "proto/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"

#define FIELD(name, required)                                                                      \
	{                                                                                          \
#name, offsetof(struct connection, name), sizeof((struct connection *)0)->name,    \
			required                                                                   \
	}

static const struct field {
	const char *name;
	size_t offset, size;
	const char *start; /* what a value must begin with */
} fields[] = {
	FIELD(id, ""),	 FIELD(version, ""),	    FIELD(host, ""),
	FIELD(dir, "/"), FIELD(endpoint, "ipc://"),
};
#define FIELDS (sizeof fields / sizeof fields[0])

static const char *const roles[] = {
	[CONNECTION_CLIENT] = "client", [CONNECTION_ENGINE] = "engine"
};

/* Of a cluster that has addresses. */
static const struct field keys[] = { FIELD(server_key, ""), FIELD(public_key, ""),
				     FIELD(secret_key, "") };
#define KEYS (sizeof keys / sizeof keys[0])

/* ---- Parsing ------------------------------------------------------------- */

static bool is_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static int parse_text(const json_t *root, const struct field *field, const char *path,
		      struct connection *connection, struct xc_error *err)
{
	const json_t *value = json_object_get(root, field->name);
	const char *text = json_string_value(value);
	size_t size = json_string_length(value);

	if (!value)
		return error_set(err, XC_EPROTO, "%s: the field \"%s\" is missing", path,
				 field->name);
	if (!text)
		return error_set(err, XC_EPROTO, "%s: the field \"%s\" must be a text", path,
				 field->name);
	if (size == 0 || size >= field->size || !is_printable(text, size) ||
	    strncmp(text, field->start, strlen(field->start)) != 0)
		return error_set(err, XC_EPROTO, "%s: the field \"%s\" is not valid", path,
				 field->name);
	memcpy((char *)connection + field->offset, text, size + 1);
	return 0;
}

static int parse_pid(const json_t *root, const char *path, struct connection *connection,
		     struct xc_error *err)
{
	const json_t *value = json_object_get(root, "pid");

	if (!value)
		return error_set(err, XC_EPROTO, "%s: the field \"pid\" is missing", path);
	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    json_integer_value(value) > INT32_MAX)
		return error_set(err, XC_EPROTO, "%s: the field \"pid\" must be a positive number",
				 path);
	connection->pid = (int)json_integer_value(value);
	return 0;
}

static int parse_role(const json_t *root, const char *path, struct connection *connection,
		      struct xc_error *err)
{
	const char *text = json_string_value(json_object_get(root, "role"));

	for (size_t i = 0; text && i < sizeof roles / sizeof roles[0]; i++)
		if (strcmp(text, roles[i]) == 0) {
			connection->role = (enum connection_role)i;
			return 0;
		}
	return error_set(err, XC_EPROTO, "%s: the field \"role\" must be \"client\" or \"engine\"",
			 path);
}

static int parse_heartbeat(const json_t *root, const char *path, struct connection *connection,
			   struct xc_error *err)
{
	const json_t *value = json_object_get(root, "heartbeat_timeout");
	double seconds = json_number_value(value);

	if (!json_is_number(value) || !(seconds > 0) || seconds > 1e9)
		return error_set(err, XC_EPROTO,
				 "%s: the field \"heartbeat_timeout\" must be seconds above 0",
				 path);
	connection->heartbeat_timeout = seconds;
	return 0;
}

#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

bool connection_is_address(const char *text)
{
	const char *host = text + strlen("tcp://"), *colon = strrchr(text, ':'), *end;
	long port;

	if (strncmp(text, "tcp://", strlen("tcp://")) != 0 ||
	    strlen(text) >= CONNECTION_ADDRESS_MAX || !is_printable(text, strlen(text)) ||
	    colon <= host)
		return false;
	for (end = colon + 1; *end; end++)
		if (*end < '0' || *end > '9')
			return false;
	port = strtol(colon + 1, NULL, 10);
	if (end == colon + 1 || end - colon > 6 || port < 1 || port > 65535)
		return false;
	if (*host == '[') /* a zone may stand in there: fe80::1%eth0 */
		return colon - host > 3 &&
		       strspn(host + 1, HOST_CHARACTERS ":%") == (size_t)(colon - host) - 2 &&
		       colon[-1] == ']';
	return strspn(host, HOST_CHARACTERS) == (size_t)(colon - host);
}

static int parse_addresses(const json_t *root, const char *path, struct connection *connection,
			   struct xc_error *err)
{
	const json_t *list = json_object_get(root, "addresses");
	json_t *value;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > CONNECTION_ADDRESSES_MAX)
		return error_set(err, XC_EPROTO,
				 "%s: the field \"addresses\" must be a list of at most %d texts",
				 path, CONNECTION_ADDRESSES_MAX);
	json_array_foreach (list, i, value) {
		const char *text = json_string_value(value);

		if (!text || strlen(text) != json_string_length(value) ||
		    !connection_is_address(text))
			return error_set(
				err, XC_EPROTO,
				"%s: \"addresses\" holds a text that is not tcp://HOST:PORT", path);
		strcpy(connection->addresses[i], text);
	}
	connection->address_count = (int)json_array_size(list);
	return 0;
}

/* Z85 has no quotes, blanks or backslashes. */
static bool is_key(const char *text)
{
	return text && strlen(text) == CONNECTION_KEY_SIZE - 1 &&
	       is_printable(text, strlen(text)) && strcspn(text, " \"'\\,;_|~`") == strlen(text);
}

static int parse_keys(const json_t *root, const char *path, struct connection *connection,
		      struct xc_error *err)
{
	for (size_t i = 0; i < KEYS; i++) {
		const char *text = json_string_value(json_object_get(root, keys[i].name));

		if (!is_key(text))
			return error_set(err, XC_EPROTO, "%s: the field \"%s\" is not a key", path,
					 keys[i].name);
		strcpy((char *)connection + keys[i].offset, text);
	}
	return 0;
}

static int check_version(const struct connection *connection, const char *path,
			 struct xc_error *err)
{
	char *end;
	long major = strtol(connection->version, &end, 10);

	if (end == connection->version || (*end != '.' && *end != '\0'))
		return error_set(err, XC_EPROTO, "%s: the field \"version\" is not valid", path);
	if (major != strtol(XC_VERSION, NULL, 10))
		return error_set(err, XC_EPROTO,
				 "%s: the cluster runs xcluster %s, this is xcluster %s: use the "
				 "same version for both",
				 path, connection->version, XC_VERSION);
	return 0;
}

static int parse_fields(const json_t *root, const char *path, struct connection *connection,
			struct xc_error *err)
{
	int r = 0;

	if (!json_is_object(root))
		return error_set(err, XC_EPROTO, "%s: not a connection file: no JSON object", path);
	for (size_t i = 0; i < FIELDS && r == 0; i++)
		r = parse_text(root, &fields[i], path, connection, err);
	if (r == 0)
		r = parse_pid(root, path, connection, err);
	if (r == 0) /* before fields that another version may not have */
		r = check_version(connection, path, err);
	if (r == 0)
		r = parse_role(root, path, connection, err);
	if (r == 0)
		r = parse_heartbeat(root, path, connection, err);
	if (r == 0)
		r = parse_addresses(root, path, connection, err);
	if (r == 0 && connection->address_count > 0)
		r = parse_keys(root, path, connection, err);
	if (r == 0 && !cluster_id_is_valid(connection->id))
		r = error_set(err, XC_EPROTO, "%s: the field \"id\" is not valid", path);
	return r;
}

int connection_parse(const char *text, size_t size, const char *path, struct connection *connection,
		     struct xc_error *err)
{
	struct connection parsed = { .pid = 0 };
	json_error_t error;
	json_t *root;
	int r;

	if (strlen(path) >= sizeof parsed.path)
		return error_set(err, -ENAMETOOLONG, "%.100s...: the path is too long", path);
	if (size > CONNECTION_SIZE_MAX)
		return error_set(err, XC_EPROTO, "%s: not a connection file: too large", path);
	error.text[0] = '\0';
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!root && (!error.text[0] || json_error_code(&error) == json_error_out_of_memory))
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	if (!root)
		return error_set(err, XC_EPROTO, "%s:%d: not a connection file: %s", path,
				 error.line, error.text);
	r = parse_fields(root, path, &parsed, err);
	json_decref(root);
	if (r < 0)
		return r;
	strcpy(parsed.path, path);
	*connection = parsed;
	return 0;
}

/* ---- Files --------------------------------------------------------------- */

static int check_file(int fd, const char *path, struct xc_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, XC_EPROTO, "%s: not a regular file", path);
	if (st.st_uid != geteuid())
		return error_set(err, -EACCES, "%s belongs to another user (uid %u): not used",
				 path, (unsigned)st.st_uid);
	if (st.st_mode & 077)
		return error_set(err, -EACCES,
				 "%s can be read or written by others (mode %04o): not used; run "
				 "`chmod 600` on it",
				 path, (unsigned)st.st_mode & 07777);
	if (st.st_size > CONNECTION_SIZE_MAX)
		return error_set(err, XC_EPROTO, "%s: not a connection file: too large", path);
	return 0;
}

static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, text + used, size - used)) != 0 && used < size) {
		if (n > 0)
			used += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)used;
}

int connection_read(const char *path, struct connection *connection, struct xc_error *err)
{
	/* Not blocking: the path may be that of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	ssize_t n;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return error_set(err, XC_ENOCLUSTER,
				 "there is no connection file %s: start a cluster with `xcluster "
				 "start`",
				 path);
	if (fd < 0)
		return error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	r = check_file(fd, path, err);
	if (r < 0)
		goto out;
	text = malloc(CONNECTION_SIZE_MAX + 1);
	if (!text) {
		r = error_set(err, -ENOMEM, "cannot read %s: out of memory", path);
		goto out;
	}
	n = read_all(fd, text, CONNECTION_SIZE_MAX + 1);
	r = n < 0 ? error_set(err, (int)n, "cannot read %s: %s", path, strerror((int)-n))
		  : connection_parse(text, (size_t)n, path, connection, err);
out:
	free(text);
	close(fd);
	return r;
}

static int put_text(json_t *root, const struct connection *connection, const struct field *field)
{
	return json_object_set_new(root, field->name,
				   json_string((const char *)connection + field->offset));
}

static int put_addresses(json_t *root, const struct connection *connection)
{
	json_t *list = json_array();
	int r = 0;

	for (int i = 0; i < connection->address_count && r == 0; i++)
		r = json_array_append_new(list, json_string(connection->addresses[i]));
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return json_object_set_new(root, "addresses", list);
}

static char *format(const struct connection *connection, size_t flags)
{
	json_t *root = json_object();
	char *text = NULL;
	int r = root ? 0 : -1;

	for (size_t i = 0; i < FIELDS && r == 0; i++)
		r = put_text(root, connection, &fields[i]);
	if (r == 0)
		r = json_object_set_new(root, "pid", json_integer(connection->pid));
	if (r == 0)
		r = json_object_set_new(root, "role", json_string(roles[connection->role]));
	if (r == 0)
		r = json_object_set_new(root, "heartbeat_timeout",
					json_real(connection->heartbeat_timeout));
	if (r == 0)
		r = put_addresses(root, connection);
	for (size_t i = 0; i < KEYS && r == 0 && connection->address_count > 0; i++)
		r = put_text(root, connection, &keys[i]);
	if (r == 0)
		text = json_dumps(root, flags);
	json_decref(root);
	return text;
}

char *connection_line(const struct connection *connection)
{
	return format(connection, JSON_COMPACT);
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int connection_write(const char *path, const struct connection *connection, struct xc_error *err)
{
	char temporary[CONNECTION_PATH_MAX + 8];
	char *text = format(connection, JSON_INDENT(2));
	int fd = -1, r;

	if (!text)
		return error_set(err, -EINVAL, "cannot write %s: a field is not UTF-8 text", path);
	snprintf(temporary, sizeof temporary, "%.4095s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC); /* with mode 0600 */
	if (fd < 0) {
		r = -errno;
		goto fail;
	}
	r = write_all(fd, text, strlen(text));
	if (r == 0)
		r = write_all(fd, "\n", 1);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
fail:
	free(text);
	return r < 0 ? error_set(err, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}
