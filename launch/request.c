/* request.c: what was asked of a launcher, in the cluster's directory. */
#include "launch/request.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"

/* ---- One row a member ---------------------------------------------------------- */

enum kind { TEXT, INT, REAL, BOOL, SIZE };

#define ROW(name, kind)                                                                            \
	{                                                                                          \
#name, kind, offsetof(struct launch_request, name),                                \
			sizeof((struct launch_request *)0)->name                                   \
	}

static const struct row {
	const char *name;
	enum kind kind;
	size_t offset, size;
} rows[] = {
	ROW(launcher, TEXT),
	ROW(connection, TEXT),
	ROW(script_template, TEXT),
	ROW(partition, TEXT),
	ROW(account, TEXT),
	ROW(qos, TEXT),
	ROW(n, INT),
	ROW(jobs, INT),
	ROW(min, INT),
	ROW(max, INT),
	ROW(threads, INT),
	ROW(idle_timeout, REAL),
	ROW(walltime, REAL),
	ROW(drain, REAL),
	ROW(bind, BOOL),
	ROW(store_limit, SIZE),
};
#define ROWS (sizeof rows / sizeof rows[0])

static json_t *pack(const struct row *row, const struct launch_request *request)
{
	const char *at = (const char *)request + row->offset;

	switch (row->kind) {
	case TEXT:
		return json_string(at);
	case INT:
		return json_integer(*(const int *)(const void *)at);
	case REAL:
		return json_real(*(const double *)(const void *)at);
	case BOOL:
		return json_boolean(*(const bool *)(const void *)at);
	default:
		return json_integer((json_int_t) * (const size_t *)(const void *)at);
	}
}

static bool unpack(const struct row *row, const json_t *value, struct launch_request *request)
{
	char *at = (char *)request + row->offset;

	switch (row->kind) {
	case TEXT:
		return json_is_string(value) &&
		       (size_t)snprintf(at, row->size, "%s", json_string_value(value)) < row->size;
	case INT:
		*(int *)(void *)at = (int)json_integer_value(value);
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= 1000000;
	case REAL:
		*(double *)(void *)at = json_number_value(value);
		return json_is_number(value);
	case BOOL:
		*(bool *)(void *)at = json_is_true(value);
		return json_is_boolean(value);
	default:
		*(size_t *)(void *)at = (size_t)json_integer_value(value);
		return json_is_integer(value) && json_integer_value(value) >= 0;
	}
}

/* ---- The struct -------------------------------------------------------------------- */

int launch_request_option(struct launch_request *request, const char *option)
{
	for (const char *c = option; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return -EINVAL;
	if (request->option_count == LAUNCH_OPTIONS_MAX)
		return -E2BIG;
	request->options[request->option_count] = strdup(option);
	return request->options[request->option_count++] ? 0 : -ENOMEM;
}

void launch_request_fini(struct launch_request *request)
{
	for (int i = 0; i < request->option_count; i++)
		free(request->options[i]);
	*request = (struct launch_request)LAUNCH_REQUEST_INIT;
}

/* ---- The file ----------------------------------------------------------------------- */

int launch_write_json(const char *path, const struct json_t *json, struct xc_error *err)
{
	char temporary[CLUSTER_PATH_MAX + 16];
	int fd, r = 0;

	snprintf(temporary, sizeof temporary, "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, -errno, "cannot write %s: %s", temporary, strerror(errno));
	if (json_dumpfd(json, fd, JSON_INDENT(2)) < 0 || write(fd, "\n", 1) != 1)
		r = errno ? -errno : -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r < 0 ? error_set(err, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

int launch_request_write(const struct launch_request *request, const char *dir,
			 struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	json_t *root = json_object(), *options = json_array();
	int r = cluster_file(dir, path, sizeof path, CLUSTER_LAUNCH);

	for (size_t i = 0; i < ROWS && r == 0; i++)
		r = json_object_set_new(root, rows[i].name, pack(&rows[i], request));
	for (int i = 0; i < request->option_count && r == 0; i++)
		r = json_array_append_new(options, json_string(request->options[i]));
	if (r == 0)
		r = json_object_set(root, "options", options);
	if (r < 0)
		r = error_set(err, -EINVAL, "cannot write %s/" CLUSTER_LAUNCH ": not UTF-8", dir);
	else
		r = launch_write_json(path, root, err);
	json_decref(options);
	json_decref(root);
	return r;
}

static int take(const json_t *root, const char *path, struct launch_request *request,
		struct xc_error *err)
{
	const json_t *options = json_object_get(root, "options"), *option;
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (!unpack(&rows[i], json_object_get(root, rows[i].name), request))
			return error_set(err, XC_EPROTO, "%s: the field \"%s\" is not valid", path,
					 rows[i].name);
	json_array_foreach (options, i, option)
		if (!json_is_string(option) ||
		    launch_request_option(request, json_string_value(option)) < 0)
			return error_set(err, XC_EPROTO, "%s: the field \"options\" is not valid",
					 path);
	return 0;
}

int launch_request_read(struct launch_request *request, const char *dir, struct xc_error *err)
{
	struct launch_request read = LAUNCH_REQUEST_INIT;
	char path[CLUSTER_PATH_MAX];
	json_error_t error;
	json_t *root;
	int r = cluster_file(dir, path, sizeof path, CLUSTER_LAUNCH);

	if (r < 0)
		return error_set(err, r, "%s: the path is too long", dir);
	if (access(path, F_OK) < 0)
		return error_set(err, -ENOENT, "the cluster in %s was started without a launcher",
				 dir);
	root = json_load_file(path, 0, &error);
	if (!root)
		return error_set(err, XC_EPROTO, "%s:%d: %s", path, error.line, error.text);
	r = take(root, path, &read, err);
	json_decref(root);
	if (r < 0)
		launch_request_fini(&read);
	else
		*request = read;
	return r;
}
