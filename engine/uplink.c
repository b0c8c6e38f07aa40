/* uplink.c: the agent's connection to the controller: made, broken, made again. */
#include <signal.h>
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
#define PROBE_NS	   UINT64_C(2000000000)
#define REFUSED_NS	   UINT64_C(10000000000)

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
			   .usable = (uint64_t)agent->options->cores,
			   .store = span_of(agent->store_path), .store_limit = agent->store.limit,
			   .machine = span_of(host.machine),
			   .libc = span_of(gnu_get_libc_version()), .log = span_of(agent->log_path),
			   .launch = span_of(launch ? launch : ""), .again = agent->welcomed,
			   .taken = agent->ledger.taken);
}

/* While it looks for the controller nobody reads what signals and the launcher say. */
static bool is_end_wanted(void *argument)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	const struct agent *agent = argument;
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (sigismember(&pending, signals[i]))
			return true;
	return launcher_is_gone(agent);
}

int uplink_open(struct agent *agent, struct xc_error *err)
{
	unsigned char route[ROUTE_SIZE];
	double limit = agent->options->connect_timeout > 0 ? agent->options->connect_timeout
							   : DIAL_LIMIT_S;
	int r;

	randombytes_buf(agent->session, sizeof agent->session);
	route_make(route, 'a', agent->session);
	r = dial_controller(&agent->dial, agent->context, &agent->connection, route, true, limit,
			    &(struct wait_end){ is_end_wanted, agent }, err);
	agent->dealer = agent->dial.socket;
	agent->ledger = (struct ledger){ .is_kept = agent->dial.monitor != NULL };
	agent->heard_ns = now_ns();
	return r < 0 ? r : say_hello(agent);
}

/* What is sent from now on is kept, until there is another connection. */
static void note_break(struct agent *agent)
{
	if (agent->welcomed && !agent->ledger.is_broken)
		log_line("the connection to the controller broke; dialling %s again",
			 agent->dial.endpoint);
	agent->ledger.is_broken = agent->welcomed;
}

/* Another connection, of which the controller knows nothing: so what is in it is in order
 * and whole. */
static void open_again(struct agent *agent)
{
	unsigned char route[ROUTE_SIZE], session[SESSION_SIZE];
	struct xc_error err = XC_ERROR_INIT;

	note_break(agent);
	randombytes_buf(session, sizeof session);
	route_make(route, 'a', session);
	if (dial_again(&agent->dial, agent->context, &agent->connection, route, &err) < 0)
		log_line("%s", err.text);
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
	slots_start(agent); /* those that have ended meanwhile */
}

/* Nobody listens any more where the controller did: it has ended, and not told us. */
static bool is_abandoned(struct agent *agent, uint64_t now)
{
	if (!agent->ledger.is_broken) {
		agent->refused_ns = 0;
		return false;
	}
	if (now - agent->probed_ns < PROBE_NS)
		return false;
	agent->probed_ns = now;
	if (!dial_is_refused(agent->dial.endpoint))
		agent->refused_ns = 0;
	else if (!agent->refused_ns)
		agent->refused_ns = now;
	return agent->refused_ns && now - agent->refused_ns >= REFUSED_NS;
}

static void give_up(struct agent *agent, const char *why)
{
	log_line("%s: ending", why);
	snprintf(agent->gone, sizeof agent->gone, "%s", why);
	agent->stale = false;
	agent_stop(agent);
}

static double controller_timeout(const struct agent *agent)
{
	double s = agent->options->controller_timeout;

	return s > 0 ? s : CONTROLLER_TIMEOUT;
}

/* The controller answers each BEAT, but not by this connection any more. */
static bool is_silent(const struct agent *agent, uint64_t now)
{
	return agent->welcomed && !agent->ledger.is_broken && now > agent->heard_ns &&
	       (double)(now - agent->heard_ns) > agent->heartbeat_timeout * 1e9;
}

void uplink_tick(struct agent *agent)
{
	uint64_t now = now_ns();
	enum dial_event event;
	char text[100];

	if (!agent->is_remote)
		return;
	while ((event = dial_event(&agent->dial)) != DIAL_NOTHING) {
		if (event == DIAL_REFUSED && !agent->stopping)
			give_up(agent, "the keys are not those of this cluster any more");
		else if (event == DIAL_DOWN)
			note_break(agent);
	}
	if (dial_is_due(&agent->dial) || is_silent(agent, now))
		open_again(agent);
	if (agent->stopping)
		return;
	if (is_abandoned(agent, now)) {
		give_up(agent, "nobody listens at the controller's port any more");
	} else if (now > agent->heard_ns &&
		   (double)(now - agent->heard_ns) > controller_timeout(agent) * 1e9) {
		snprintf(text, sizeof text, "nothing heard of the controller for %g s",
			 controller_timeout(agent));
		give_up(agent, text);
	}
}

void uplink_close(struct agent *agent, int linger_ms)
{
	dial_close(&agent->dial, linger_ms);
	agent->dealer = NULL;
	ledger_fini(&agent->ledger);
}
