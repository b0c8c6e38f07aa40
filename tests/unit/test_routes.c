/* test_routes.c: every type that the controller sends has who takes it, and nobody
 * waits for what is never sent. The controller's own table: test_peers.c. */
#include "proto/message.h"
#include "tests/unit/routes.h"
#include "tests/unit/unit.h"

static const struct {
	uint64_t type;
	unsigned receivers;
} receivers[] = {
	{ MSG_WELCOME_CLIENT, ROLE_CLIENT },
	{ MSG_WELCOME_AGENT, ROLE_AGENT },
	{ MSG_WELCOME_ENGINE, ROLE_ENGINE },
	{ MSG_REFUSED, ROLE_CLIENT | ROLE_AGENT | ROLE_ENGINE },
	{ MSG_ROSTER, ROLE_CLIENT },
	{ MSG_RESULT, ROLE_CLIENT },
	{ MSG_ACK, ROLE_ENGINE },
	{ MSG_PONG, ROLE_CLIENT },
	{ MSG_RESEND, ROLE_CLIENT },
	{ MSG_REPORT, ROLE_CLIENT },
	{ MSG_SLICE, ROLE_ENGINE },
	{ MSG_TAKE, ROLE_AGENT },
	{ MSG_INTERRUPT, ROLE_AGENT },
	{ MSG_BEAT, ROLE_AGENT },
	{ MSG_STALE, ROLE_AGENT },
	{ MSG_STOP, ROLE_AGENT },
	{ MSG_HOLD, ROLE_AGENT },
	{ MSG_DROP, ROLE_AGENT },
	{ MSG_PEERS, ROLE_AGENT },
	{ MSG_ATTACHED, ROLE_CLIENT },
	{ MSG_ANSWER, ROLE_CLIENT },
	{ MSG_KILL, ROLE_AGENT },
	{ MSG_RETIRE, ROLE_AGENT },
	{ MSG_LOCATED, ROLE_AGENT },
	{ MSG_FETCH, ROLE_AGENT | ROLE_CLIENT },
	{ MSG_PIECE, ROLE_AGENT },
	{ MSG_NOTE, ROLE_CLIENT },
};

static unsigned receivers_of(uint64_t type)
{
	for (size_t i = 0; i < sizeof receivers / sizeof *receivers; i++)
		if (receivers[i].type == type)
			return receivers[i].receivers;
	return 0;
}

START_TEST(test_every_type)
{
#define CHECK(name, number, senders, frames)                                                       \
	ck_assert_msg((((senders)&ROLE_CONTROLLER) != 0) == (receivers_of(number) != 0),           \
		      #name ": say in this test who takes it");                                    \
	ck_assert_msg(client_handles(number) == ((receivers_of(number) & ROLE_CLIENT) != 0),       \
		      "the client's route of " #name);                                             \
	ck_assert_msg(agent_handles(number) == ((receivers_of(number) & ROLE_AGENT) != 0),         \
		      "the agent's route of " #name);                                              \
	ck_assert_msg(engine_handles(number) == ((receivers_of(number) & ROLE_ENGINE) != 0),       \
		      "the engine's route of " #name);
	MESSAGES(CHECK)
#undef CHECK
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("routes");

	tcase_add_test(tests, test_every_type);
	return unit_run(tests);
}
