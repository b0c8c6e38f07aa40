/* certificates.c: keys and who is let in with them, by czmq.
 *
 * czmq is loaded when it is needed: engines and agents are this executable, too, and would
 * each pay for what it brings along. */
#include "controller/certificates.h"

#include <czmq.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"

/* clang-format off */
#define CZMQ(F)                                                                                    \
	F(zsys_handler_set) F(zsys_set_max_sockets) F(zsys_init) F(zsys_shutdown)                  \
	F(zcert_new) F(zcert_new_from) F(zcert_load) F(zcert_save_secret) F(zcert_save_public) F(zcert_set_meta)            \
	F(zcert_public_txt) F(zcert_secret_txt) F(zcert_destroy)                                   \
	F(zactor_new) F(zactor_destroy) F(zauth) F(zstr_sendx) F(zsock_wait)
/* clang-format on */

#define DECLARE(name) static __typeof__(name) *p_##name;
CZMQ(DECLARE)

static int load(struct xc_error *err)
{
	static void *library;

	if (library)
		return 0;
	library = dlopen("libczmq.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return error_set(err, -ELIBACC,
				 "czmq, which checks who connects over the network, cannot be "
				 "loaded: %s; install libczmq4",
				 dlerror());
#define LOOK_UP(name)                                                                              \
	*(void **)&p_##name = dlsym(library, #name);                                               \
	if (!p_##name)                                                                             \
		return error_set(err, -ELIBACC, "czmq lacks %s: %s", #name, dlerror());
	CZMQ(LOOK_UP)
	p_zsys_handler_set(NULL); /* signals are the controller's */
	p_zsys_set_max_sockets(0);
	return 0;
}

/* DIR/FOLDER/NAME, with the folder, which is made. */
static int path_in(const char *dir, const char *folder, const char *name, char *path, size_t size,
		   struct xc_error *err)
{
	if (cluster_file(dir, path, size, "%s", folder) < 0)
		return error_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot make %s: %s", path, strerror(errno));
	if (cluster_file(dir, path, size, "%s/%s", folder, name) < 0)
		return error_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
	return 0;
}

/* The file of a key that was kept must be ours alone. */
static int check_kept(const char *path, struct xc_error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return error_set(
			err, -EACCES,
			"%s, a key that was kept, belongs to another user or can be read by "
			"others: not used; remove it",
			path);
	return 1;
}

/* For --reuse only; readable by the user alone. */
static int keep(zcert_t *certificate, const char *path, struct xc_error *err)
{
	mode_t mask = umask(0177);
	int r = p_zcert_save_secret(certificate, path);

	umask(mask);
	return r < 0 ? error_set(err, -EIO, "cannot write %s", path) : 0;
}

static int make_pair(struct key_pair *pair, const char *dir, const char *name, bool reuse,
		     struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	zcert_t *certificate;
	bool is_kept = false;
	int r = 0;

	if (reuse) {
		r = path_in(dir, CLUSTER_KEYS, name, path, sizeof path, err);
		if (r == 0)
			r = check_kept(path, err);
		if (r < 0)
			return r;
		is_kept = r == 1;
	}
	certificate = is_kept ? p_zcert_load(path) : p_zcert_new();
	if (!certificate)
		return error_set(err, is_kept ? -EINVAL : -ENOMEM,
				 is_kept ? "%s, a key that was kept, cannot be read: remove it"
					 : "cannot make the %s",
				 is_kept ? path : name);
	r = reuse && !is_kept ? keep(certificate, path, err) : 0;
	snprintf(pair->public_key, sizeof pair->public_key, "%s", p_zcert_public_txt(certificate));
	snprintf(pair->secret_key, sizeof pair->secret_key, "%s", p_zcert_secret_txt(certificate));
	p_zcert_destroy(&certificate);
	return r;
}

int certificates_make(struct certificates *c, const char *dir, bool reuse, struct xc_error *err)
{
	int r = load(err);

	if (r == 0)
		r = make_pair(&c->server, dir, "server.key", reuse, err);
	if (r == 0)
		r = make_pair(&c->client, dir, "client.key", reuse, err);
	if (r == 0)
		r = make_pair(&c->engine, dir, "engine.key", reuse, err);
	return r;
}

void *certificates_context(void)
{
	return p_zsys_init();
}

/* What zauth reads: the public keys that may come in, each with its role. */
static int let_in(const struct key_pair *pair, const char *dir, const char *role,
		  struct xc_error *err)
{
	uint8_t public_key[32], secret_key[32];
	char path[CLUSTER_PATH_MAX], name[32];
	zcert_t *certificate;
	int r;

	snprintf(name, sizeof name, "%s.cert", role);
	r = path_in(dir, CLUSTER_CERTS, name, path, sizeof path, err);
	if (r < 0)
		return r;
	if (!zmq_z85_decode(public_key, pair->public_key) ||
	    !zmq_z85_decode(secret_key, pair->secret_key))
		return error_set(err, -EINVAL, "the key of role %s is not valid", role);
	certificate = p_zcert_new_from(public_key, secret_key);
	if (!certificate)
		return error_set(err, -ENOMEM, "out of memory");
	p_zcert_set_meta(certificate, CERTIFICATE_ROLE, "%s", role);
	r = p_zcert_save_public(certificate, path);
	p_zcert_destroy(&certificate);
	return r < 0 ? error_set(err, -EIO, "cannot write %s", path) : 0;
}

int certificates_check(struct certificates *c, const char *dir, struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	int r = let_in(&c->client, dir, "client", err);

	if (r == 0)
		r = let_in(&c->engine, dir, "engine", err);
	if (r < 0)
		return r;
	c->auth = p_zactor_new(p_zauth, NULL);
	if (!c->auth)
		return error_set(err, -ENOMEM, "cannot start the check of who connects");
	cluster_file(dir, path, sizeof path, "%s", CLUSTER_CERTS);
	p_zstr_sendx(c->auth, "CURVE", path, NULL);
	p_zsock_wait(c->auth);
	return 0;
}

int certificates_apply(const struct certificates *c, void *socket)
{
	static const char domain[] = "xcluster";
	int yes = 1;

	if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes) < 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, c->server.secret_key, CONNECTION_KEY_SIZE) <
		    0 ||
	    zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, sizeof domain - 1) < 0)
		return -errno;
	return 0;
}

unsigned certificates_roles(const char *role)
{
	if (strcmp(role, "client") == 0)
		return ROLE_NEW | ROLE_CLIENT;
	return strcmp(role, "engine") == 0 ? ROLE_NEW | ROLE_AGENT | ROLE_ENGINE : 0;
}

void certificates_fini(struct certificates *c)
{
	if (c->auth)
		p_zactor_destroy((zactor_t **)&c->auth);
	p_zsys_shutdown();
}
