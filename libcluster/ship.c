/* ship.c: bringing functions and large data into the store of this host. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utlist.h>

#include "libcluster/client.h"
#include "libcluster/object.h"
#include "proto/error.h"

/* Its agent has ended: what we put there is gone as well. */
static void forget_store(struct xc_client *client)
{
	struct xci_shipped *shipped;

	close(client->store);
	client->store = -1;
	client->store_lingers = false;
	DL_FOREACH (client->shipped, shipped) {
		if (!shipped->is_offered)
			shipped->is_put = false;
	}
}

static int store_failed(struct xc_client *client, int r, struct xc_error *err)
{
	if (r != -EPIPE && r != -ECONNRESET)
		return r;
	forget_store(client);
	xci_pump(client, 0);
	return client->is_lost ? xci_lost(client, err) : r;
}

/* Not looked at in each call. */
static bool has_ended(struct xc_client *client)
{
	struct pollfd store = { .fd = client->store, .events = POLLIN };
	uint64_t now = now_ns();

	if (now - client->store_looked_ns < XCI_LOOK_NS)
		return false;
	client->store_looked_ns = now;
	return poll(&store, 1, 0) == 1; /* it sends nothing unasked */
}

int xci_store(struct xc_client *client, struct xc_error *err)
{
	struct xc_error last = XC_ERROR_INIT;
	char host[256] = "";

	if (client->store >= 0 && has_ended(client))
		forget_store(client);
	if (client->store >= 0)
		return client->store;
	gethostname(host, sizeof host - 1);
	for (int i = 0; i < client->agent_count; i++) {
		struct xci_agent *agent = &client->agents[i];
		int fd;

		if (strcmp(agent->host, host) != 0)
			continue;
		fd = channel_connect(agent->store, agent->session, &last);
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) /* ours, not its */
			return error_set(err, fd, "%s", last.text);
		if (fd < 0)
			continue;
		client->store = fd;
		memcpy(client->store_session, agent->session, SESSION_SIZE);
		return fd;
	}
	xci_pump(client, 0);
	if (client->is_lost)
		return xci_lost(client, err);
	if (client->agent_count == 0)
		return error_set(err, XC_ENOENGINE,
				 "no agent with engines is up: call xc_wait_for_engines first, or "
				 "add some with `xcluster engines`");
	return -ENOENT;
}

int xci_object_put(struct xc_client *client, const void *data, uint64_t size, bool everywhere,
		   unsigned char *id, struct xc_error *err)
{
	uint64_t number = ++client->last_object;
	int fd = xci_store(client, err);

	if (fd < 0 && fd != -ENOENT)
		return fd;
	memset(id, 0, OBJECT_SIZE);
	memcpy(id, client->session, SESSION_SIZE);
	memcpy(id + SESSION_SIZE, &number, sizeof number);
	if (fd < 0)
		return xci_offer(client, id, data, size, everywhere, err);
	return store_failed(client, channel_put_bytes(fd, id, data, size, err), err);
}

void xci_object_release(struct xc_client *client, const unsigned char *id)
{
	struct channel_packet request = { .code = OP_RELEASE,
					  .object = { id, OBJECT_SIZE },
					  .fd = -1 };
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];

	if (!xci_offer_release(client, id) && client->store >= 0)
		store_failed(client, channel_call(client->store, &request, &reply, buffer, NULL),
			     NULL);
}

int xci_store_linger(struct xc_client *client, struct xc_error *err)
{
	struct channel_packet request = { .code = OP_LINGER, .fd = -1 };
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];
	int r;

	if (client->store < 0 || client->store_lingers)
		return 0;
	r = channel_call(client->store, &request, &reply, buffer, err);
	client->store_lingers = r == 0;
	return store_failed(client, r, err);
}

void xci_objects_release(struct xc_result *result)
{
	for (int i = 0; i < result->object_count; i++)
		xci_object_release(result->client, result->objects[i]);
	free(result->objects);
	result->objects = NULL;
	result->object_count = 0;
}

