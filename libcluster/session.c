/* session.c: a session with the controller: opening and closing a client. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include <utlist.h>

#include "libcluster/client.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

#define DIAL_DESCRIPTORS 12 /* of the socket, its threads and connections */

extern char *program_invocation_short_name;

/* libzmq ends the program when it finds too few descriptors for its threads, so it is
 * seen to first that there are. */
static int check_descriptors(struct xc_error *err)
{
	int fds[DIAL_DESCRIPTORS], n = 0, r = 0;

	while (n < DIAL_DESCRIPTORS && r == 0) {
		fds[n] = n ? fcntl(fds[0], F_DUPFD_CLOEXEC, 0) : eventfd(0, EFD_CLOEXEC);
		if (fds[n] < 0)
			r = error_set(err, -errno,
				      "cannot make a socket, which takes %d descriptors: %s: raise "
				      "the limit (ulimit -n), or close some",
				      DIAL_DESCRIPTORS, strerror(errno));
		else
			n++;
	}
	while (n > 0)
		close(fds[--n]);
	return r;
}

int xci_say_hello(struct xc_client *client)
{
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	return SEND_SIMPLE(client->dealer, NULL, hello_client, .protocol = PROTOCOL_VERSION,
			   .session = { client->session, SESSION_SIZE },
			   .pid = (uint64_t)client->pid, .host = span_of(host),
			   .name = { program_invocation_short_name,
				     strnlen(program_invocation_short_name, 63) },
			   .received = client->received, .again = client->is_welcome);
}

static int dial(struct xc_client *client, struct xc_error *err)
{
	unsigned char route[ROUTE_SIZE];
	size_t size = sizeof client->dealer_fd;
	int r;

	r = check_descriptors(err);
	if (r < 0)
		return r;
	randombytes_buf(client->session, sizeof client->session);
	route_make(route, 'c', client->session);
	client->context = zmq_ctx_new();
	r = dial_controller(&client->dial, client->context, &client->connection, route, false,
			    DIAL_LIMIT_S, NULL, err);
	client->dealer = client->dial.socket;
	if (r < 0)
		return r;
	if (zmq_getsockopt(client->dealer, ZMQ_FD, &client->dealer_fd, &size) < 0)
		return error_set(err, -errno, "cannot wait for the socket: %s",
				 zmq_strerror(errno));
	if (!client->dial.monitor) /* else it is of another host */
		client->pidfd = pidfd_open(client->connection.pid, 0);
	r = xci_say_hello(client);
	return r < 0 ? error_set(err, r, "cannot send to the controller: %s", error_text(r)) : 0;
}

static int check_role(const struct connection *connection, struct xc_error *err)
{
	if (connection->role == CONNECTION_CLIENT)
		return 0;
	return error_set(err, -EACCES,
			 "%s lets engines in, not clients: use the " CLUSTER_CONNECTION
			 " that is beside it",
			 connection->path);
}

static bool is_answered(void *argument)
{
	struct xc_client *client = argument;

	return client->refused_code < 0 || (client->is_welcome && client->agent_count >= 0);
}

static int welcome(struct xc_client *client, struct xc_error *err)
{
	int r = xci_wait_through(client, XCI_OPEN_LIMIT_S, is_answered, client);

	if (r == -ETIMEDOUT)
		return error_set(err, r,
				 "the controller of cluster \"%s\" (pid %d) did not answer within "
				 "%d s; if it hangs, end it with xcluster stop --cluster-id %s",
				 client->connection.id, client->connection.pid, XCI_OPEN_LIMIT_S,
				 client->connection.id);
	if (r < 0)
		return xci_wait_failed(client, "xc_open", r, err);
	if (client->refused_code < 0)
		return error_set(err, client->refused_code, "the controller refused: %s",
				 client->refused);
	return 0;
}

static int reach(struct xc_client *client, const char *cluster, struct xc_error *err)
{
	char path[CONNECTION_PATH_MAX];
	int r = cluster ? 0 : xci_local_open(client, path, sizeof path, err);

	if (client->inside)
		return 0;
	if (r == 0)
		r = connection_find(cluster, path, sizeof path, err);
	if (r >= 0)
		r = connection_read(path, &client->connection, err);
	if (r >= 0)
		r = check_role(&client->connection, err);
	return r < 0 ? r : dial(client, err);
}

int xc_open(struct xc_client **out, const char *cluster, struct xc_error *err)
{
	struct xc_client *client;
	int r;

	if (!out)
		return error_set(err, -EINVAL, "xc_open: client is NULL");
	if (sodium_init() < 0)
		return error_set(err, -EIO, "libsodium cannot be used");
	client = calloc(1, sizeof *client);
	if (!client)
		return error_set(err, -ENOMEM, "out of memory");
	client->pidfd = client->store = client->loop = client->timer = -1;
	client->dial = (struct dial)DIAL_INIT;
	client->weight = 1;
	client->pid = getpid();
	client->agent_count = -1; /* until the first roster */
	client->all = (struct xc_view){ .client = client, .kind = VIEW_ALL };
	client->balanced = (struct xc_view){ .client = client, .kind = VIEW_BALANCED };
	client->heard_ns = now_ns();
	r = reach(client, cluster, err);
	if (r == 0)
		r = welcome(client, err);
	if (r < 0) {
		xc_close(client);
		return r;
	}
	*out = client;
	return 0;
}

static void detach_results(struct xc_client *client)
{
	struct xc_result *result, *next;
	struct xci_job *job, *next_job;

	DL_FOREACH_SAFE (client->results, result, next) {
		result->client = NULL;
		result->job = NULL;
	}
	HASH_ITER (hh, client->jobs, job, next_job) {
		HASH_DEL(client->jobs, job);
		free(job->members);
		free(job);
	}
}

void xc_close(struct xc_client *client)
{
	int linger = 0;

	if (!client || (client->inside && xci_inline_is_busy(client->inside)))
		return; /* a task may not take its own client away */
	xci_inline_clean_all(client->inside);
	if (client->is_welcome && !client->is_lost && !client->inside) {
		if (client->batch.count && client->batch.options.on_disconnect)
			xci_batch_flush(client);
		linger = 1000;
		POST(client, bye, .id = 0);
	}
	detach_results(client);
	xci_ship_free(client);
	xci_offers_free(client);
	xci_roster_free(client);
	xci_sent_free(client, UINT64_MAX);
	while (client->views) {
		struct xc_view *view = client->views;

		client->views = view->next;
		free(view->ids);
		free(view);
	}
	xci_batch_forget(&client->batch);
	free(client->batch.inputs);
	free(client->batch.offsets);
	free(client->batch.members);
	free(client->report);
	if (client->is_held)
		message_fini(&client->held);
	free(client->answer.bytes);
	xci_loop_free(client);
	if (client->store >= 0)
		close(client->store);
	if (client->pidfd >= 0)
		close(client->pidfd);
	dial_close(&client->dial, linger);
	if (client->context)
		zmq_ctx_term(client->context);
	xci_inline_free(client->inside);
	xc_cluster_stop(client->own, NULL);
	free(client);
}

int xc_set_weight(struct xc_client *client, double weight, struct xc_error *err)
{
	if (!client)
		return error_set(err, -EINVAL, "xc_set_weight: client is NULL");
	if (!(weight > 0) || weight > 1e6)
		return error_set(err, -EINVAL,
				 "xc_set_weight: the weight must be above 0, and at most 1e6");
	client->weight = weight;
	return 0;
}

const char *xc_strerror(int code)
{
	return error_text(code);
}

const char *xc_version(void)
{
	return XC_VERSION;
}
