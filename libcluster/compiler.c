/* compiler.c: this host's compilers, run as children. */
#include "libcluster/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcluster/wire.h"
#include "proto/error.h"

#define DESCENDANTS_DEEP 16

extern char **environ;

static const struct {
	const char *variable, *otherwise, *package;
} languages[] = {
	[SOURCE_C] = { "CC", "cc", "gcc" },
	[SOURCE_CXX] = { "CXX", "c++", "g++" },
	[SOURCE_FORTRAN] = { "FC", "gfortran", "gfortran" },
};

/* ---- Finding it ------------------------------------------------------------- */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool search(const char *name, char path[PATH_MAX])
{
	const char *at = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && is_program(path);
	for (at = at ? at : "/usr/bin:/bin"; at;
	     at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		int length = (int)strcspn(at, ":");

		if (length > 0 &&
		    snprintf(path, PATH_MAX, "%.*s/%s", length, at, name) < PATH_MAX &&
		    is_program(path))
			return true;
	}
	return false;
}

static int refuse(const struct compiler *c, const struct source *s, struct xc_error *err)
{
	char host[256] = "?", file[256];

	gethostname(host, sizeof host - 1);
	span_copy(file, sizeof file, s->name);
	return error_set(err, XC_ECODE,
			 "no compiler \"%.100s\" for %.100s on host %.64s: install one there (such "
			 "as the package %s), or name another in the options' compiler or in the "
			 "engines' %s",
			 c->name, file, host, languages[c->language].package,
			 languages[c->language].variable);
}

int compiler_find(struct compiler *c, const struct source *s, struct xc_error *err)
{
	const char *variable;
	struct span command = s->compiler;
	char path[PATH_MAX], *copy;
	int r;

	*c = (struct compiler){ .language = source_language(s->name) };
	if (c->language == SOURCE_UNKNOWN)
		return error_set(err, XC_EPROTO, "the source is of no known language");
	variable = getenv(languages[c->language].variable);
	if (!command.size)
		command = span_of(variable && *variable ? variable
							: languages[c->language].otherwise);
	r = words_split(&c->command, command);
	if (r == 0 && c->command.count == 0)
		r = -EINVAL;
	if (r < 0) {
		compiler_fini(c);
		if (r != -EINVAL)
			return error_set(err, r, "out of memory");
		return error_set(err, XC_ECODE,
				 "the compiler's command %.*s has no word, or a quote that is not "
				 "closed",
				 (int)(command.size < 100 ? command.size : 100),
				 (const char *)command.data);
	}
	snprintf(c->name, sizeof c->name, "%s", c->command.list[0]);
	if (!search(c->name, path)) {
		r = refuse(c, s, err);
		compiler_fini(c);
		return r;
	}
	copy = strdup(path);
	if (!copy) {
		compiler_fini(c);
		return error_set(err, -ENOMEM, "out of memory");
	}
	free(c->command.list[0]);
	c->command.list[0] = copy;
	return 0;
}

void compiler_fini(struct compiler *c)
{
	words_free(&c->command);
}

/* ---- Running it ---------------------------------------------------------------- */

/* Messages in one language, and nothing that was preloaded into the engine. */
static char **environment(void)
{
	static char locale[] = "LC_ALL=C";
	size_t n = 0, used = 0;
	char **list;

	while (environ[n])
		n++;
	list = calloc(n + 2, sizeof *list);
	if (!list)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0 &&
		    strncmp(environ[i], "LC_ALL=", 7) != 0)
			list[used++] = environ[i];
	list[used] = locale;
	return list;
}

struct start {
	char **argv, **env;
	const char *directory;
	int output, input;
	rlim_t seconds; /* of a processor, for each of its processes */
};

/* N.B. in a child of vfork: writes to nothing that the parent reads. */
static void __attribute__((noreturn)) become(const struct start *s)
{
	struct rlimit cpu = { s->seconds, s->seconds + 1 }, none = { 0, 0 };
	struct sigaction normal = { .sa_handler = SIG_DFL };
	sigset_t empty;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &none);
	for (int i = 1; i < 32; i++)
		sigaction(i, &normal, NULL);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	if (chdir(s->directory) == 0 && dup2(s->input, 0) == 0 && dup2(s->output, 1) == 1 &&
	    dup2(s->output, 2) == 2) {
		close_range(3, ~0U, 0);
		execve(s->argv[0], s->argv, s->env);
	}
	_exit(127);
}

/* Not posix_spawn: that has no way to have the child die with us. */
static pid_t start(const struct start *s)
{
	sigset_t all, before;
	pid_t pid;
	int saved;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0)
		become(s);
	saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

/* With what it has started, which is in our process group and not one of its own, so
 * that the agent finds it all should we die. */
static void kill_tree(pid_t pid, int deep)
{
	char path[64];
	FILE *file;
	int child;

	kill(pid, SIGSTOP);
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	file = deep > 0 ? fopen(path, "re") : NULL;
	while (file && fscanf(file, "%d", &child) == 1)
		kill_tree(child, deep - 1);
	if (file)
		fclose(file);
	kill(pid, SIGKILL);
}

