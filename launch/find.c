/* find.c: where launcher files are. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/template.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

#define ENDING ".launcher"

/* The folder that this executable is in, without its name. */
static int own_folder(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (n <= 0)
		return -ENOENT;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

/* The i-th folder to look in. 1; 0: not this one; -1: no more. */
static int folder(int i, char *path, size_t size)
{
	const char *list = getenv("XCLUSTER_LAUNCHERS"), *home = getenv("HOME");
	const char *config = getenv("XDG_CONFIG_HOME");
	char own[CLUSTER_PATH_MAX];
	int n;

	for (; list && *list; list += strcspn(list, ":"), list += *list == ':', i--)
		if (i == 0) {
			n = (int)strcspn(list, ":");
			return n > 0 && snprintf(path, size, "%.*s", n, list) < (int)size;
		}
	if (i == 0 && config && config[0] == '/')
		return snprintf(path, size, "%s/xcluster/launchers", config) < (int)size;
	if (i == 0)
		return home &&
		       snprintf(path, size, "%s/.config/xcluster/launchers", home) < (int)size;
	if (i > 2)
		return -1;
	if (own_folder(own, sizeof own) < 0)
		return 0;
	/* A build tree has the copies that meson made beside the executable. */
	return snprintf(path, size, i == 1 ? "%s/launchers" : "%s/../share/xcluster/launchers",
			own) < (int)size;
}

static void list_launchers(const char *path, struct text *known)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *ending = strstr(entry->d_name, ENDING);

		if (!ending || ending[strlen(ENDING)] || ending == entry->d_name)
			continue;
		text_puts(known, known->size ? ", " : "");
		text_add(known, entry->d_name, (size_t)(ending - entry->d_name));
	}
	if (dir)
		closedir(dir);
}

int template_find(const char *name, char *path, size_t size, struct xc_error *err)
{
	struct text known = TEXT_INIT, looked = TEXT_INIT;
	char dir[CLUSTER_PATH_MAX];
	int r;

	for (int i = 0; (r = folder(i, dir, sizeof dir)) >= 0; i++) {
		if (r == 0)
			continue;
		if (snprintf(path, size, "%s/%s" ENDING, dir, name) < (int)size &&
		    access(path, F_OK) == 0) {
			text_fini(&known);
			text_fini(&looked);
			return 0;
		}
		list_launchers(dir, &known);
		text_puts(&looked, looked.size ? ", " : "");
		text_puts(&looked, dir);
	}
	r = error_set(err, -ENOENT, "there is no launcher \"%s\": there are %s (looked in %s)",
		      name, known.size ? known.data : "none",
		      looked.size ? looked.data : "nothing");
	text_fini(&known);
	text_fini(&looked);
	return r;
}
