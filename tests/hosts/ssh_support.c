/* ssh_support.c: what the tests of ssh starts share. */
#include "tests/hosts/ssh_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END_LIMIT 10.0

void assert_hosts_clean(const struct bed *bed)
{
	static struct output output;
	char host[16];

	ck_assert_msg(bed_wait_processes(bed, "ctl", NULL, 0, END_LIMIT), "ctl: %s",
		      bed_ok(bed, "ctl", "ps axo user,pid,args"));
	for (int i = 1; i <= bed->nodes; i++) {
		snprintf(host, sizeof host, "node%d", i);
		ck_assert_msg(bed_wait_processes(bed, host, NULL, 0, END_LIMIT), "%s: %s", host,
			      bed_ok(bed, host, "ps axo user,pid,args"));
		/* The code may lie in /tmp. */
		bed_run(bed, host, LIMIT, &output,
			"set --; IFS=:; for d in %s; do set -- \"$@\" -path \"$d\" -prune -o; "
			"done; "
			"find /tmp /dev/shm /run /root /home -xdev \"$@\" -path '*xcluster*' ! "
			"-path "
			"'*/.cache*' ! -name 'xcluster-[0-9]*' ! -name .xcluster -print",
			getenv("TB_CODE"));
		ck_assert_msg(output.out[0] == '\0', "%s has files left: %s", host, output.out);
	}
}

int count_up(const struct bed *bed, const char *place, const char *host)
{
	json_t *status = json_loads(bed_ok(bed, place, "xcluster status --json"), 0, NULL), *engine;
	size_t i;
	int n = 0;

	ck_assert_ptr_nonnull(status);
	json_array_foreach (json_object_get(status, "engines"), i, engine)
		n += strcmp(json_string_value(json_object_get(engine, "state")), "idle") == 0 &&
		     strcmp(json_string_value(json_object_get(engine, "host")), host) == 0;
	json_decref(status);
	return n;
}

int count_greetings(const struct bed *bed, const char *place, const char *host)
{
	const char *text = bed_ok(bed, place, "%s/hello", getenv("XC_TEST_EXAMPLES"));
	char end[64];
	int n = 0;

	snprintf(end, sizeof end, " on %s", host);
	for (; (text = strstr(text, end)); text += strlen(end))
		n += text[strlen(end)] == '\n' || text[strlen(end)] == '\0';
	return n;
}

void refused_start(const struct bed *bed, const char *place, struct output *output,
		   const char *options)
{
	bed_run(bed, place, LIMIT, output, "xcluster start %s", options);
	ck_assert_msg(output->status == 1, "status %d: %s%s", output->status, output->out,
		      output->err);
	ck_assert_str_eq(output->out, "");
}

void assert_said(const struct output *output, const char *text)
{
	ck_assert_msg(strstr(output->err, text) != NULL, "\"%s\" is not in: %s", text, output->err);
}

struct condition {
	const struct bed *bed;
	const char *place, *text;
};

static bool holds(void *arg)
{
	static struct output output;
	const struct condition *c = arg;

	bed_run(c->bed, c->place, LIMIT, &output, "%s", c->text);
	return output.status == 0;
}

void bed_await(const struct bed *bed, const char *place, double limit, const char *text)
{
	struct condition condition = { bed, place, text };

	ck_assert_msg(wait_until(holds, &condition, limit), "%s: not within %g s: %s", place, limit,
		      text);
}
