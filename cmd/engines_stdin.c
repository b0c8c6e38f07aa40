/* engines_stdin.c: xcluster engines --connection -: the remote half of a launcher, which
 * is at the other end of stdin and stdout.
 *
 *	    stdout                              stdin
 *	@xcluster hello VERSION MACHINE HOST PID
 *	                                    the connection file, as one line
 *	@xcluster ready FIRST N                              the controller knows the agent
 *	@xcluster failed TEXT                                or else, and the end
 *	                                    detach           the agent lives without us
 *
 * Each begins on a line of its own, so that what start-up files of the shell print stays
 * apart. The end of stdin before `detach` ends the agent and its engines; with --stay
 * there is no other end. */
#include "cmd/engines_stdin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd/daemon.h"
#include "cmd/interrupt.h"
#include "launch/reason.h"
#include "launch/script.h"
#include "libcluster/dial.h"
#include "proto/cluster_dir.h"
#include "proto/connection.h"
#include "proto/error.h"

#define END_TIMEOUT	   4.0	/* an agent gives its engines 2 s */
#define CONNECTION_TIMEOUT 60.0 /* until its line must be there */
#define LOG_TAIL	   8192

struct guest {
	struct engine_options options;
	bool stay;
	struct connection connection;
	struct daemon agent;
	int launcher;  /* our end of the socket that the agent has */
	int interrupt; /* readable once a signal has come */
	char *line;    /* what came from stdin, not yet a whole line */
	size_t size;
};

static void say(const char *format, ...) XC_PRINTF(1, 2);

static void say(const char *format, ...)
{
	va_list ap;

	/* What was printed before us may not have ended its line. */
	fputs("\n" SCRIPT_MARKER, stdout);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	clearerr(stdout); /* with nobody there stdin ends, too */
}

static int say_failed(const char *text)
{
	say("failed %s", text);
	return STATUS_FAILED;
}

/* ---- Stdin ---------------------------------------------------------------------- */

/* Takes in what is there: 1 when a line is whole, in g->line without its end; 0 when not
 * yet; -1 at the end, also of what is too long. */
static int take_stdin(struct guest *g)
{
	/* One by one: what comes after the line stays for the next. */
	for (;;) {
		ssize_t n = read(STDIN_FILENO, g->line + g->size, 1);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return 0;
		if (n <= 0 || g->size == CONNECTION_SIZE_MAX)
			return -1;
		if (g->line[g->size] == '\n') {
			g->line[g->size] = '\0';
			g->size = 0;
			return 1;
		}
		g->size++;
	}
}

static bool wait_for_line(struct guest *g)
{
	double end = now_seconds() + CONNECTION_TIMEOUT, left;
	int r = 0;

	while (r == 0 && (left = end - now_seconds()) > 0 && !interrupt_signal()) {
		struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
					 { .fd = g->interrupt, .events = POLLIN } };

		poll(fds, 2, (int)(left * 1e3) + 1);
		if (fds[0].revents)
			r = take_stdin(g);
	}
	return r > 0;
}

/* ---- The agent -------------------------------------------------------------------- */

/* On the controller's host the agent uses the cluster's directory, as others do. */
static bool is_here(const struct guest *g)
{
	return dial_is_local(&g->connection);
}

