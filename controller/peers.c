/* peers.c: agents and engines: how they come and go. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "controller/controller.h"
#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

int peer_send(struct state *state, struct peer *peer, const void *header, size_t size,
	      zmq_msg_t *frames, int count)
{
	if (peer->role == ROLE_AGENT)
		return ledger_send(&peer->is.agent->ledger, state->router, peer->route, header,
				   size, frames, count);
	return message_send(state->router, peer->route, header, size, frames, count);
}

int peer_refuse(struct state *state, struct peer *peer, int code, const char *text)
{
	log_line("refused a peer: %s", text);
	return SEND_PEER(state, peer, refused, .code = code, .text = span_of(text));
}

/* Where a message comes from. */
enum origin {
	ORIGIN_GONE,	/* its connection is closed already */
	ORIGIN_OURS,	/* a unix connection of this user */
	ORIGIN_FOREIGN, /* of another user */
	ORIGIN_NETWORK,
};

static enum origin origin_of(struct message *m, pid_t *pid)
{
	struct ucred credentials;
	socklen_t size = sizeof(int);
	int fd = zmq_msg_get(&m->header, ZMQ_SRCFD), domain;

	*pid = 0;
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return ORIGIN_GONE;
	if (domain != AF_UNIX)
		return ORIGIN_NETWORK;
	size = sizeof credentials;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return ORIGIN_GONE;
	*pid = credentials.pid;
	return credentials.uid == geteuid() ? ORIGIN_OURS : ORIGIN_FOREIGN;
}