/* False at the end of the pipe. What there is no room for is dropped. */
static bool take_output(int pipe, struct compiler_output *out)
{
	char rest[4096];
	size_t room = COMPILER_OUTPUT_MAX - out->size;
	ssize_t n = read(pipe, room ? out->text + out->size : rest, room ? room : sizeof rest);

	if (n > 0 && room)
		out->size += (size_t)n;
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Until it has ended, or the limit. What it has started may hold the pipe for longer.
 * Without a pidfd (a task has SIGCHLD ignored, and it is gone) the pipe's end counts. */
static bool watch(int pidfd, int pipe, uint64_t limit_ms, struct compiler_output *out)
{
	struct pollfd events[2] = { { .fd = pidfd, .events = POLLIN },
				    { .fd = pipe, .events = POLLIN } };
	uint64_t end = now_ns() + limit_ms * 1000000, now;

	while ((now = now_ns()) < end) {
		if (poll(events, 2, (int)((end - now) / 1000000) + 1) <= 0)
			continue;
		if (events[1].revents && !take_output(pipe, out))
			events[1].fd = -1;
		if (events[0].revents || (pidfd < 0 && events[1].fd < 0))
			return true;
	}
	return false;
}

static int await(pid_t pid, int pipe, uint64_t limit_ms, struct compiler_output *out)
{
	int pidfd = pidfd_open(pid, 0), status = 0;
	bool ended = watch(pidfd, pipe, limit_ms, out);

	if (pidfd >= 0)
		close(pidfd);
	if (!ended)
		kill_tree(pid, DESCENDANTS_DEEP);
	fcntl(pipe, F_SETFL, O_NONBLOCK);
	while (ended && take_output(pipe, out))
		;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			break; /* SIGCHLD is ignored: what it made will tell */
	if (!ended)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(struct start *s, uint64_t limit_ms, struct compiler_output *out)
{
	int pair[2], r;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	s->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->output = pair[1];
	pid = s->input < 0 ? -1 : start(s);
	r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (s->input >= 0)
		close(s->input);
	if (r == 0)
		r = await(pid, pair[0], limit_ms, out);
	close(pair[0]);
	return r;
}

int compiler_run(const struct compiler *c, const struct words *arguments, const char *directory,
		 uint64_t limit_ms, struct compiler_output *out)
{
	size_t own = c->command.count, count = own + arguments->count;
	struct start s = { .argv = calloc(count + 1, sizeof(char *)),
			   .env = environment(),
			   .directory = directory,
			   .seconds = (rlim_t)(limit_ms / 1000 + 1) };
	int r = -ENOMEM;

	out->size = 0;
	for (size_t i = 0; s.argv && i < count; i++)
		s.argv[i] = i < own ? c->command.list[i] : arguments->list[i - own];
	if (s.argv && s.env)
		r = run(&s, limit_ms, out);
	out->text[out->size] = '\0';
	free(s.argv);
	free(s.env);
	return r;
}

/* ---- What it says ------------------------------------------------------------------ */

static bool has_word(const char *line, size_t length, const char *word)
{
	size_t size = strlen(word);

	for (; length >= size; line++, length--)
		if (strncasecmp(line, word, size) == 0)
			return true;
	return false;
}

/* The linker's last sentence says only that there were others. */
static bool is_error(const char *line, size_t length)
{
	return (has_word(line, length, "error:") && !has_word(line, length, "ld returned")) ||
	       has_word(line, length, "undefined reference") ||
	       has_word(line, length, "cannot find ") || has_word(line, length, "No space left");
}

struct errors {
	char *text;
	size_t size, used;
};

/* False, and nothing added, when there is no room: the first is cut instead. */
static bool add_error(struct errors *e, const char *place, int place_length, const char *line,
		      int length)
{
	size_t room = e->size - e->used;
	int n = snprintf(e->text + e->used, room, "%s%.*s%s%.*s", e->used ? "; " : "", place_length,
			 place, place_length ? " " : "", length, line);

	if (e->used && (size_t)n >= room) {
		e->text[e->used] = '\0';
		return false;
	}
	e->used += (size_t)n < room ? (size_t)n : room - 1;
	return true;
}

/* gfortran says where, shows the line, and then what: "Error: ...". */
static void gather(const char *output, bool any, struct errors *e)
{
	const char *place = "";
	int place_length = 0;

	for (const char *at = output; *at;) {
		int length = (int)strcspn(at, "\n");
		bool is_bare =
			strncmp(at, "Error:", 6) == 0 || strncmp(at, "Fatal Error:", 12) == 0;

		if (length > 0 && (any || is_error(at, (size_t)length)) &&
		    !add_error(e, place, is_bare ? place_length : 0, at, length))
			return;
		if (length > 0 && at[length - 1] == ':' && *at != ' ') {
			place = at;
			place_length = length;
		}
		at += length + (at[length] == '\n');
	}
}

void compiler_errors(const struct compiler_output *out, char *text, size_t size)
{
	struct errors errors = { text, size, 0 };

	text[0] = '\0';
	gather(out->text, false, &errors);
	if (!text[0])
		gather(out->text, true, &errors);
}
