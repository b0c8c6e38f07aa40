/* roster.c: which engines there are. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define ENGINES_MAX (1 << 24)

static int engines_grow(struct xc_client *client, int count)
{
	struct xci_engine *engines;

	if (count <= client->engine_count)
		return 0;
	engines = realloc(client->engines, (size_t)count * sizeof *engines);
	if (!engines)
		return -ENOMEM;
	memset(engines + client->engine_count, 0,
	       (size_t)(count - client->engine_count) * sizeof *engines);
	for (int i = client->engine_count; i < count; i++)
		engines[i].agent = -1;
	client->engines = engines;
	client->engine_count = count;
	return 0;
}

static int take_engine(struct xc_client *client, struct reader *r)
{
	uint64_t id = get_u64(r), state = get_u64(r);
	struct span reason;
	struct xci_engine *engine;
	int64_t agent = get_i64(r);
	char *text = NULL;

	reason = get_str(r);
	if (r->bad || id >= ENGINES_MAX || state > XCI_SHUT)
		return XC_EPROTO;
	if (engines_grow(client, (int)id + 1) < 0)
		return -ENOMEM;
	if (reason.size && !(text = strndup(reason.data, reason.size)))
		return -ENOMEM;
	engine = &client->engines[id];
	client->up += (state == XCI_UP) - (engine->state == XCI_UP);
	client->covered += (state == XCI_UP || state == XCI_DOWN) -
			   (engine->state == XCI_UP || engine->state == XCI_DOWN);
	engine->state = (enum xci_engine_state)state;
	engine->agent = agent >= 0 && agent <= INT_MAX ? (int)agent : -1;
	free(engine->reason);
	engine->reason = text;
	return 0;
}

static int take_agents(struct xc_client *client, zmq_msg_t *frame)
{
	struct reader r;
	int count = 0;

	reader_init(&r, zmq_msg_data(frame), zmq_msg_size(frame));
	while (!reader_is_done(&r)) {
		struct xci_agent agent = { 0 }, *agents;
		struct span session;

		agent.index = (int)get_i64(&r);
		span_copy(agent.host, sizeof agent.host, get_str(&r));
		span_copy(agent.store, sizeof agent.store, get_str(&r));
		session = get_bin(&r);
		if (r.bad || session.size != SESSION_SIZE)
			return XC_EPROTO;
		memcpy(agent.session, session.data, SESSION_SIZE);
		agents = realloc(client->agents, (size_t)(count + 1) * sizeof *agents);
		if (!agents)
			return -ENOMEM;
		client->agents = agents;
		client->agents[count++] = agent;
		client->agent_count = count;
	}
	client->agent_count = count;
	return 0;
}

/* Remembered, as failures on them are told when their agent is gone. */
static int name_hosts(struct xc_client *client)
{
	char own[256] = "";

	gethostname(own, sizeof own - 1);
	for (int i = 0; i < client->engine_count; i++) {
		struct xci_engine *engine = &client->engines[i];

		if (client->inside && !engine->host && !(engine->host = strdup(own)))
			return -ENOMEM;
		if (engine->host || engine->agent < 0)
			continue;
		for (int k = 0; k < client->agent_count; k++)
			if (client->agents[k].index == engine->agent &&
			    !(engine->host = strdup(client->agents[k].host)))
				return -ENOMEM;
	}
	return 0;
}

const char *xci_engine_host(const struct xc_client *client, int engine)
{
	if (engine < 0 || engine >= client->engine_count || !client->engines[engine].host)
		return "";
	return client->engines[engine].host;
}

/* What we put into the store of an agent that is gone is gone as well. */
static void check_store(struct xc_client *client)
{
	struct xci_shipped *shipped;

	if (client->store < 0)
		return;
	for (int i = 0; i < client->agent_count; i++)
		if (memcmp(client->agents[i].session, client->store_session, SESSION_SIZE) == 0)
			return;
	close(client->store);
	client->store = -1;
	DL_FOREACH (client->shipped, shipped) {
		if (!shipped->is_offered)
			shipped->is_put = false;
	}
}

static uint64_t sum_of_agents(const struct xc_client *client)
{
	uint64_t sum = 0;

	for (int i = 0; i < client->agent_count; i++)
		sum += (uint64_t)client->agents[i].index + 1;
	return sum;
}