/* A file without a name. */
static int make_file(const char *text, struct xc_error *err)
{
	int fd = memfd_create("xcluster", MFD_CLOEXEC);

	if (fd >= 0 && fchmod(fd, 0600) == 0 && fcntl(fd, F_SETFL, O_APPEND) == 0 &&
	    write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		return fd;
	error_set(err, -errno, "cannot make a file in memory: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int start_agent(struct guest *g, const char *text, struct xc_error *err)
{
	int pair[2], r;

	if (is_here(g)) {
		if (cluster_file(g->connection.dir, g->connection.path, sizeof g->connection.path,
				 CLUSTER_CONNECTION) < 0)
			return error_set(err, -ENAMETOOLONG, "%s: the path is too long",
					 g->connection.dir);
	} else {
		g->options.connection_fd = make_file(text, err);
		g->options.log_fd = make_file("", err);
		if (g->options.connection_fd < 0 || g->options.log_fd < 0)
			return err->code;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	g->launcher = pair[0];
	g->options.launcher_fd = pair[1];
	r = daemon_start_agent(&g->agent, &g->connection, &g->options, err);
	close(pair[1]);
	return r;
}

/* The end of what the agent has written, to be given to free(). */
static char *read_log(const struct guest *g)
{
	int fd = g->options.log_fd ? dup(g->options.log_fd)
				   : open(g->agent.log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *text = calloc(1, LOG_TAIL + 1);
	off_t end = lseek(fd, 0, SEEK_END), begin = end > LOG_TAIL ? end - LOG_TAIL : 0;

	if (text && fd >= 0 && pread(fd, text, (size_t)(end - begin), begin) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static int on_agent_end(struct guest *g)
{
	char *text = read_log(g), line[1024];

	if (WIFEXITED(g->agent.status) && WEXITSTATUS(g->agent.status) == 0) {
		free(text);
		return g->stay ? STATUS_OK : say_failed("the agent was ended");
	}
	fputs(text ? text : "", stderr);
	reason_last_line(text ? text : "", line, sizeof line);
	free(text);
	return say_failed(line[0] ? line : daemon_end_text(&g->agent));
}

/* "FIRST N", or the agent's end. */
static void on_launcher(struct guest *g)
{
	char text[64];
	ssize_t n = read(g->launcher, text, sizeof text - 1);
	int first, engines;

	if (n > 0) {
		text[n] = '\0';
		if (sscanf(text, "%d %d", &first, &engines) == 2)
			say("ready %d %d", first, engines);
		return;
	}
	close(g->launcher);
	g->launcher = -1;
}

static int watch(struct guest *g)
{
	for (;;) {
		struct pollfd fds[4] = { { .fd = STDIN_FILENO, .events = POLLIN },
					 { .fd = g->launcher, .events = POLLIN },
					 { .fd = g->agent.pidfd, .events = POLLIN },
					 { .fd = g->interrupt, .events = POLLIN } };
		int r = 0;

		poll(fds, 4, -1);
		if (fds[1].revents)
			on_launcher(g);
		if (daemon_has_ended(&g->agent))
			return on_agent_end(g);
		if (fds[0].revents)
			r = take_stdin(g);
		if (r > 0 && strcmp(g->line, "detach") == 0 && !g->stay &&
		    write(g->launcher, "x", 1) == 1)
			return STATUS_OK;
		if (r < 0 || interrupt_signal())
			break;
	}
	daemon_end(&g->agent, END_TIMEOUT);
	return STATUS_FAILED;
}

static int run(struct guest *g)
{
	struct xc_error err = XC_ERROR_INIT;
	struct utsname host;

	uname(&host);
	say("hello %s %s %s %d", XC_VERSION, host.machine, host.nodename, (int)getpid());
	if (!wait_for_line(g))
		return STATUS_FAILED;
	if (connection_parse(g->line, strlen(g->line), "the connection sent through ssh",
			     &g->connection, &err) < 0 ||
	    start_agent(g, g->line, &err) < 0)
		return say_failed(err.text);
	explicit_bzero(g->line, strlen(g->line));
	return watch(g);
}

int engines_from_stdin(const struct engine_options *options, bool stay)
{
	static struct guest g = { .agent = DAEMON_INIT, .launcher = -1 };
	int status;

	g.options = *options;
	g.stay = stay;
	g.line = malloc(CONNECTION_SIZE_MAX + 2);
	if (!g.line)
		return say_failed("out of memory");
	signal(SIGPIPE, SIG_IGN);
	g.interrupt = interrupt_catch();
	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	status = run(&g);
	free(g.line);
	daemon_fini(&g.agent);
	return status;
}
