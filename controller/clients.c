/* clients.c: clients: how they come and go. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

#define LOOK_NS	    UINT64_C(500000000)	 /* between looks at a connection */
#define REACHED_NS  UINT64_C(5000000000) /* without a look at one that is reached */
#define AWAY_MIN_NS UINT64_C(2000000000)

/* In one pass: job by job it would take the square of their number. */
static void drop_pinned(struct state *state, struct client *client)
{
	for (int i = 0; i < state->engine_count; i++) {
		struct engine *engine = state->engines[i];
		struct pinned *pinned, *next;

		DL_FOREACH_SAFE (engine->pinned, pinned, next) {
			struct job *job = pinned->job;
			struct pinned gone = *pinned;

			if (job->client != client || (job->flags & JOB_KEEP))
				continue;
			job->cancelled = true;
			pinned_remove(engine, pinned);
			job_end_items(state, job, gone.first, gone.count, XC_CANCELLED, 0,
				      gone.attempt - 1, -1, "cancelled");
		}
		engine_update_waiting(state, engine);
	}
}

void client_remove(struct state *state, struct client *client)
{
	struct attachment *attachment, *next_attachment;
	struct job *job, *next;

	source_unwatch(state, &client->pidfd);
	state->dying -= client->died_ns != 0;
	peer_remove(state, client->peer);
	client->peer = NULL;
	DL_DELETE(state->clients, client);
	note_forget(state, client);
	DL_APPEND(state->departed, client);
	HASH_ITER (hh, client->attachments, attachment, next_attachment) {
		attachment_free(state, attachment);
	}
	offers_forget_client(state, client);
	outbox_clear(state, client);
	HASH_ITER (hh, client->jobs, job, next) {
		job->is_left = true;
	}
	drop_pinned(state, client);
	HASH_ITER (hh, client->jobs, job, next) {
		if (!(job->flags & JOB_KEEP))
			job_orphan(state, job);
		else
			job_update_runnable(state, job);
	}
	will_execute(state, client);
}

void clients_sweep(struct state *state)
{
	struct client *client, *next;

	DL_FOREACH_SAFE (state->departed, client, next) {
		if (client->jobs || client->records > 0)
			continue;
		DL_DELETE(state->departed, client);
		free(client);
	}
}

/* N.B. what it sent at its end may still be on its way: jobs to be kept, and that it
 * closes in order. */
static void on_client_death(struct state *state, struct source *source)
{
	struct client *client = (struct client *)((char *)source - offsetof(struct client, pidfd));

	client->died_ns = now_ns();
	state->dying++;
	source_unwatch(state, &client->pidfd);
}

void clients_bury(struct state *state, uint64_t now)
{
	struct client *client, *next;

	if (!state->dying)
		return;
	DL_FOREACH_SAFE (state->clients, client, next) {
		if (!client->died_ns || now - client->died_ns < DEATH_GRACE_NS)
			continue;
		log_line("client %s (pid %d) is gone; its jobs are cancelled, but for those to be "
			 "kept",
			 client->name, (int)client->pid);
		client_remove(state, client);
	}
}

/* ---- Clients on other hosts: their connections are what tells of their end -------- */

static ino_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void note_connection(struct client *client, struct message *m)
{
	client->fd = zmq_msg_get(&m->header, ZMQ_SRCFD);
	client->inode = inode_of(client->fd);
	client->away_ns = 0;
}

/* One that computes does not hear that its connection broke and that ZeroMQ has made it
 * again, and says nothing: but what is sent to it finds its way. */
static bool is_reached(struct state *state, struct client *client)
{
	return SEND_PEER(state, client->peer, pong, .received = client->received,
			 .sent = client->unsent ? client->unsent->seq - 1 : client->made) == 0;
}

static void look(struct state *state, struct client *client, uint64_t now)
{
	uint64_t limit = (uint64_t)(state->heartbeat_timeout * 1e9);

	if (client->inode && inode_of(client->fd) == client->inode) {
		client->away_ns = 0;
		return;
	}
	if (is_reached(state, client)) {
		client->away_ns = 0;
		client->probed_ns = now + REACHED_NS; /* not to fill its queue */
		return;
	}
	client->probed_ns = now;
	if (!client->away_ns)
		client->away_ns = now;
	if (now - client->away_ns < (limit > AWAY_MIN_NS ? limit : AWAY_MIN_NS))
		return;
	log_line("client %s on %s has had no connection for too long; its jobs are cancelled, but "
		 "for those to be kept",
		 client->name, client->host);
	client_remove(state, client);
}

void clients_look(struct state *state, uint64_t now)
{
	struct client *client, *next;

	if (!state->has_network)
		return;
	DL_FOREACH_SAFE (state->clients, client, next) {
		if (client->peer->is_remote && now > client->probed_ns &&
		    now - client->probed_ns >= LOOK_NS)
			look(state, client, now);
	}
}

int on_hello_client(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_hello_client hello;
	struct client *client = peer->is.client;
	pid_t pid;
	int r = msg_hello_client_get(&m->fields, &hello);

	if (r < 0)
		return r;
	if (peer_check_hello(state, peer, m, hello.protocol, hello.session, false, &pid) < 0)
		return 0;
	if (peer->role == ROLE_NEW && hello.again)
		return peer_refuse(
			state, peer, XC_ELOST,
			"it had not heard of this client for too long, and has ended its "
			"jobs");
	if (peer->role == ROLE_NEW) {
		client = calloc(1, sizeof *client);
		if (!client)
			return peer_refuse(state, peer, -ENOMEM, "the controller is out of memory");
		client->peer = peer;
		client->weight = 1;
		client->pid = pid ? pid : (pid_t)hello.pid;
		client->pidfd = (struct source){ on_client_death, -1 };
		memcpy(client->session, hello.session.data, SESSION_SIZE);
		span_copy(client->host, sizeof client->host, hello.host);
		span_copy(client->name, sizeof client->name, hello.name);
		peer->role = ROLE_CLIENT;
		peer->is.client = client;
		DL_APPEND(state->clients, client);
		if (!source_watch_pid(state, &client->pidfd, pid)) {
			client_remove(state, client);
			return 0;
		}
	} else {
		log_line("client %s is connected again", client->name);
		outbox_ack(state, client, hello.received);
		outbox_resend(state, client, hello.received + 1);
	}
	if (peer->is_remote)
		note_connection(client, m);
	client->roster_version = client->agents_version = client->note_version = 0;
	r = SEND_PEER(state, peer, welcome_client, .controller = { state->session, SESSION_SIZE },
		      .received = client->received, .credit = CREDIT_BYTES);
	roster_send(state);
	notes_send(state);
	return r;
}
