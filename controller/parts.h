/* parts.h: which part of the controller does what: one heading a file. Comes with state.h. */
#ifndef CONTROLLER_PARTS_H
#define CONTROLLER_PARTS_H

/* controller.c */
int state_watch(struct state *state, struct source *source);
void state_stop(struct state *state, const char *why);

/* listen.c: the socket, and the files that tell of it */
/* Fills in where the cluster is. */
int listen_name(struct state *state, struct xc_error *err);
int listen_start(struct state *state, struct xc_error *err);
/* Writes the connection files. */
int listen_announce(struct state *state, struct xc_error *err);
/* Closes the socket; removes the files. */
void listen_end(struct state *state);
void listen_forget(struct state *state);

/* clients.c: clients: coming and going */
int on_hello_client(struct state *state, struct peer *peer, struct message *m);
void client_remove(struct state *state, struct client *client);
/* Forgets those that are gone with all their jobs. */
void clients_sweep(struct state *state);
/* Removes those whose process has ended a while ago. */
void clients_bury(struct state *state, uint64_t now);
/* The same of those on other hosts that have had no connection for too long. */
void clients_look(struct state *state, uint64_t now);

/* peers.c: agents, engines: coming and going; and what is the same for clients */
int on_hello_agent(struct state *state, struct peer *peer, struct message *m);
int on_hello_engine(struct state *state, struct peer *peer, struct message *m);
int on_bye(struct state *state, struct peer *peer, struct message *m);
int on_beat(struct state *state, struct peer *peer, struct message *m);
int on_down(struct state *state, struct peer *peer, struct message *m);
/* Is a hello as it must be? Else REFUSED is sent, or it needs no answer: negative. `pid`:
 * of the process as the unix connection tells it; 0 of one on another host. `is_again`: the
 * session may be one that had another routing id. */
int peer_check_hello(struct state *state, struct peer *peer, struct message *m, uint64_t protocol,
		     struct span session, bool is_again, pid_t *pid);
int peer_refuse(struct state *state, struct peer *peer, int code, const char *text);
void peer_remove(struct state *state, struct peer *peer);
/* False if the process has ended already. */
bool source_watch_pid(struct state *state, struct source *source, pid_t pid);
void source_unwatch(struct state *state, struct source *source);
void agent_remove(struct state *state, struct agent *agent, const char *why);
void peers_tick(struct state *state);
void peers_free(struct state *state);
struct engine *engine_at(struct state *state, const struct agent *agent, uint64_t slot);
/* May it run what is handed out from now on, sooner or later? */
bool engine_has_future(const struct engine *engine);
/* The end for good: no new slices, and what has not begun goes to others. */
void engine_shut(struct state *state, struct engine *engine, uint64_t how);

/* logs.c: logs of agents and engines on other hosts */
int on_log(struct state *state, struct peer *peer, struct message *m);
/* A host's name as it stands in names of files. */
void log_host(char *to, size_t size, const char *host);
/* Where the log of an engine, or of the agent itself (NULL), is. */
void log_path(const struct state *state, const struct agent *agent, const struct engine *engine,
	      char *path, size_t size);

/* The end for pinned items that have not begun. */
void engine_fail_pinned(struct state *state, struct engine *engine);
/* May pinned items be handed to it from now on? */
bool engine_takes_pinned(const struct engine *engine);

/* threads.c */
int on_threads(struct state *state, struct peer *peer, struct message *m);
/* What an engine has said; 0: nothing. */
int threads_checked(uint64_t threads);
/* A sentence for each host whose engines may use more threads than it has cores. */
void threads_warn(struct state *state, void (*tell)(void *argument, const char *text),
		  void *argument);

/* control.c: orders of clients for engines */
int on_signal(struct state *state, struct peer *peer, struct message *m);
int on_shut(struct state *state, struct peer *peer, struct message *m);

/* roster.c */
/* To be called whenever what clients are told of it is another. */
void engine_changed(struct state *state, struct engine *engine);
void roster_send(struct state *state);
/* To the agents on the host. */
void peers_send(struct state *state, const char *host);

/* jobs.c: jobs until the end of their last item */
int on_cancel(struct state *state, struct peer *peer, struct message *m);
void job_free(struct state *state, struct job *job);
/* Gives up what only a job that runs needs. */
void job_retire(struct state *state, struct job *job);
/* Ends what has not been handed out, as no engine is left. */
void job_lose(struct state *state, struct job *job, const char *why);
void job_cancel(struct state *state, struct job *job, enum interrupt how);
/* All of it, or items of a job that others share. */
void job_cancel_items(struct state *state, struct job *job, int64_t first, int64_t count,
		      enum interrupt how);
