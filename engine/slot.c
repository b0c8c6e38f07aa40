/* slot.c: engine processes: starting, watching, ending them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/host.h"
#include "libcluster/threads.h"
#include "proto/log.h"

#define EXTRA_MAX	 8
#define START_NS	 UINT64_C(20000000) /* spent on starting engines between two looks around */
#define QUICK_DEATHS_MAX 5
#define QUICK_DEATH_NS	 UINT64_C(5000000000)
#define STOPPED_LIMIT_NS UINT64_C(1000000000)

extern char **environ;

static struct slot *slot_of(struct source *source)
{
	return (struct slot *)((char *)source - offsetof(struct slot, channel));
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* N.B. an engine being started may still hold a copy of the descriptor: closing
 * ours alone would not end its events. */
static void close_channel(struct slot *slot)
{
	service_forget(slot->agent, slot->channel.fd);
	if (slot->channel.fd >= 0)
		epoll_ctl(slot->agent->epoll, EPOLL_CTL_DEL, slot->channel.fd, NULL);
	close_descriptor(&slot->channel.fd);
}

static void on_channel(struct source *source)
{
	struct slot *slot = slot_of(source);

	if (!service_engine(slot))
		close_channel(slot); /* its death is told by SIGCHLD */
}

static void slot_clear(struct slot *slot)
{
	close_channel(slot);
	close_descriptor(&slot->arena_fd);
	sink_close(slot);
	if (slot->page)
		munmap((void *)slot->page, sizeof *slot->page);
	slot->page = NULL;
	slot->pid = 0;
	slot->killed = false;
	slot->stopped_ns = slot->retired_ns = 0;
	slot->signalled = false;
	memset(slot->condemned, 0, sizeof slot->condemned);
	slot_forget_cancelled(slot);
	refs_clear(&slot->agent->store, &slot->refs);
}

int slots_create(struct agent *agent)
{
	agent->slots = calloc((size_t)agent->options->n, sizeof *agent->slots);
	if (!agent->slots)
		return -ENOMEM;
	for (int i = 0; i < agent->options->n; i++) {
		agent->slots[i].agent = agent;
		agent->slots[i].index = i;
		agent->slots[i].channel = (struct source){ on_channel, -1 };
		agent->slots[i].arena_fd = -1;
		agent->slots[i].sink.fd = agent->slots[i].sink.log = -1;
	}
	return 0;
}

void slots_destroy(struct agent *agent)
{
	for (int i = 0; agent->slots && i < agent->options->n; i++) {
		variable_unset(&agent->store, &agent->slots[i].variables, (struct span){ 0 },
			       false);
		slot_clear(&agent->slots[i]);
	}
	free(agent->slots);
	agent->slots = NULL;
}

/* NAME=value replacing what the environment has; the strings are the caller's. */
static char **environment_with(char *const extra[], size_t count)
{
	size_t n = 0, used = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + count + 1, sizeof *env);
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool replaced = false;

		for (size_t k = 0; k < count; k++) {
			size_t name = (size_t)(strchr(extra[k], '=') - extra[k]) + 1;

			replaced |= strncmp(environ[i], extra[k], name) == 0;
		}
		if (!replaced)
			env[used++] = environ[i];
	}
	for (size_t k = 0; k < count; k++)
		env[used++] = extra[k];
	return env;
}

/* The i-th core of those this process may use, cyclically. */
static void bind_to_core(int index, cpu_set_t *before)
{
	cpu_set_t one;
	int n;

	if (sched_getaffinity(0, sizeof *before, before) < 0)
		return;
	n = index % CPU_COUNT(before);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, before) || n-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof one, &one);
		return;
	}
}

/* What the launcher gave to the rank whose engine this is. */
static void bind_to_mask(const struct agent_options *o, int index, cpu_set_t *before)
{
	if (sched_getaffinity(0, sizeof *before, before) == 0)
		sched_setaffinity(0, sizeof *before, &o->masks[index % o->mask_count]);
}

/* What is added to the environment of an engine. */
struct extra {
	char text[EXTRA_MAX][64];
	char *list[EXTRA_MAX];
	size_t count;
};

static void extra_add(struct extra *extra, const char *name, const char *value)
{
	char *text = extra->text[extra->count];

	snprintf(text, sizeof extra->text[0], "%s=%s", name, value);
	extra->list[extra->count++] = text;
}

/* An order counts for more than what the agent was started with, that more than the
 * environment, and the environment more than what nobody has asked for. */
