/* uplink.c: the agent's connection to the controller: made, broken, made again. */
#include <gnu/libc-version.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/error.h"
#include "proto/log.h"

#define CONTROLLER_TIMEOUT 60.0

int agent_send(struct agent *agent, const void *header, size_t size, zmq_msg_t *frames, int count)
{
	return ledger_send(&agent->ledger, agent->dealer, NULL, header, size, frames, count);
}

static int say_hello(struct agent *agent)
{
	const char *launch = agent->options->launch_info;
	struct utsname host;

	uname(&host);
	return SEND_SIMPLE(agent->dealer, NULL, hello_agent, .protocol = PROTOCOL_VERSION,
			   .session = { agent->session, SESSION_SIZE }, .pid = getpid(),
			   .host = span_of(host.nodename), .slots = (uint64_t)agent->options->n,
			   .cores = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN),
			   .store = span_of(agent->store_path), .store_limit = agent->store.limit,
			   .machine = span_of(host.machine),
			   .libc = span_of(gnu_get_libc_version()), .log = span_of(agent->log_path),
			   .launch = span_of(launch ? launch : ""), .again = agent->welcomed,
			   .taken = agent->ledger.taken);
}

int uplink_open(struct agent *agent, struct xc_error *err)
{
	unsigned char route[ROUTE_SIZE];
	double limit = agent->options->connect_timeout > 0 ? agent->options->connect_timeout
							   : DIAL_LIMIT_S;
	int r;

	randombytes_buf(agent->session, sizeof agent->session);
	route_make(route, 'a', agent->session);
	r = dial_controller(&agent->dial, agent->context, &agent->connection, route, limit, err);
	agent->dealer = agent->dial.socket;
	agent->ledger = (struct ledger){ .is_kept = agent->dial.monitor != NULL };
	agent->heard_ns = now_ns();
	return r < 0 ? r : say_hello(agent);
}

/* Another connection, of which the controller knows nothing: so what is in it is in order
 * and whole. ZeroMQ goes on dialling until somebody answers. */
static void open_again(struct agent *agent)
{
	unsigned char route[ROUTE_SIZE], session[SESSION_SIZE];
	char endpoint[CONNECTION_ADDRESS_MAX];
	struct xc_error err = XC_ERROR_INIT;

	if (!agent->ledger.is_broken)
		log_line("the connection to the controller broke; dialling %s again",
			 agent->dial.endpoint);
	agent->ledger.is_broken = agent->welcomed;
	strcpy(endpoint, agent->dial.endpoint);
	dial_close(&agent->dial, 0);
	randombytes_buf(session, sizeof session);
	route_make(route, 'a', session);
	if (dial_endpoint(&agent->dial, agent->context, &agent->connection, endpoint, route, &err) <
	    0)
		log_line("%s", err.text); /* it is tried again at the next tick */
	agent->dealer = agent->dial.socket;
	if (agent->dealer)
		say_hello(agent);
}

void uplink_welcome(struct agent *agent, uint64_t taken)
{
	if (!agent->ledger.is_broken)
		return;
	log_line("connected to the controller again");
	ledger_resume(&agent->ledger, agent->dealer, NULL, taken);
}

static double controller_timeout(const struct agent *agent)
{
	double s = agent->options->controller_timeout;

	return s > 0 ? s : CONTROLLER_TIMEOUT;
}

void uplink_tick(struct agent *agent)
{
	uint64_t now = now_ns();
	enum dial_event event;

	if (!agent->is_remote)
		return;
	while ((event = dial_event(&agent->dial)) != DIAL_NOTHING) {
		if (event == DIAL_REFUSED && !agent->stopping) {
			snprintf(agent->gone, sizeof agent->gone,
				 "its keys are not those of this cluster any more");
			agent_stop(agent);
		} else if (event == DIAL_DOWN) {
			open_again(agent);
		}
	}
	if (!agent->dealer)
		open_again(agent);
	if (agent->stopping || now < agent->heard_ns ||
	    (double)(now - agent->heard_ns) < controller_timeout(agent) * 1e9)
		return;
	log_line("nothing heard of the controller for %g s: ending", controller_timeout(agent));
	snprintf(agent->gone, sizeof agent->gone, "it has not been heard of for %g s",
		 controller_timeout(agent));
	agent->stale = false;
	agent_stop(agent);
}

void uplink_close(struct agent *agent, int linger_ms)
{
	dial_close(&agent->dial, linger_ms);
	agent->dealer = NULL;
	ledger_fini(&agent->ledger);
}