void job_orphan(struct state *state, struct job *job);
/* Are its results more than those who should take them can? */
bool job_is_paused(const struct state *state, const struct job *job);
/* One slice less; the job may be gone afterwards. */
void job_release(struct state *state, struct job *job);
/* Items that have ended: reports them, ends the job if they were the last.
 * `count` items from `first` are covered by the payload; failures may lie
 * outside. Frames are consumed. The job may be gone afterwards. */
void job_report(struct state *state, struct job *job, int64_t first, int64_t count, int engine,
		uint64_t busy_ns, int64_t ended, int64_t failed, zmq_msg_t *failures,
		zmq_msg_t *payload);
/* Ends a run of items in one state. */
void job_end_items(struct state *state, struct job *job, int64_t first, int64_t count,
		   enum xc_state how, int code, int attempts, int engine, const char *text);
/* Puts items back to be run. `to` NULL: any engine. */
void job_requeue(struct state *state, struct job *job, int64_t first, int64_t count, int attempt,
		 struct engine *to);
/* May the engine run items of the job, as far as its view goes? */
bool job_allows(const struct job *job, const struct engine *engine);
/* Was this item cancelled, while others of its job were not? */
bool job_is_unwanted(const struct job *job, int64_t item);
bool job_may_rerun(const struct job *job, int attempt, bool lost);
void job_update_runnable(struct state *state, struct job *job);
void payload_unref(struct payload *payload);

/* Is it the next message of the session? One that was sent again is not; a gap is
 * asked for. */
bool client_is_next(struct state *state, struct client *client, uint64_t seq);

/* Empty for those that are not of the everywhere-log. */
static inline const char *job_name(const struct job *job)
{
	return job->name ? job->name : "";
}

/* A frame that stays. A small one shares the buffer in which it came,
 * which would stay as long as it does: it is copied. `from` is
 * empty then. */
void frame_keep(zmq_msg_t *to, zmq_msg_t *from);

/* submit.c: from a SUBMIT to a job */
int on_submit(struct state *state, struct peer *peer, struct message *m);
/* Item `index` of a job that has ended (-1: all) as a new job of the client, to be
 * begun; NULL when memory is out. */
struct job *job_again(struct state *state, struct client *client, const struct job *old,
		      uint64_t id, int64_t index);
/* How its results are combined, as its client said; borrowed, empty: they are not. */
struct span job_reduction(const struct job *job);
/* Hands out its items. The job may be gone afterwards. */
void job_begin(struct state *state, struct job *job);
/* A job of the controller's own with one item, made like another. */
struct job *job_internal(struct state *state, const char *name, zmq_msg_t *task,
			 zmq_msg_t *payload);

/* slices.c: slices in the hands of engines */
/* Those after number `had` once more: they may be lost with a connection. */
void slices_send_again(struct state *state, struct engine *engine, uint64_t had);
int on_done(struct state *state, struct peer *peer, struct message *m);
int on_taken(struct state *state, struct peer *peer, struct message *m);
void slice_send(struct state *state, struct engine *engine, struct job *job, int64_t first,
		int64_t count, int attempt);
/* The engine died: `item` (-1: none) of slice `number` was running. */
void slices_lost(struct state *state, struct engine *engine, enum down_cause cause, int code,
		 uint64_t number, int64_t item, const char *text, bool certain);
void slice_take(struct state *state, struct slice *slice, bool all);
/* NULL: the engine has none of this number. */
struct slice *slice_find(struct engine *engine, uint64_t number);
void engine_set_level(struct state *state, struct engine *engine, int level);
void pinned_add(struct state *state, struct engine *engine, struct job *job, int64_t first,
		int64_t count, int attempt, bool front);
void pinned_remove(struct engine *engine, struct pinned *pinned);
void engine_update_waiting(struct state *state, struct engine *engine);

/* schedule.c: who gets what */
void schedule(struct state *state);

/* measure.c */
struct measure *measure_get(struct state *state, const void *frame, size_t size);
void measure_put(struct state *state, struct measure *measure);
void measure_add(struct measure *measure, struct engine *engine, int64_t items, uint64_t busy_ns);
double measure_item_ns(const struct measure *measure);

/* history.c: jobs that have ended, and results that were delivered */
/* The job may be gone afterwards. */
void job_finish(struct state *state, struct job *job);
/* Tells all who want to hear of it. Frames are consumed. */
void job_tell(struct state *state, struct job *job, struct msg_result *result, zmq_msg_t *failures,
	      zmq_msg_t *payload);
/* A client has it, or is gone; takes the parcel. The job may be gone afterwards. */
void parcel_acknowledged(struct state *state, struct parcel *parcel);
void parcel_orphaned(struct state *state, struct parcel *parcel);
/* Its client hears of it no more, from now on. */
void job_leave(struct state *state, struct job *job);
/* Before it is freed. */
void history_remove(struct state *state, struct job *job);
void history_free(struct state *state);

