/* note.h: what launchers bring with them: notes of their supervisor, and hosts whose time
 * is limited. Part of state.h. */
#ifndef CONTROLLER_NOTE_H
#define CONTROLLER_NOTE_H

#include <stdint.h>

struct state;
struct peer;
struct message;
struct client;
struct engine;
struct job;

/* What a supervisor has said last. */
struct note {
	const struct client *from; /* borrowed; NULL: it is gone */
	char text[1024];
	char *details; /* owned; JSON, or NULL */
	uint64_t coming, version;
};

/* drain.c: agents whose time is limited */
int on_drain(struct state *state, struct peer *peer, struct message *m);
void drain_tick(struct state *state, uint64_t now);
/* How many items of the job the engine can be given so that they end in its time. */
int64_t drain_room(const struct engine *engine, const struct job *job, uint64_t now);

/* note.c: what the supervisor of a launcher has to say */
int on_note(struct state *state, struct peer *peer, struct message *m);
void note_forget(struct state *state, const struct client *client);
/* To clients that do not know it. */
void notes_send(struct state *state);

#endif
