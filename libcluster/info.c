/* info.c: single engines in the controller's report. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "libcluster/client.h"
#include "proto/error.h"

static void copy_text(char *to, size_t size, const json_t *engine, const char *key)
{
	const char *text = json_string_value(json_object_get(engine, key));

	snprintf(to, size, "%s", text ? text : "");
}

static int64_t number(const json_t *engine, const char *key)
{
	return json_integer_value(json_object_get(engine, key));
}

static const json_t *find(const json_t *report, int id)
{
	const json_t *list = json_object_get(report, "engines"), *engine;
	size_t i;

	json_array_foreach (list, i, engine) {
		if (json_is_object(engine) && number(engine, "id") == id)
			return engine;
	}
	return NULL;
}

int xci_report(struct xc_client *client, const char *call, json_t **report, struct xc_error *err)
{
	json_error_t error = { .text = "" };
	char *text;
	int r = xc_status_json(client, &text, err);

	if (r < 0)
		return r;
	*report = json_loads(text, 0, &error);
	free(text);
	if (!*report && (!error.text[0] || json_error_code(&error) == json_error_out_of_memory))
		return error_set(err, -ENOMEM, "%s: out of memory", call);
	if (!*report)
		return error_set(err, XC_EPROTO, "%s: the controller's report cannot be read",
				 call);
	return 0;
}

int xc_engine_info(struct xc_client *client, int id, struct xc_engine_info *info,
		   struct xc_error *err)
{
	const json_t *engine;
	json_t *report;
	int r;

	if (!client || !info)
		return error_set(err, -EINVAL, "xc_engine_info: client or info is NULL");
	r = xci_report(client, "xc_engine_info", &report, err);
	if (r < 0)
		return r;
	engine = find(report, id);
	if (engine) {
		*info = (struct xc_engine_info){ .id = id,
						 .pid = (int)number(engine, "pid"),
						 .restarts = (int)number(engine, "restarts"),
						 .items = number(engine, "items"),
						 .cores = (int)number(engine, "cores"),
						 .threads = (int)number(engine, "threads"),
						 .started = json_real_value(
							 json_object_get(engine, "started")),
						 .first_item = number(engine, "first_item"),
						 .item_count = number(engine, "item_count") };
		copy_text(info->state, sizeof info->state, engine, "state");
		copy_text(info->host, sizeof info->host, engine, "host");
		copy_text(info->label, sizeof info->label, engine, "label");
		copy_text(info->reason, sizeof info->reason, engine, "reason");
	} else {
		r = error_set(err, XC_ENOENGINE,
			      "there is no engine %d; xcluster status lists those that there are",
			      id);
	}
	json_decref(report);
	return r;
}