/* attach.c: clients that hear of jobs of others */
int on_attach(struct state *state, struct peer *peer, struct message *m);
int on_detach(struct state *state, struct peer *peer, struct message *m);
struct attachment *attachment_find(struct client *client, uint64_t number);
void attachment_free(struct state *state, struct attachment *attachment);
/* Copies to all that are attached. */
void attachments_tell(struct state *state, struct job *job, const struct msg_result *result,
		      zmq_msg_t *failures, zmq_msg_t *payload);
/* The job of a client with this begin of its session; NULL. */
struct job *job_find(struct state *state, struct span owner, uint64_t number);

/* records.c: what there is to know of jobs, and orders about them */
int on_jobs(struct state *state, struct peer *peer, struct message *m);
int on_manage(struct state *state, struct peer *peer, struct message *m);
/* The frame is consumed. */
int answer_send(struct state *state, struct peer *peer, const struct msg_answer *m,
		zmq_msg_t *frame);

/* holds.c: objects that must not go with the client that brought them */
void hold_add(struct state *state, const unsigned char *object);
void hold_drop(struct state *state, const unsigned char *object);
bool hold_is_held(const struct state *state, const unsigned char *object);
void holds_free(struct state *state);

/* tracker.c: which agents have which objects, and from whom others fetch them */
struct tracked;
int on_stored(struct state *state, struct peer *peer, struct message *m);
int on_freed(struct state *state, struct peer *peer, struct message *m);
int on_locate(struct state *state, struct peer *peer, struct message *m);
int on_dataport(struct state *state, struct peer *peer, struct message *m);
/* It has gone, or has nothing of what it had. */
void tracker_forget_agent(struct state *state, const struct agent *agent);
/* The client does not give the object any more. */
void tracker_forget_source(struct state *state, struct tracked *tracked,
			   const struct client *client);
void tracker_tick(struct state *state);
void tracker_free(struct state *state);

/* offers.c: objects that clients without a store give */
int on_offer(struct state *state, struct peer *peer, struct message *m);
int on_release(struct state *state, struct peer *peer, struct message *m);
void offers_forget_client(struct state *state, struct client *client);

/* relay.c: pieces of objects on their way through us */
int on_fetch(struct state *state, struct peer *peer, struct message *m);
int on_piece(struct state *state, struct peer *peer, struct message *m);

/* outbox.c: results on their way to clients */
/* NULL when memory is out. Frames are consumed. */
struct parcel *outbox_add(struct state *state, struct client *client, struct msg_result *result,
			  zmq_msg_t *failures, zmq_msg_t *payload);
/* The answer to an ATTACH. */
void outbox_answer(struct state *state, struct client *client, struct msg_attached *attached,
		   const char *text, struct span reduction);
/* The same that nobody gets for now. */
struct parcel *parcel_make(struct state *state, const struct msg_result *result,
			   zmq_msg_t *failures, zmq_msg_t *payload);
void parcel_head(const struct parcel *parcel, struct msg_result *result);
/* Frames that share the bytes. */
void parcel_share(struct parcel *parcel, zmq_msg_t *frames);
void parcel_free(struct state *state, struct parcel *parcel);
void outbox_ack(struct state *state, struct client *client, uint64_t seq);
int outbox_resend(struct state *state, struct client *client, uint64_t from);
void outbox_clear(struct state *state, struct client *client);
int on_ack(struct state *state, struct peer *peer, struct message *m);
int on_ping(struct state *state, struct peer *peer, struct message *m);
int on_resend(struct state *state, struct peer *peer, struct message *m);

/* output.c: what items print */
int on_output(struct state *state, struct peer *peer, struct message *m);
/* Is it of an item in [at, end)? If so, makes it fit for the job's client. */
bool output_settle(struct slice *slice, struct failure_run *run, int64_t at, int64_t end);

/* everywhere.c */
/* Logs the job; engines that have joined unknown to the client (they are not
 * among the targets) get it, too. */
void everywhere_submit(struct state *state, struct job *job, struct span object,
		       zmq_msg_t *targets);
/* The job ends: what no engine has taken is not brought to later ones. */
void everywhere_end(struct state *state, const struct job *job);
void everywhere_replay(struct state *state, struct engine *engine);
void everywhere_free(struct state *state);

/* wills.c: what clients leave to be done when they have gone */
bool will_is_valid(const struct msg_submit *s, zmq_msg_t *task);
/* In place of the one that the client has. The frame is shared. */
void will_keep(struct client *client, zmq_msg_t *task);
/* It has gone, and nothing more of its jobs is handed out, but for those to be kept. */
void will_execute(struct state *state, struct client *client);

/* status.c */
int on_query(struct state *state, struct peer *peer, struct message *m);

#endif
