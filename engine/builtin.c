/* builtin.c: the built-in tasks: variables and programs, in order with the
 * user's own. */
#include <errno.h>
#include <string.h>

#include "engine/runner.h"
#include "libcluster/threads.h"
#include "proto/error.h"

static int fail(struct xc_task *task, int code, const struct xc_error *err)
{
	xc_task_fail(task, "%s", err->text);
	return code;
}

static int run_push(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	struct xc_error err = XC_ERROR_INIT;
	int r;

	(void)out;
	r = names_set(e, e->now.task.name, (struct span){ in, task->in_size }, &err);
	return r < 0 ? fail(task, r, &err) : 0;
}

/* The variable as a result: an array frame with its elements, or with `object` in their
 * place. */
static int give(struct xc_task *task, const char *name, const struct entry *entry,
		const unsigned char *object)
{
	struct engine *e = task->runner;
	uint64_t bytes = object ? 0 : entry->size, size = ARRAY_HEADER_SIZE + bytes;
	char *room = piece_reserve(e, size + sizeof size);

	if (!room) {
		xc_task_fail(task, TASK_NO_PULL, (unsigned long long)size, name);
		return -ENOMEM;
	}
	memcpy(room, &size, sizeof size);
	array_header_write(room + sizeof size, &entry->array, object);
	if (bytes)
		memcpy(room + sizeof size + ARRAY_HEADER_SIZE, entry->array.data, bytes);
	e->given = size + sizeof size;
	e->piece_gave = true;
	return 0;
}

/* NULL, with the failure's text. */
static const struct entry *find(struct xc_task *task, char name[256])
{
	struct engine *e = task->runner;

	span_copy(name, 256, e->now.task.name);
	return xc_task_array(task, name) ? names_entry(e, name) : NULL;
}

static int run_pull(struct xc_task *task, const void *in, void *out)
{
	char name[256];
	const struct entry *entry = find(task, name);

	(void)in;
	(void)out;
	return entry ? give(task, name, entry, NULL) : XC_ENOVAR;
}

static int run_look(struct xc_task *task, const void *in, void *out)
{
	char name[256];
	const struct entry *entry = find(task, name);
	uint64_t limit = 0;

	(void)out;
	if (task->in_size == sizeof limit)
		memcpy(&limit, in, sizeof limit);
	return entry ? give(task, name, entry, entry->size > limit ? entry->value : NULL)
		     : XC_ENOVAR;
}

/* What push takes, to set the same value elsewhere: the store's object goes from host to host,
 * and not by the client. */
static int run_refer(struct xc_task *task, const void *in, void *out)
{
	char name[256];
	const struct entry *entry = find(task, name);

	(void)in;
	(void)out;
	return entry ? give(task, name, entry, entry->mapping ? entry->object : NULL) : XC_ENOVAR;
}

static int run_part(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	uint64_t size = e->now.task.out_size;
	const struct entry *entry;
	char name[256];
	int64_t offset;

	span_copy(name, sizeof name, e->now.task.name);
	entry = names_entry(e, name);
	if (e->now.task.object.size != OBJECT_SIZE || task->in_size != sizeof offset)
		return XC_EPROTO;
	if (!entry || memcmp(entry->value, e->now.task.object.data, OBJECT_SIZE) != 0) {
		xc_task_fail(task, TASK_CHANGED, name);
		return -ESTALE;
	}
	memcpy(&offset, in, sizeof offset);
	if (offset < 0 || (uint64_t)offset > entry->size || size > entry->size - (uint64_t)offset)
		return XC_EPROTO;
	memcpy(out, (const char *)entry->array.data + offset, size);
	return 0;
}

static int clear(struct xc_task *task, bool is_prefix)
{
	struct engine *e = task->runner;
	struct xc_error err = XC_ERROR_INIT;
	int r = names_unset(e, e->now.task.name, is_prefix, &err);

	return r < 0 ? fail(task, r, &err) : 0;
}

static int run_clear(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return clear(task, false);
}

static int run_sweep(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return clear(task, true);
}

static int run_load(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	struct xc_error err = XC_ERROR_INIT;

	(void)in;
	(void)out;
	if (!programs_get(e, e->now.task.object, e->now.task.program, true, &err))
		return fail(task, err.code ? err.code : XC_ECODE, &err);
	return 0;
}

static int run_unload(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	int r = programs_unload(e, e->now.task.object);

	(void)in;
	(void)out;
	if (r < 0)
		xc_task_fail(task, "%s", error_text(r));
	return r;
}

/* The agent first: processes that follow this one in its slot are to have it, too. */
static int run_threads(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	struct channel_packet request = { .code = OP_THREADS, .fd = -1 }, reply;
	struct xc_error err = XC_ERROR_INIT;
	char buffer[CHANNEL_MAX];
	int r;

	(void)out;
	if (task->in_size != sizeof request.number)
		return XC_EPROTO;
	memcpy(&request.number, in, sizeof request.number);
	r = channel_call(e->channel, &request, &reply, buffer, &err);
	if (r < 0)
		return fail(task, r, &err);
	e->threads = (int)request.number;
	task->threads = e->threads;
	r = threads_apply(e->threads);
	if (r < 0)
		xc_task_fail(task, "%s", error_text(r));
	/* Where the connection is broken now, the next hello says it. */
	SEND_SIMPLE(e->dealer, NULL, threads, .threads = request.number);
	return r;
}

xc_task_fn *builtin_find(uint64_t number)
{
	static xc_task_fn *const tasks[] = {
		[BUILTIN_PUSH] = run_push,     [BUILTIN_PULL] = run_pull,
		[BUILTIN_CLEAR] = run_clear,   [BUILTIN_LOAD] = run_load,
		[BUILTIN_UNLOAD] = run_unload, [BUILTIN_LOOK] = run_look,
		[BUILTIN_PART] = run_part,     [BUILTIN_THREADS] = run_threads,
		[BUILTIN_REFER] = run_refer,   [BUILTIN_SWEEP] = run_sweep,
	};

	return number < sizeof tasks / sizeof tasks[0] ? tasks[number] : NULL;
}