static void extra_init(struct extra *extra, const struct slot *slot)
{
	const struct agent_options *o = slot->agent->options;
	int threads = slot->threads ? slot->threads : o->threads_per_engine;
	bool yields = !slot->threads && o->threads_yield;
	char number[16];

	extra->count = 0;
	/* Fortran would write what it holds back at the end of the process. */
	extra_add(extra, "GFORTRAN_UNBUFFERED_PRECONNECTED", "y");
	snprintf(number, sizeof number, "%d", threads);
	for (int i = 0; threads > 0 && i < thread_variable_count; i++)
		if (!yields || threads_of_text(getenv(thread_variables[i])) == 0)
			extra_add(extra, thread_variables[i], number);
}

static int spawn(struct slot *slot, int channel, int page)
{
	const struct agent_options *o = slot->agent->options;
	struct extra extra;
	char *argv[] = { "xcluster", "engine", "--agent-fd", "3", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	cpu_set_t cores;
	sigset_t none, all;
	char **env;
	int r;

	extra_init(&extra, slot);
	env = environment_with(extra.list, extra.count);
	if (!env)
		return -ENOMEM;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, slot->sink.fd, 1);
	posix_spawn_file_actions_adddup2(&actions, slot->sink.fd, 2);
	/* The descriptors are all above these numbers: see agent_run. */
	posix_spawn_file_actions_adddup2(&actions, channel, ENGINE_CHANNEL_FD);
	posix_spawn_file_actions_adddup2(&actions, page, ENGINE_PAGE_FD);
	posix_spawn_file_actions_adddup2(&actions, slot->arena_fd, ENGINE_ARENA_FD);
	posix_spawn_file_actions_adddup2(&actions, slot->sink.log, ENGINE_LOG_FD);
	posix_spawn_file_actions_adddup2(&actions, slot->sink.fd, ENGINE_OUTPUT_FD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	sigfillset(&all); /* tasks' children are not to inherit our ignored SIGPIPE */
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	CPU_ZERO(&cores);
	if (o->mask_count > 0)
		bind_to_mask(o, slot->index, &cores);
	else if (o->bind)
		bind_to_core(slot->index, &cores);
	r = -posix_spawn(&slot->pid, "/proc/self/exe", &actions, &attributes, argv, env);
	if (CPU_COUNT(&cores))
		sched_setaffinity(0, sizeof cores, &cores);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(env);
	return r;
}

static int shared_memory(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int slot_start(struct slot *slot)
{
	struct agent *agent = slot->agent;
	char log[PATH_MAX + 64];
	int pair[2] = { -1, -1 }, page_fd = -1, r;

	snprintf(log, sizeof log, "%.4000s/engine-%llu.log", agent->dir,
		 (unsigned long long)agent->first_engine + (unsigned)slot->index);
	slot->epoch++;
	page_fd = shared_memory("xcluster-page", sizeof(struct page));
	slot->arena_fd = shared_memory("xcluster-arena", ARENA_SIZE);
	if (page_fd < 0 || slot->arena_fd < 0 || sink_open(slot, log) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		goto fail;
	slot->page = mmap(NULL, sizeof *slot->page, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	if (slot->page == MAP_FAILED) {
		slot->page = NULL;
		goto fail;
	}
	slot->page->item = -1;
	slot->page->magic = PAGE_MAGIC;
	slot->channel.fd = pair[0];
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	pair[0] = -1;
	if (agent_watch(agent, &slot->channel) < 0)
		goto fail;
	r = spawn(slot, pair[1], page_fd);
	if (r < 0) {
		errno = -r;
		goto fail;
	}
	close(pair[1]);
	close(page_fd);
	slot->state = SLOT_STARTING;
	slot->started_ns = now_ns();
	return 0;
fail:
	r = -errno;
	log_line("cannot start engine %d: %s", slot->index, strerror(errno));
	close_descriptor(&pair[0]);
	close_descriptor(&pair[1]);
	close_descriptor(&page_fd);
	slot_clear(slot);
	slot->state = SLOT_FAILED;
	return r;
}

/* N.B. to start many engines takes seconds on a busy host: the rest is for the next turn of
 * the loop, as the controller is to hear of us, and those that have started ask us. */
void slots_start(struct agent *agent)
{
	uint64_t begin = now_ns();
	char text[256];
	int r;

	agent->has_to_start = false;
	if (agent->ledger.is_broken)
		return; /* perhaps the controller does not know us any more */
	for (int i = 0; i < agent->options->n; i++) {
		struct slot *slot = &agent->slots[i];

		if (slot->state != SLOT_EMPTY)
			continue;
		if (now_ns() - begin > START_NS) {
			agent->has_to_start = true;
			return;
		}
		r = slot_start(slot);
		if (r >= 0)
			continue;
		snprintf(text, sizeof text, "its process could not be started: %s%s", strerror(-r),
			 r == -EMFILE	? " (see ulimit -n)"
			 : r == -EAGAIN ? " (see ulimit -u)"
					: "");
		AGENT_SEND(agent, down, .slot = (uint64_t)i, .epoch = slot->epoch,
			   .cause = DOWN_EXIT, .item = -1, .text = span_of(text));
	}
}

/* Dead soon after its start, without having begun an item: it may never work. */
static bool was_quick(const struct slot *slot)
{
	return slot->state == SLOT_STARTING ||
	       (now_ns() - slot->started_ns < QUICK_DEATH_NS && slot->page->written == 0 &&
		slot->page->piece.slice == 0);
}

static void on_death(struct slot *slot, int status)
{
	bool restarting;

	/* What it asked for last is still to be done: it may have set a variable. */
	while (slot->channel.fd >= 0 && service_engine(slot)) {
		char byte;

		if (recv(slot->channel.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			break;
	}
	kill(-slot->pid, SIGKILL); /* processes that its tasks left */
	if (!slot->signalled)
		slot->quick_deaths = was_quick(slot) ? slot->quick_deaths + 1 : 0;
	restarting =
		!slot->agent->stopping && !slot->retired && slot->quick_deaths < QUICK_DEATHS_MAX;
	sink_log(slot); /* first: who hears of the death may look there */
	forward_rest(slot);
	slot_rescue(slot, status, restarting);
	slot_clear(slot);
	slot->state = slot->retired			    ? SLOT_RETIRED
		      : restarting || slot->agent->stopping ? SLOT_EMPTY
							    : SLOT_FAILED;
	if (!slot->retired)
		return;
	variable_unset(&slot->agent->store, &slot->variables, (struct span){ 0 }, false);
	slots_check_retired(slot->agent);
}

void slots_reap(struct agent *agent)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		for (int i = 0; i < agent->options->n; i++) {
			struct slot *slot = &agent->slots[i];

			if (slot->pid != pid)
				continue;
			if (WIFSTOPPED(status) && slot->judging)
				slot_judge(slot);
			else if (WIFSTOPPED(status))
				slot->stopped_ns = now_ns();
			else if (WIFCONTINUED(status))
				slot->stopped_ns = 0;
			else
				on_death(slot, status);
		}
	}
	if (!agent->stopping)
		slots_start(agent);
}

void slot_kill(struct slot *slot, enum down_cause cause)
{
	if (!slot->pid || slot->killed)
		return;
	slot->killed = true;
	slot->cause = cause;
	kill(slot->pid, SIGKILL);
}

/* Slices that have ended stay on the list: their numbers do not come again. */
static bool is_condemned(const struct slot *slot, uint64_t now)
{
	uint64_t slice = slot->page->piece.slice, at = slice % PAGE_CLAIMS;

	return slice && slot->condemned[at] == slice && now >= slot->condemned_ns[at];
}

void slots_tick(struct agent *agent)
{
	uint64_t now = now_ns();

	for (int i = 0; i < agent->options->n; i++) {
		struct slot *slot = &agent->slots[i];
		uint64_t limit, start;

		if (slot->pid && agent->stopping && now >= agent->kill_ns)
			kill(slot->pid, SIGKILL);
		if (!slot->pid || slot->killed)
			continue;
		slot_watch_end(slot, now);
		slot_watch_cancelled(slot);
		if (slot->stopped_ns && now - slot->stopped_ns > STOPPED_LIMIT_NS)
			slot_kill(slot, DOWN_STOPPED);
		if (is_condemned(slot, now))
			slot_kill(slot, DOWN_CANCELLED);
		limit = slot->page->limit_ns;
		start = slot->page->item_start_ns;
		if (limit && start && now > start && now - start > limit)
			slot_kill(slot, DOWN_TIME);
	}
}

bool slots_any_alive(const struct agent *agent)
{
	for (int i = 0; i < agent->options->n; i++)
		if (agent->slots[i].pid)
			return true;
	return false;
}

struct slot *slot_find(struct agent *agent, uint64_t index, uint64_t epoch)
{
	if (index >= (uint64_t)agent->options->n || agent->slots[index].epoch != epoch ||
	    !agent->slots[index].pid)
		return NULL;
	return &agent->slots[index];
}
