/* fuzz_launcher.c: launcher files of any bytes, and what their system's commands may print:
 * the bytes up to the first zero byte are the file, the rest is the output. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/launcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct place places[] = { { "n", "4" },	    { "time", NULL }, { "command", "x" },
				       { "script", "a b" }, { "ids", "1 2" }, { NULL, NULL } };
static const char *const options[] = { "-a", "-b", NULL };

static void render(const struct template *t)
{
	struct text script = TEXT_INIT, command = TEXT_INIT;

	template_script(t, places, options, &script, NULL);
	for (int key = 0; key < KEY_COUNT; key++)
		if (t->keys[key])
			template_command(t, (enum template_key)key, places, options, &command,
					 NULL);
	text_fini(&script);
	text_fini(&command);
}

static void poll(struct launch *launch, const char *output)
{
	char text[128];

	for (int i = 0; i < 3; i++) {
		struct launch_job *job = launch_job_add(launch, 1);

		if (job)
			snprintf(job->id, sizeof job->id, "%d", i + 1);
	}
	launch_take_poll(launch, output, NULL);
	launch_take_poll(launch, output, &launch->jobs[0]);
	launch_text(launch, text, sizeof text);
	json_decref(launch_json(launch));
	free(launch->jobs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct launch launch = { .ops = &batch_ops, .dir = "/", .cluster_id = "x" };
	char *text = calloc(1, size + 2);
	size_t used;

	if (!text)
		return 0;
	memcpy(text, data, size);
	used = strlen(text);
	if (template_parse(text, "file", "name", &launch.template, NULL) == 0) {
		render(&launch.template);
		poll(&launch, used < size ? text + used + 1 : "");
		template_fini(&launch.template);
	}
	free(text);
	return 0;
}