static int offer_image(struct xc_client *client, const struct xci_image *image,
		       struct xc_error *err)
{
	void *bytes = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, image->fd, 0);
	int r;

	if (bytes == MAP_FAILED)
		return error_set(err, -errno, "cannot map the copy of %s: %s", image->name,
				 strerror(errno));
	r = xci_offer(client, image->hash, bytes, image->size, false, err);
	munmap(bytes, image->size);
	return r;
}

/* Under its hash, unless another client has put it there. */
static int store_image(struct xc_client *client, int fd, const struct xci_image *image,
		       struct xc_error *err)
{
	struct channel_packet have = { .code = OP_HAVE,
				       .object = { image->hash, OBJECT_SIZE },
				       .fd = -1 };
	struct xc_error local = XC_ERROR_INIT;
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];
	int r = channel_call(fd, &have, &reply, buffer, &local);

	if (r < 0 && r != -ENOENT)
		error_set(err, r, "%s", local.text);
	if (r == -ENOENT)
		r = channel_put_file(fd, image->hash, image->fd, image->size, err);
	return store_failed(client, r, err);
}

static int put_somewhere(struct xc_client *client, const struct xci_image *image, bool *is_offered,
			 struct xc_error *err)
{
	int fd = xci_store(client, err);

	*is_offered = fd == -ENOENT;
	if (fd == -ENOENT)
		return offer_image(client, image, err);
	return fd < 0 ? fd : store_image(client, fd, image, err);
}

int xci_image_put(struct xc_client *client, const struct xci_image *image, struct xc_error *err)
{
	bool is_offered;

	if (client->inside)
		return xci_inline_image(client->inside, image, NULL, err);
	return put_somewhere(client, image, &is_offered, err);
}

static int put_image(struct xc_client *client, struct xci_shipped *shipped, struct xc_error *err)
{
	int r;

	if (client->inside)
		return xci_inline_image(client->inside, shipped->image, shipped->path, err);
	r = xci_store(client, err); /* finds out whether it is there */
	if (r < 0 && r != -ENOENT)
		return r;
	if (shipped->is_put)
		return 0;
	r = put_somewhere(client, shipped->image, &shipped->is_offered, err);
	shipped->is_put = r == 0;
	return r;
}

static struct xci_shipped *add(struct xc_client *client, uintptr_t key, struct xci_image *image,
			       struct xc_error *err)
{
	struct xci_shipped *shipped = calloc(1, sizeof *shipped);

	if (!shipped) {
		error_set(err, -ENOMEM, "out of memory");
		xci_image_destroy(image);
		return NULL;
	}
	shipped->key = key;
	shipped->image = image;
	DL_APPEND(client->shipped, shipped);
	return shipped;
}

static struct xci_shipped *shipped_of(struct xc_client *client, const void *fn,
				      struct xc_error *err)
{
	uintptr_t key = xci_image_key(fn);
	struct xci_shipped *shipped;
	struct xci_image *image;
	uint64_t offset;

	DL_FOREACH (client->shipped, shipped) {
		if (key && shipped->key == key)
			return shipped;
	}
	if (xci_image_find(fn, &image, &offset, err) < 0)
		return NULL;
	return add(client, key, image, err);
}

static struct xci_shipped *library_of(struct xc_client *client, const struct xci_image *image)
{
	struct xci_shipped *shipped;

	DL_FOREACH (client->shipped, shipped) {
		if (shipped->key == 0 &&
		    memcmp(shipped->image->hash, image->hash, XCI_HASH_SIZE) == 0)
			return shipped;
	}
	return NULL;
}

static int set_path(struct xci_shipped *shipped, const char *path, struct xc_error *err)
{
	char *copy = strdup(path);

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	free(shipped->path);
	shipped->path = copy;
	return 0;
}