int xci_on_roster(struct xc_client *client, struct message *m)
{
	struct msg_roster roster;
	struct reader r;
	uint64_t agents;
	int code = msg_roster_get(&m->fields, &roster);

	if (code < 0)
		return code;
	client->starting = roster.starting;
	reader_init(&r, zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]));
	while (!reader_is_done(&r)) {
		code = take_engine(client, &r);
		if (code < 0)
			return code;
	}
	agents = sum_of_agents(client);
	code = take_agents(client, &m->frames[1]);
	check_store(client);
	if (sum_of_agents(client) != agents)
		xci_offers_doubt(client);
	return code < 0 ? code : name_hosts(client);
}

int xci_on_note(struct xc_client *client, struct message *m)
{
	struct msg_note note;
	int r = msg_note_get(&m->fields, &note);

	if (r < 0)
		return r;
	client->coming = note.coming;
	span_copy(client->note, sizeof client->note, note.text);
	text_trim(client->note);
	return 0;
}

void xci_roster_free(struct xc_client *client)
{
	for (int i = 0; i < client->engine_count; i++) {
		free(client->engines[i].reason);
		free(client->engines[i].host);
	}
	free(client->engines);
	free(client->agents);
}

int xc_engine_count(struct xc_client *client)
{
	if (!client)
		return 0;
	xci_pump(client, 0);
	return client->up;
}

int xc_engine_ids(struct xc_client *client, int *ids, int max)
{
	int n = 0;

	if (!client)
		return 0;
	xci_pump(client, 0);
	for (int i = 0; i < client->engine_count; i++) {
		if (client->engines[i].state != XCI_UP)
			continue;
		if (n < max && ids)
			ids[n] = i;
		n++;
	}
	return n;
}

struct need {
	struct xc_client *client;
	int n;
	bool *was_gone; /* by engine: before we began to wait */
	int count;
};

/* Those that were gone before say nothing of those that are to come. */
static const char *first_failure(const struct need *need)
{
	const struct xc_client *client = need->client;

	if (client->inside)
		return "XCLUSTER=inline:N has N engines, and one without N";
	for (int i = 0; i < client->engine_count; i++)
		if (client->engines[i].state == XCI_GONE && client->engines[i].reason &&
		    (i >= need->count || !need->was_gone[i]))
			return client->engines[i].reason;
	return NULL;
}

static int note_gone(struct need *need)
{
	need->count = need->client->engine_count;
	need->was_gone = calloc((size_t)need->count + 1, sizeof *need->was_gone);
	if (!need->was_gone)
		return -ENOMEM;
	for (int i = 0; i < need->count; i++)
		need->was_gone[i] = need->client->engines[i].state == XCI_GONE;
	return 0;
}

/* Engines have failed, and those that are up or to come are not enough. */
static bool is_hopeless(const struct need *need)
{
	return first_failure(need) &&
	       (uint64_t)need->client->up + need->client->starting + need->client->coming <
		       (uint64_t)need->n;
}

static bool is_settled(void *argument)
{
	struct need *need = argument;

	return need->client->up >= need->n || is_hopeless(need);
}

static int settle(struct need *need, double timeout, struct xc_error *err)
{
	struct xc_client *client = need->client;
	int r = xci_inline_check(client->inside, "xc_wait_for_engines", err);

	if (r < 0)
		return r;
	r = xci_pump(client, 0);
	if (r >= 0)
		r = note_gone(need);
	if (r >= 0)
		r = xci_wait(client, timeout, is_settled, need);
	if (r < 0 && r != -ETIMEDOUT)
		return xci_wait_failed(client, "xc_wait_for_engines", r, err);
	if (client->up >= need->n)
		return 0;
	if (r == 0)
		return error_set(err, XC_ENOENGINE,
				 "%d of %d engines are up, and no more are to come: %s%s%s",
				 client->up, need->n, first_failure(need),
				 client->note[0] ? "; " : "", client->note);
	return error_set(err, r, "%d of %d engines are up after %g s; %s", client->up, need->n,
			 timeout,
			 client->note[0] ? client->note
					 : "see xcluster status, or add some with xcluster "
					   "engines -n");
}

int xc_wait_for_engines(struct xc_client *client, int n, double timeout, struct xc_error *err)
{
	struct need need = { .client = client, .n = n };
	int r;

	if (!client || n < 0 || isnan(timeout))
		return error_set(err, -EINVAL, "xc_wait_for_engines: %s",
				 !client ? "client is NULL"
				 : n < 0 ? "n is negative"
					 : "timeout is not a number");
	r = settle(&need, timeout, err);
	free(need.was_gone);
	return r;
}