void source_unwatch(struct state *state, struct source *source)
{
	if (source->fd < 0)
		return;
	epoll_ctl(state->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

bool source_watch_pid(struct state *state, struct source *source, pid_t pid)
{
	source->fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (source->fd < 0)
		return pid <= 0 || errno != ESRCH;
	state_watch(state, source);
	return true;
}

void peer_remove(struct state *state, struct peer *peer)
{
	HASH_DEL(state->peers, peer);
	free(peer);
}

int peer_check_hello(struct state *state, struct peer *peer, struct message *m, uint64_t protocol,
		     struct span session, bool is_again, pid_t *pid)
{
	char text[200];
	enum origin origin = origin_of(m, pid);

	/* N.B. descriptors are used again: what came with a key came over the network. */
	if (origin == ORIGIN_GONE || (origin == ORIGIN_NETWORK) != peer->is_remote)
		return -1;
	if (origin == ORIGIN_FOREIGN)
		return peer_refuse(state, peer, -EACCES, "the connection comes from another user") -
		       1;
	if (protocol != PROTOCOL_VERSION) {
		snprintf(text, sizeof text,
			 "this controller (xcluster %s) speaks protocol %d, its peer %llu; use one "
			 "version of xcluster for both",
			 XC_VERSION, PROTOCOL_VERSION, (unsigned long long)protocol);
		return peer_refuse(state, peer, XC_EPROTO, text) - 1;
	}
	if (session.size != SESSION_SIZE ||
	    (!is_again && memcmp(session.data, peer->route + 1, SESSION_SIZE) != 0))
		return peer_refuse(state, peer, XC_EPROTO, "session and routing id differ") - 1;
	return 0;
}

/* ---- Engines ----------------------------------------------------------------------- */

bool engine_has_future(const struct engine *engine)
{
	return engine->state < ENGINE_GONE;
}

bool engine_takes_pinned(const struct engine *engine)
{
	return engine_has_future(engine) && !(engine->agent && engine->agent->is_draining);
}

struct engine *engine_at(struct state *state, const struct agent *agent, uint64_t slot)
{
	if (slot >= agent->slots)
		return NULL;
	return state->engines[agent->first_engine + slot];
}

static int engines_add(struct state *state, struct agent *agent)
{
	uint64_t need = (uint64_t)state->engine_count + agent->slots;

	if (need > (uint64_t)state->engine_room) {
		struct engine **engines = realloc(state->engines, 2 * need * sizeof *engines);

		if (!engines)
			return -ENOMEM;
		state->engines = engines;
		state->engine_room = (int)(2 * need);
	}
	agent->first_engine = (uint64_t)state->engine_count;
	for (uint64_t i = 0; i < agent->slots; i++) {
		struct engine *engine = calloc(1, sizeof *engine);

		if (!engine) {
			for (uint64_t k = 0; k < i; k++) {
				state->engines[agent->first_engine + k]->agent = NULL;
				state->engines[agent->first_engine + k]->state = ENGINE_GONE;
				engine_changed(state, state->engines[agent->first_engine + k]);
			}
			return -ENOMEM;
		}
		engine->id = state->engine_count;
		engine->agent = agent;
		engine->slot = i;
		if (agent->is_remote)
			memcpy(engine->log_host, agent->log_host, LOG_HOST_SIZE);
		engine->level = -1;
		engine->speed = 1;
		state->engines[state->engine_count++] = engine;
		engine_changed(state, engine);
	}
	return 0;
}

void engine_fail_pinned(struct state *state, struct engine *engine)
{
	while (engine->pinned) {
		struct pinned pinned = *engine->pinned;

		pinned_remove(engine, engine->pinned);
		job_end_items(state, pinned.job, pinned.first, pinned.count, XC_LOST, 0,
			      pinned.attempt - 1, engine->id, engine->reason);
	}
	engine_update_waiting(state, engine);
}

/* The process that has said hello takes its place. */
static void engine_up(struct state *state, struct engine *engine)
{
	engine->peer = engine->next_peer;
	engine->epoch = engine->next_epoch;
	engine->pid = engine->next_pid;
	engine->started = engine->next_started;
	engine->threads = engine->next_threads;
	engine->next_peer = NULL;
	engine->state = ENGINE_UP;
	engine->last_slice = engine->last_record = engine->acked_record = 0;
	state->engines_up++;
	engine_changed(state, engine);
	SEND_PEER(state, engine->peer, welcome_engine, .engine = (uint64_t)engine->id, .ack = 0);
	if (!engine->has_log) {
		engine->has_log = true;
		everywhere_replay(state, engine);
	}
	engine_set_level(state, engine, 0);
}

/* The engine's process has ended, or is out of reach. */
static void engine_down(struct state *state, struct engine *engine, enum down_cause cause, int code,
			uint64_t slice, int64_t item, const char *text, bool restarting,
			bool certain)
{
	if (engine->state == ENGINE_UP)
		state->engines_up--;
	engine_set_level(state, engine, -1);
	if (engine->peer) {
		peer_remove(state, engine->peer);
		engine->peer = NULL;
	}
	if (engine->state == ENGINE_CLOSING) { /* one that was restarting ends at once */
		engine->state = restarting ? ENGINE_CLOSING : ENGINE_SHUT;
	} else {
		engine->state = restarting ? ENGINE_DOWN : ENGINE_GONE;
		engine->restarts += restarting;
		snprintf(engine->reason, sizeof engine->reason, "engine %d: %s", engine->id, text);
	}
	engine_changed(state, engine);
	slices_lost(state, engine, cause, code, slice, item, text, certain);
	if (!restarting)
		engine_fail_pinned(state, engine);
	if (!engine->next_peer)
		return;
	if (engine->state == ENGINE_DOWN && engine->next_epoch > engine->epoch) {
		engine_up(state, engine);
		return;
	}
	peer_remove(state, engine->next_peer);
	engine->next_peer = NULL;
}

void engine_shut(struct state *state, struct engine *engine, uint64_t how)
{
	struct slice *slice;

	if (engine->state == ENGINE_UP)
		state->engines_up--;
	engine->state = ENGINE_CLOSING;
	snprintf(engine->reason, sizeof engine->reason, ENGINE_WAS_SHUT, engine->id);
	engine_set_level(state, engine, -1);
	engine_changed(state, engine);
	SEND_PEER(state, engine->agent->peer, retire, .slot = engine->slot, .how = how);
	engine_fail_pinned(state, engine);
	DL_FOREACH (engine->slices, slice) {
		slice_take(state, slice, true);
	}
}

int on_down(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_down down;
	struct engine *engine;
	char text[256];
	int r = msg_down_get(&m->fields, &down);

	if (r < 0)
		return r;
	engine = engine_at(state, peer->is.agent, down.slot);
	if (!engine || down.cause > DOWN_SHUT || down.epoch < engine->epoch)
		return XC_EPROTO;
	span_copy(text, sizeof text, down.text);
	engine->epoch = down.epoch; /* a hello of that process may still be on its way */
	engine_down(state, engine, (enum down_cause)down.cause, (int)down.code, down.slice,
		    down.item, text, down.restarting, down.item != DOWN_ITEM_UNKNOWN);
	return 0;
}

static struct agent *agent_find(struct state *state, struct span session)
{
	struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		if (session.size == SESSION_SIZE &&
		    memcmp(agent->session, session.data, SESSION_SIZE) == 0)
			return agent;
	}
	return NULL;
}

/* One that is up has lost its connection, and comes by another. */
static int engine_again(struct state *state, struct peer *peer, struct engine *engine,
			const struct msg_hello_engine *hello)
{
	log_line("engine %d is connected again", engine->id);
	peer_remove(state, engine->peer);
	engine->peer = peer;
	peer->role = ROLE_ENGINE;
	peer->is.engine = engine;
	engine->threads = threads_checked(hello->threads);
	SEND_PEER(state, peer, welcome_engine, .engine = (uint64_t)engine->id,
		  .ack = engine->last_record);
	slices_send_again(state, engine, hello->slice);
	return 0;
}

int on_hello_engine(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_hello_engine hello;
	struct engine *engine = NULL;
	struct agent *agent;
	pid_t pid;
	int r = msg_hello_engine_get(&m->fields, &hello);

	if (r < 0)
		return r;
	if (peer_check_hello(state, peer, m, hello.protocol, hello.session, false, &pid) < 0)
		return 0;
	agent = agent_find(state, hello.agent);
	if (agent)
		engine = engine_at(state, agent, hello.slot);
	if (peer->role == ROLE_NEW && (hello.again || peer->is_remote) && engine && engine->peer &&
	    engine->epoch == hello.epoch && peer->is_remote == engine->peer->is_remote)
		return engine_again(state, peer, engine, &hello);
	if (peer->role != ROLE_NEW || !engine || engine->next_peer ||
	    hello.epoch <= engine->epoch || !engine_has_future(engine))
		return peer_refuse(state, peer, XC_EPROTO, "no agent expects this engine");
	peer->role = ROLE_ENGINE;
	peer->is.engine = engine;
	engine->next_peer = peer;
	engine->next_epoch = hello.epoch;
	engine->next_pid = pid ? pid : (pid_t)hello.pid;
	engine->next_started = hello.started;
	engine->next_threads = threads_checked(hello.threads);
	if (!engine->peer) /* else the agent's word on its predecessor is on its way */
		engine_up(state, engine);
	return 0;
}

/* ---- Agents ------------------------------------------------------------------------- */

void agent_remove(struct state *state, struct agent *agent, const char *why)
{
	log_line("agent %d on %s (pid %d): %s", agent->index, agent->host, (int)agent->pid, why);
	for (uint64_t i = 0; i < agent->slots; i++) {
		struct engine *engine = engine_at(state, agent, i);

		if (engine->state != ENGINE_GONE && engine->state != ENGINE_SHUT)
			engine_down(state, engine, DOWN_LOST, 0, 0, -1, why, false, false);
		engine->agent = NULL;
	}
	state->dying -= agent->died_ns != 0;
	source_unwatch(state, &agent->pidfd);
	peer_remove(state, agent->peer);
	ledger_fini(&agent->ledger);
	DL_DELETE(state->agents, agent);
	tracker_forget_agent(state, agent);
	state->agents_version++;
	peers_send(state, agent->host);
	free(agent);
}

/* It was to end, and has not said that it does: `stop` tells people. */
static void say_left(const struct agent *agent)
{
	if (agent->is_remote)
		log_line(CONTROLLER_LEFT "%s; agent %d (pid %d there)%s%s", agent->host,
			 agent->index, (int)agent->pid, agent->launch[0] ? ", " : "",
			 agent->launch);
}

/* N.B. what it said at its end, how its engines have ended above all, may be on its way
 * still: its good-bye is the last of it. */
static void on_agent_death(struct state *state, struct source *source)
{
	struct agent *agent = (struct agent *)((char *)source - offsetof(struct agent, pidfd));

	agent->died_ns = now_ns();
	state->dying++;
	source_unwatch(state, &agent->pidfd);
}

static int welcome_agent(struct state *state, struct agent *agent)
{
	return SEND_PEER(
		state, agent->peer, welcome_agent, .controller = { state->session, SESSION_SIZE },
		.first_engine = agent->first_engine, .heartbeat_timeout = state->heartbeat_timeout,
		.taken = agent->ledger.taken);
}

/* One that is known has lost its connection, and comes by another. */
static int agent_again(struct state *state, struct peer *peer, struct agent *agent, uint64_t taken)
{
	log_line("agent %d on %s is connected again", agent->index, agent->host);
	peer_remove(state, agent->peer);
	agent->peer = peer;
	agent->heard_ns = now_ns();
	peer->role = ROLE_AGENT;
	peer->is.agent = agent;
	welcome_agent(state, agent);
	ledger_resume(&agent->ledger, state->router, peer->route, taken);
	return 0;
}

int on_hello_agent(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_hello_agent hello;
	struct agent *agent;
	pid_t pid;
	int r = msg_hello_agent_get(&m->fields, &hello);

	if (r < 0)
		return r;
	if (peer_check_hello(state, peer, m, hello.protocol, hello.session, peer->is_remote, &pid) <
	    0)
		return 0;
	agent = peer->role == ROLE_NEW && peer->is_remote ? agent_find(state, hello.session) : NULL;
	if (agent && !agent->is_remote) /* it has the unix socket, and nothing breaks there */
		agent = NULL;
	if (agent)
		return agent_again(state, peer, agent, hello.taken);
	if (peer->role == ROLE_NEW && hello.again)
		return SEND_PEER(state, peer, stale, .id = 0);
	if (peer->role != ROLE_NEW || hello.slots < 1 || hello.slots > 100000 ||
	    hello.store.size >= PATH_MAX || hello.log.size >= PATH_MAX)
		return peer_refuse(state, peer, XC_EPROTO, "the agent's hello is not valid");
	agent = calloc(1, sizeof *agent);
	if (!agent)
		return peer_refuse(state, peer, -ENOMEM, "the controller is out of memory");
	agent->peer = peer;
	agent->pidfd = (struct source){ on_agent_death, -1 };
	agent->pid = pid ? pid : (pid_t)hello.pid;
	agent->slots = hello.slots;
	agent->cores = hello.cores;
	agent->usable = hello.usable && hello.usable < hello.cores ? hello.usable : hello.cores;
	agent->store_limit = hello.store_limit;
	agent->heard_ns = now_ns();
	memcpy(agent->session, hello.session.data, SESSION_SIZE);
	span_copy(agent->host, sizeof agent->host, hello.host);
	span_copy(agent->store, sizeof agent->store, hello.store);
	span_copy(agent->log, sizeof agent->log, hello.log);
	span_copy(agent->launch, sizeof agent->launch, hello.launch);
	text_trim(agent->launch);
	agent->is_remote = agent->ledger.is_kept = peer->is_remote;
	log_host(agent->log_host, sizeof agent->log_host, agent->host);
	if (engines_add(state, agent) < 0) {
		free(agent);
		return peer_refuse(state, peer, -ENOMEM, "the controller is out of memory");
	}
	agent->index = state->agent_count++;
	peer->role = ROLE_AGENT;
	peer->is.agent = agent;
	DL_APPEND(state->agents, agent);
	state->agents_version++;
	log_line("agent %d on %s (pid %d) brings %llu engines", agent->index, agent->host,
		 (int)agent->pid, (unsigned long long)agent->slots);
	r = welcome_agent(state, agent);
	if (state->stop_ns)
		SEND_PEER(state, peer, stop, .id = 0);
	peers_send(state, agent->host);
	if (!source_watch_pid(state, &agent->pidfd, pid))
		agent_remove(state, agent, "its agent has ended");
	return r;
}

int on_beat(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_beat beat;
	int r = msg_beat_get(&m->fields, &beat);

	if (r < 0)
		return r;
	peer->is.agent->heard_ns = now_ns();
	peer->is.agent->beats_ns[1] = peer->is.agent->beats_ns[0];
	peer->is.agent->beats_ns[0] = peer->is.agent->heard_ns;
	peer->is.agent->store_used = beat.store_used;
	ledger_had(&peer->is.agent->ledger, beat.taken);
	return SEND_PEER(state, peer, beat, .store_used = 0, .taken = peer->is.agent->ledger.taken);
}

int on_bye(struct state *state, struct peer *peer, struct message *m)
{
	(void)m;
	if (peer->role == ROLE_CLIENT)
		client_remove(state, peer->is.client);
	else
		agent_remove(state, peer->is.agent, "its agent says good-bye");
	return 0;
}

static bool any_engine(const struct state *state)
{
	if (state->engines_up > 0)
		return true;
	for (int i = 0; i < state->engine_count; i++)
		if (engine_has_future(state->engines[i]))
			return true;
	return false;
}

static bool has_engine(const struct state *state, const struct job *job)
{
	for (int i = 0; i < job->only_count; i++)
		if (job->only[i] && engine_has_future(state->engines[i]))
			return true;
	return false;
}

/* Those over some engines, none of which is left; or all. */
static void lose_jobs(struct state *state, struct client *clients, bool restricted, const char *why)
{
	struct client *client;
	struct job *job, *next;

	DL_FOREACH (clients, client) {
		HASH_ITER (hh, client->jobs, job, next) {
			if (!restricted || (job->only && !has_engine(state, job)))
				job_lose(state, job, why);
		}
	}
}

/* The code and data of a job go with the last store: others that come later could
 * not run it. */
static void check_engines(struct state *state, uint64_t now, uint64_t limit)
{
	char why[300];

	if (state->engine_count == 0 || any_engine(state)) {
		state->deserted_ns = 0;
		return;
	}
	if (!state->deserted_ns)
		state->deserted_ns = now;
	if (now - state->deserted_ns < limit)
		return;
	snprintf(why, sizeof why, JOB_NO_ENGINE, state->engines[state->engine_count - 1]->reason);
	lose_jobs(state, state->clients, false, why);
	lose_jobs(state, state->departed, false, why);
}

void peers_tick(struct state *state)
{
	uint64_t limit = (uint64_t)(state->heartbeat_timeout * 1e9), now = now_ns();
	struct agent *agent, *next;

	DL_FOREACH_SAFE (state->agents, agent, next) {
		if (agent->died_ns && now - agent->died_ns >= DEATH_GRACE_NS) {
			agent_remove(state, agent, "its agent has ended");
			continue;
		}
		if (now <= agent->heard_ns || now - agent->heard_ns <= limit)
			continue;
		if (state->stop_ns)
			say_left(agent);
		agent_remove(state, agent, "nothing heard of its host for too long");
	}
	drain_tick(state, now);
	check_engines(state, now, limit);
	if (state->restricted) {
		lose_jobs(state, state->clients, true, JOB_NO_VIEW_ENGINE);
		lose_jobs(state, state->departed, true, JOB_NO_VIEW_ENGINE);
	}
	tracker_tick(state);
	clients_bury(state, now);
	clients_look(state, now);
	clients_sweep(state);
}

/* When no client and no engine is left. */
static void free_jobs(struct state *state)
{
	struct client *client;
	struct job *job, *next;

	history_free(state);
	DL_FOREACH (state->departed, client) {
		HASH_ITER (hh, client->jobs, job, next) {
			job_free(state, job);
		}
	}
	clients_sweep(state);
	holds_free(state);
}

void peers_free(struct state *state)
{
	struct peer *peer, *next;

	while (state->clients)
		client_remove(state, state->clients);
	while (state->agents) {
		say_left(state->agents);
		agent_remove(state, state->agents, "the cluster ends");
	}
	free_jobs(state);
	tracker_free(state);
	HASH_ITER (hh, state->peers, peer, next) {
		peer_remove(state, peer);
	}
	for (int i = 0; i < state->engine_count; i++)
		free(state->engines[i]);
	free(state->engines);
	free(state->note.details);
}
