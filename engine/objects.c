/* objects.c: what the controller says of objects, and what it is told of ours. */
#include <stddef.h>

#include "engine/transfer.h"

static void on_store_change(struct store *store, const struct object *object, bool is_there)
{
	struct agent *agent = (struct agent *)((char *)store - offsetof(struct agent, store));
	struct span id = { object->id, OBJECT_SIZE };

	if (!agent->welcomed)
		return;
	if (is_there)
		AGENT_SEND(agent, stored, .object = id, .size = object->size);
	else
		AGENT_SEND(agent, freed, .object = id);
}

void objects_init(struct agent *agent)
{
	agent->store.on_change = on_store_change;
}

void objects_tell(struct agent *agent)
{
	struct object *object, *next;

	HASH_ITER (hh, agent->store.objects, object, next) {
		on_store_change(&agent->store, object, true);
	}
	transfers_welcome(agent);
}

int objects_on_located(struct agent *agent, struct message *m)
{
	struct msg_located located;
	int r = msg_located_get(&m->fields, &located);

	return r < 0 ? r : transfer_located(agent, &located);
}

/* By the controller: who asks cannot reach our data port, or we have none. */
int objects_on_fetch(struct agent *agent, struct message *m)
{
	struct asker asker = { 0 };
	struct msg_fetch fetch;
	int r = msg_fetch_get(&m->fields, &fetch);

	if (r < 0)
		return r;
	asker.peer = fetch.peer;
	asker.offset = fetch.offset;
	return serve_fetch(agent, &fetch, &asker);
}

int objects_on_piece(struct agent *agent, struct message *m)
{
	return transfer_piece(agent, NULL, m);
}

int objects_on_hold(struct agent *agent, struct message *m)
{
	struct msg_hold hold;
	int r = msg_hold_get(&m->fields, &hold);

	if (r == 0)
		hold_object(agent, hold.object);
	return r;
}

int objects_on_drop(struct agent *agent, struct message *m)
{
	struct msg_drop drop;
	int r = msg_drop_get(&m->fields, &drop);

	if (r == 0)
		drop_object(agent, drop.object);
	return r;
}