struct xci_shipped *xci_ship_find(struct xc_client *client, const char *path, bool *is_new,
				  struct xc_error *err)
{
	struct xci_shipped *shipped = client->shipped ? client->shipped->prev : NULL;
	struct xci_image *image;

	*is_new = false;
	for (; shipped; shipped = shipped == client->shipped ? NULL : shipped->prev)
		if (shipped->path && strcmp(shipped->path, path) == 0)
			return shipped;
	if (xci_image_load(path, &image, err) < 0)
		return NULL;
	shipped = library_of(client, image);
	*is_new = !shipped;
	if (!shipped)
		return add(client, 0, image, err);
	xci_image_destroy(image);
	return shipped;
}

void xci_ship_forget(struct xc_client *client, struct xci_shipped *shipped)
{
	DL_DELETE(client->shipped, shipped);
	client->named.of = NULL;
	if (shipped->is_put || shipped->is_offered)
		xci_object_release(client, shipped->image->hash);
	free(shipped->path);
	xci_image_destroy(shipped->image);
	free(shipped);
}

struct xci_shipped *xci_ship_library(struct xc_client *client, struct xci_image *image,
				     const char *path, bool *is_new, struct xc_error *err)
{
	struct xci_shipped *shipped = library_of(client, image);

	*is_new = !shipped;
	if (shipped)
		xci_image_destroy(image);
	else
		shipped = add(client, 0, image, err);
	if (!shipped)
		return NULL;
	if (set_path(shipped, path, err) == 0 && put_image(client, shipped, err) == 0)
		return shipped;
	if (*is_new)
		xci_ship_forget(client, shipped);
	return NULL;
}

void xci_ship_last(struct xc_client *client, struct xci_shipped *shipped)
{
	DL_DELETE(client->shipped, shipped);
	DL_APPEND(client->shipped, shipped);
	client->named.of = NULL;
}

int xci_ship(struct xc_client *client, xc_task_fn *fn, const struct xc_map_options *options,
	     struct task_frame *task, struct xc_error *err)
{
	const char *function = options->function;
	struct xci_shipped *shipped;
	int r;

	if (fn && function)
		return error_set(err, -EINVAL,
				 "both fn and options.function (\"%s\") are given: set one to NULL",
				 function);
	if (!fn && !function)
		return error_set(err, -EINVAL, "no function: fn and options.function are NULL");
	if (fn && client->inside) { /* it is here already */
		static const unsigned char none[OBJECT_SIZE];
		struct xci_object object;

		if (xci_object_find(*(void **)&fn, &object, err) < 0)
			return XC_ECODE;
		task->kind = FUNCTION_OFFSET;
		task->number = (uint64_t)(uintptr_t)fn;
		task->object = (struct span){ none, OBJECT_SIZE };
		return 0;
	}
	if (fn) {
		shipped = shipped_of(client, *(void **)&fn, err);
		if (!shipped)
			return err ? err->code : XC_ECODE;
		task->kind = FUNCTION_OFFSET;
		task->number = (uint64_t)((uintptr_t)fn - shipped->key);
	} else {
		shipped = xci_library_find(client, function, options->library, err);
		if (!shipped)
			return err ? err->code : XC_ECODE;
		task->kind = FUNCTION_SYMBOL;
		task->symbol = span_of(function);
	}
	client->offer_progress = options->progress;
	r = put_image(client, shipped, err);
	client->offer_progress = false;
	task->object = (struct span){ shipped->image->hash, OBJECT_SIZE };
	task->program = span_of(shipped->image->name);
	return r;
}

void xci_ship_free(struct xc_client *client)
{
	struct xci_shipped *shipped, *next;

	DL_FOREACH_SAFE (client->shipped, shipped, next) {
		xci_image_destroy(shipped->image);
		free(shipped->path);
		free(shipped);
	}
	client->shipped = NULL;
}
